"""On a cluster: the rows of a run in one process, whatever becomes of workers, machines and the driver."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from cluster.conftest import Ray, deadly
from score_helpers import Score, exported, fill, scored


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 pictures in a zip, 25 of them damaged and 35 of them copies."""
    folder = fill(tmp_path_factory.mktemp("archive") / "pictures", 250)
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, path.name)
    return folder.with_suffix(".zip")


def rows(run: Path) -> bytes:
    """The export, byte for byte."""
    exported(run)
    return (run / "rows.jsonl").read_bytes()


@pytest.mark.parametrize("send_bytes", [False, True])
def test_same_rows_as_in_process(
    local: Score, on_cluster: Ray, archive: Path, tmp_path: Path, send_bytes: bool
) -> None:
    local(archive, tmp_path / "here")
    finished = on_cluster(archive, tmp_path / "there", {"send_bytes": send_bytes})
    assert rows(tmp_path / "here") == rows(tmp_path / "there")
    assert sorted(scored(tmp_path / "here")) == sorted(scored(tmp_path / "there")), "no picture was scored twice"
    told = finished.folder.manifest()["sessions"][-1]["cluster"]
    assert told["workers"][0]["joined"] == 2
    assert told["worker_cores"] == 1
    assert told.get("sent_from_here", 0) == (250 if send_bytes else 0)


def test_a_picture_that_kills_its_worker_becomes_a_row(
    local: Score, on_cluster: Ray, tmp_path: Path, machines: Any
) -> None:
    folder = fill(tmp_path / "pictures", 60)
    deadly(folder / "1746827059000246273-deadly.png")
    deadly(folder / "1746827059000246274-copy.png")
    on_cluster(folder, run := tmp_path / "run")
    found = {row["member"]: row for row in exported(run)}
    local(folder, tmp_path / "here")
    wanted = {row["member"]: row for row in exported(tmp_path / "here")}
    killed = [name for name in wanted if name.endswith(".png")]
    assert [(found[name]["status"], found[name]["error_code"]) for name in killed] == [("failed", "worker_lost")] * 2
    assert {name: row for name, row in found.items() if name not in killed} == {
        name: row for name, row in wanted.items() if name not in killed
    }
    assert len(scored(run)) == len(set(scored(run)))
    assert on_cluster(folder, run).folder.manifest()["sessions"][-1]["cluster"].get("workers_died", 0) == 0
    local(folder, run, retry_failed=True)
    assert exported(run) == exported(tmp_path / "here")
