"""One writer at a time, here and, with a stand-in for its module, as on Windows."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest

from bladecheck.errors import RunError
from bladecheck.runs import lock


def second_is_told(path: Path) -> None:
    with lock.held(path, "process 17 on somewhere"):
        with pytest.raises(RunError, match="being written by process 17 on somewhere"), lock.held(path, "another"):
            pass
        assert path.read_text() == "process 17 on somewhere"
    with lock.held(path, "third"):
        assert path.read_text() == "third"


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    second_is_told(tmp_path / "lock")


def test_the_same_with_the_locks_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: dict[int, int] = {}

    def locking(handle: int, mode: int, count: int) -> None:
        """Locks bytes from where the file stands; a lock ends with its handle."""
        assert os.lseek(handle, 0, os.SEEK_CUR) == lock.FAR, "beyond what a second process reads"
        for other in [other for other in held if other != handle]:
            try:
                os.fstat(other)
            except OSError:
                del held[other]
        if any(place == lock.FAR for other, place in held.items() if other != handle):
            raise OSError("locked")
        held[handle] = lock.FAR

    stand_in = types.SimpleNamespace(locking=locking, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "msvcrt", stand_in)  # type: ignore[arg-type]
    monkeypatch.setattr(lock.sys, "platform", "win32")
    second_is_told(tmp_path / "lock")
