"""Archives that lie, explode or pry are refused with a reason; nothing is written, nothing else is lost."""

from __future__ import annotations

import io
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.archives import ArchiveLimits, Status, open_archive
from bladecheck.archives.containers.gzip_stream import SeekableGzip
from bladecheck.errors import ArchiveError

Make = Callable[..., Path]
# As the usual limits, at a size that tests can write.
SMALL = ArchiveLimits(ratio_floor=1024 * 1024)


def rows(path: Path, **how: object) -> dict[str, tuple[str, str | None]]:
    with open_archive(path, **how) as archive:  # type: ignore[arg-type]
        return {str(item.member): (item.status, item.detail) for item in archive.items()}


def test_a_zip_bomb_is_refused_whole(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("big.jpg", "w") as member:
        member.write(bytes(10 * SMALL.ratio_floor))
    with pytest.raises(ArchiveError, match="bomb"):
        open_archive(path, limits=SMALL)


def test_a_bomb_among_pictures_is_a_row(tmp_path: Path, png: bytes) -> None:
    path = tmp_path / "mixed.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", png)
        with archive.open("big.bmp", "w") as member:
            member.write(bytes(3 * SMALL.ratio_floor))
        archive.writestr("filler.bin", os.urandom(400_000))
    told = rows(path, limits=SMALL)
    assert told["a.png"][0] == Status.PRESENT
    assert told["big.bmp"][0] == Status.MISSING_MEDIA
    assert "zip bomb" in str(told["big.bmp"][1])


def test_a_member_beyond_the_cap_is_refused_when_opened(make_zip: Make, png: bytes) -> None:
    path = make_zip("a.zip", {"a.png": png + bytes(5000)})
    with open_archive(path, limits=ArchiveLimits(member_bytes=1000)) as archive:
        (item,) = archive.items()
        with pytest.raises(ArchiveError, match="larger than 1000"):
            item.open()


def test_overlapping_members_are_refused(tmp_path: Path, png: bytes) -> None:
    """Many directory entries for one large member, as in Fifield's bomb."""
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(20_000_000))
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    many = entry * 1000
    tail = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 1000, 1000, len(many), start, 0)
    path.write_bytes(data[:start] + many + tail)
    with pytest.raises(ArchiveError, match="zip bomb"):
        open_archive(path)


def test_too_many_members(make_zip: Make, png: bytes) -> None:
    path = make_zip("many.zip", {f"{n}.png": png for n in range(20)})
    with pytest.raises(ArchiveError, match="20 files, more than 10"):
        open_archive(path, limits=ArchiveLimits(members=10))


