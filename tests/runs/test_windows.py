"""An archive run in a process that lacks what Windows lacks: the same rows, exports and report. See `windows_like`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from archives.drawn_formats import DATED, Drawn
from runs.test_many_formats import MOMENTS
from score_helpers import Score, exported, fill
from serving import environment

PROGRAM = """
import windows_like; windows_like.become()
import json, sys
from bladecheck.cli import main
for words in json.loads(sys.argv[1]):
    sys.argv = ["bladecheck", *words]
    try:
        main()
    except SystemExit as done:
        print("code", done.code or 0)
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export, tables and pictures of which some are damaged."""
    root = tmp_path_factory.mktemp("archives")
    for number, name in enumerate(("x_archive", "telegram", "table", "web_exporter_csv")):
        DATED[name](root / name, [Drawn(10 * number + k, "force", MOMENTS[k]) for k in range(3)])
    fill(root / "pictures", 12)
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="which files are open is read from /proc")
def test_a_run_as_on_windows(archives: Path, tiny_path: Path, score: Score, tmp_path: Path) -> None:
    score(archives, tmp_path / "usual")
    mine = tmp_path / "windows"
    begin = ["score", str(archives), "-o", str(mine), "--bundle", str(tiny_path)]
    formats = ("csv", "xlsx", "parquet", "summary")
    after = [["report", str(mine)], *(["export", str(mine), "--format", name] for name in formats)]
    # All of it twice: what is there has to be replaced.
    asked = json.dumps([begin, begin, *after, *after])
    given = environment() | {"PYTHONPATH": f"{Path(__file__).parents[1]}:{environment()['PYTHONPATH']}"}
    command = [sys.executable, "-X", "warn_default_encoding", "-W", "error", "-c", PROGRAM, asked]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=120)
    codes = [line for line in done.stdout.splitlines() if line.startswith("code ")]
    assert codes == ["code 2", "code 2", *["code 0"] * 2 * len(after)], done.stderr
    assert "Traceback" not in done.stderr
    usual, windows = ([{**row, "scored_at": None, "run_id": None} for row in exported(tmp_path / name)]
                      for name in ("usual", "windows"))  # fmt: skip
    assert len(usual) > 20
    assert windows == usual


def test_an_open_file_can_be_neither_replaced_nor_deleted() -> None:
    """So that the test above says something."""
    program = """
import windows_like; windows_like.become()
import os, pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
for name in "ab":
    (folder / name).write_bytes(b"")
with (folder / "b").open("rb"):
    for call in (lambda: (folder / "a").replace(folder / "b"), (folder / "b").unlink):
        try:
            call()
        except PermissionError:
            print("refused")
(folder / "a").replace(folder / "b")
print(hasattr(os, "fork"), hasattr(os, "pread"))
"""
    given = environment() | {"PYTHONPATH": f"{Path(__file__).parents[1]}:{environment()['PYTHONPATH']}"}
    done = subprocess.run([sys.executable, "-c", program], env=given, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["refused", "refused", "False", "False"], done.stderr
