"""One row for each picture of a post, however many archives list it: the fuller record wins and takes what it lacks.

Rows are the same if they are of the same platform and post and show the same medium: by the medium's name in its
address, where it has one, else by its place in the post. The order of the archives does not matter. An edited post
counts once, as its last version. Held in memory: some 50 bytes a row, and what one record lends to another.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from posixpath import basename
from typing import Any

from bladecheck.archives.item import DateSource, Item, Place, Status
from bladecheck.archives.post import picture_name, tells_post

# What one record may take from another, most telling first.
LENT = (
    *("account", "post_url", "text", "alt_text", "media_url", "original_post_id", "collected_at"),
    *("is_quote", "is_reply", "quoted_id", "edits"),
)
STATUS_RANK = {Status.PRESENT: 5, Status.REMOTE: 4, Status.VIDEO_SKIPPED: 2, Status.NOT_AN_IMAGE: 1}
"""A video that the archive holds ranks one above one that it only speaks of."""
DATE_RANK = {kind: rank for rank, kind in enumerate(("none", "day", "filename", "exif", "snowflake", "field")) if rank}
X_MEMBER = re.compile(r"^\d{5,20}-(.+)$")
WRITTEN = 1
"""The bit of a file's key that says that its name stands in a table, where places in a post tell nothing."""


@dataclass(slots=True)
class _Patch:
    """What the winner takes from the others."""

    fields: dict[str, Any] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)


