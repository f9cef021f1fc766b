"""What bytes are, by their first few, not by what they are called."""

from __future__ import annotations

HEAD_BYTES = 64

_PICTURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"\xff\x0a", "jxl"),
    (b"\x00\x00\x00\x0cJXL ", "jxl"),
    (b"\x00\x00\x00\x0cjP  ", "jp2"),
)
_PICTURE_BRANDS = frozenset(
    (b"avif", b"avis", b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")
)
_CONTAINERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x28\xb5\x2f\xfd", "zstandard"),
)


def picture_kind(head: bytes) -> str | None:
    """The picture format that `head` (the first 64 bytes or so) begins, or None. Drawings (SVG) and icons are None."""
    for mark, kind in _PICTURES:
        if head.startswith(mark):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
        return "heif"
    if (
        head[:2] == b"BM"
        and len(head) >= 18
        and head[14:18] in (b"(\x00\x00\x00", b"\x0c\x00\x00\x00", b"|\x00\x00\x00")
    ):
        return "bmp"
    if head[:2] == b"BM" and head[14:18] == b"l\x00\x00\x00":
        return "bmp"
    return None


def container_kind(head: bytes) -> str | None:
    """The archive or compression format that `head` (262 bytes to know a tar) begins, or None."""
    for mark, kind in _CONTAINERS:
        if head.startswith(mark):
            return kind
    return "tar" if head[257:262] == b"ustar" else None


def is_video(head: bytes) -> bool:
    """Whether `head` begins a film."""
    if head[4:8] == b"ftyp":
        return head[8:12] not in _PICTURE_BRANDS
    return head.startswith((b"\x1aE\xdf\xa3", b"FLV\x01", b"\x00\x00\x01\xba")) or (
        head[:4] == b"RIFF" and head[8:12] == b"AVI "
    )
