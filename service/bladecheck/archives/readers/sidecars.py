"""Pictures with a JSON file each: Google Takeout's albums, and the shards that img2dataset writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from posixpath import basename, dirname
from typing import Any

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.dates import parse_date
from bladecheck.archives.item import DateSource, Item
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import Post, https, platform_of
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import JSON, dict_of, dig, text_of

# Google cuts the ending to keep names short: .supplemental-metadata.json, .supplemental-me.json, .s.json, .json.
SUPPLEMENT = re.compile(r"\.s[uplemntad-]*(\(\d+\))?\.json$")
PART = re.compile(r"takeout-(\d{8}T\d{6}Z)(?:-\d+)*\.(?:zip|tgz)$", re.I)
PHOTOS = re.compile(r"Takeout/Google [^/]+/[^/]+/", re.I)
FAILED = "SELECT * FROM read_parquet(?) WHERE status <> 'success' ORDER BY key"
COPY = re.compile(r"^(.*)(\.\w+)(\(\d+\))$")


class TakeoutReader:
    """Google Photos as Takeout gives it. Dates are when a picture was taken; places are dropped."""

    name = "google_takeout"
    title = "Google Takeout"
    rooted = True

    def detect(self, source: Source) -> float:
        if self.part_of(source) and any(PHOTOS.match(name) for name in source.names()):
            return 0.96
        sidecars = islice((name for name in source.names() if name.endswith(".json")), 5)
        return 0.96 if any("photoTakenTime" in _record(source.reading(), name) for name in sidecars) else 0.0

    def part_of(self, source: Source) -> str | None:
        """The export's moment, as the names of its parts have it: a picture and its JSON may lie in two of them."""
        match = PART.match(source.path.name)
        return match[1] if match else None

    def posts_in(self, source: Source) -> Sequence[str]:
        """None: parts of one moment are surely of one export, and albums have JSON files of the same names."""
        return ()

    def read(self, source: Source) -> Iterator[Item]:
        used: set[str] = set()
        for name in source.names():
            if not name.endswith(".json"):
                continue
            record = _record(source, name)
            if "photoTakenTime" in record:
                used.add(name)
                yield from source.log.guarded(name, self._items, source, name, record, used)
            elif "title" in record and basename(name) in ("metadata.json", "shared_album_comments.json"):
                used.add(name)
        yield from loose_pictures(source, self.name, used)

    def _items(self, source: Source, name: str, record: Mapping[str, object], used: set[str]) -> list[Item]:
        moment = parse_date(dig(record, "photoTakenTime", "timestamp"))
        moment = moment or parse_date(dig(record, "creationTime", "timestamp"))
        member = _pictured(source, name, text_of(record.get("title")))
        extra: dict[str, JSON] = {"album": basename(dirname(name))} if dirname(name) else {}
        origin = source.origin(member or name)
        kind = DateSource.EXIF if moment else DateSource.NONE
        words = text_of(record.get("description"))
        post = Post(self.name, origin, posted_at=moment, posted_at_source=kind, text=words, extra=extra)
        if member is None:
            return [post.missing(0, f"its JSON file is here, {record.get('title')} is not")]
        if member in used:
            return []
        used.add(member)
        # The same picture lies in each of its albums, and in every later export.
        same = f"takeout/{basename(member)}/{moment}/{source.size(member)}" if moment else None
        if is_video_name(member):
            return [post.video(0, member=member, same_as=same)]
        return [post.stored(0, source, member, same_as=same)]


class Img2DatasetReader:
    """Shards with `KEY.jpg`, `KEY.json` and `KEY.txt`, and the Parquet file beside a shard, which has its failures."""

    name = "img2dataset"
    title = "img2dataset shard"

    def detect(self, source: Source) -> float:
        sidecars = islice((name for name in source.names() if name.endswith(".json")), 3)
        told = any(_is_sample(_record(source.reading(), name)) or _is_statistics(name, source) for name in sidecars)
        return 0.97 if told else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        used: set[str] = set()
        pictures = {name.rsplit(".", 1)[0]: name for name in source.names() if is_picture_name(name)}
        for name in source.names():
            stem = name.rsplit(".", 1)[0]
            if name.endswith("_stats.json"):
                used.add(name)
            elif name.endswith(".parquet") and f"{stem}_stats.json" in source and (path := source.on_disk(name)):
                if (samples := failures(path)) is not None:
                    used.add(name)
                    for sample in samples:
                        yield from source.log.guarded(name, self._items, source, name, sample, None, used)
            elif name.endswith(".json"):
                record = _record(source, name)
                if _is_sample(record):
                    used.update((name, stem + ".txt"))
                    yield from source.log.guarded(name, self._items, source, name, record, pictures.get(stem), used)
        yield from loose_pictures(source, self.name, used)

    def _items(
        self, source: Source, name: str, record: Mapping[str, object], member: str | None, used: set[str]
    ) -> list[Item]:
        url = https(record.get("url"))
        extra: dict[str, JSON] = {"key": text_of(record.get("key"))}
        post = Post(
            self.name, source.origin(name), platform=platform_of(url), text=text_of(record.get("caption")), extra=extra
        )
        same = f"img2dataset/{record.get('key')}/{url}" if url else None
        if member:
            used.add(member)
            return [post.stored(0, source, member, media_url=url, same_as=same)]
        why = text_of(record.get("error_message")) or "it was not downloaded"
        return [post.remote(0, url, detail=why, same_as=same)] if url else [post.missing(0, why)]


def failures(path: Path) -> list[dict[str, Any]] | None:
    """The samples of a shard that img2dataset could not fetch, by its Parquet file; None where that can't be read."""
    try:
        import duckdb
    except ImportError:
        return None
    try:
        with duckdb.connect(":memory:", config={"autoinstall_known_extensions": False}) as database:
            found = database.execute(FAILED, [str(path)])
            names = [column[0] for column in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except duckdb.Error:
        return None


def _is_statistics(name: str, source: Source) -> bool:
    """What img2dataset writes beside a shard, NUMBER_stats.json."""
    return name.endswith("_stats.json") and "failed_to_download" in _record(source.reading(), name)


def _record(source: Source, name: str) -> Mapping[str, object]:
    return dict_of(document(source, name))


def _is_sample(record: Mapping[str, object]) -> bool:
    return {"key", "url", "status", "original_width"} <= record.keys()


def _pictured(source: Source, name: str, title: str | None) -> str | None:
    """The picture that a sidecar is about: named in it, or by its own name without the ending."""
    folder = f"{dirname(name)}/" if dirname(name) else ""
    stem = basename(name)
    number = (match[1] or "") if (match := SUPPLEMENT.search(stem)) else ""
    stem = SUPPLEMENT.sub("", stem) if match else stem.removesuffix(".json")
    if copied := COPY.match(stem):
        stem, number = copied[1] + copied[2], copied[3]
    base, dot, end = stem.rpartition(".")
    tries = [f"{base}{number}{dot}{end}", f"{stem}{number}"]
    if title and not number:
        tries.append(title)
    found = next((folder + attempt for attempt in tries if folder + attempt in source), None)
    return found or next(
        (folder + stem + e for e in (".jpg", ".jpeg", ".png", ".heic", ".mp4") if folder + stem + e in source), None
    )
