"""A hundred thousand pictures: rows stream in bounded memory, and every one opens, from several threads too."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bladecheck.archives import open_archive

MEMBERS = 100_000
ALLOWED_MIB = 120
SERVICE = Path(__file__).parents[2] / "service"
MEASURE = """
import resource, sys
from bladecheck.archives import open_archive

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = peak()
with open_archive(sys.argv[1]) as archive:
    count = size = 0
    for item in archive.items():
        count += 1
        size += len(item.open()) if count % 10 == 0 else 0
    print(count, size, peak() - before, archive.describe().images_local)
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip64 of 100,000 members with the names X gives its media."""
    from archives.conftest import picture

    path = tmp_path_factory.mktemp("large") / "large.zip"
    data = picture()
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(MEMBERS):
            info = zipfile.ZipInfo(f"pics/{1700000000000000000 + number}-GAbCdEfXYAAq{number:06}.png")
            archive.writestr(info, data)
    return path


def test_memory_stays_bounded(large: Path, png: bytes) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, str(large)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SERVICE)},
    )
    count, size, grown, local = ran.stdout.split()
    assert (int(count), int(size), int(local)) == (MEMBERS, MEMBERS // 10 * len(png), MEMBERS)
    assert float(grown) < ALLOWED_MIB


def test_rows_open_from_several_threads(make_zip: Callable[..., Path], samples: Path, png: bytes) -> None:
    with open_archive(make_zip("a.zip", {f"{number}.png": png for number in range(500)})) as archive:
        items = list(archive.items()) * 4
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda item: item.open(), items)) == {png}
    with open_archive(samples / "mastodon" / "archive-20210501100000-fake.tar.gz") as archive:
        items = [item for item in archive.items() if item.opener] * 50
        alone = [item.open() for item in items]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(lambda item: item.open(), items)) == alone
