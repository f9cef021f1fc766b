"""One archive scored by many machines, each its part, and the parts put together again.

A row belongs to shard `first 8 hex digits of its id, modulo N`: the same on every machine, after any interruption. Each
shard is a run of its own in RUN/shard-0003-of-0064, so that no file ever has two writers; a network disk's locks need
not be trusted. `merge` makes one run of them.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bladecheck.errors import RunError
from bladecheck.runs import folder as run_folder
from bladecheck.runs import journal
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.provenance import Inputs

INPUTS = "inputs.json"
NAME = re.compile(r"shard-([0-9]+)-of-([0-9]+)")
MOST = 100_000
"""Shards of one run."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` (from 1) of `count`."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str]) -> Self:
        """From "3/64", or from "auto" or "auto/64" and what Slurm or Kubernetes says in the environment.

        Raises:
            ValueError: saying what is wrong and what it should be.
        """
        part, slash, whole = text.partition("/")
        count = cls._whole(whole, text) if slash else None
        if part == "auto":
            return cls._automatic(count, environment)
        if count is None:
            raise ValueError(f"{text!r} is no shard; give I/N, such as 3/64, or auto.")
        return cls._checked(cls._whole(part, text), count)

    @classmethod
    def _automatic(cls, count: int | None, environment: Mapping[str, str]) -> Self:
        if "SLURM_ARRAY_TASK_ID" in environment:
            task = int(environment["SLURM_ARRAY_TASK_ID"])
            first = int(environment.get("SLURM_ARRAY_TASK_MIN", "0"))
            last, tasks = environment.get("SLURM_ARRAY_TASK_MAX"), environment.get("SLURM_ARRAY_TASK_COUNT")
            if last and tasks and int(last) - first + 1 != int(tasks):
                raise ValueError(
                    f"auto needs a Slurm array without gaps; this one has {tasks} tasks from {first} to {last}."
                )
            count = count or int(tasks or 0)
            if not count:
                raise ValueError("auto found no SLURM_ARRAY_TASK_COUNT; say how many: auto/64.")
            return cls._checked(task - first + 1, count)
        if "JOB_COMPLETION_INDEX" in environment:
            if count is None:
                raise ValueError("Kubernetes does not say how many shards there are; give auto/N, such as auto/64.")
            return cls._checked(int(environment["JOB_COMPLETION_INDEX"]) + 1, count)
        raise ValueError("auto found neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX; give I/N, such as 3/64.")

    @staticmethod
    def _whole(text: str, given: str) -> int:
        if not re.fullmatch(r"[0-9]{1,6}", text):
            raise ValueError(f"{given!r} is no shard; give I/N, such as 3/64, or auto.")
        return int(text)

    @classmethod
    def _checked(cls, number: int, count: int) -> Self:
        if not 1 <= count <= MOST:
            raise ValueError(f"A run has 1 to {MOST:,} shards, not {count}.")
        if not 1 <= number <= count:
            raise ValueError(f"Shard {number} of {count} does not exist: shards are 1 to {count}.")
        return cls(number, count)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def name(self) -> str:
        """Its folder's name inside RUN."""
        return f"shard-{self.number:04d}-of-{self.count:04d}"

    def holds(self, row_id: str) -> bool:
        """Whether the row of this id (hex) is this shard's."""
        return int(row_id[:8], 16) % self.count == self.number - 1


def hash_inputs(paths: Iterable[Path], folder: RunFolder) -> list[dict[str, Any]]:
    """Hash the inputs once, into RUN, for all shards to take over as long as size and time of change agree.

    Raises:
        RunError: an input can't be read, or RUN can't be written.
    """
    entries = Inputs(tuple(paths)).describe()
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise journal.failure(folder.path, error) from error
    run_folder.replace(folder.path / INPUTS, json.dumps(entries, indent=1, ensure_ascii=False).encode())
    return entries


