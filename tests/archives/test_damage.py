"""Damaged containers: what their checksums and sizes say is believed, nothing lost goes without a row."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import shutil
import subprocess
import tarfile
import zipfile
from base64 import b32encode
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path

import pytest

from bladecheck.archives import Item, Status, open_archive
from bladecheck.errors import ArchiveError, DamagedArchive
from score_helpers import COMMAND
from serving import environment

PICTURES = {f"{number}.jpg": b"\xff\xd8\xff\xe0" + random.Random(number).randbytes(30_000) for number in range(4)}


def outcomes(path: Path) -> dict[str, str]:
    """By member: "whole" where the bytes are what they were, "changed", or the code of the error."""
    found = {}
    with open_archive(path) as archive:
        for item in archive.items():
            try:
                data = item.open()
                found[str(item.member)] = "whole" if data in PICTURES.values() else "changed"
            except ArchiveError as error:
                found[str(item.member)] = error.code
    return found


def changed(path: Path, at: int, how: bytes = b"\0" * 3000) -> Path:
    data = bytearray(path.read_bytes())
    data[at : at + len(how)] = how
    path.write_bytes(bytes(data))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_a_zip_member_with_another_checksum_is_damaged(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in PICTURES.items():
            archive.writestr(name, data)
    changed(path, 5_000)
    assert outcomes(path) == {"0.jpg": "damaged", "1.jpg": "whole", "2.jpg": "whole", "3.jpg": "whole"}


def test_one_flipped_bit_in_a_stored_member_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("0.jpg", PICTURES["0.jpg"])
    whole = path.read_bytes()
    for at in (60, 15_000, 30_000):
        path.write_bytes(whole)
        changed(path, at, bytes([whole[at] ^ 1]))
        assert outcomes(path) == {"0.jpg": "damaged"}


def test_a_data_file_stored_in_a_zip_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    line = json.dumps({"id_str": "1", "text": "words", "user": {"screen_name": "a"}, "entities": {}})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tweets.jsonl", "\n".join([line] * 2000))
    changed(path, 100_000, b"x")
    with open_archive(path, format="tweets") as archive:
        assert [item.member for item in archive.items() if "breaks off" in str(item.detail)] == ["tweets.jsonl"]


def tweets(count: int) -> list[str]:
    """Lines of posts, all of one length."""
    media = {"type": "photo", "media_url_https": "https://pbs.twimg.com/media/%s.jpg"}
    return [
        json.dumps({
            "id_str": f"17468270590002{number:05}", "text": "words", "user": {"screen_name": "a"},
            "entities": {"media": [{**media, "media_url_https": media["media_url_https"] % f"{number:05}"}]},
        })
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("shape", ["\n".join, lambda lines: "[\n" + ",\n".join(lines) + "\n]"])
def test_a_hole_in_a_data_file_is_a_failed_row(tmp_path: Path, shape: Callable[[list[str]], str]) -> None:
    """Without its zeros, what is left of the two lines around it would read like one post."""
    path, lines = tmp_path / "tweets.json", tweets(60)
    path.write_text(shape(lines))
    changed(path, 20 * len(lines[0]), bytes(5 * len(lines[0])))
    with open_archive(path) as archive:
        items = list(archive.items())
        assert any("a hole (bytes of zero)" in warning for warning in archive.warnings)
    assert [item.member for item in items if "a hole" in _why(item)] == ["tweets.json"]
    assert 50 <= len(items) - 1 <= 55


def test_a_small_packed_data_file_that_is_cut_is_known_all_the_same(tmp_path: Path) -> None:
    lines = tweets(60)
    for shape in ("\n".join(lines), "[" + ",".join(lines) + "]"):
        data = gzip.compress(shape.encode())
        path = tmp_path / "tweets.json.gz"
        path.write_bytes(data[: len(data) * 2 // 3])
        with open_archive(path) as archive:
            items = list(archive.items())
        assert [item.member for item in items if "breaks off" in _why(item)] == ["tweets.json.gz"]
        assert 20 <= len(items) - 1 <= 50


def tar_of(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in PICTURES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_a_tar_whose_header_is_damaged_breaks_off_there(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", "w:")
    changed(path, 2 * (512 + 30_208) + 100, b"\0\0")
    assert outcomes(path) == {"0.jpg": "whole", "1.jpg": "whole", "a.tar": "damaged"}


def test_a_tar_cut_in_a_member_keeps_what_came_before(tmp_path: Path) -> None:
    for mode in ("w:", "w:gz"):
        path = tar_of(tmp_path / f"a{mode[2:]}.tar", mode)
        path.write_bytes(path.read_bytes()[:75_000])
        assert outcomes(path) == {"0.jpg": "whole", "1.jpg": "whole", "2.jpg": "damaged", path.name: "damaged"}


@pytest.mark.parametrize("at", [300, 60_000, -6])
def test_a_packed_tar_whose_checksum_is_not_met_keeps_no_file(tmp_path: Path, at: int) -> None:
    path = tar_of(tmp_path / "a.tar.gz", "w:gz")
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(bytes(data))
    try:
        found = outcomes(path)
    except ArchiveError:
        assert at == 300, "its first header can't be read"
    else:
        assert "a.tar.gz" in found
        assert set(found.values()) == {"damaged"}


def test_a_tar_header_lost_to_damaged_packing_is_no_mere_end(tmp_path: Path) -> None:
    """Stored deflate blocks with a hole unpack without complaint: a picture is changed, and a header is lost."""
    path = tar_of(tmp_path / "a.tar.gz", "w:gz")
    found = outcomes(changed(path, 30_400, bytes(700)))
    assert found["a.tar.gz"] == "damaged"
    assert set(found.values()) == {"damaged"}


def test_a_zip_whose_beginning_is_lost_has_lost_its_first_file(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in PICTURES.items():
            archive.writestr(name, data)
    assert outcomes(changed(path, 0)) == {"0.jpg": "damaged", "1.jpg": "whole", "2.jpg": "whole", "3.jpg": "whole"}


def lost_containers(folder: Path) -> list[Path]:
    """Containers of which nothing can be read: a zip without its end, tars without their beginning, an empty one."""
    with zipfile.ZipFile(folder / "cut.zip", "w") as archive:
        archive.writestr("0.jpg", PICTURES["0.jpg"])
    (folder / "cut.zip").write_bytes((folder / "cut.zip").read_bytes()[:-22])
    for name, mode in (("front.tar", "w:"), ("front.tar.gz", "w:gz"), ("front.tar.xz", "w:xz")):
        path = tar_of(folder / name, mode)
        path.write_bytes(path.read_bytes()[1000:])
    (folder / "empty.tgz").write_bytes(b"")
    return sorted(folder.iterdir())


def test_a_lost_container_alone_is_an_error_that_names_it(tmp_path: Path) -> None:
    for path in lost_containers(tmp_path):
        with pytest.raises(ArchiveError, match=rf"^{path.name} (is not a whole zip|is called \.\w)"):
            open_archive(path)


@pytest.mark.parametrize("as_folder", [True, False])
def test_a_lost_container_among_others_is_a_failed_row_and_the_others_are_read(tmp_path: Path, as_folder: bool) -> None:
    lost = {path.name for path in lost_containers(tmp_path)}
    with zipfile.ZipFile(tmp_path / "good.zip", "w") as archive:
        archive.writestr("0.jpg", PICTURES["0.jpg"])
    with open_archive(tmp_path if as_folder else sorted(tmp_path.iterdir())) as opened:
        items = {str(item.member): item for item in opened.items()}
        assert {name for name, item in items.items() if "not among the rows" in _why(item)} == lost
        assert items["0.jpg"].open() == PICTURES["0.jpg"]
        assert all(any(name in warning for warning in opened.warnings) for name in lost)


def _why(item: Item) -> str:
    """What a row that fails says; "" where there is none to open, or it opens."""
    try:
        item.open()
    except ArchiveError as error:
        return error.detail if isinstance(error, DamagedArchive) else ""
    return ""


def test_a_web_archive_that_its_container_cannot_give_is_a_failed_row(tmp_path: Path) -> None:
    pytest.importorskip("warcio")
    path = tmp_path / "a.wacz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/a.warc", record(0, PICTURES["0.jpg"]))
        archive.writestr("archive/b.warc", record(1, PICTURES["1.jpg"]))
    assert warc_rows(changed(path, 0, b"\0" * 20)) == [("1.jpg", "whole"), ("a.warc", "damaged")]


def test_a_bzip2_tar_is_checked(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", "w:")
    packed = bytearray(bz2.compress(path.read_bytes()))
    packed[-3] ^= 4
    path = tmp_path / "a.tar.bz2"
    path.write_bytes(bytes(packed))
    assert set(outcomes(path).values()) == {"damaged"}


def record(number: int, data: bytes, digest: bool = True) -> bytes:
    block = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n" + data
    stated = f"WARC-Block-Digest: sha1:{b32encode(sha1(block).digest()).decode()}\r\n" if digest else ""
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{number:032d}>\r\n{stated}"
        f"WARC-Date: 2024-05-01T10:00:00Z\r\nWARC-Target-URI: https://pbs.twimg.com/media/{number}.jpg\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def warc_rows(path: Path) -> list[tuple[str, str]]:
    """URL (or member, for what breaks off) and outcome of each row."""
    pytest.importorskip("warcio")
    found = []
    with open_archive(path) as archive:
        for item in archive.items():
            found.append((item.media_url or str(item.member), _outcome(item)))
    return [(name.rpartition("/")[2], outcome) for name, outcome in found]


def _outcome(item: Item) -> str:
    if item.status != Status.PRESENT:
        return item.status
    try:
        return "whole" if item.open() in PICTURES.values() else "changed"
    except DamagedArchive:
        return "damaged"


WHOLE = [(name, "whole") for name in PICTURES]


@pytest.mark.parametrize("digest", [True, False])
def test_a_warc_gzipped_as_a_whole_is_read(tmp_path: Path, digest: bool) -> None:
    records = [record(number, data, digest) for number, data in enumerate(PICTURES.values())]
    for name, data in {
        "plain.warc": b"".join(records),
        "members.warc.gz": b"".join(map(gzip.compress, records)),
        "whole.warc.gz": gzip.compress(b"".join(records)),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert warc_rows(tmp_path / name) == WHOLE


def test_whole_gzipped_warcs_inside_a_zip_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        records = [record(number, data) for number, data in enumerate(PICTURES.values())]
        archive.writestr("a.warc.gz", gzip.compress(b"".join(records)))
    assert warc_rows(path) == WHOLE


def test_records_read_from_many_threads_are_whole(tmp_path: Path) -> None:
    pytest.importorskip("warcio")
    from concurrent.futures import ThreadPoolExecutor

    path = tmp_path / "whole.warc.gz"
    path.write_bytes(gzip.compress(b"".join(record(n, data) for n, data in enumerate(PICTURES.values()))))
    with open_archive(path) as archive, ThreadPoolExecutor(4) as pool:
        items = list(archive.items()) * 8
        assert list(pool.map(lambda item: item.open(), items)) == list(PICTURES.values()) * 8


def test_a_warc_record_with_another_digest_is_damaged(tmp_path: Path) -> None:
    records = [record(number, data) for number, data in enumerate(PICTURES.values())]
    at = len(records[0]) + 5_000
    path = tmp_path / "a.warc"
    path.write_bytes(b"".join(records))
    assert warc_rows(changed(path, at, b"\0"))[:3] == [("0.jpg", "whole"), ("1.jpg", "damaged"), ("2.jpg", "whole")]


def test_a_damaged_gzip_member_of_a_warc_is_damaged(tmp_path: Path) -> None:
    members = [gzip.compress(record(number, data, digest=False)) for number, data in enumerate(PICTURES.values())]
    path = tmp_path / "a.warc.gz"
    for at in (len(members[0]) + 20_000, len(members[0]) + len(members[1]) - 6):
        path.write_bytes(b"".join(members))
        data = bytearray(path.read_bytes())
        data[at] ^= 4
        path.write_bytes(bytes(data))
        found = dict(warc_rows(path))
        assert found["0.jpg"] == "whole"
        assert found.get("1.jpg", "damaged") == "damaged"
        assert "changed" not in found.values()
        assert found.get("3.jpg", found.get("a.warc.gz")) is not None, "what is lost is told"


def test_a_warc_cut_short_is_told(tmp_path: Path) -> None:
    whole = b"".join(record(number, data, digest=False) for number, data in enumerate(PICTURES.values()))
    for name, data in {"a.warc": whole, "b.warc.gz": gzip.compress(whole)}.items():
        path = tmp_path / name
        path.write_bytes(data[:75_000])
        found = warc_rows(path)
        assert found[:2] == WHOLE[:2]
        assert {outcome for _, outcome in found[2:]} == {"damaged"}


def test_a_warc_gzipped_as_a_whole_with_a_wrong_checksum_keeps_no_record(tmp_path: Path) -> None:
    path = tmp_path / "a.warc.gz"
    data = bytearray(gzip.compress(b"".join(record(n, data, digest=False) for n, data in enumerate(PICTURES.values()))))
    data[-6] ^= 4
    path.write_bytes(bytes(data))
    assert {outcome for _, outcome in warc_rows(path)} == {"damaged"}


def test_a_break_is_a_failed_row_and_exit_code_2(tmp_path: Path, tiny_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", "w:")
    changed(path, 2 * (512 + 30_208) + 100, b"\0\0")
    command = [*COMMAND, "score", str(path), "-o", str(tmp_path / "run"), "--bundle", str(tiny_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    command = [*COMMAND, "export", str(tmp_path / "run"), "--format", "jsonl", "-o", str(tmp_path / "rows.jsonl")]
    subprocess.run(command, env=environment(), capture_output=True, check=True, timeout=120)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    (row,) = [row for row in rows if row["error_code"] == "damaged"]
    assert row["member"] == "a.tar"
    assert "a header is damaged" in row["error_detail"]
    assert "a.tar breaks off after 2 files" in done.stderr


def test_a_zip_of_nothing_but_archives_is_refused_with_advice(tmp_path: Path) -> None:
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("0.jpg", PICTURES["0.jpg"])
    for names in (("inner.zip",), ("a/inner.zip", "b/other.tar.gz", "__MACOSX/a")):
        path = tmp_path / "outer.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, inner.read_bytes())
        with pytest.raises(ArchiveError, match=r"holds only other archives \(.*inner\.zip.*unpack it"):
            open_archive(path)
        path.unlink()


@pytest.mark.parametrize("at", [1, 3])
def test_a_hole_over_a_tar_header_is_no_end(tmp_path: Path, at: int) -> None:
    path = tar_of(tmp_path / "a.tar", "w:")
    changed(path, at * (512 + 30_208), bytes(512))
    assert outcomes(path) == {**{f"{number}.jpg": "whole" for number in range(at)}, "a.tar": "damaged"}


def test_a_tar_cut_between_its_files_lacks_its_end(tmp_path: Path) -> None:
    path = tar_of(tmp_path / "a.tar", "w:")
    path.write_bytes(path.read_bytes()[: 2 * (512 + 30_208)])
    assert outcomes(path) == {"0.jpg": "whole", "1.jpg": "whole", "a.tar": "damaged"}


def test_a_gzip_member_behind_many_zeros_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    whole = tar_of(tmp_path / "a.tar", "w:").read_bytes()
    path.write_bytes(gzip.compress(whole[:50_000]) + bytes(300_000) + gzip.compress(whole[50_000:]))
    assert set(outcomes(path).values()) == {"whole"}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("posts.jsonl.gz", gzip.compress(b'{"a": 1}')[:5] + bytes(20)),
        ("posts.csv", bytes(5000)),
        ("posts.xlsx", bytes(5000)),
        ("a/your_instagram_activity/media/posts_1.json", b'[{"media": [{"uri": "media/a.jpg"'),
    ],
)
def test_a_data_file_of_which_nothing_can_be_read_is_a_failed_row(tmp_path: Path, name: str, data: bytes) -> None:
    for member, content in {"0.jpg": PICTURES["0.jpg"], "a/0.jpg": PICTURES["0.jpg"], name: data}.items():
        (tmp_path / "x" / member).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "x" / member).write_bytes(content)
    found = outcomes(tmp_path / "x")
    assert found.pop(name) == "damaged", found
    assert set(found.values()) == {"whole"}


SMALL = {
    f"{number}.jpg": b"\xff\xd8\xff\xe0" + random.Random(number).randbytes(700 + 300 * number) for number in range(5)
}


def containers() -> dict[str, bytes]:
    """By file name, each with the pictures of SMALL."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, data in SMALL.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    found = {"a.tar.gz": gzip.compress(plain.getvalue()), "a.tar.bz2": bz2.compress(plain.getvalue())}
    for name, method in {"stored.zip": zipfile.ZIP_STORED, "deflated.zip": zipfile.ZIP_DEFLATED}.items():
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as packed:
            for member, data in SMALL.items():
                packed.writestr(member, data)
        found[name] = buffer.getvalue()
    records = [record(number, data) for number, data in enumerate(SMALL.values())]
    found["a.warc"] = b"".join(records)
    found["records.warc.gz"] = b"".join(gzip.compress(one) for one in records)
    found["whole.warc.gz"] = gzip.compress(b"".join(records))
    return found


