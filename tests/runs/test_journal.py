"""The journal: nothing that was appended is lost, whatever byte the crash fell on."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bladecheck.errors import RunError
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.journal import Journal, encode, read, whole_length
from bladecheck.runs.table import Ledger
from score_helpers import Score, exported, scored
from serving import environment

RECORDS = [{"n": number, "text": "é" * number} for number in range(5)]


def test_torn_at_every_byte_keeps_what_was_whole(tmp_path: Path) -> None:
    whole = b"".join(encode(record) for record in RECORDS)
    ends = [len(b"".join(encode(record) for record in RECORDS[: count + 1])) for count in range(len(RECORDS))]
    path = tmp_path / "journal.jsonl"
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        kept = sum(end <= length for end in ends)
        assert [*read(path)] == RECORDS[:kept]
        with Journal(path) as journal:
            journal.append([{"after": "the crash"}])
        assert [*read(path)] == [*RECORDS[:kept], {"after": "the crash"}]


def test_whole_length_looks_beyond_one_block(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"first\n" + b"x" * 1000)
    assert whole_length(path, block=7) == 6
    path.write_bytes(b"x" * 1000)
    assert whole_length(path, block=7) == 0


def test_damaged_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a":1}\n\x00\x00\xff{]\n[1]\n{"b":2}\n')
    assert [*read(path)] == [{"a": 1}, None, None, {"b": 2}]


def test_a_run_torn_within_its_last_lines_is_made_whole(score: Score, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    score(pictures, run)
    journal, wanted = run / "journal.jsonl", exported(run)
    whole = journal.read_bytes()
    tail = len(b"".join(whole.splitlines(keepends=True)[-2:]))
    cuts = [*range(len(whole) - tail, len(whole), 53), len(whole) - 1]
    for length in cuts:
        journal.write_bytes(whole[:length])
        with Ledger(RunFolder(run)) as ledger:
            assert ledger.damaged == 0
        score(pictures, run)
        assert exported(run) == wanted


def test_damage_in_the_middle_is_said_and_mended(score: Score, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    score(pictures, run)
    journal, wanted = run / "journal.jsonl", exported(run)
    damaged = journal.read_bytes().splitlines(keepends=True)
    damaged[3] = b"\x00" * (len(damaged[3]) - 1) + b"\n"
    journal.write_bytes(b"".join(damaged))
    with Ledger(RunFolder(run)) as ledger:
        assert ledger.damaged == 1
    score(pictures, run)
    assert exported(run) == wanted


def test_full_disk_leaves_whole_lines_and_a_clear_error(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from bladecheck.runs.journal import Journal; from bladecheck.errors import RunError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    for number in range(100): journal.append([{'n': number, 'text': 'x' * 50}])\n"
        "except RunError as error: print(number, error.detail)\n"
    )
    path = tmp_path / "journal.jsonl"
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    written, _, advice = done.stdout.partition(" ")
    assert [record["n"] for record in read(path) if record] == [*range(int(written))]
    assert path.read_bytes().endswith(b"\n")
    assert "Nothing that was scored is lost" in advice


def test_the_run_stops_clearly_on_a_full_disk_and_goes_on(
    score: Score, pictures: Path, tmp_path: Path, tiny_path: Path
) -> None:
    score(pictures, tmp_path / "whole")
    run = tmp_path / "run"
    program = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n"
        "from bladecheck.cli import main; main()\n"
    )
    options = ["score", str(pictures), "-o", str(run), "--bundle", str(tiny_path)]
    command = [sys.executable, "-c", program, *options]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 1
    assert "raise the limit" in done.stderr
    assert "Traceback" not in done.stderr
    before = scored(run)
    assert 0 < len(before) < len(scored(tmp_path / "whole"))
    score(pictures, run)
    assert sorted(scored(run)) == sorted(scored(tmp_path / "whole"))
    assert exported(run) == exported(tmp_path / "whole")


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text(json.dumps({"other": 1}) + "\n")
    with pytest.raises(RunError, match="does not begin"):
        RunFolder(tmp_path).header()
