"""On the path of a test cluster's workers only: their decoder crashes over a PNG that says so, as real ones did."""

from __future__ import annotations

import os
import signal

from PIL.PngImagePlugin import PngImageFile

_prepare = PngImageFile.load_prepare


def _crashing(image: PngImageFile) -> None:
    if image.info.get("deadly"):
        os.kill(os.getpid(), signal.SIGKILL)
    _prepare(image)


PngImageFile.load_prepare = _crashing  # type: ignore[method-assign]
