"""PDQ, the perceptual hash of ThreatExchange, of a picture that is decoded anyway. Needs `bladecheck[dedupe]`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from PIL import Image

from bladecheck.core.images import Picture

# Pixels: more than the 64 that PDQ samples, so that its own reduction does not alias.
SIDE = 128
Fingerprint = tuple[str, int]
"""256 bits in hex, and PDQ's quality from 0 to 100."""


def available() -> bool:
    """Whether the optional library is installed."""
    return importlib.util.find_spec("pdqhash") is not None


def maker() -> Callable[[Picture], Fingerprint]:
    """A function that fingerprints a picture's first frame. Safe to call from many threads.

    PDQ itself works on 64 x 64 blurred pixels. Scaling to 128 first costs 0.8 ms instead of PDQ's 20 ms at full size;
    on photographs halved in size and recompressed the distance stays 6 bits on average.

    Raises:
        ImportError: the optional library is not installed.
    """
    import pdqhash

    def fingerprint(picture: Picture) -> Fingerprint:
        small = picture.frames[0].resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=1.0)
        bits, quality = pdqhash.compute(np.asarray(small))
        return np.packbits(np.asarray(bits, np.uint8)).tobytes().hex(), int(quality)

    return fingerprint
