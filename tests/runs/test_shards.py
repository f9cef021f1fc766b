"""An archive in shards: the same rows as in one run, whatever order, copies or repetition."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.errors import RunError
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Finished
from bladecheck.runs.shards import INPUTS, Shard, hash_inputs, merge
from score_helpers import Score, exported, lines
from x_drawing import tweet, write, x_members

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def in_shards(score: Score) -> Callable[..., list[Finished]]:
    def run(pictures: Path, folder: Path, count: int, skip: int = 0) -> list[Finished]:
        shards = [Shard(number, count) for number in range(count, 0, -1) if number != skip]
        return [score(pictures, folder / shard.name, shard=shard) for shard in shards]

    return run


def test_shards_put_together_are_the_one_run_row_for_row(
    in_shards: Callable[..., list[Finished]], score: Score, pictures: Path, tmp_path: Path
) -> None:
    one = score(pictures, tmp_path / "one")
    parts = in_shards(pictures, tmp_path / "run", 4)
    sizes = [part.summary.counts()["rows"] for part in parts]
    assert sum(sizes) == one.summary.counts()["rows"] == 30
    assert sum(size > 0 for size in sizes) > 1
    merged = merge(RunFolder(tmp_path / "run"))
    assert (merged.shards, merged.missing) == (4, ())
    expected = exported(tmp_path / "one")
    assert any(row["duplicate_of"] for row in expected)  # copies that ended in different shards among them
    ignored = {"run_id": None}
    assert [row | ignored for row in exported(tmp_path / "run")] == [row | ignored for row in expected]


def test_putting_together_twice_changes_nothing(
    in_shards: Callable[..., list[Finished]], pictures: Path, tmp_path: Path
) -> None:
    in_shards(pictures, tmp_path / "run", 3)
    folder = RunFolder(tmp_path / "run")
    merge(folder)
    before, manifest = folder.journal.read_bytes(), folder.manifest()
    merge(folder)
    assert folder.journal.read_bytes() == before
    assert folder.manifest() == manifest
    assert {session["shard"] for session in manifest["sessions"]} == {"1/3", "2/3", "3/3"}


def test_a_merged_run_goes_on_without_scoring_anything_again(
    in_shards: Callable[..., list[Finished]], score: Score, pictures: Path, tmp_path: Path
) -> None:
    in_shards(pictures, tmp_path / "run", 3)
    merge(RunFolder(tmp_path / "run"))
    before = len(lines(tmp_path / "run" / "journal.jsonl"))
    score(pictures, tmp_path / "run")
    assert len(lines(tmp_path / "run" / "journal.jsonl")) == before


def test_a_missing_shard_is_named_and_only_taken_for_absent_when_asked(
    in_shards: Callable[..., list[Finished]], pictures: Path, tmp_path: Path
) -> None:
    in_shards(pictures, tmp_path / "run", 3, skip=2)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(RunError, match=r"missing: 2"):
        merge(folder)
    assert not folder.exists
    assert merge(folder, partial=True).missing == (2,)
    assert folder.manifest()["merged"] == {"shards": 2, "of": 3, "missing": [2]}


def test_an_unfinished_shard_is_refused(
    in_shards: Callable[..., list[Finished]], pictures: Path, tmp_path: Path
) -> None:
    in_shards(pictures, tmp_path / "run", 2)
    half = RunFolder(tmp_path / "run" / Shard(1, 2).name)
    manifest = half.manifest()
    manifest["sessions"][-1]["ended"] = "stopped"
    half.save(manifest)
    with pytest.raises(RunError, match=r"not finished: 1"):
        merge(RunFolder(tmp_path / "run"))


def test_shards_of_other_inputs_or_another_number_do_not_mix(score: Score, pictures: Path, tmp_path: Path) -> None:
    other = tmp_path / "pictures"
    other.mkdir()
    (other / "a.jpg").write_bytes((sorted(pictures.iterdir())[0]).read_bytes())
    run = tmp_path / "run"
    score(pictures, run / Shard(1, 2).name, shard=Shard(1, 2))
    score(other, run / Shard(2, 2).name, shard=Shard(2, 2))
    with pytest.raises(RunError, match="different inputs"):
        merge(RunFolder(run))
    score(pictures, run / Shard(1, 3).name, shard=Shard(1, 3))
    with pytest.raises(RunError, match="2 and of 3"):
        merge(RunFolder(run))
    with pytest.raises(RunError, match="holds no shards"):
        merge(RunFolder(tmp_path / "nothing"))


def test_inputs_are_hashed_once_for_all_shards(score: Score, pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("file\n" + "\n".join(str(path) for path in sorted(pictures.iterdir())[:3]) + "\n")
    run = RunFolder(tmp_path / "run")
    entries = hash_inputs([table], run)
    marked = [{**entries[0], "sha256": "0" * 64}]  # no real hash: whoever shows it did not hash the file again
    (run.path / INPUTS).write_text(json.dumps(marked))
    part = score(table, run.path / Shard(1, 2).name, shard=Shard(1, 2))
    assert part.folder.manifest()["inputs"][0]["sha256"] == "0" * 64
    table.write_text(table.read_text() + "\n")  # changed since: hashed anew
    part = score(table, run.path / Shard(2, 2).name, shard=Shard(2, 2))
    assert part.folder.manifest()["inputs"][0]["sha256"] != "0" * 64


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("3/64", {}, "3/64"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "5", "SLURM_ARRAY_TASK_MAX": "8",
                  "SLURM_ARRAY_TASK_COUNT": "4"}, "3/4"),
        ("auto/64", {"JOB_COMPLETION_INDEX": "0"}, "1/64"),
        ("auto/64", {"JOB_COMPLETION_INDEX": "63"}, "64/64"),
    ],
)  # fmt: skip
def test_which_shard(text: str, environment: dict[str, str], expected: str) -> None:
    assert str(Shard.parse(text, environment)) == expected


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("0/4", {}, "shards are 1 to 4"),
        ("5/4", {}, "shards are 1 to 4"),
        ("1/0", {}, "1 to 100,000 shards"),
        ("two/4", {}, "give I/N"),
        ("3", {}, "give I/N"),
        ("auto", {}, "found neither"),
        ("auto", {"JOB_COMPLETION_INDEX": "0"}, "auto/64"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "8",
                  "SLURM_ARRAY_TASK_COUNT": "3"}, "without gaps"),
    ],
)  # fmt: skip
def test_what_is_no_shard_is_explained(text: str, environment: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shard.parse(text, environment)


def test_the_command(bladecheck: Command, tiny_path: Path, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert bladecheck("score", pictures, "-o", run, "--hash-inputs").returncode == 0
    for number in (1, 2):
        done = bladecheck("score", pictures, "-o", run, "--bundle", tiny_path, "--shard", f"{number}/2")
        assert done.returncode in (0, 2), done.stderr
        assert f"bladecheck merge {run}" in done.stdout
    done = bladecheck("merge", run)
    assert done.returncode == 0, done.stderr
    assert "30 rows of 2 shards" in done.stdout
    assert bladecheck("report", run).returncode == 0
    assert bladecheck("score", pictures, "-o", run, "--shard", "9/2").returncode == 1


@pytest.mark.parametrize("first", ["old", "new"])
def test_shards_over_overlapping_archives_give_the_rows_of_one_run(first: str, score: Score, tmp_path: Path) -> None:
    common = [tweet(number, f"common {number}", f"CommonPic{number:02d}") for number in range(1, 13)]
    old = write(tmp_path / "old", x_members([*common, tweet(20, "deleted since", "DeletedPic3")]))
    described = tweet(2, "common 2", "CommonPic02", ext_alt_text="A table")
    new = write(tmp_path / "new", x_members([described, *common[5:], tweet(21, "new", "NewPicAAA04")]))
    archives = [old, new] if first == "old" else [new, old]
    score(archives, tmp_path / "one")
    for number in (1, 2, 3):
        score(archives, tmp_path / "run" / Shard(number, 3).name, shard=Shard(number, 3))
    merge(RunFolder(tmp_path / "run"))
    rows = exported(tmp_path / "run")
    assert rows == exported(tmp_path / "one")
    assert len(rows) == 14
    assert any(row["also_in"] for row in rows)
    assert len({int(row["row_id"][:8], 16) % 3 for row in rows}) == 3