def damaged(data: bytes, pick: random.Random) -> bytes:
    """Cut, overwritten by zeros or noise, with a part missing or a bit changed; in disk blocks or anywhere."""
    step = pick.choice((1, 512))
    size = min(pick.choice((1, 4, 40, 512, 4096)), len(data) // 4)
    at = pick.randrange(0, len(data) - size) // step * step
    changed = data[at] ^ 1 << pick.randrange(8)
    middle = pick.choice((bytes(size), pick.randbytes(size), b"", bytes([changed]) + data[at + 1 : at + size], None))
    return data[:at] if middle is None else data[:at] + middle + data[at + size :]


@pytest.mark.parametrize("name", containers())
def test_nothing_is_lost_from_a_damaged_container_without_a_word(tmp_path: Path, name: str) -> None:
    """Either all pictures are there, or a row or an error tells. Plain tars are left out: they have no checksums."""
    if "warc" in name:
        pytest.importorskip("warcio")
    whole, path, told = containers()[name], tmp_path / name, 0
    for number in range(80):
        path.write_bytes(damaged(whole, random.Random(number)))
        good, failed = set(), False
        try:
            with open_archive(path) as archive:
                for item in archive.items():
                    try:
                        good.add(item.open() if item.status == Status.PRESENT else b"")
                    except ArchiveError:
                        failed = True
        except ArchiveError:
            failed = True
        told += failed
        assert good <= {*SMALL.values(), b""}, f"damage {number}: a changed picture passes for whole"
        assert failed or good == set(SMALL.values()), f"damage {number}: lost without a word"
    assert told > 40


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"WARC-Type: response", b"WARC-Type: respoNse"),
        (b"WARC-Target-URI", b"WARC-Target-URL"),
        (b"Content-Length", b"Content-Lemgth"),
        (b"\r\n\r\nWARC/1.0", b"\r\nabc\r\n\r\nWARC/1.0"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\n", b""),
    ],
)
def test_a_warc_record_that_makes_no_sense_is_told(tmp_path: Path, before: bytes, after: bytes) -> None:
    path, parts = (
        tmp_path / "a.warc",
        [record(number, data, digest=False) for number, data in enumerate(SMALL.values())],
    )
    parts[2] = parts[2].replace(before, after) if not before.startswith(b"\r") else parts[2] + b"abc\r\n\r\n"
    path.write_bytes(b"".join(parts))
    found = dict(warc_rows(path))
    assert found["a.warc"] == "damaged"


