"""What a run was given: a stable name, the size and the hash of every input, for provenance and for row identity."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bladecheck.archives.containers.remote import RemotePath, path_of
from bladecheck.errors import RunError

PACKAGES = ("numpy", "onnxruntime", "pillow", "pdqhash", "pi-heif", "av")
"""What decodes, fingerprints and judges: another version may change a score's last digits."""


def versions() -> dict[str, str]:
    """The versions of `PACKAGES`, of those that are installed."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


class Inputs:
    """Names for the inputs that hold on another day and another machine: no folder above them shows.

    Args:
        paths: as the user gave them.
        known: the inputs of earlier sessions, from run.json.
    """

    def __init__(self, paths: Sequence[Path], known: Sequence[Mapping[str, Any]] = ()) -> None:
        self._known = {entry["name"]: entry for entry in known}
        self._roots: dict[str, Path] = {}
        resolved = dict.fromkeys(path_of(path).resolve() for path in paths)
        named = {entry["path"]: entry["name"] for entry in known}
        # Names of earlier sessions come first: the order of the inputs on the command line must not matter.
        for root in sorted(resolved, key=lambda root: (str(root) not in named, root.parts[::-1])):
            self._roots[named.get(str(root)) or self._name(root)] = root
        self._labels: dict[str, str] = {}

    def _name(self, root: Path) -> str:
        """The shortest tail of the path that no other input of this session has."""
        parts = [part for part in root.parts if part != root.anchor] or ["root"]
        names = ["/".join(parts[-count:]) for count in range(1, len(parts) + 1)]
        return next((name for name in names if name not in self._roots), names[-1])

    def label(self, source_path: str) -> str:
        """The published name of an item's source: the input's name, and the way from it where there is one."""
        if source_path not in self._labels:
            found = path_of(source_path).resolve()
            names = [
                "/".join((name, *found.relative_to(root).parts))
                for name, root in self._roots.items()
                if found.is_relative_to(root)
            ]
            self._labels[source_path] = min(names, key=len) if names else found.name
        return self._labels[source_path]

    def describe(self) -> list[dict[str, Any]]:
        """One entry per input: name, path, kind, files, bytes and sha256; a known, unchanged file isn't hashed again.

        Raises:
            RunError: an input is gone, or another one of the same name was scored before.
        """
        entries = [self._entry(name, root) for name, root in self._roots.items()]
        for entry in entries:
            before = self._known.get(entry["name"])
            if before and before["path"] != entry["path"] and before["sha256"] != entry["sha256"]:
                raise RunError(
                    f"This run already has another input called {entry['name']!r} (from {before['path']}). "
                    "Rename one of them, or give this one a run of its own with -o."
                )
        return entries

    def changed(self, entries: Sequence[Mapping[str, Any]]) -> list[str]:
        """Names of the inputs that are no longer as an earlier session found them: their pictures are read again."""
        return [e["name"] for e in entries if self._known.get(e["name"], e)["sha256"] != e["sha256"]]

    def _entry(self, name: str, root: Path) -> dict[str, Any]:
        if isinstance(root, RemotePath):
            return _remote(name, root)
        try:
            if root.is_dir():
                files, size, digest = _folder(root)
                return {"name": name, "path": str(root), "kind": "folder", "files": files, "bytes": size,
                        "sha256": digest, "sha256_of": "names and sizes"}  # fmt: skip
            found = root.stat()
            before = self._known.get(name, {})
            same = before.get("path") == str(root) and before.get("modified_ns") == found.st_mtime_ns
            if same and before.get("bytes") == found.st_size:
                return dict(before)
            with root.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise RunError(f"{root} can't be read: {error.strerror or error}.") from error
        return {"name": name, "path": str(root), "kind": "file", "files": 1, "bytes": found.st_size,
                "sha256": digest, "sha256_of": "content", "modified_ns": found.st_mtime_ns}  # fmt: skip


def _remote(name: str, root: RemotePath) -> dict[str, Any]:
    """An object or a folder of objects: identified by the store's tags, since hashing would take reading all of it."""
    if one := root.object():
        return {"name": name, "path": str(root), "kind": "file", "files": 1, "bytes": one.size,
                "sha256": one.identity, "sha256_of": "the store's tag and size"}  # fmt: skip
    digest, objects = hashlib.sha256(), root.objects()
    for one in objects:
        digest.update(f"{one.key[len(root.key) :]}\0{one.identity}\n".encode("utf-8", "surrogateescape"))
    if not objects:
        raise RunError(f"{root} does not exist.")
    return {"name": name, "path": str(root), "kind": "folder", "files": len(objects),
            "bytes": sum(one.size for one in objects), "sha256": digest.hexdigest(),
            "sha256_of": "names, tags and sizes"}  # fmt: skip


def _folder(root: Path) -> tuple[int, int, str]:
    """Files, bytes, and a hash of the sorted names and sizes: contents are hashed row by row anyway."""
    digest, files, size = hashlib.sha256(), 0, 0
    for name, length in _walk(str(root)):
        digest.update(f"{name}\0{length}\n".encode("utf-8", "surrogateescape"))
        files, size = files + 1, size + length
    return files, size, digest.hexdigest()


def _walk(root: str) -> Iterator[tuple[str, int]]:
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = f"{folder}{os.sep}{name}"
            try:
                yield os.path.relpath(path, root).replace(os.sep, "/"), os.lstat(path).st_size
            except FileNotFoundError:
                continue
