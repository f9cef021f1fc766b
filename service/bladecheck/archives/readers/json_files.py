"""JSON files within a source: which to look at, a sample for telling formats apart, and pictures beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from posixpath import basename
from urllib.parse import parse_qs, urlsplit

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import peek
from bladecheck.archives.item import Item, Status
from bladecheck.archives.names import is_junk, is_picture_name

PACKED = (".gz", ".bz2", ".xz")
JSON_ENDINGS = (".json", ".jsonl", ".ndjson", ".jl", ".jsonlines")
ALL_ENDINGS = tuple(ending + packed for ending in JSON_ENDINGS for packed in ("", *PACKED))
# Files that are at times JSON lines though their name does not say so; only looked into when given alone.
VAGUE_ENDINGS = ("", ".txt", ".log", ".dat", ".data")
# Files from which the format is told.
SAMPLED_FILES = 3
# Characters: shorter names of pictures (image1.jpg) are those of many posts.
SHORTEST_TELLING_NAME = 12


def json_names(source: Source) -> list[str]:
    """The members that are JSON by their ending; for a single file, also one with a vague ending."""
    if not source.is_container:
        return [name for name in source.names() if _may_be_json(name)]
    return [name for name in source.names() if name.lower().endswith(ALL_ENDINGS) and not is_junk(name)]


def sampled(source: Source) -> list[object]:
    """A few records from the first few JSON files."""
    return [record for name in json_names(source)[:SAMPLED_FILES] for record in peek(source, name)]


def localized(source: Source, items: Iterable[Item], linked: set[str]) -> Iterator[Item]:
    """The items, those known by URL turned into stored ones where a picture of that name lies beside the data."""
    for item in items:
        name = _beside(source, item)
        if name is None:
            yield item
            continue
        linked.add(name)
        yield replace(
            item, status=Status.PRESENT, member=name, source_path=source.origin(name), opener=source.opener(name)
        )


def _beside(source: Source, item: Item) -> str | None:
    if item.status != Status.REMOTE or not source.is_container or not item.media_url:
        return None
    base = _file_name(item.media_url)
    # A short name, such as 1.jpg, proves nothing.
    for wanted in (f"{item.post_id}-{base}", base if len(base) > SHORTEST_TELLING_NAME else ""):
        if is_picture_name(wanted) and (name := source.find(wanted)):
            return name
    return None


def _file_name(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    base = basename(parts.path)
    kind = parse_qs(parts.query).get("format", [""])[0]
    return f"{base}.{kind}" if kind and "." not in base else base


def _may_be_json(name: str) -> bool:
    lower = basename(name).lower()
    for packed in PACKED:
        lower = lower.removesuffix(packed)
    dot = lower.rfind(".")
    return (lower[dot:] if dot >= 0 else "") in (*JSON_ENDINGS, *VAGUE_ENDINGS)