def test_a_warc_cut_in_its_headers_or_in_a_page_is_told(tmp_path: Path) -> None:
    page = record(1, b"<html>" + b"text " * 900, digest=False)
    whole = record(0, SMALL["0.jpg"], digest=False) + page
    for missing in (5, 4000, len(page) - 30, len(page) - len(page.partition(b"\r\n\r\n")[0]) - 20):
        for name, pack in {"a.warc": bytes, "a.warc.gz": gzip.compress}.items():
            data = pack(whole) if name == "a.warc" else pack(whole[: -len(page)]) + pack(page)
            cut = data[:-missing] if name == "a.warc" else data[: -min(missing, len(pack(page)) - 1)]
            path = tmp_path / name
            path.write_bytes(cut)
            assert dict(warc_rows(path)).get(name) == "damaged", (name, missing)


def test_an_empty_web_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.warc").write_bytes(record(0, SMALL["0.jpg"]))
    (tmp_path / "b.warc").write_bytes(b"")
    assert dict(warc_rows(tmp_path))["b.warc"] == "damaged"


def test_a_changed_byte_anywhere_in_a_car_is_told(samples: Path, tmp_path: Path) -> None:
    pytest.importorskip("libipld")
    path, whole = tmp_path / "repo.car", (samples / "bluesky" / "repo.car").read_bytes()

    def rows() -> list[tuple[str | None, str | None, str]]:
        with open_archive(path) as archive:
            return [(item.post_id, item.media_url, str(item.member)) for item in archive.items()]

    path.write_bytes(whole)
    expected = rows()
    for at in range(0, len(whole), 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        try:
            found = rows()
        except ArchiveError:
            continue
        assert found == expected or found[-1][2] == "repo.car", f"byte {at}"


def test_a_blob_must_have_the_hash_that_is_its_name(samples: Path, tmp_path: Path) -> None:
    pytest.importorskip("libipld")
    folder = Path(shutil.copytree(samples / "bluesky", tmp_path / "bluesky"))
    (folder / "author_feed.json").unlink()
    (blob,) = [path for path in folder.rglob("bafkrei*") if path.is_file()]
    with open_archive(folder / "repo.car") as archive:
        assert [item.open() for item in archive.items() if item.status == Status.PRESENT] == [blob.read_bytes()]
    changed(blob, blob.stat().st_size // 2, b"changed")
    with open_archive(folder / "repo.car") as archive:
        (item,) = [item for item in archive.items() if item.status == Status.PRESENT]
        with pytest.raises(DamagedArchive, match="hash that is its name"):
            item.open()
