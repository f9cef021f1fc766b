"""A run's folder: the journal, run.json with its provenance, and the lock that keeps a second writer out."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs import journal, lock

MANIFEST, LOCK = "run.json", "lock"
FORMAT = "bladecheck-run/1"
HEADER = ("run_id", "model", "policy")


def now() -> str:
    """The time in UTC to the second, for provenance only: no decision hangs on the clock."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class RunFolder:
    """The folder that `-o` names."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def journal(self) -> Path:
        return self.path / journal.JOURNAL

    @property
    def exists(self) -> bool:
        return self.journal.is_file()

    def beside(self, model: Mapping[str, str], policy: Mapping[str, str]) -> RunFolder:
        """Where another model's or policy's rows of the same archive go, in a folder of their own."""
        name = f"with-{model['name']}-{model['version']}-{model['sha256'][:8]}-{policy['name']}"
        return RunFolder(self.path / (name + (f"-{policy['sha256'][:8]}" if policy["sha256"] else "")))

    def create(self) -> None:
        """Make the folder, refusing one that holds something else.

        Raises:
            RunError: it can't be made, or holds other people's files.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = [entry.name for entry in self.path.iterdir() if entry.name not in (LOCK, MANIFEST)]
        except FileExistsError as error:
            raise RunError(f"{self.path} is a file; -o takes a folder for the run.") from error
        except OSError as error:
            raise journal.failure(self.path, error) from error
        if strangers and not self.exists:
            raise RunError(f"{self.path} holds {sorted(strangers)[0]!r} and no run: choose a new or empty folder.")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; the system lets go when the process dies, however it dies.

        Raises:
            RunError: another process is writing, and which.
        """
        with lock.held(self.path / LOCK, lock.this_process(now())):
            yield

    def manifest(self) -> dict[str, Any]:
        """run.json, or an empty one if there is none yet.

        Raises:
            RunError: it is damaged or of another format.
        """
        try:
            found = json.loads((self.path / MANIFEST).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"format": FORMAT, "run_id": uuid.uuid4().hex, "inputs": [], "sessions": []}
        except (OSError, ValueError) as error:
            raise RunError(
                f"{self.path / MANIFEST} can't be read: {error}. Move it away to go on without it."
            ) from error
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise RunError(f"{self.path / MANIFEST} is no {FORMAT} file; it was written by another version.")
        return found

    def save(self, manifest: Mapping[str, Any]) -> None:
        """Replace run.json in one step, so that a crash leaves the old one or the new one."""
        replace(self.path / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False).encode("utf-8", "replace"))

    def header(self) -> dict[str, Any]:
        """The journal's first record: which run, model and policy; from run.json if that line is damaged or lost.

        Raises:
            RunError: no run here, or its first line is damaged and run.json does not say the same.
        """
        if not self.exists:
            raise RunError(f"{self.path} holds no run: `bladecheck score ARCHIVE -o {self.path}` makes one.")
        found = next(journal.read(self.journal), None)
        if found and found.get("journal") in journal.FORMATS and set(HEADER) <= set(found):
            return found
        manifest = {} if found and "journal" in found else self.manifest()
        if set(HEADER) <= set(manifest):
            return {"journal": journal.FORMAT, **{key: manifest[key] for key in HEADER}}
        raise RunError(f"{self.journal} does not begin as a {journal.FORMAT} file: it is damaged or something else.")


def replace(path: Path, data: bytes) -> None:
    """Write a whole file atomically: beside its place, to the disk, then renamed over it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            with draft.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise journal.failure(path, error) from error
