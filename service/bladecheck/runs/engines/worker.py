"""The part of a cluster run that works on other machines: reads pictures by their handles, and judges them.

Two calls a batch: `read` says what each picture's hash is, so that whoever keeps the run can tell which are new; then
`judge` judges those. The bytes stay here in between. Nothing here knows of the engine that carries the calls.
"""

from __future__ import annotations

import hashlib
import platform
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bladecheck import __version__
from bladecheck.archives.containers.remote import RemotePath, path_of
from bladecheck.archives.item import Handle
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.core.result import Result
from bladecheck.core.verdict import Policy
from bladecheck.errors import BladecheckError, RunError, StoreUnreachable
from bladecheck.machine import processor
from bladecheck.runs.engines import Failure, fetch_bytes
from bladecheck.runs.engines.judging import Judge
from bladecheck.runs.fingerprint import Fingerprint
from bladecheck.runs.provenance import versions

BATCH_BYTES = 8 * 2**20
"""A batch ends with the picture that takes it beyond this, so that a worker never holds many large ones."""
Judged = tuple[Result, Fingerprint | None]
Source = Handle | bytes


@dataclass(frozen=True, slots=True)
class Sight:
    """An input as whoever began the run sees it: bytes and time of change (whole seconds) of a file, else None."""

    path: str
    size: int | None
    changed: int | None

    @classmethod
    def of(cls, given: Path | str) -> Sight | None:
        """The input as it is seen here; None if it is not.

        Raises:
            BladecheckError: a store that can't be asked.
        """
        path = path_of(given)
        if isinstance(path, RemotePath):
            found = path.object()
            return cls(str(path), found.size if found else None, None) if found or path.exists() else None
        try:
            status = path.stat()
        except OSError:
            return None
        return cls(str(path), None, None) if path.is_dir() else cls(str(path), status.st_size, int(status.st_mtime))


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to know: which model and policy, how many threads, and which inputs it must see.

    Attributes:
        bundle: its name or path; None for the default.
        inputs: empty where bytes are sent.
    """

    bundle: str | None
    policy: Policy
    near: bool
    limits: PictureLimits
    cores: int
    inputs: tuple[Sight, ...]


@dataclass(frozen=True, slots=True)
class Hello:
    """Who answers. Rows are alike only where `model`, `policy`, `bladecheck` and the names of `packages` are.

    Attributes:
        host: the machine's name.
        packages: versions of what decodes and judges.
        cpu: the processor's model, as far as the system tells.
    """

    host: str
    model: dict[str, str]
    policy: dict[str, str]
    bladecheck: str
    python: str
    packages: dict[str, str]
    cpu: str


@dataclass(frozen=True, slots=True)
class Read:
    """A picture that is at hand: the SHA-256 of its bytes, and how many there are."""

    sha256: bytes
    size: int


class Worker:
    """Judges on `setup.cores` threads. Its calls may overlap; `hello` comes first."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._held: dict[int, list[bytes]] = {}

    def hello(self) -> Hello:
        """Load the model, and look whether everything is here.

        Raises:
            BladecheckError: the model, an input or a library that pictures need is not here; the host is named.
        """
        setup, host = self._setup, socket.gethostname()
        try:
            self._judge = Judge(Classifier.open(setup.bundle), setup.policy, setup.near, setup.limits)
            seen = [(wanted, Sight.of(wanted.path)) for wanted in setup.inputs]
        except BladecheckError as error:
            raise RunError(f"Worker on {host}: {error.detail}") from error
        except ImportError as error:
            raise RunError(f"Worker on {host} lacks a library that this run needs: {error}.") from error
        for wanted, found in seen:
            if found != wanted:
                what = "can't see" if found is None else "sees another"
                raise RunError(f"{host} {what} {wanted.path}: put it on a disk that all machines share (under the "
                               "same path) or into an object store, or add --send-bytes.")  # fmt: skip
        self._pool = ThreadPoolExecutor(setup.cores, "judge")
        return Hello(
            host, self._judge.model, self._judge.policy, __version__, platform.python_version(), versions(), processor()
        )

    def read(self, number: int, sources: Sequence[Source]) -> list[Read | Failure]:
        """Get the first of these pictures: all, or as many as one batch may hold; at least one.

        Args:
            number: of the batch, for `judge`. One of the same number that was read before is forgotten.
            sources: handles, or the bytes themselves.

        Raises:
            RunError: an input is gone as a whole.
        """
        answers: list[Read | Failure] = []
        held: list[bytes] = []
        for source in sources:
            data = source if isinstance(source, bytes) else fetch_bytes(partial(self._open, source))
            if isinstance(data, Failure):
                answers.append(data)
                continue
            answers.append(Read(hashlib.sha256(data).digest(), len(data)))
            held.append(data)
            if sum(map(len, held)) >= BATCH_BYTES:
                break
        self._held[number] = held
        return answers

    def judge(self, number: int, wanted: Sequence[bool]) -> list[Judged]:
        """Judge pictures of a batch that was read.

        Args:
            number: of the batch, which is forgotten.
            wanted: one for each picture that could be read: whether it is to be judged.

        Returns: what was said of each wanted one, in order.
        """
        held = self._held.pop(number)
        return list(self._pool.map(self._judge, [data for data, yes in zip(held, wanted, strict=True) if yes]))

    def _open(self, handle: Callable[[], bytes]) -> bytes:
        """What the handle gives; an input that is gone as a whole ends the run instead of failing row after row."""
        try:
            return handle()
        except StoreUnreachable as error:
            raise RunError(f"{error.detail}. What was scored is kept: run the same command again.") from error
        except (BladecheckError, OSError) as error:
            for wanted in self._setup.inputs:
                if not path_of(wanted.path).exists():
                    raise RunError(
                        f"{wanted.path} is gone from {socket.gethostname()} (was a disk taken out?). What was scored "
                        "is kept: bring it back and run the same command again."
                    ) from error
            raise