def test_a_folder_and_a_plain_tar_may_hold_more(tmp_path: Path, png: bytes) -> None:
    (tmp_path / "folder").mkdir()
    for number in range(20):
        (tmp_path / "folder" / f"{number}.png").write_bytes(png)
    for name, mode in (("a.tar", "w"), ("a.tar.gz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as packed:  # type: ignore[call-overload]
            packed.add(tmp_path / "folder", "media")
    for name in ("folder", "a.tar"):
        with open_archive(tmp_path / name, limits=ArchiveLimits(members=10)) as archive:
            assert len(list(archive.items())) == 20
        with pytest.raises(ArchiveError, match=r"more than 10 files|too many files"):
            open_archive(tmp_path / name, limits=ArchiveLimits(files=10))
    with pytest.raises(ArchiveError, match="too many files"):
        open_archive(tmp_path / "a.tar.gz", limits=ArchiveLimits(members=10))


def test_a_nested_zip_is_a_row_with_a_reason(make_zip: Make, png: bytes) -> None:
    inner = make_zip("inner.zip", {"hidden.png": png}).read_bytes()
    told = rows(make_zip("outer.zip", {"a.png": png, "inner.zip": inner, "disguised.jpg": inner}))
    assert told["inner.zip"][0] == Status.NOT_AN_IMAGE
    assert "not opened" in str(told["inner.zip"][1])
    assert told["disguised.jpg"][0] == Status.PRESENT


def test_hostile_names_are_rows_and_nothing_is_written(tmp_path: Path, png: bytes) -> None:
    path = tmp_path / "names.zip"
    names = ["../up.png", "a/../../up2.png", "/etc/abs.png", "C:\\x\\drive.png", "..\\back.png", "ok/fine.png"]
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, png)
    before = sorted(tmp_path.rglob("*"))
    told = rows(path)
    assert told.pop("ok/fine.png")[0] == Status.PRESENT
    assert len(told) == 5
    assert {status for status, _ in told.values()} == {Status.MISSING_MEDIA}
    assert all("refused" in str(detail) for _, detail in told.values())
    assert sorted(tmp_path.rglob("*")) == before


def encrypted(path: Path, names: list[str]) -> None:
    """Sets the encryption flag of some members, in both headers."""
    data = bytearray(path.read_bytes())
    for mark, flag_at, name_at, length_at in ((b"PK\x03\x04", 6, 30, 26), (b"PK\x01\x02", 8, 46, 28)):
        at = data.find(mark)
        while at >= 0:
            (length,) = struct.unpack("<H", data[at + length_at : at + length_at + 2])
            if data[at + name_at : at + name_at + length].decode() in names:
                data[at + flag_at] |= 1
            at = data.find(mark, at + 4)
    path.write_bytes(bytes(data))


def test_an_encrypted_zip_is_refused_with_advice(make_zip: Make, png: bytes) -> None:
    path = make_zip("locked.zip", {"a.png": png, "b.png": png})
    encrypted(path, ["a.png", "b.png"])
    with pytest.raises(ArchiveError, match="password-protected; unpack it"):
        open_archive(path)


def test_an_encrypted_member_is_a_row(make_zip: Make, png: bytes) -> None:
    path = make_zip("half.zip", {"a.png": png, "b.png": png})
    encrypted(path, ["b.png"])
    told = rows(path)
    assert told["a.png"][0] == Status.PRESENT
    assert told["b.png"] == (Status.MISSING_MEDIA, "refused: it is password-protected")


def test_zip64_entries_are_read(tmp_path: Path, png: bytes) -> None:
    """More than 65,535 members, the other mark of zip64, are in test_memory."""
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made, made.open("a.png", "w", force_zip64=True) as file:
        file.write(png)
    with open_archive(path) as archive:
        (item,) = archive.items()
        assert item.open() == png


def test_damaged_members_fail_alone(make_zip: Make, png: bytes) -> None:
    path = make_zip("damaged.zip", {"a.png": png * 50, "b.png": png})
    data = bytearray(path.read_bytes())
    data[60:80] = os.urandom(20)
    path.write_bytes(bytes(data))
    with open_archive(path) as archive:
        first, second = archive.items()
        with pytest.raises(ArchiveError, match="damaged"):
            first.open()
        assert second.open() == png


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_zip_cut_short_is_explained(make_zip: Make, png: bytes, cut: int) -> None:
    path = make_zip("cut.zip", {"a.png": png, "b.png": png * 20})
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(ArchiveError, match="not a whole zip"):
        open_archive(path)


@pytest.mark.parametrize(
    ("head", "words"),
    [(b"7z\xbc\xaf\x27\x1c", "7z archive"), (b"Rar!\x1a\x07\x01\x00", "rar archive"), (b"hello", "not a whole zip")],
)
def test_other_archives_are_named(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "odd.zip"
    path.write_bytes(head + bytes(100))
    with pytest.raises(ArchiveError, match=words):
        open_archive(path)


def test_names_that_are_not_marked_as_utf8(tmp_path: Path, png: bytes) -> None:
    path = tmp_path / "mac.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cafe\u0301 — ü.png", png)
        archive.writestr("plain.png", png)
    data = bytearray(path.read_bytes())
    for mark, flag_at in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        at = data.find(mark)
        while at >= 0:
            data[at + flag_at] &= ~0x08
            at = data.find(mark, at + 4)
    path.write_bytes(bytes(data))
    with open_archive(path) as archive:
        first, _ = archive.items()
        assert first.member == "café — ü.png"
        assert first.open() == png


def test_the_same_name_twice_gives_two_rows(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", b"\x89PNG\r\n\x1a\n1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", b"\x89PNG\r\n\x1a\n2")
    with open_archive(path) as archive:
        assert [item.open()[-1:] for item in archive.items()] == [b"1", b"2"]


def make_tar(path: Path, mode: str, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return path


@pytest.mark.parametrize("kind", ["", "gz", "bz2", "xz"])
def test_tars(tmp_path: Path, png: bytes, kind: str) -> None:
    path = make_tar(tmp_path / f"a.tar.{kind or 'x'}", f"w:{kind}", {"a/one.png": png, "../two.png": png, "n.txt": b""})
    with open_archive(path) as archive:
        told = {item.member: item for item in archive.items()}
        assert told["a/one.png"].open() == png
        assert told["../two.png"].status == Status.MISSING_MEDIA
        assert told["link.png"].status == Status.MISSING_MEDIA
        assert "link" in str(told["link.png"].detail)


def test_a_tar_cut_short_is_explained(tmp_path: Path, png: bytes) -> None:
    path = make_tar(tmp_path / "a.tar.gz", "w:gz", {"a.png": os.urandom(50_000)})
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ArchiveError, match=r"a\.tar\.gz"):
        open_archive(path)


def test_a_gzip_bomb_in_a_tar_is_refused(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar.gz", "w:gz", {"a.png": bytes(10 * SMALL.ratio_floor)})
    with pytest.raises(ArchiveError, match="bomb"):
        open_archive(path, limits=SMALL)


def test_a_tar_that_holds_too_much_in_all_is_refused(tmp_path: Path) -> None:
    """Each member alone is small enough; together they would fill the disk."""
    path = make_tar(tmp_path / "a.tar", "w", {f"{n}.png": os.urandom(4000) for n in range(3)})
    with open_archive(path, limits=ArchiveLimits(total_bytes=12_000)) as archive:
        assert [item.status for item in archive.items()].count(Status.PRESENT) == 3
    with pytest.raises(ArchiveError, match="too many files or bytes"):
        open_archive(path, limits=ArchiveLimits(total_bytes=11_999))


def test_gzip_is_read_at_any_place(tmp_path: Path) -> None:
    import gzip
    import random

    data = os.urandom(700_000) * 12
    path = tmp_path / "data.gz"
    with path.open("wb") as file:
        for start in range(0, len(data), 5_000_000):
            file.write(gzip.compress(data[start : start + 5_000_000], 1))
    stream = SeekableGzip(path, ArchiveLimits())
    places = random.Random(1)
    for _ in range(60):
        at = places.randrange(len(data))
        stream.seek(at)
        assert stream.read(1000) == data[at : at + 1000] or at > len(data) - 1000
    stream.close()


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path, png: bytes) -> None:
    folder, outside = tmp_path / "in", tmp_path / "out.png"
    folder.mkdir()
    outside.write_bytes(png)
    (folder / "a.png").write_bytes(png)
    (folder / "out.png").symlink_to(outside)
    (folder / "in.png").symlink_to(folder / "a.png")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    os.mkfifo(folder / "pipe.png")
    told = rows(folder)
    assert told["a.png"][0] == told["in.png"][0] == Status.PRESENT
    assert told["out.png"][0] == told["loop.png"][0] == Status.MISSING_MEDIA
    assert "pipe.png" not in told


def test_names_that_are_not_utf8_at_all(tmp_path: Path, png: bytes) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    try:
        Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")).write_bytes(png)
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    with open_archive(folder) as archive:
        (item,) = archive.items()
        assert item.member == "caf\ufffd.png"
        assert item.open() == png


def test_unknown_things_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="does not exist"):
        open_archive(tmp_path / "nowhere")
    with pytest.raises(ArchiveError, match="empty"):
        open_archive(tmp_path)
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ArchiveError, match="no archive format 'nope'"):
        open_archive(tmp_path, format="nope")
    with pytest.raises(ArchiveError, match="no archive was named"):
        open_archive([])
