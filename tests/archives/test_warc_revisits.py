"""Answers that a crawler did not store again are rows that point at their picture."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from archives.conftest import picture
from bladecheck.archives import Item, Status, open_archive

HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\n\r\n"
PNG, PAGE = HTTP % b"image/png", HTTP % b"text/html"


def digest(data: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def record(kind: str, url: str, date: str, body: bytes, of: str, *, refers: str = "") -> bytes:
    more = f"WARC-Refers-To-Target-URI: {refers}\r\n" if refers else ""
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:{kind}-{date}>\r\nWARC-Date: {date}\r\n"
        f"WARC-Target-URI: {url}\r\nWARC-Payload-Digest: {of}\r\n{more}"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body + b"\r\n\r\n"


def rows(*paths: Path) -> list[Item]:
    with open_archive(list(paths)) as archive:
        items = list(archive.items())
        assert archive.describe().rows == len(items)
        for item in items:
            if item.opener:
                item.open()
        return items


def test_a_revisit_is_a_row_with_its_picture(tmp_path: Path) -> None:
    one, two = "https://pbs.twimg.com/media/One.png", "https://pbs.twimg.com/media/Two.png"
    data, other = picture(1), b"<html></html>"
    path = tmp_path / "a.warc"
    path.write_bytes(
        record("revisit", two, "2024-06-01T10:00:00Z", PNG, digest(data), refers=one)
        + record("response", one, "2024-05-01T10:00:00Z", PNG + data, digest(data))
        + record("response", "https://x.com/", "2024-05-01T10:00:01Z", PAGE + other, digest(other))
        + record("revisit", "https://x.com/", "2024-06-01T10:00:01Z", PAGE, digest(other))
        + record("revisit", one, "2024-07-01T10:00:01Z", PNG, digest(b"elsewhere"))
    )
    items = rows(path)
    told = [
        (item.media_url, str(item.collected_at)[:7], item.status) for item in items if item.status != "not_an_image"
    ]
    assert told == [
        (one, "2024-05", Status.PRESENT),
        (two, "2024-06", Status.PRESENT),
        (one, "2024-07", Status.MISSING_MEDIA),
    ]
    assert items[2].open() == data
    assert items[2].extra == {"revisit_of": one}
    copy = tmp_path / "copy.warc"
    copy.write_bytes(path.read_bytes())
    assert len(rows(path, copy)) == len(items)