class Merging:
    """Learns an archive's rows in one pass (`learn`), decides (`decide`), and then merges every later pass alike."""

    def __init__(self) -> None:
        self._posts, self._names = array("Q"), array("Q")
        self._fullness, self._members, self._files = array("Q"), array("Q"), array("Q")
        self._indices, self._sources, self._occurrences = array("I"), array("I"), array("I")
        self._known_sources: dict[tuple[int, str], int] = {}
        self._archives: list[int] = []
        self._rank: dict[int, int] = {}
        self._seen: dict[int, int] = {}
        self._claimed: dict[int, int] = {}
        self._loose: set[int] = set()
        self._versions: dict[int, tuple[int, int]] = {}
        self._losers: dict[int, int] = {}
        self._patches: dict[int, _Patch] = {}

    def learn(self, item: Item, archive: int = 0) -> None:
        """Takes note of a row of one of the archives; rows must come in the order of every later pass."""
        place = item.place
        here = _hash(place.source_path, place.member, place.post_id, place.media_index)
        occurrence = self._seen.get(here, 0)
        self._seen[here] = occurrence + 1
        member = _hash(item.source_path, item.member) if item.member else 0
        if item.loose:
            self._loose.add(len(self._posts))
        elif member:
            self._claimed.setdefault(member, len(self._posts))
        if len(item.edits) > 1:
            for number, version in enumerate(item.edits):
                self._versions[_hash(item.platform, version)] = (_hash(item.platform, item.edits[0]), number)
        self._posts.append(_post_key(item))
        self._names.append(_medium_key(item))
        self._indices.append(min(item.media_index, 2**31))
        self._members.append(member)
        self._files.append(_file_key(item))
        self._fullness.append(_fullness(item))
        source = self._known_sources.setdefault((archive, item.source_path), len(self._archives))
        if source == len(self._archives):
            self._archives.append(archive)
        self._sources.append(source)
        self._occurrences.append(occurrence)

    def decide(self) -> bool:
        """Chooses the rows that stay; True where any row is merged into another."""
        self._seen = {}
        order = sorted(self._known_sources, key=lambda known: (len(Path(known[1]).parts), known[1], known[0]))
        self._rank = {self._known_sources[known]: place for place, known in enumerate(order)}
        groups: dict[int, list[int]] = defaultdict(list)
        for number, post in enumerate(self._posts):
            if post:
                groups[self._versions.get(post, (post, 0))[0]].append(number)
        for rows in groups.values():
            if len(rows) > 1:
                self._decide_post(rows)
        for number in sorted(self._loose):
            claimant = self._claimed.get(self._members[number])
            if number not in self._losers and claimant is not None:
                self._losers[number] = self._losers.get(claimant, claimant)
        self._claimed = {}
        return bool(self._losers)

    def borrow(self, items: Iterable[Item]) -> None:
        """Goes through the rows once more, for what winners take from the others; only needed if any are merged."""
        found: dict[int, list[tuple[tuple[int, ...], Item | None, Place]]] = defaultdict(list)
        for number, item in enumerate(items):
            winner = self._losers.get(number, -1)
            if winner >= 0 and self._fits(number, item):
                lends = self._same_version(number, winner) and _lends(item, self._fullness[winner])
                place = replace(item.place, occurrence=self._occurrences[number])
                found[winner].append((self._order(number), _lean(item) if lends else None, place))
        for winner, losers in found.items():
            losers.sort(key=lambda entry: entry[0])
            self._patches[winner] = _patch(self._fullness[winner], losers)

    def merged(self, items: Iterable[Item]) -> Iterator[Item]:
        """The rows that stay, with what they take from the others.

        Rows that are not as they were learnt (an archive that changes while it is read) stay as they are.
        """
        for number, item in enumerate(items):
            if not self._fits(number, item):
                yield item
            elif number not in self._losers:
                item = replace(item, occurrence=self._occurrences[number])
                patch = self._patches.get(number)
                yield replace(item, identity=item.place, also=tuple(patch.places), **patch.fields) if patch else item

    @property
    def dropped(self) -> int:
        """How many rows are merged into others."""
        return len(self._losers)

    def _fits(self, number: int, item: Item) -> bool:
        return number < len(self._posts) and self._posts[number] == _post_key(item)

    def _same_version(self, one: int, other: int) -> bool:
        return self._posts[one] == self._posts[other]

    def _decide_post(self, rows: list[int]) -> None:
        versions = {self._versions.get(self._posts[row], (0, 0))[1] for row in rows}
        last = max(versions)
        here = [row for row in rows if self._versions.get(self._posts[row], (0, 0))[1] == last]
        best = min(here, key=self._order)
        for row in rows:
            if row not in here:
                self._losers[row] = best
        for same in self._media(here):
            if len(same) > 1:
                winner, *others = sorted(same, key=self._order)
                self._losers |= dict.fromkeys(others, winner)

    def _media(self, rows: list[int]) -> list[list[int]]:
        """The rows of one post, those of the same medium together."""
        named: dict[int, list[int]] = defaultdict(list)
        nameless: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            if self._names[row]:
                named[self._names[row]].append(row)
            else:
                nameless[self._indices[row]].append(row)
        firsts: dict[int, list[int]] = {}
        found: list[list[int]] = []
        for name in sorted(named, key=lambda name: (min(self._indices[row] for row in named[name]), name)):
            for same in self._repeats(named[name]):
                found.append(same)
                for row in same:
                    firsts.setdefault(self._indices[row], same)
        for index, placed in nameless.items():
            apart = self._by_file(placed)
            if len(apart) == 1 and index in firsts:
                firsts[index].extend(apart[0])
            else:
                found += apart
        return found

    def _by_file(self, rows: list[int]) -> list[list[int]]:
        """Rows of one place in a post: of one picture, unless one archive has two files there or tables name two.

        Then places tell nothing, and only files of the same name are one.
        """
        files = {(self._archives[self._sources[row]], self._files[row]) for row in rows if self._files[row]}
        written = {file for _, file in files if file & WRITTEN}
        if len(files) <= len({archive for archive, _ in files}) and len(written) < 2:
            return [rows]
        found: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            found[self._files[row] | WRITTEN if self._files[row] else -row - 1].append(row)
        return list(found.values())

    def _repeats(self, rows: list[int]) -> list[list[int]]:
        """Rows of one name; apart by place where one source shows the same picture twice in the post."""
        places: dict[int, set[int]] = defaultdict(set)
        for row in rows:
            if row not in self._loose:
                places[self._sources[row]].add(self._indices[row])
        if all(len(found) < 2 for found in places.values()):
            return [rows]
        found: dict[int, list[int]] = defaultdict(list)
        for row in rows:
            found[self._indices[row]].append(row)
        return list(found.values())

    def _order(self, row: int) -> tuple[int, int, int]:
        """Sorts the fullest record first; among equals an unpacked one, then by the name of its source."""
        return -self._fullness[row], self._rank[self._sources[row]], row


