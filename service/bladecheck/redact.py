"""A copy to post: the blade made unrecognisable, every piece of metadata gone."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, ImageFilter

from bladecheck import images
from bladecheck.classifier import Classifier
from bladecheck.images import Limits
from bladecheck.verdict import Policy


@dataclass(frozen=True, slots=True)
class Redacted:
    """The copy's bytes and media type."""

    data: bytes
    media_type: str


def redact(data: bytes, classifier: Classifier, policy: Policy, limits: Limits) -> Redacted:
    """Blur the picture (first shape: all of it) and drop its metadata."""
    frame = images.load(data, limits).frames[0].filter(ImageFilter.GaussianBlur(20))
    clean = Image.frombytes("RGB", frame.size, frame.tobytes())
    buffer = io.BytesIO()
    clean.save(buffer, "JPEG", quality=90)
    return Redacted(buffer.getvalue(), "image/jpeg")
