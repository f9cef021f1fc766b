"""On a cluster the rows are those of a run in one process, however the pictures come to the workers."""

from __future__ import annotations

import os
import shutil
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archives.drawn_formats import DATED, Drawn
from bladecheck.core.bundle import load
from bladecheck.errors import RunError
from cluster.conftest import Machines, Score, rows, told
from score_helpers import fill, scored
from tiny import write_looking

POSTS = [Drawn(number, "a", datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=number)) for number in range(3)]
SAMPLES = Path(__file__).parents[1] / "archives" / "samples"
LARGE = 30


@pytest.mark.parametrize("send_bytes", [False, True])
def test_same_rows_as_in_process(
    on_cluster: Score, archive: Path, wanted: Path, tmp_path: Path, send_bytes: bool
) -> None:
    finished = on_cluster(archive, tmp_path / "run", settings={"send_bytes": send_bytes})
    assert rows(tmp_path / "run") == rows(wanted)
    assert sorted(scored(tmp_path / "run")) == sorted(scored(wanted)), "no picture was scored twice"
    assert 1 <= told(finished)["workers"][0]["joined"] <= 2
    assert told(finished)["worker_cores"] == 1
    assert told(finished).get("sent_from_here", 0) == (250 if send_bytes else 0)


@pytest.mark.parametrize("send_bytes", [False, True])
def test_same_rows_of_every_format(on_cluster: Score, local: Score, tmp_path: Path, send_bytes: bool) -> None:
    archives = [path for path in sorted(SAMPLES.iterdir()) if path.is_dir()]
    archives += [make(tmp_path / name, POSTS) for name, make in DATED.items()]
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as packed:
        packed.add(fill(tmp_path / "pictures", 12), "pictures")
    archives.append(tmp_path / "packed.tar.gz")
    local(archives, tmp_path / "here")
    finished = on_cluster(archives, tmp_path / "there", settings={"send_bytes": send_bytes})
    assert rows(tmp_path / "there") == rows(tmp_path / "here")
    assert finished.summary.counts()["status"]["ok"] > 20
    if not send_bytes:
        assert told(finished)["sent_from_here"] == 12, "of the packed tar"
        assert "read here and sent" in told(finished)["remarks"][-1]


@pytest.mark.parametrize("send_bytes", [False, True])
def test_large_pictures_fill_no_store(on_cluster: Score, machines: Machines, tmp_path: Path, send_bytes: bool) -> None:
    """300 MB in all, where a machine's store has 200: two batches of 8 MiB a worker are under way."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (1800, 1900, 3), np.uint8)
    for number in range(LARGE):
        Image.fromarray(np.roll(noise, number, 1)).save(folder / f"{number}.bmp")
    assert sum(path.stat().st_size for path in folder.iterdir()) > 300e6
    finished = on_cluster(folder, tmp_path / "run", settings={"send_bytes": send_bytes})
    assert finished.summary.counts()["status"] == {"ok": LARGE}
    assert machines.spilled() == []


def test_another_model_on_a_worker_is_refused(
    on_cluster: Score, archive: Path, tiny_path: Path, tmp_path: Path
) -> None:
    bundle = shutil.copytree(tiny_path, tmp_path / "bundle")
    with pytest.raises(RunError, match=r"differs in the model: it has looking 1\.0\.0 .*here it is tiny 1\.0\.0"):
        on_cluster(archive, tmp_path / "run", bundle=load(bundle), prepare=lambda: write_looking(bundle))
    assert scored(tmp_path / "run") == []


def test_another_version_on_a_worker_is_refused(
    on_cluster: Score, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bladecheck.runs.engines.cluster.__version__", "0.0.9")
    with pytest.raises(RunError, match=r"differs in Bladecheck: it has .*, here it is 0\.0\.9"):
        on_cluster(archive, tmp_path / "run")


def test_an_archive_that_workers_see_otherwise_is_refused(on_cluster: Score, archive: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(archive, tmp_path / "copy.zip"))
    with pytest.raises(RunError, match=r"sees another .*copy\.zip: .*--send-bytes"):
        on_cluster(copy, tmp_path / "run", prepare=lambda: os.utime(copy, (1, 1)))
    assert scored(tmp_path / "run") == []
