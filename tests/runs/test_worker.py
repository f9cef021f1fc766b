"""A cluster's worker by itself: what it reads, holds and judges, and when it refuses to work."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from bladecheck.archives.containers.handles import Held, Piece, Span
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.core.verdict import Policy
from bladecheck.errors import RunError
from bladecheck.runs.engines import Failure
from bladecheck.runs.engines.judging import Judge
from bladecheck.runs.engines.worker import BATCH_BYTES, Read, Setup, Sight, Worker
from tiny import BLUE, RED, draw, encode


def setup(bundle: Path | str, *inputs: Sight | None) -> Setup:
    return Setup(str(bundle), Policy(), False, PictureLimits(), 2, tuple(one for one in inputs if one))


def handle(path: Path) -> Piece:
    return Piece(Span(Held(path)), path.name, 64 * 2**20)


def test_it_reads_and_judges_as_this_process_does(tiny_path: Path, classifier: Classifier, tmp_path: Path) -> None:
    pictures = [encode(draw(RED)), b"no picture", encode(draw(BLUE), "JPEG")]
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for path, data in zip(paths, pictures, strict=True):
        path.write_bytes(data)
    worker = Worker(setup(tiny_path, Sight.of(tmp_path)))
    assert worker.hello().model == classifier.bundle.identity
    reads = worker.read(7, [handle(paths[0]), handle(tmp_path / "gone.jpg"), pictures[1], handle(paths[2])])
    known = [Read(hashlib.sha256(data).digest(), len(data)) for data in pictures]
    assert [read for read in reads if isinstance(read, Read)] == known
    assert isinstance(reads[1], Failure)
    assert reads[1].code == "vanished"
    judge = Judge(classifier)
    assert worker.judge(7, [True, False, True]) == [judge(pictures[0]), judge(pictures[2])]
    with pytest.raises(KeyError):
        worker.judge(7, [])


def test_it_takes_no_more_than_it_should_hold(tiny_path: Path) -> None:
    worker = Worker(setup(tiny_path))
    worker.hello()
    large = bytes(BATCH_BYTES // 2)
    assert [len(worker.read(number, [large] * count)) for number, count in enumerate((1, 2, 5))] == [1, 2, 2]
    assert len(worker.read(3, [bytes(3 * BATCH_BYTES), b"", b""])) == 1, "one at least, however large"


def test_it_refuses_an_input_that_it_does_not_see_as_it_is(tiny_path: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(b"one")
    seen = Sight.of(archive)
    Worker(setup(tiny_path, seen)).hello()
    os.utime(archive, (1, 1))
    with pytest.raises(RunError, match=r"sees another .*archive\.zip: put it on a disk that all machines share"):
        Worker(setup(tiny_path, seen)).hello()
    archive.unlink()
    with pytest.raises(RunError, match=r"can't see .*archive\.zip: .* --send-bytes"):
        Worker(setup(tiny_path, seen)).hello()


def test_it_says_whose_model_is_missing(tiny_path: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"Worker on .*: No bundle .*elsewhere"):
        Worker(setup(tmp_path / "elsewhere")).hello()


def test_an_archive_that_is_gone_as_a_whole_ends_the_run(tiny_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    worker = Worker(setup(tiny_path, Sight.of(folder)))
    worker.hello()
    shutil.rmtree(folder)
    with pytest.raises(RunError, match=r"pictures is gone from .*bring it back"):
        worker.read(0, [handle(folder / "a.jpg")])
