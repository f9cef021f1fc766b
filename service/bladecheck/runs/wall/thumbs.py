"""Small pictures, made when they are first asked for and kept in RUN/thumbs, which may be deleted at any time."""

from __future__ import annotations

import io
import os
import threading
from contextlib import suppress
from pathlib import Path

from PIL import Image

from bladecheck.core import images
from bladecheck.errors import BladecheckError, RunError
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.pictures import Pictures

FOLDER = "thumbs"
SIDE, QUALITY = 240, 78
AT_ONCE = 4
"""Pictures decoded at the same time: large ones take hundreds of megabytes each."""
END = b"\xff\xd9"


class Shelf:
    """The archive of a run, opened in the background: a long one takes a while to list, and may be gone.

    Attributes:
        trouble: why it can't be opened; None while it can, or is being opened.
    """

    def __init__(self, folder: RunFolder, moved: Path | None) -> None:
        self._folder, self._moved = folder, moved
        self._pictures: Pictures | None = None
        self.trouble: str | None = None
        self._ready = threading.Event()
        threading.Thread(target=self._open, daemon=True).start()

    @property
    def ready(self) -> bool:
        return self._ready.is_set()

    def open(self, row: str, sha256: str) -> bytes:
        """The bytes of a row's picture; waits until the archive is open.

        Raises:
            RunError: archive or picture is gone, or the picture is another one now.
            BladecheckError, OSError: it can't be read.
        """
        self._ready.wait()
        if self._pictures is None:
            raise RunError(self.trouble or "The archive is closed.")
        return self._pictures.open(row, sha256)

    def wait(self) -> None:
        """Until the archive is open, or can't be."""
        self._ready.wait()

    def _open(self) -> None:
        try:
            self._pictures = Pictures(self._folder, moved=self._moved)
        except (BladecheckError, OSError) as error:
            self.trouble = str(error)
        except Exception as error:  # whoever waits for the archive must not wait for ever
            self.trouble = f"The archive can't be opened: {error!r}."
        finally:
            self._ready.set()


class Thumbs:
    """Thumbnails by the hash of their picture.

    Args:
        folder: of the run.
        shelf: where pictures come from.
    """

    def __init__(self, folder: Path, shelf: Shelf) -> None:
        self._folder, self._shelf = folder / FOLDER, shelf
        self._turns = threading.BoundedSemaphore(AT_ONCE)

    def get(self, row: str, sha256: str) -> bytes:
        """A JPEG of at most SIDE pixels a side.

        Raises:
            RunError, BladecheckError, OSError: the picture can't be opened, see Shelf.open.
        """
        path = self._folder / sha256[:2] / f"{sha256}.jpg"
        with suppress(OSError):
            if (data := path.read_bytes()).endswith(END):  # not one that a power cut left empty or torn
                return data
        with self._turns:
            data = small(self._shelf.open(row, sha256))
        with suppress(OSError):  # a full or read-only disk: it is made again next time
            _keep(path, data)
        return data


def small(data: bytes) -> bytes:
    """A picture's first frame as a small JPEG, upright and without metadata.

    Raises:
        PictureError: it can't be decoded.
    """
    frame = images.load(data, at_least=SIDE).frames[0]
    frame.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC, reducing_gap=2.0)
    buffer = io.BytesIO()
    frame.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
