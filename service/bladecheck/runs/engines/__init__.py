"""Ways to score pictures: in this process, against a server, on a cluster; others fit behind the same protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bladecheck.archives.item import Handle
from bladecheck.core.result import Result
from bladecheck.errors import BladecheckError, RunError
from bladecheck.runs.fingerprint import Fingerprint
from bladecheck.runs.hashes import Hashes


@dataclass(frozen=True, slots=True)
class Task:
    """One row that needs its picture scored.

    Attributes:
        row: its journal record.
        read: gets the bytes here.
        handle: gets the same bytes in any process that sees the same disk or store; None where only `read` does.
    """

    row: dict[str, Any]
    read: Callable[[], bytes]
    handle: Handle | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there are no bytes: a stable code and a sentence."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task.

    Attributes:
        task: the task.
        sha256: of the bytes, in hex; None where they could not be read (`failure` says why).
        size: of the file in bytes.
        result: what the model said; None where these bytes are scored elsewhere in this run, so that nothing is
            scored twice.
        pdq: perceptual hash and quality, where asked for and possible.
    """

    task: Task
    sha256: str | None = None
    size: int = 0
    result: Result | None = None
    pdq: Fingerprint | None = None
    failure: Failure | None = None


class Claims:
    """Which pictures are scored, or being scored, by hash. Safe to use from many threads."""

    def __init__(self, done: Hashes | Iterable[bytes] = ()) -> None:
        self._taken = done if isinstance(done, Hashes) else Hashes(done)
        self._lock = threading.Lock()

    def take(self, sha256: bytes) -> bool:
        """True for the first who asks for this hash: that one scores it."""
        with self._lock:
            if sha256 in self._taken:
                return False
            self._taken.add(sha256)
            return True


class Engine(Protocol):
    """Scores pictures.

    Attributes:
        model, policy: identify what it scores with.
        card: the model's bundle.json.
    """

    model: dict[str, str]
    policy: dict[str, str]
    card: dict[str, Any]

    @property
    def notes(self) -> Mapping[str, Any]:
        """What is to be known of this session besides its rows, for run.json; complete when `score` has ended."""
        ...

    def score(self, tasks: Iterable[Task], claims: Claims) -> Generator[Outcome]:
        """Yield the outcome of every task, in any order, holding a bounded number of pictures in memory.

        Tasks are pulled in the caller's thread, as room frees up. When the caller closes the iterator, or pulling a
        task raises, what is in flight is finished and yielded or dropped; nothing is left running.
        """
        ...

    def close(self) -> None:
        """Let go of connections and threads."""
        ...


def fetch_bytes(read: Callable[[], bytes]) -> bytes | Failure:
    """The bytes that `read` gives, or why there are none; no exception of a reader ends a run.

    Raises:
        RunError: the whole input is gone.
    """
    try:
        return read()
    except RunError:
        raise
    except (BladecheckError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, FileNotFoundError):
            return Failure("vanished", "The file was there when the run began and is gone now.")
        if isinstance(cause, OSError) and cause.strerror:
            return Failure("unreadable_file", f"The file can't be read: {cause.strerror}.")
        return Failure(getattr(error, "code", "unreadable_file"), str(error))
    except Exception as error:  # readers of third-party formats raise almost anything on damaged data
        return Failure("unreadable_file", f"The archive can't be read here ({type(error).__name__}: {error})."[:500])
