"""What the user named on the command line, as a list of pictures, and their bytes."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from bladecheck.errors import PictureTooLarge, UnreadableFile
from bladecheck.file_formats import PICTURE_ENDINGS

STDIN = "-"
# Endings named in the line of what was passed over, commonest first.
MOST_ENDINGS = 5


@dataclass(slots=True)
class Sources:
    """Pictures to look at, in order, and how many files of the folders were passed over, by their ending."""

    files: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def remark(self) -> str:
        """One line on what was passed over; "" if nothing was."""
        total = self.passed_over.total()
        if not total:
            return ""
        common = [f"{count} {ending or 'without an ending'}" for ending, count in self.passed_over.most_common()]
        more = ", ..." if len(common) > MOST_ENDINGS else ""
        files = "1 file was" if total == 1 else f"{total} files were"
        return f"{files} passed over, having no picture's ending: {', '.join(common[:MOST_ENDINGS])}{more}."


def expand(paths: Iterable[str]) -> Sources:
    """Folders become the pictures in them, in order; a file is taken whatever its name.

    A folder that can't be listed is listed itself, so that it is reported as a failure and not passed over.
    """
    found = Sources()
    for path in paths:
        if path == STDIN or not Path(path).is_dir():
            found.files.append(path)
        else:
            _walk(path, found)
    return found


def _walk(path: str, found: Sources) -> None:
    closed: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=closed.append):
        folders.sort()
        for name in sorted(names):
            ending = Path(name).suffix.lower()
            if name.startswith("._"):  # macOS leaves such a file of metadata beside each one on foreign disks
                continue
            if ending in PICTURE_ENDINGS:
                found.files.append(str(Path(folder, name)))
            else:
                found.passed_over[ending] += 1
    found.files += [str(error.filename) for error in closed]


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
