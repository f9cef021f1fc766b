"""The journal: nothing that was appended is lost, whatever byte the crash fell on."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bladecheck.archives import open_archive
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.errors import RunError
from bladecheck.runs import journal as journals
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.journal import Journal, encode, read, whole_length
from bladecheck.runs.run import Run
from bladecheck.runs.table import Ledger
from journal_damages import assert_mended, damage
from score_helpers import NEAR, Score, exported, scored
from serving import environment


@pytest.fixture(scope="module")
def finished(pictures: Path, classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run over the pictures; copied before it is damaged."""
    run = tmp_path_factory.mktemp("finished") / "run"
    with open_archive([pictures]) as archive:
        engine = LocalEngine(classifier, find(None), workers=2, near=NEAR)
        Run([pictures], archive.items(), engine, RunFolder(run)).go()
    return run


RECORDS = [{"number": number, "text": "é" * number} for number in range(5)]


def test_torn_at_every_byte_keeps_what_was_whole(tmp_path: Path) -> None:
    whole_lines = [encode(record, number) for number, record in enumerate(RECORDS, 1)]
    whole = b"".join(whole_lines)
    ends = [len(b"".join(whole_lines[: count + 1])) for count in range(len(RECORDS))]
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


def test_it_is_synced_to_the_disk_every_two_seconds_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut costs two seconds of work; a sync for each line would cost more than scoring it."""
    clock, synced = [1000.0], [0]
    monkeypatch.setattr(journals, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(handle))
    with Journal(tmp_path / "journal.jsonl") as journal:
        seen = []
        for moment in (1000.1, 1002.0, 1002.1, 1004.0, 1004.1, 1004.2):
            clock[0] = moment
            journal.append([{"at": moment}])
            seen.append(len(synced) - 1)
        assert seen == [0, 0, 1, 1, 1, 2]
    assert len(synced) - 1 == 3


def test_damaged_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"a":1}\n\x00\x00\xff{]\n[1]\n{"b":2}\n')
    assert [*read(path)] == [{"a": 1}, None, None, {"b": 2}]


def test_every_line_is_sealed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(RECORDS[:2])
    with Journal(path) as journal:
        journal.append(RECORDS[2:])
    first, second, *rest = path.read_bytes().splitlines(keepends=True)
    body = second[: second.index(b',"crc"')]
    assert json.loads(second) == {**RECORDS[1], "n": 2, "crc": f"{zlib.crc32(body):08x}"}
    for wrong in (second.replace(b'"n":2', b'"n":7'), second.replace(b'"crc"', b'"crd"'), second[:-1] + b" \n"):
        path.write_bytes(b"".join([first, wrong, *rest]))
        assert [*read(path)] == [RECORDS[0], None, *RECORDS[2:]]
    path.write_bytes(b"".join([first, *rest]))
    assert [*read(path)] == [RECORDS[0], None, *RECORDS[2:]], "a lost line is told"
    path.write_bytes(b"".join([first, rest[0], second, *rest[1:]]))
    assert [*read(path)] == [RECORDS[0], None, RECORDS[2], None, *RECORDS[3:]], "and one out of its place"


def test_numbers_go_on_after_a_damaged_end(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.append(RECORDS)
    path.write_bytes(path.read_bytes()[:-5] + b"\0\0\0\0\n")
    with Journal(path) as journal:
        journal.append([{"after": "it"}])
    assert [*read(path)] == [*RECORDS[:-1], None, {"after": "it"}]


def test_a_journal_of_an_older_version_goes_on(score: Score, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    score(pictures, run)
    journal, wanted = run / "journal.jsonl", exported(run)
    old = [re.sub(rb',"n":[0-9]+,"crc":"[0-9a-f]{8}"}', b"}", line) for line in journal.read_bytes().splitlines(True)]
    old[0] = old[0].replace(b"bladecheck-journal/2", b"bladecheck-journal/1")
    journal.write_bytes(b"".join(old))
    assert exported(run) == wanted
    old[3] = re.sub(rb'"(row|picture)":"[0-9a-f]', rb'"\1":"x', old[3])  # was a traceback from bytes.fromhex
    journal.write_bytes(b"".join(old[:-6]))
    score(pictures, run)
    assert exported(run) == wanted
    assert b'"crc"' in journal.read_bytes().splitlines()[-1]


@pytest.mark.parametrize("seed", range(24))
def test_no_damage_changes_a_figure(seed: int, score: Score, pictures: Path, finished: Path, tmp_path: Path) -> None:
    """`benchmarks/damage.py --journals 1000` does the same a thousand times."""
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    wanted = exported(run)
    damage(run, (run / "journal.jsonl").read_bytes(), seed)
    assert_mended(run, wanted, lambda: score(pictures, run))


def test_rows_lost_at_the_end_are_told(
    pictures: Path, finished: Path, tmp_path: Path, bladecheck: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(b"".join(lines[:-2]))
    done = bladecheck("export", run, "--format", "jsonl")
    lost = sum("row" in json.loads(line) for line in lines[-2:])  # a copy's row comes without its picture
    assert f"has lost {lost} rows at its end" in done.stderr


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
        "    for number in range(100): journal.append([{'number': number, 'text': 'x' * 50}])\n"
        "except RunError as error: print(number, error.detail)\n"
    )
    path = tmp_path / "journal.jsonl"
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    written, _, advice = done.stdout.partition(" ")
    assert [record["number"] for record in read(path) if record] == [*range(int(written))]
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
