"""What the user named on the command line, as a list of pictures, and their bytes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from bladecheck.errors import PictureTooLarge, UnreadableFile

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".heif"}
STDIN = "-"


def expand(paths: Iterable[str]) -> Iterator[str]:
    """Folders become the pictures in them, in order; a file is taken whatever its name.

    A folder that can't be listed is yielded itself, so that it is reported as a failure and not passed over.
    """
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            yield path
            continue
        yield from _walk(path)


def _walk(path: str) -> Iterator[str]:
    closed: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=closed.append):
        folders.sort()
        # macOS leaves a "._" file of metadata beside each picture on foreign disks.
        wanted = (name for name in sorted(names) if not name.startswith("._"))
        yield from (str(Path(folder, name)) for name in wanted if Path(name).suffix.lower() in SUFFIXES)
    yield from (str(error.filename) for error in closed)


def read(path: str, max_bytes: int) -> bytes:
    """A file's bytes ("-" is stdin), never more than one beyond `max_bytes`.

    Raises:
        UnreadableFile, PictureTooLarge
    """
    try:
        if path == STDIN:
            data = sys.stdin.buffer.read(max_bytes + 1)
        else:
            with Path(path).open("rb") as stream:
                data = stream.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableFile(f"{path} can't be read: {error.strerror}.") from error
    if len(data) > max_bytes:
        raise PictureTooLarge(f"The file has more than {max_bytes:,} bytes, which is the limit.")
    return data


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
