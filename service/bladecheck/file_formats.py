"""What files are: by their first few bytes, or, where only a name is known, by its ending. The one place for both."""

from __future__ import annotations

HEAD_BYTES = 64
"""So many bytes from the start are enough to tell a picture or a film."""

PICTURE_ENDINGS = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".heif")
) | {*(".hif", ".avif", ".jxl", ".jp2", ".jpg_large", ".jpg_orig")}
"""Of names that promise a picture; whether it is one, and can be read here, its bytes tell. Browsers save .jfif,
cameras .hif and .mpo, old downloaders of X .jpg_large."""
VIDEO_ENDINGS = frozenset((".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".m3u8")) | {
    *(".3gp", ".mpg", ".mpeg", ".flv", ".wmv", ".ogv")
}
READ_VIDEO_ENDINGS = frozenset((".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv"))
"""Of names that promise a video of a kind that can be looked at with the extra `video`."""
ARCHIVE_ENDINGS = frozenset((".zip", ".tar", ".tgz", ".7z", ".rar", ".wacz", ".cbz", ".bz2", ".xz", ".zst", ".gz"))

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
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIF_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1"))
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))
"""Sizes that a BMP's second header has; text may begin with "BM" too."""
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
    """The picture format that `head` (the first HEAD_BYTES) begins, or None: "jpeg", "png", "gif", "tiff", "webp",
    "avif", "heif", "bmp", "jxl" or "jp2". Drawings (SVG) and icons are None."""
    for mark, kind in _PICTURES:
        if head.startswith(mark):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp":
        return _heif_or_avif(head)
    return "bmp" if head[:2] == b"BM" and head[14:18] in _BMP_HEADERS else None


def _heif_or_avif(head: bytes) -> str | None:
    """Some AVIF files begin with a generic brand; then the compatible brands, from byte 16 on, tell."""
    brand, compatible = head[8:12], head[16:HEAD_BYTES]
    if brand in _AVIF_BRANDS or (brand in _HEIF_BRANDS and b"avif" in compatible and b"heic" not in compatible):
        return "avif"
    return "heif" if brand in _HEIF_BRANDS else None


def container_kind(head: bytes) -> str | None:
    """The archive or compression format that `head` (262 bytes to know a tar) begins, or None."""
    for mark, kind in _CONTAINERS:
        if head.startswith(mark):
            return kind
    return "tar" if head[257:262] == b"ustar" else None


def is_video(head: bytes) -> bool:
    """Whether `head` begins a film."""
    return video_kind(head) is not None or (
        head.startswith((b"FLV\x01", b"\x00\x00\x01\xba")) or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
    )


def video_kind(head: bytes) -> str | None:
    """The kind of film that `head` begins, of those that can be looked at: "mp4", "mov", "webm" or "mkv"; else None.

    QuickTime files of old cameras begin with their first box, without a brand.
    """
    if head[4:8] == b"ftyp":
        if head[8:12] in _AVIF_BRANDS | _HEIF_BRANDS:
            return None
        return "mov" if head[8:12] == b"qt  " else "mp4"
    if head[4:8] in (b"moov", b"mdat", b"wide") and head[:2] == b"\x00\x00":
        return "mov"
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "webm" if b"webm" in head[:HEAD_BYTES] else "mkv"
    return None
