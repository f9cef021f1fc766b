"""Archives in object stores and on web servers: an address that behaves like a path, read by ranges, never copied.

`s3://bucket/key`, `gs://bucket/key`, `az://container/key` and `https://host/key` through obstore (`bladecheck[cloud]`).
Who may read is said in the environment, as the stores' own tools take it; nothing of it is kept or written anywhere.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Self, TypeVar, cast

from bladecheck.archives.containers.limits import MIB
from bladecheck.archives.containers.streams import Positioned, Window
from bladecheck.errors import ArchiveError, StoreUnreachable

# One slash is left of two where an address went through `Path`.
ADDRESS = re.compile(r"^(s3|gs|az|https|http):/{1,2}([^/].*)$", re.DOTALL)
LOOPBACK = re.compile(r"^http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?(?:/|$)")
AHEAD, LARGEST_AHEAD = 64 * 1024, 32 * MIB
TRIES, PATIENCE = 6, timedelta(seconds=120)
KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SKIP_SIGNATURE=true for a public bucket), and AWS_REGION",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
    "https": "nothing: only what anybody may read can be read over https",
}
Given = TypeVar("Given")

if TYPE_CHECKING:
    _Base = Path
else:
    _Base = type(Path())


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a store: its key, its size in bytes, and the store's tag of its content where there is one."""

    key: str
    size: int
    tag: str | None

    @property
    def identity(self) -> str:
        """Stands for a hash of the content, which would take reading all of it."""
        return hashlib.sha256(f"{self.tag}\0{self.size}".encode()).hexdigest()


class RemotePath(_Base):
    """An address, with as much of a path as archives need; its text is the address."""

    def __str__(self) -> str:
        scheme, *rest = self.parts
        return f"{scheme}//{'/'.join(rest)}"

    def __fspath__(self) -> str:
        return str(self)

    def resolve(self, strict: bool = False) -> Self:
        """Itself."""
        return self

    @property
    def key(self) -> str:
        """What comes after bucket, container or host."""
        return "/".join(self.parts[2:])

    def object(self) -> Object | None:
        """The object of this very address, or None.

        Raises:
            StoreUnreachable, ArchiveError: the store can't be asked, or does not let us.
        """
        if not self.key:
            return None
        try:
            found = _asked(self, lambda store, tools: tools.head(store, self.key))
        except FileNotFoundError:
            return None
        return Object(self.key, int(found["size"]), found["e_tag"])

    def objects(self) -> list[Object]:
        """All objects below this address, sorted by key.

        Raises:
            StoreUnreachable, ArchiveError: the store can't be asked, or does not let us; a web server has no lists.
        """
        if self.parts[0] in ("https:", "http:"):
            return []
        try:
            pages = _asked(self, lambda store, tools: list(tools.list(store, self.key or None)))
        except FileNotFoundError:
            return []
        found = (Object(one["path"], int(one["size"]), one["e_tag"]) for page in pages for one in page)
        return sorted(found, key=lambda one: one.key)

    def exists(self, **_: Any) -> bool:
        return self.object() is not None or bool(self.objects())

    def is_dir(self, **_: Any) -> bool:
        return False

    def is_file(self, **_: Any) -> bool:
        return self.object() is not None

    def stat(self, **_: Any) -> os.stat_result:
        """Its size is all that is true of it.

        Raises:
            FileNotFoundError: no such object.
        """
        return os.stat_result((stat.S_IFREG | 0o444, 0, 0, 1, 0, 0, RemoteFile(self).size, 0, 0, 0))

    def open(self, *_: Any, **__: Any) -> BinaryIO:  # type: ignore[override]
        """A seekable stream over it that reads ahead.

        Raises:
            FileNotFoundError: no such object.
        """
        file = RemoteFile(self)
        return cast(BinaryIO, io.BufferedReader(Window(file, 0, file.size), MIB))