def known_inputs(shard_folder: RunFolder, shard: Shard | None) -> list[dict[str, Any]]:
    """The inputs' hashes that `hash_inputs` left for a shard; none if there are none, or they can't be read."""
    if shard is None:
        return []
    try:
        found = json.loads((shard_folder.path.parent / INPUTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Merged:
    """What was put together: how many shards, how many lines, and the numbers of shards that were left out."""

    shards: int
    lines: int
    missing: tuple[int, ...]


def merge(folder: RunFolder, *, partial: bool = False) -> Merged:
    """Make RUN one run of its shards. Doing it again gives the same run; what RUN held before is replaced.

    Args:
        folder: RUN, with the shards' folders in it.
        partial: take what there is, although shards are missing or not finished.

    Raises:
        RunError: no shards, shards of different runs, or shards that are not finished.
    """
    shards = _shards(folder)
    count = next(iter(shards)).count
    unfinished = [shard.number for shard, one in shards.items() if _ended(one) != "complete"]
    absent = sorted(set(range(1, count + 1)) - {shard.number for shard in shards})
    if (absent or unfinished) and not partial:
        told = [("missing:", absent), ("not finished:", sorted(unfinished))]
        what = [f"{name} {', '.join(map(str, numbers[:10]))}{' ...' if len(numbers) > 10 else ''}"
                for name, numbers in told if numbers]  # fmt: skip
        raise RunError(
            f"{folder.path} has not all of its {count} shards ({'; '.join(what)}). Run those again, or add --partial "
            "to put together what there is."
        )
    manifests = {shard: one.manifest() for shard, one in shards.items()}
    _refuse_strangers(shards, manifests)
    with folder.locked():
        lines = _write(folder, shards)
        folder.save(_manifest(folder, manifests, [*absent, *unfinished]))
    return Merged(len(shards), lines, tuple(sorted([*absent, *unfinished])))


def _shards(folder: RunFolder) -> dict[Shard, RunFolder]:
    found = {}
    for path in sorted(folder.path.glob("shard-*-of-*")) if folder.path.is_dir() else []:
        named = NAME.fullmatch(path.name)
        if named and RunFolder(path).exists:
            found[Shard(int(named[1]), int(named[2]))] = RunFolder(path)
    if not found:
        raise RunError(
            f"{folder.path} holds no shards: `bladecheck score ARCHIVE -o {folder.path} --shard 1/N` makes one."
        )
    if len(counts := sorted({shard.count for shard in found})) > 1:
        raise RunError(
            f"{folder.path} holds shards of {' and of '.join(map(str, counts))}: move one kind away, since together "
            "they may hold rows twice."
        )
    return found


def _ended(folder: RunFolder) -> str | None:
    sessions = folder.manifest()["sessions"]
    return sessions[-1].get("ended") if sessions else None


def _refuse_strangers(shards: Mapping[Shard, RunFolder], manifests: Mapping[Shard, Mapping[str, Any]]) -> None:
    """All shards must be one model's and one policy's, over the same inputs."""
    first: tuple[Shard, dict[str, Any]] | None = None
    for shard, one in shards.items():
        head = one.header()
        told = {"model": head["model"], "policy": head["policy"],
                "inputs": sorted((entry["name"], entry["sha256"]) for entry in manifests[shard]["inputs"])}  # fmt: skip
        first = first or (shard, told)
        for key in told:
            if told[key] != first[1][key]:
                raise RunError(
                    f"Shards {first[0]} and {shard} have different {key}: {_short(first[1][key])} and "
                    f"{_short(told[key])}. Score one of them again."
                )


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _write(folder: RunFolder, shards: Mapping[Shard, RunFolder]) -> int:
    """The shards' records behind one header, in one journal, put in place in one step."""
    heads = {shard: one.header() for shard, one in shards.items()}
    runs = "".join(sorted(head["run_id"] for head in heads.values()))
    head = {**next(iter(heads.values())), "run_id": hashlib.sha256(runs.encode()).hexdigest()[:32]}
    draft = folder.journal.with_name(f".{journal.JOURNAL}.{os.getpid()}")
    lines = 0
    try:
        try:
            draft.unlink(missing_ok=True)
            with journal.Journal(draft) as merged:
                merged.append([_bare(head)])
                for batch in _batches(shards.values()):
                    merged.append(batch)
                    lines += len(batch)
            draft.replace(folder.journal)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise journal.failure(folder.journal, error) from error
    return lines


def _batches(shards: Iterable[RunFolder], size: int = 500) -> Iterator[list[journal.Record]]:
    """Every record of every shard but its header; damaged lines are left out (their pictures count as not scored)."""
    for one in shards:
        batch: list[journal.Record] = []
        for record in journal.read(one.journal):
            if record is None or "journal" in record:
                continue
            batch.append(_bare(record))
            if len(batch) == size:
                yield batch
                batch = []
        yield batch


def _bare(record: Mapping[str, Any]) -> journal.Record:
    """A record without its line's number and checksum, which are its new line's to give."""
    return {key: value for key, value in record.items() if key not in ("n", "crc")}


def _manifest(
    folder: RunFolder, manifests: Mapping[Shard, Mapping[str, Any]], missing: Iterable[int]
) -> dict[str, Any]:
    head, first = folder.header(), next(iter(manifests.values()))
    sessions = [{**session, "shard": str(shard)} for shard, one in manifests.items() for session in one["sessions"]]
    made = {key: value for key, value in first.items() if key not in ("shard", "counts", "sessions")}
    return {**made, "run_id": head["run_id"], "sessions": sessions,
            "merged": {"shards": len(manifests), "of": next(iter(manifests)).count,
                       "missing": sorted(missing)}}  # fmt: skip