def medium_name(item: Item) -> str | None:
    """The name of a medium that its platform gave it and that archives keep, or None."""
    if item.media_url:
        return picture_name(item.media_url)
    base = basename(item.member or "")
    if item.platform == "x" and (match := X_MEMBER.match(base)):
        return match[1].rsplit(".", 1)[0]
    return None


def _post_key(item: Item) -> int:
    if item.same_as:
        return _hash("same", item.same_as)
    if not item.post_id:
        return 0
    if item.source_format == "table" and not (item.platform and tells_post(item.platform, item.post_id)):
        return _row_key(item, item.post_id)
    if not item.platform:
        return 0
    shared = (item.original_post_id or "").rsplit("/", 1)[-1]
    if item.is_repost and (shared == item.post_id or item.source_format == "gallery_dl"):
        # Known by the id of what it shares: not the post itself.
        return _hash(item.platform, item.post_id, "shared by", (item.account or "").casefold())
    return _hash(item.platform, item.post_id)


def _row_key(item: Item, post_id: str) -> int:
    """For ids in tables that may be numbers of rows, or of any platform: the medium has to be the same, too."""
    if item.platform:
        name = medium_name(item)
    else:
        name = item.media_url or (item.called if tells_post(None, post_id) else None)
    return _hash("row", item.platform, post_id, name) if name else 0


def _medium_key(item: Item) -> int:
    if item.same_as:
        return 0
    name = medium_name(item)
    return _hash("medium", name) if name else 0


def _file_key(item: Item) -> int:
    """The file's name as a table writes it, else without its folders, which differ from copy to copy; 0: no file."""
    if item.same_as:
        return 0
    if item.called:
        return _hash("file", item.called) | WRITTEN
    return _hash("file", basename(item.member)) & ~WRITTEN if item.member else 0


def _fullness(item: Item) -> int:
    """How much a record tells, as a number to compare; its lowest bits say which fields it has."""
    mask = sum(1 << bit for bit, name in enumerate(LENT) if getattr(item, name) not in (None, "", ()))
    rank = STATUS_RANK.get(Status(item.status), 0) + (item.status == Status.VIDEO_SKIPPED and item.opener is not None)
    date = DATE_RANK.get(DateSource(item.posted_at_source), 0) if item.posted_at else 0
    known = min(mask.bit_count() + 2 * date + 4 * (not item.loose) + 2 * bool(item.is_repost), 63)
    length = min(len(item.text or ""), 2**16 - 1)
    return rank << 60 | known << 54 | length << 32 | date << 16 | bool(item.is_repost) << 15 | mask


def _has(fullness: int, name: str) -> bool:
    return bool(fullness >> LENT.index(name) & 1)


def _lends(item: Item, winner: int) -> bool:
    """Whether a record has anything that the winner lacks."""
    mine = _fullness(item)
    lacking = mine & ~winner & (2 ** len(LENT) - 1)
    return bool(lacking) or (mine >> 15 & 1) > (winner >> 15 & 1) or (mine >> 16 & 7) > (winner >> 16 & 7)


def _lean(item: Item) -> Item:
    """A record without its way to the bytes, which is not lent."""
    return replace(item, opener=None, extra={})


def _patch(winner: int, losers: list[tuple[tuple[int, ...], Item | None, Place]]) -> _Patch:
    patch = _Patch(places=[place for _, _, place in losers])
    lenders = [item for _, item, _ in losers if item is not None]
    for name in LENT:
        if not _has(winner, name):
            values = (getattr(item, name) for item in lenders)
            if (value := next((value for value in values if value not in (None, "", ())), None)) is not None:
                patch.fields[name] = value
    if any(item.is_repost for item in lenders):
        patch.fields["is_repost"] = True
    dated = [item for item in lenders if item.posted_at]
    best = max(dated, key=lambda item: DATE_RANK.get(DateSource(item.posted_at_source), 0), default=None)
    if best and DATE_RANK.get(DateSource(best.posted_at_source), 0) > (winner >> 16 & 7):
        patch.fields |= {"posted_at": best.posted_at, "posted_at_source": best.posted_at_source}
    return patch


def _hash(*parts: object) -> int:
    text = "\x1f".join("" if part is None else str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()) or 1
