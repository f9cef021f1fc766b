"""The pictures of a run again: reopened from where the run's inputs lie, by row id. Nothing is copied."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bladecheck.archives import open_archive
from bladecheck.archives.containers.remote import path_of
from bladecheck.archives.fetch.fetcher import place_of
from bladecheck.errors import RunError
from bladecheck.runs import rows
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.provenance import Inputs

CACHE = "fetched"
Opener = Callable[[], bytes]


class Pictures:
    """Opens pictures by row id.

    Args:
        folder: of the run.
        wanted: row ids; None takes all, which holds one opener for each picture.
        moved: folders in which to look for inputs that no longer lie where they did, by their file name.

    Attributes:
        missing: wanted row ids that the archive no longer has.

    Raises:
        RunError: an input is gone.
        ArchiveError: an input can't be read.
    """

    def __init__(self, folder: RunFolder, wanted: Collection[str] | None = None, moved: Path | None = None) -> None:
        manifest = folder.manifest()
        inputs = [{**entry, "path": str(_found(entry, moved))} for entry in manifest["inputs"]]
        if not inputs:
            raise RunError(f"{folder.path} does not say where its pictures lie: run.json has no inputs.")
        paths = [path_of(entry["path"]) for entry in inputs]
        how = _reading(manifest)
        self._archive = open_archive(paths, format=how.get("format"), mapping=how.get("mapping"), videos=True)
        self._openers: dict[str, Opener] = {}
        self.files: dict[str, Path] = {}
        cache = home(folder.path) / CACHE
        keep = None if wanted is None else set(wanted)
        for identity, _, item in rows.identified(self._archive.items(), Inputs(paths, inputs).label):
            if keep is not None and identity not in keep:
                continue
            if item.opener is not None:
                self._openers[identity] = item.open
                file = Path(item.source_path) / (item.member or "")
                if Path(item.source_path).is_dir() and file.is_file():
                    self.files[identity] = file
            elif item.media_url and (place := place_of(cache, item.media_url)).is_file():
                self._openers[identity], self.files[identity] = place.read_bytes, place
        self.missing = sorted((keep or set()) - self._openers.keys())

    def __contains__(self, row: object) -> bool:
        return row in self._openers

    def open(self, row: str, sha256: str | None = None) -> bytes:
        """The bytes of a row's picture.

        Args:
            row: its row_id.
            sha256: what they must hash to; None takes them as they are.

        Raises:
            RunError: the archive no longer has it, or has other bytes in its place.
            BladecheckError, OSError: it can't be read.
        """
        if row not in self._openers:
            raise RunError(f"The archive no longer has the picture of row {row}.")
        data = self._openers[row]()
        if sha256 and hashlib.sha256(data).hexdigest() != sha256:
            raise RunError(f"The picture of row {row} is another one than was scored: the archive has changed.")
        return data

    def close(self) -> None:
        self._archive.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


def address(row: Mapping[str, Any], inputs: Collection[Mapping[str, Any]]) -> str:
    """Where a picture is to be found by a person: its file, the archive and the name in it, or its web address."""
    for entry in sorted(inputs, key=lambda entry: -len(entry["name"])):
        if row["member"] and (row["source"] == entry["name"] or row["source"].startswith(entry["name"] + "/")):
            return str(path_of(entry["path"] + row["source"][len(entry["name"]) :]) / row["member"])
    if beside := (row["extra"] or {}).get("file"):
        # The file of a table's line, as written there: the row does not say of which table.
        places = [path_of(entry["path"]).parent / beside for entry in inputs]
        return str(next((place for place in places if place.is_file()), beside))
    return str(row["media_url"] or row["member"] or "")


def _found(entry: Mapping[str, Any], moved: Path | None) -> Path:
    place = path_of(entry["path"])
    if place.exists():
        return place
    if moved is not None and (moved / place.name).exists():
        return moved / place.name
    raise RunError(
        f"The input {entry['name']!r} of this run is not at {place} any more. Bring it back, or name the folder that "
        "it lies in with --archive."
    )


def _reading(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """How the latest session read the archive: format and mapping, where they were given."""
    for session in reversed(manifest["sessions"]):
        if "reading" in session:
            found: dict[str, Any] = session["reading"]
            return found
    return {}


def home(path: Path) -> Path:
    """The run that a folder beside it (another model's or policy's rows) belongs to, where downloads lie."""
    return path.parent if path.name.startswith("with-") and (path.parent / "run.json").is_file() else path