class RemoteFile(Positioned):
    """An object read by ranges from any thread. What changes while it is read is noticed by its tag.

    Raises:
        FileNotFoundError: no such object.
    """

    def __init__(self, path: RemotePath, known: Object | None = None) -> None:
        found = known or path.object()
        if found is None:
            raise FileNotFoundError(2, "No such object", str(path))
        self._path, self._object, self._near = path, found, threading.local()

    @property
    def size(self) -> int:
        return self._object.size

    @property
    def known(self) -> Object:
        """What the store said of it."""
        return self._object

    def take(self, start: int, count: int) -> bytes:
        return self._fetch(start, count)

    def expect(self, start: int, count: int) -> None:
        """Fetch now, in one request, what this thread is about to read bit by bit."""
        if count <= LARGEST_AHEAD:
            self._near.start, self._near.data = start, self._fetch(start, count)

    def read_at(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from `start`; fewer only at the end.

        Raises:
            StoreUnreachable: no answer after several tries.
            OSError: it is gone, or another one lies in its place.
        """
        near, data = getattr(self._near, "start", 0), getattr(self._near, "data", b"")
        if near <= start and start + count <= near + len(data):
            return bytes(data[start - near :][:count])
        if count >= AHEAD:
            return self._fetch(start, count)
        self._near.start, self._near.data = start, self._fetch(start, AHEAD)
        return bytes(self._near.data[:count])

    def close(self) -> None:
        """Nothing to let go of."""

    def _fetch(self, start: int, count: int) -> bytes:
        end = min(start + count, self.size)
        if start >= end:
            return b""
        options: dict[str, Any] = {"range": (start, end)}
        if self._object.tag:
            options["if_match"] = self._object.tag
        return _asked(self._path, lambda store, tools: bytes(
            tools.get(store, self._object.key, options=options).bytes()))  # fmt: skip


def path_of(given: str | Path) -> Path:
    """A path, or a RemotePath where it is an address.

    Raises:
        ArchiveError: an address that is not taken, without repeating what may be secret in it.
    """
    found = None if isinstance(given, RemotePath) else ADDRESS.match(str(given))
    if found is None:
        return Path(given) if isinstance(given, str) else given
    scheme, rest = found.groups()
    where = rest.partition("?")[0].rpartition("@")[2]
    if "@" in rest.partition("/")[0] or (scheme.startswith("http") and re.search("[?#]", rest)):
        raise ArchiveError(
            f"the address of {scheme}://{where} holds a key or a query; addresses are written into run.json, so only "
            f"plain ones are taken: say who you are in the environment ({KEYS['s3']} for s3://)"
        )
    if re.search(r"//|/\.{1,2}(/|$)", rest):
        raise ArchiveError(f"{scheme}://{where} has two slashes in a row or dots in its place; it can't be told apart")
    if scheme == "http" and not LOOPBACK.match(f"http://{rest}"):
        raise ArchiveError(f"http://{where} is not encrypted, and anybody on the way could change it; use https://")
    return RemotePath(f"{scheme}://{rest}")


def positioned(path: Path) -> Positioned:
    """A file, or an object, to read by position."""
    return RemoteFile(path) if isinstance(path, RemotePath) else Positioned(path)


def size_of(file: IO[bytes]) -> int:
    """Bytes of an open file or object; its place is left at the beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


@cache
def _store(scheme: str, bucket: str) -> tuple[Any, Any]:
    """The store, and the library's functions."""
    try:
        import obstore
        from obstore import store
    except ImportError as error:
        raise ArchiveError(f"{scheme}://{bucket} needs an optional library: pip install 'bladecheck[cloud]'") from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", ""))
    client: dict[str, Any] = {"connect_timeout": "10s", "timeout": "120s"}
    if scheme == "http" or (scheme == "s3" and LOOPBACK.match(endpoint)):
        client["allow_http"] = True
    how: dict[str, Any] = {
        "client_options": client,
        "retry_config": {"max_retries": TRIES, "retry_timeout": PATIENCE},
    }
    if scheme == "s3":
        return store.S3Store(bucket, **how), obstore
    if scheme == "gs":
        return store.GCSStore(bucket, **how), obstore
    if scheme == "az":
        return store.AzureStore(bucket, **how), obstore
    return store.HTTPStore.from_url(f"{scheme}://{bucket}", **how), obstore


def _asked(path: RemotePath, ask: Callable[[Any, Any], Given]) -> Given:
    """What the store answers.

    Raises:
        FileNotFoundError: there is no such object.
        ArchiveError: we may not, there is no such bucket, or the server does not give ranges.
        OSError: another object lies there than before.
        StoreUnreachable: no answer after several tries.
    """
    scheme, bucket = path.parts[0].rstrip(":"), path.parts[1]
    try:
        return ask(*_store(scheme, bucket))
    except (FileNotFoundError, ArchiveError):
        raise
    except Exception as error:
        name = type(error).__name__
        if not type(error).__module__.startswith("obstore"):
            raise
        raise _told(path, name, str(error)) from None  # the library's own words may repeat headers and keys


def _told(path: RemotePath, name: str, words: str) -> Exception:
    scheme, bucket = path.parts[0].rstrip(":"), path.parts[1]
    keys = KEYS.get(scheme, KEYS["https"])
    first = re.sub(r"\?\S*", "", words.partition("\n")[0])
    if "NoSuchBucket" in words or "ContainerNotFound" in words:
        return ArchiveError(f"{path} does not exist: there is no {bucket!r} at this store; is the name right?")
    if name in ("PermissionDeniedError", "UnauthenticatedError"):
        return ArchiveError(f"{path} may not be read with these credentials. Set {keys} in the environment")
    if re.search(r"169\.254\.|token request|/latest/api/token|Missing|must be specified|[Cc]redential", words):
        return ArchiveError(f"{path} can't be read without credentials. Set {keys} in the environment")
    if name == "PreconditionError":
        return OSError(5, f"{path} was replaced while it was read")
    if name == "NotSupportedError":
        return ArchiveError(f"{path} can't be read in parts: the server gives no ranges; download it first")
    return StoreUnreachable(f"{path} can't be reached ({first[:200]})")
