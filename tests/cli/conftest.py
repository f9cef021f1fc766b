"""The installed command in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.cli import main
from tiny import BLUE, GREEN, RED, draw, encode

Run = Callable[..., subprocess.CompletedProcess[bytes]]
SCRIPT = str(Path(sys.executable).with_name("bladecheck"))


@pytest.fixture(scope="session")
def script() -> str:
    """Path of the console script."""
    assert Path(SCRIPT).is_file(), "install the package first: make setup"
    return SCRIPT


@pytest.fixture(scope="session")
def run(script: str) -> Run:
    """Run `bladecheck ARGUMENTS`; whatever happens, a user never sees a traceback."""

    def call(*arguments: str | Path | bytes, **options: object) -> subprocess.CompletedProcess[bytes]:
        done = subprocess.run([script, *arguments], capture_output=True, timeout=60, **options)  # type: ignore[call-overload]
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return done  # type: ignore[no-any-return]

    return call


@pytest.fixture
def quick(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """The same command in this process, for what ends before any work: exit code, and stdout with stderr."""

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["bladecheck", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        shown = capsys.readouterr()
        return int(stopped.value.code or 0), shown.out + shown.err

    return call


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with red (knife), blue (gun) and green (neither), one of them deeper down."""
    found = tmp_path / "pictures"
    (found / "deeper").mkdir(parents=True)
    (found / "a red.png").write_bytes(encode(draw(RED)))
    (found / "b.JPG").write_bytes(encode(draw(BLUE, (320, 240)), "JPEG"))
    (found / "deeper" / "c.webp").write_bytes(encode(draw(GREEN), "WEBP", lossless=True))
    (found / "notes.txt").write_text("not a picture, and not named like one")
    (found / "._a red.png").write_bytes(b"metadata of a Mac")
    return found
