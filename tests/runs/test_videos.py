"""Videos in archive runs: rows like any other, counted apart from pictures; skipped ones are looked at later."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from bladecheck.archives import open_archive
from bladecheck.archives.archive import NOT_LOOKED_AT
from bladecheck.cli.score import score as score_command
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.runs.counts.frame import gather
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.exports import Export
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.pictures import Pictures
from bladecheck.runs.report.page import render
from bladecheck.runs.run import Finished, Options, Run
from bladecheck.runs.table import Ledger
from bladecheck.runs.verify import scores
from filmed import film
from tiny import GREEN, RED, draw, encode

DANGER = ((GREEN, 1.5), (RED, 0.5), (GREEN, 1.0))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip: a picture without a knife, a video with one, its copy, a broken video, one that ends early."""
    path = tmp_path_factory.mktemp("films") / "posts.zip"
    cut = film(((GREEN, 3.0),), "webm", "libvpx")
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("2024-03-01 calm.png", encode(draw(GREEN)))
        out.writestr("2024-03-02 danger.mp4", film(DANGER))
        out.writestr("2024-04-01 danger again.mp4", film(DANGER))
        out.writestr("2024-04-02 broken.mp4", film(DANGER)[:-200])
        out.writestr("2024-04-03 cut.webm", cut[: int(len(cut) * 0.7)])
    return path


def go(classifier: Classifier, archive: Path, folder: Path, videos: bool = True) -> Finished:
    engine = LocalEngine(classifier, find(None), workers=2)
    with open_archive(archive, videos=videos) as opened:
        return Run([archive], opened.items(), engine, RunFolder(folder), Options()).go()


@pytest.fixture(scope="module")
def looked_at(classifier: Classifier, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run that looked at videos. Not to be changed."""
    return go(classifier, archive, tmp_path_factory.mktemp("runs") / "with")


@pytest.fixture(scope="module")
def skipped(classifier: Classifier, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run that did not. Not to be changed."""
    return go(classifier, archive, tmp_path_factory.mktemp("runs") / "without", videos=False)


def rows(folder: Path) -> dict[str, dict[str, Any]]:
    with Ledger(RunFolder(folder)) as ledger:
        return {row["member"].split(" ", 1)[1]: row for row in ledger.rows()}


def test_a_video_is_a_row_with_the_time_of_its_worst_frame(looked_at: Finished) -> None:
    found = rows(looked_at.folder.path)
    danger = found["danger.mp4"]
    assert (danger["status"], danger["decision"], danger["media_kind"]) == ("ok", "hold", "video")
    assert 1.5 <= danger["frame_at"] < 2.0
    assert (danger["format"], danger["video_seconds"]) == ("MP4", 3.0)
    assert danger["frames_looked_at"] >= 4
    assert danger["pdq"] is None
    assert found["danger again.mp4"]["duplicate_of"] == danger["row_id"]
    broken = found["broken.mp4"]
    assert (broken["status"], broken["error_code"], broken["media_kind"]) == ("failed", "broken", "video")
    assert (found["cut.webm"]["decision"], found["cut.webm"]["reasons"][-1]) == ("check", "maybe_damaged")
    calm = found["calm.png"]
    assert (calm["media_kind"], calm["frame_at"]) == ("picture", None)


def test_counts_of_pictures_are_the_same_with_and_without_videos(looked_at: Finished, skipped: Finished) -> None:
    apart = ("videos_looked_at", "videos_hold", "videos_check")
    for one, other in zip(looked_at.summary.lines(), skipped.summary.lines(), strict=True):
        assert one == {**other, **{key: one[key] for key in apart}}
    total = looked_at.summary.lines()[-1]
    assert (total["pictures"], total["scored"], total["hold"], total["not_pictures"]) == (5, 1, 0, 4)
    assert (total["videos"], total["videos_looked_at"], total["videos_hold"], total["videos_check"]) == (4, 3, 2, 1)
    assert skipped.summary.lines()[-1]["videos_looked_at"] == 0
    assert looked_at.summary.counts()["videos"] == {"cannot_judge": 1, "check": 1, "hold": 2}
    assert looked_at.summary.counts()["decision"] == {"clear": 1}
    assert looked_at.summary.counts()["distinct_pictures"] == 1
    with Ledger(looked_at.folder) as ledger:
        frame = gather(ledger.rows(), "UTC")
    assert len(frame.units) == 1  # no total that is estimated speaks of videos
    assert sum(count for (status, _, _), count in frame.left_out.items() if status == "video") == 3


def test_an_older_run_looks_at_the_videos_that_it_skipped_and_then_has_no_more_to_do(
    looked_at: Finished, skipped: Finished, classifier: Classifier, archive: Path, tmp_path: Path
) -> None:
    old = shutil.copytree(skipped.folder.path, tmp_path / "old")
    was = rows(old)["danger.mp4"]
    assert (was["status"], was["error_detail"]) == ("video_skipped", NOT_LOOKED_AT)
    go(classifier, archive, old)
    assert rows(old) == rows(looked_at.folder.path)
    before = (old / "journal.jsonl").stat().st_size
    go(classifier, archive, old)
    go(classifier, archive, old, videos=False)  # what was looked at stays
    assert (old / "journal.jsonl").stat().st_size == before


def test_scores_of_videos_can_be_verified(looked_at: Finished, classifier: Classifier) -> None:
    danger = rows(looked_at.folder.path)["danger.mp4"]
    assert scores(looked_at.folder, [danger], 1, classifier, find(None)).wrong == []
    with Pictures(looked_at.folder, [danger["row_id"]]) as pictures:
        assert pictures.open(danger["row_id"], danger["sha256"]) == film(DANGER)


def test_the_report_tells_of_videos_apart(looked_at: Finished) -> None:
    with Ledger(looked_at.folder) as ledger:
        page = render(Export(ledger.rows, looked_at.folder.manifest(), "UTC"), [])
    assert "4 videos were looked at" in page


def test_the_command_says_what_it_found_and_counts_videos_apart(
    archive: Path, tiny_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert score_command([archive], tmp_path, bundle=str(tiny_path), near=False, video_frames=6) == 2
    said = capsys.readouterr().out
    assert "1 picture, 4 videos" in said
    assert "Decisions: 1 clear." in said
    assert "Videos, counted apart: 1 cannot judge, 1 check, 2 hold." in said
    assert json.loads((tmp_path / "run.json").read_text())["sessions"][-1]["videos"] is True


def test_without_the_extra_videos_are_skipped_and_it_says_how_to_look_at_them(
    archive: Path, tiny_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert score_command([archive], tmp_path, bundle=str(tiny_path), near=False) == 0
    said = capsys.readouterr()
    assert "1 picture, 4 videos skipped" in said.out
    assert "pip install 'bladecheck[video]'" in said.err
    assert {row["status"] for row in rows(tmp_path).values() if row["media_kind"] == "video"} == {"video_skipped"}
