"""A picture opened by its handle in another process has the bytes, or the error, that its reader gives here."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from archives.drawn_formats import DATED, Drawn, img2dataset, takeout
from bladecheck.archives import Item, open_archive
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.opening import open_sources
from bladecheck.archives.item import Handle
from bladecheck.errors import ArchiveError

SAMPLES = Path(__file__).parent / "samples"
POSTS = [Drawn(number, "a", datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=number)) for number in range(3)]
ELSEWHERE = """
import hashlib, pickle, sys
from bladecheck.errors import ArchiveError
for handle in pickle.load(sys.stdin.buffer):
    try:
        print(hashlib.sha256(handle()).hexdigest())
    except ArchiveError as error:
        print(error.code, error.detail)
"""


def said(opener: Callable[[], bytes]) -> str:
    try:
        return hashlib.sha256(opener()).hexdigest()
    except ArchiveError as error:
        return f"{error.code} {error.detail}"


def elsewhere(handles: Iterable[Handle]) -> list[str]:
    """What another process, without the archive, gets of them."""
    command = [sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(command, input=pickle.dumps(list(handles)), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().splitlines()


def openers(path: Path) -> list[tuple[Item, str]]:
    """The items that have bytes, and what is got of them here."""
    with open_archive(path, videos=True) as archive:
        return [(item, said(item.opener)) for item in archive.items() if item.opener]


def test_every_item_of_every_format_is_the_same_elsewhere(tmp_path: Path) -> None:
    makers = {**DATED, "img2dataset": img2dataset, "takeout": takeout}
    archives = [make(tmp_path / name, POSTS) for name, make in makers.items()]
    for folder in filter(Path.is_dir, SAMPLES.iterdir()):
        archives += [folder, *folder.iterdir()]
    found: list[tuple[Item, str]] = []
    for path in archives:
        try:
            found += openers(path)
        except ArchiveError:  # a part of a sample that is no archive of its own
            continue
    handles = [(item.opener, here) for item, here in found if isinstance(item.opener, Handle)]
    assert len(handles) > 100
    assert elsewhere(handle for handle, _ in handles) == [here for _, here in handles]
    # What has no handle lies in a packed tar, or in a web archive that was packed a second time.
    without = {Path(item.source_path).name for item, _ in found if not isinstance(item.opener, Handle)}
    assert without == {"archive-20210501100000-fake.tar.gz"}


@pytest.mark.parametrize("kind", ["folder", "stored", "deflated", "bzip2", "lzma", "tar"])
def test_damage_is_the_same_by_handle_as_by_stream(kind: str, tmp_path: Path) -> None:
    """The stream of a container is another way to the same bytes: both give them, or both refuse."""
    path = packed(kind, tmp_path)
    whole = b"" if path.is_dir() else path.read_bytes()
    for at in range(0, len(whole), 97):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            (source,) = open_sources(path, ArchiveLimits())
        except ArchiveError:
            continue
        for name in source.names():
            handle = source.handle(name)
            by_stream, by_handle = said(partial(source.open, name)), said(handle or source.opener(name))
            # A name that differs in the two places where a zip has it is no damage of the picture.
            if "differ" not in by_stream:
                assert by_handle.split()[0] == by_stream.split()[0], (at, by_stream, by_handle)
        source.close()


def test_a_picture_that_is_cut_off_gone_or_too_large_says_so(tmp_path: Path) -> None:
    path = packed("tar", tmp_path)
    (source,) = open_sources(path, ArchiveLimits(member_bytes=400))
    handles = [source.handle(name) for name in source.names()]
    assert [said(handle) for handle in handles if handle] == [said(source.opener(name)) for name in source.names()]
    assert "larger than 400 bytes" in said(handles[-1] or bytes)
    path.write_bytes(path.read_bytes() + b"more")
    assert "replaced" in said(handles[0] or bytes)
    source.close()
    path.unlink()
    assert "No such file" in said(handles[0] or bytes)


def packed(kind: str, tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for post in POSTS:
        (folder / f"{post.name}.png").write_bytes(post.bytes * (1 + 9 * post.number))
    if kind == "folder":
        return folder
    path = tmp_path / f"x.{'tar' if kind == 'tar' else 'zip'}"
    if kind == "tar":
        with tarfile.open(path, "w") as tar:
            tar.add(folder, "media")
        return path
    method = {"stored": 0, "deflated": 8, "bzip2": 12, "lzma": 14}[kind]
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"media/{file.name}")
    return path
