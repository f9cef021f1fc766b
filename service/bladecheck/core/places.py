"""Names of places in a picture's hidden data: what photo desks write into IPTC and XMP."""

from __future__ import annotations

import re

from PIL import Image, ImageFile, IptcImagePlugin

IPTC_FIELDS = ((2, 27), (2, 90), (2, 92), (2, 95))
"""Content location, city, part of the city, province or state (IPTC Information Interchange Model 4.2). A country alone
is in most agency pictures, and tells nobody where somebody lives."""
XMP_FIELDS = re.compile(
    rb"(?:photoshop:(?:City|State)|Iptc4xmpCore:Location|Iptc4xmpExt:(?:City|Sublocation|ProvinceState|LocationName))"
    rb"(?:\s*=\s*[\"'](?P<attribute>[^\"']*)|(?:\s[^>]*)?>(?P<element>(?:\s|<[^/][^>]*>)*[^<\s]))"
)
"""The same in XMP, as an attribute or as an element, if it says anything."""


def named(image: Image.Image) -> bool:
    """Whether the metadata of an opened picture names a place; broken metadata names none."""
    try:
        return _in_xmp(image.info.get("xmp", b"")) or _in_iptc(image)
    except Exception:  # Pillow raises almost anything on hostile or damaged metadata; the pixels still count
        return False


def _in_iptc(image: Image.Image) -> bool:
    found = (IptcImagePlugin.getiptcinfo(image) if isinstance(image, ImageFile.ImageFile) else None) or {}
    return any(_says_something(found.get(field)) for field in IPTC_FIELDS)


def _says_something(value: bytes | list[bytes] | None) -> bool:
    texts = value if isinstance(value, list) else [value or b""]
    return any(text.strip(b" \0") for text in texts)


def _in_xmp(xmp: bytes | str) -> bool:
    text = xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
    return any((found["attribute"] or b"").strip() or found["element"] for found in XMP_FIELDS.finditer(text))
