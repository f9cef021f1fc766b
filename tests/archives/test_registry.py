"""Readers from other packages, missing libraries, and what is never opened while telling formats apart."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from bladecheck.archives import ArchiveLimits, Fetcher, Item, Reader, ReaderRegistry, Source, open_archive
from bladecheck.archives.containers.folder import FolderSource
from bladecheck.errors import ArchiveError

Make = Callable[..., Path]
PLUGIN = """
from bladecheck.archives import Item

class Reader:
    name = "own"
    title = "own format"

    def detect(self, source):
        return 1.0 if "own.txt" in source.names() else 0.0

    def read(self, source):
        source.log.post()
        yield Item("own", str(source.path), member="own.txt", opener=source.opener("own.txt"))
"""


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, value: str = "own_reader:Reader") -> None:
    """A package as pip would leave it."""
    site = tmp_path / "site"
    info = site / "own_reader-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "own_reader.py").write_text(code)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-reader\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bladecheck.readers]\nown = {value}\n")
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "own_reader", raising=False)


def test_a_reader_of_another_package(tmp_path: Path, make_zip: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, PLUGIN)
    with open_archive(make_zip("a.zip", {"own.txt": "hello"})) as archive:
        (item,) = archive.items()
        assert item.open() == b"hello"
        assert archive.describe().sentence == "own format, 1 picture"


def test_a_broken_reader_of_another_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, "import nothing_of_the_kind")
    with pytest.raises(ArchiveError, match=r"'own' \(own_reader:Reader\) can't be loaded"):
        ReaderRegistry()


def test_readers_are_checked_when_added() -> None:
    registry = ReaderRegistry()
    assert all(isinstance(reader, Reader) for reader in registry.readers.values())
    with pytest.raises(ArchiveError, match="no archive reader"):
        registry.add(object())  # type: ignore[arg-type]
    with pytest.raises(ArchiveError, match="two archive readers"):
        registry.add(registry.named("warc"))


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("warcio.archiveiterator", "warc/sample.warc.gz"),
        ("libipld", "bluesky/repo.car"),
    ],
)
def test_missing_libraries_name_the_extra(
    module: str, path: str, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with open_archive(samples / path) as archive, pytest.raises(ArchiveError, match=r"bladecheck\[archive\]"):
        list(archive.items())


def test_missing_libraries_of_workbooks_and_fetching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    monkeypatch.setitem(sys.modules, "stamina", None)
    path = tmp_path / "t.xlsx"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ArchiveError, match=r"openpyxl: pip install 'bladecheck\[archive\]'"):
        open_archive(path)
    with pytest.raises(ArchiveError, match=r"stamina: pip install 'bladecheck\[archive\]'"):
        Fetcher(tmp_path)


class Watched(FolderSource):
    """Raises when something of a conversation is opened."""

    def _stream(self, name: str) -> BinaryIO:
        assert "message" not in name, f"{name} is private"
        assert "bookmarks" not in name, f"{name} is private"
        return super()._stream(name)


@pytest.mark.parametrize(
    "members",
    [
        {"your_instagram_activity/messages/inbox/a/message_1.json": "{}", "media/posts/202403/1.jpg": "x"},
        {"your_facebook_activity/messages/inbox/a/message_1.json": "{}", "your_facebook_activity/messages/p.jpg": "x"},
        {"content/posts_1.json": "[]", "messages/inbox/a/message_1.json": "{}", "messages/inbox/a/photos/1": "x"},
        {"data/direct-messages.js": "x", "data/direct_messages_media/1-a.jpg": "x", "data/message_1.json": "{}"},
        {"outbox.json": '{"orderedItems": []}', "bookmarks.json": "{}"},
    ],
)
def test_private_members_are_not_opened_to_tell_the_format(members: dict[str, object], make_folder: Make) -> None:
    source = Watched(make_folder(members), ArchiveLimits())
    reader = ReaderRegistry().choose(source)
    for item in reader.read(source):
        assert "message" not in str(item.member)


def test_a_reader_may_be_given_by_hand(make_folder: Make, png: bytes) -> None:
    class Everything:
        name = "everything"
        title = "everything"

        def detect(self, source: Source) -> float:
            return 1.0

        def read(self, source: Source) -> Iterator[Item]:
            yield from (Item(self.name, str(source.path), member=name) for name in source.names())

    registry = ReaderRegistry()
    registry.add(Everything())
    with open_archive(make_folder({"a.png": png, "b.bin": b""}), registry=registry) as archive:
        assert [item.member for item in archive.items()] == ["a.png", "b.bin"]
