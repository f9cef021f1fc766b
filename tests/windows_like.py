"""Makes this process behave as on Windows, as far as can be elsewhere: to be called before anything is imported.

No fcntl, resource and the like, no fork, no reading by position, no flags that only POSIX has; a file that is open can
be neither replaced, renamed nor deleted; text files without a stated encoding are an error, as the default differs;
the lock is that of `msvcrt`, by a stand-in. What can't be had here: drive letters, names without letter case, scanners.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

POSIX_ONLY = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty")
CALLS = ("fork", "forkpty", "pread", "preadv", "pwrite", "sched_getaffinity", "getuid", "geteuid", "killpg", "statvfs")
FLAGS = ("O_NONBLOCK", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC")


def become() -> None:
    """From now on."""
    import fcntl
    import subprocess  # asks for msvcrt when it is imported, and takes itself for Windows' own

    assert subprocess
    _lock_by(fcntl)
    for name in POSIX_ONLY:
        sys.modules[name] = None  # type: ignore[assignment]
    for name in (*CALLS, *FLAGS):
        if hasattr(os, name):
            delattr(os, name)
    for name in ("replace", "rename", "unlink", "remove"):
        setattr(os, name, _refusing(getattr(os, name)))


def _refusing(call: Callable[..., Any]) -> Callable[..., Any]:
    """The call, refused where a file that it names is open in this process."""

    def refused(*paths: Any, **how: Any) -> Any:
        if "dir_fd" not in how or how["dir_fd"] is None:
            for path in paths:
                if os.path.realpath(os.fspath(path)) in _open():
                    raise PermissionError(13, "The process cannot access the file because it is being used", path)
        return call(*paths, **how)

    return refused


def _open() -> set[str]:
    """The paths of all files that this process holds open."""
    found: set[str] = set()
    for held in Path("/proc/self/fd").iterdir():
        try:
            found.add(str(held.readlink()))
        except OSError:
            continue
    return found


def _lock_by(fcntl: Any) -> None:
    """`msvcrt` by POSIX's locks; the module of the lock alone believes that it is on Windows."""

    def locking(handle: int, mode: int, count: int) -> None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(36, "locked") from error

    sys.modules["msvcrt"] = types.SimpleNamespace(locking=locking, LK_NBLCK=2)  # type: ignore[assignment]
    from bladecheck.runs import lock

    lock.sys = types.SimpleNamespace(platform="win32")  # type: ignore[attr-defined]
