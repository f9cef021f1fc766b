"""Runs: resumed, retried, refused, stopped; every item becomes exactly one row."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from bladecheck.archives import open_archive
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.core.verdict import Policy
from bladecheck.errors import RunError
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Options, Run
from score_helpers import NEAR, Score, exported, fill, scored
from tiny import BLUE, RED, draw, encode


def test_every_picture_is_a_row_and_every_distinct_one_is_scored_once(
    score: Score, pictures: Path, tmp_path: Path
) -> None:
    finished = score(pictures, tmp_path / "run")
    rows = exported(tmp_path / "run")
    assert [row["member"] for row in rows] == sorted(path.name for path in pictures.iterdir())
    assert Counter(row["status"] for row in rows) == {"ok": 27, "failed": 3}
    assert {row["decision"] for row in rows if row["status"] == "failed"} == {"cannot_judge"}
    assert len(scored(tmp_path / "run")) == len(set(scored(tmp_path / "run"))) == len({row["sha256"] for row in rows})
    assert finished.summary.counts()["status"] == {"failed": 3, "ok": 27}
    assert not finished.stopped


def test_resuming_scores_nothing_twice_and_repeats_no_row(score: Score, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    score(pictures, run)
    journal, rows = (run / "journal.jsonl").read_bytes(), exported(run)
    score(pictures, run)
    assert (run / "journal.jsonl").read_bytes() == journal
    assert exported(run) == rows
    sessions = json.loads((run / "run.json").read_text())["sessions"]
    assert [session["dealt_with"] for session in sessions][1] == {"done before": 30}


def test_stopping_and_going_on_gives_the_same_rows(
    classifier: Classifier, score: Score, pictures: Path, tmp_path: Path
) -> None:
    score(pictures, tmp_path / "whole")
    stop, ticks = threading.Event(), Counter[str]()

    def tick(status: str) -> None:
        ticks[status] += 1
        if ticks.total() == 7:
            stop.set()

    engine = LocalEngine(classifier, find(None), workers=2, near=NEAR)
    with open_archive(pictures) as archive:
        run = Run([pictures], archive.items(), engine, RunFolder(tmp_path / "run"), Options(), tick, stop)
        finished = run.go()
    assert finished.stopped
    assert 7 <= len(exported(tmp_path / "run")) < 30
    score(pictures, tmp_path / "run")
    assert exported(tmp_path / "run") == exported(tmp_path / "whole")


def test_number_of_threads_changes_no_row(classifier: Classifier, score: Score, pictures: Path, tmp_path: Path) -> None:
    for workers in (1, 3, 8):
        engine = LocalEngine(classifier, find(None), workers, near=NEAR)
        score(pictures, tmp_path / str(workers), engine)
    assert exported(tmp_path / "1") == exported(tmp_path / "3") == exported(tmp_path / "8")


def test_folder_and_zip_give_the_same_verdicts(score: Score, pictures: Path, tmp_path: Path) -> None:
    packed = tmp_path / "pictures.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(pictures.iterdir()):
            archive.write(path, path.name)
    score(pictures, tmp_path / "one")
    score(packed, tmp_path / "two")
    names = ("member", "sha256", "score_knife", "decision", "posted_at", "post_id")
    assert [[row[name] for name in names] for row in exported(tmp_path / "one")] == [
        [row[name] for name in names] for row in exported(tmp_path / "two")
    ]


def test_failed_pictures_stay_failed_until_retried(score: Score, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 10), tmp_path / "run"
    broken = max(archive.iterdir())
    score(archive, run)
    assert exported(run)[-1]["error_code"] == "empty"
    score(archive, run)
    assert len(scored(run)) == len(set(scored(run)))
    score(archive, run, retry_failed=True)
    assert Counter(scored(run)).most_common(1)[0] == (exported(run)[-1]["sha256"], 2)
    broken.write_bytes(encode(draw(RED)))
    score(archive, run, retry_failed=True)
    assert [row["status"] for row in exported(run)] == ["ok"] * 10


def test_changed_input_is_read_again_but_scored_pictures_stay_scored(score: Score, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 6), tmp_path / "run"
    score(archive, run)
    before = scored(run)
    (archive / "new.png").write_bytes(encode(draw(BLUE, (90, 70))))
    first = min(archive.iterdir())
    first.write_bytes(encode(draw(RED, (80, 60))))
    score(archive, run)
    assert len(exported(run)) == 7
    assert next(row for row in exported(run) if row["member"] == first.name)["width"] == 80
    assert len(scored(run)) == len(before) + 2


def test_a_file_that_vanishes_is_a_failed_row(classifier: Classifier, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 6), RunFolder(tmp_path / "run")
    gone = max(archive.iterdir())
    with open_archive(archive) as opened:
        opened.describe()
        gone.unlink()
        Run([archive], opened.items(), LocalEngine(classifier), run).go()
    row = next(row for row in exported(run.path) if row["member"] == gone.name)
    assert (row["status"], row["error_code"], row["decision"]) == ("failed", "vanished", "cannot_judge")
    assert str(tmp_path) not in json.dumps(row)


def test_an_archive_that_vanishes_ends_the_session_and_loses_nothing(
    classifier: Classifier, score: Score, tmp_path: Path
) -> None:
    archive, run = fill(tmp_path / "archive", 20), tmp_path / "run"
    score(archive, tmp_path / "whole")
    away = tmp_path / "away"

    def tick(status: str) -> None:
        if archive.exists():
            archive.rename(away)

    with open_archive(archive) as opened, pytest.raises(RunError, match="is gone"):
        Run([archive], opened.items(), LocalEngine(classifier, workers=1, near=NEAR), RunFolder(run), tick=tick).go()
    assert "RunError" in json.loads((run / "run.json").read_text())["sessions"][0]["ended"]
    away.rename(archive)
    assert not [row for row in exported(run) if row["error_code"] == "vanished"]


def test_moved_archive_is_known_again_and_a_namesake_is_refused(score: Score, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "a" / "pictures", 5), tmp_path / "run"
    score(archive, run)
    moved = tmp_path / "b" / "pictures"
    moved.parent.mkdir()
    shutil.move(archive, moved)
    score(moved, run)
    assert len(exported(run)) == 5
    namesake = fill(tmp_path / "c" / "pictures", 8)
    with pytest.raises(RunError, match="already has another input called 'pictures'"):
        score(namesake, run)


def test_rows_hold_no_path_of_this_machine(score: Score, pictures: Path, tmp_path: Path) -> None:
    score([pictures], tmp_path / "run")
    assert {row["source"] for row in exported(tmp_path / "run")} == {"pictures"}


def test_same_member_and_post_twice_are_two_rows(score: Score, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    (tmp_path / "a.png").write_bytes(encode(draw(RED)))
    table.write_text("id,file\n" + "17,a.png\n" * 3)
    score(table, tmp_path / "run")
    rows = exported(tmp_path / "run")
    assert len({row["row_id"] for row in rows}) == 3
    assert [row["duplicate_of"] for row in rows].count(None) == 1
    score(table, tmp_path / "run")
    assert len(exported(tmp_path / "run")) == 3


def test_another_policy_is_refused_or_kept_beside(
    classifier: Classifier, score: Score, pictures: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    score(pictures, run)
    rows = exported(run)
    other = LocalEngine(classifier, Policy(name="strict", sha256="5" * 64, gun="hold"))
    with pytest.raises(RunError, match=r"policy default; .*policy strict.*--side-by-side"):
        score(pictures, run, other)
    finished = score(pictures, run, other, side_by_side=True)
    assert finished.folder.path.parent == run
    assert exported(run) == rows
    assert {row["policy_name"] for row in exported(finished.folder.path)} == {"strict"}
    assert [row["row_id"] for row in exported(finished.folder.path)] == [row["row_id"] for row in rows]


def test_second_writer_is_kept_out_and_told_who_writes(score: Score, pictures: Path, tmp_path: Path) -> None:
    score(pictures, tmp_path / "run")
    with RunFolder(tmp_path / "run").locked(), pytest.raises(RunError, match=f"written by process {os.getpid()}"):
        score(pictures, tmp_path / "run")
    score(pictures, tmp_path / "run")


def test_foreign_folder_is_refused(score: Score, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("precious")
    with pytest.raises(RunError, match="no run"):
        score(pictures, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


def test_remote_pictures_wait_until_they_are_fetched(score: Score, tmp_path: Path) -> None:
    table, run = tmp_path / "table.csv", tmp_path / "run"
    places = {f"https://pbs.twimg.com/media/{name}.jpg": name for name in "abc"}
    table.write_text("id,image_url\n" + "".join(f"{n},{url}\n" for n, url in enumerate(places)))
    score(table, run)
    assert [row["status"] for row in exported(run)] == ["remote"] * 3
    assert {row["decision"] for row in exported(run)} == {None}

    def fetch(url: str) -> bytes:
        if places[url] == "b":
            raise ConnectionResetError(104, "Connection reset by peer")
        return encode(draw(RED if places[url] == "a" else BLUE))

    score(table, run, fetch=fetch)
    rows = {places[row["media_url"]]: row for row in exported(run)}
    assert [rows[name]["decision"] for name in "abc"] == ["hold", "cannot_judge", "check"]
    assert rows["b"]["error_detail"] == "The file can't be read: Connection reset by peer."
    score(table, run)
    assert {places[row["media_url"]]: row for row in exported(run)} == rows


def test_clock_going_backwards_changes_nothing(
    score: Score, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(pictures, tmp_path / "one")
    times = iter(f"{year}-01-01T00:00:00Z" for year in range(2100, 1900, -1))
    monkeypatch.setattr("bladecheck.runs.folder.now", lambda: next(times))
    score(pictures, tmp_path / "two")
    assert exported(tmp_path / "one") == exported(tmp_path / "two")


def test_a_container_that_is_fetched_again_leaves_no_failed_row(tmp_path: Path, score: Score) -> None:
    """Cut by a download, then whole: its pictures are rows, and the one that said that it was lost is gone."""
    folder, run = tmp_path / "archives", tmp_path / "run"
    pictures = sorted(fill(tmp_path / "pictures", 9).iterdir())
    folder.mkdir()
    for name, some in (("one.zip", pictures[:4]), ("two.zip", pictures[4:])):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for picture in some:
                archive.write(picture, picture.name)
    whole = (folder / "two.zip").read_bytes()
    (folder / "two.zip").write_bytes(whole[:-50])
    score(folder, run)
    assert [row["member"] for row in exported(run) if row["status"] == "failed"] == ["two.zip"]
    score(folder, run)
    assert [row["member"] for row in exported(run) if row["status"] == "failed"] == ["two.zip"], "not mended yet"
    (folder / "two.zip").write_bytes(whole)
    for _ in range(2):
        score(folder, run)
        assert sorted(row["member"] for row in exported(run)) == [picture.name for picture in pictures]
    assert not [row for row in exported(run) if row["status"] == "failed"]
