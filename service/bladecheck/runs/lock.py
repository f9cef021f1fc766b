"""One writer at a time: a lock that the system itself lets go of when the process dies, however it dies."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bladecheck.errors import RunError
from bladecheck.runs.journal import failure

# Windows keeps others from reading what is locked: a byte far beyond the owner's name is locked, which none reads.
FAR = 2**30


@contextmanager
def held(path: Path, owner: str) -> Iterator[None]:
    """Hold the lock file at `path`, with `owner` written into it for whoever comes second.

    Raises:
        RunError: another process holds it, and which; or the file can't be made.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
    except OSError as error:
        raise failure(path, error) from error
    try:
        if not _taken(handle):
            raise RunError(f"{path.parent} is being written by {_owner(handle)}. Wait for it, or choose another -o.")
        with suppress(OSError):  # a full disk: the lock itself holds all the same
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, owner.encode())
        yield
    finally:
        os.close(handle)


def this_process(now: str) -> str:
    """The owner's name for this process."""
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"


def _taken(handle: int) -> bool:
    """Whether the lock could be taken; never waits."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(handle: int) -> str:
    os.lseek(handle, 0, os.SEEK_SET)
    return os.read(handle, 500).decode("utf-8", "replace").strip() or "another process"
