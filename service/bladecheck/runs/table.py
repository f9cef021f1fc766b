"""The journal as a table: every row once, in a fixed order, with its picture and its duplicates.

Only what orders and joins the rows is put into SQLite's own temporary store, which spills to disk: everything is loaded
as it comes and then sorted, never inserted at random, so that the time grows with the journal and memory stays small.
What a row says is read from the journal again when its turn comes.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from bladecheck.archives.spelling import Spellings
from bladecheck.errors import RunError
from bladecheck.runs import duplicates, journal, near, rows
from bladecheck.runs.columns import Row
from bladecheck.runs.folder import RunFolder

Record = dict[str, Any]
BATCH = 2000
LOADED = """
CREATE TABLE loaded_rows (at INTEGER PRIMARY KEY, size INTEGER, id BLOB, sort TEXT, sha256 BLOB);
CREATE TABLE loaded_pictures (at INTEGER PRIMARY KEY, size INTEGER, sha256 BLOB, ok INTEGER, pdq BLOB, quality INTEGER);
CREATE TABLE superseded (id BLOB, at INTEGER);
"""
LATEST = """
CREATE TABLE ordered (place INTEGER PRIMARY KEY, at INTEGER, size INTEGER, id BLOB, sha256 BLOB);
INSERT INTO ordered (at, size, id, sha256)
    SELECT at, size, id, sha256 FROM (SELECT MAX(at) AS at, size, id, sort, sha256 FROM loaded_rows GROUP BY id)
    WHERE (id, at) NOT IN (
        SELECT id, kept.at FROM superseded JOIN
            (SELECT MAX(at) AS at, id FROM loaded_rows WHERE id IN (SELECT id FROM superseded) GROUP BY id) AS kept
            USING (id) WHERE kept.at < superseded.at)
    ORDER BY sort, id;
DROP TABLE loaded_rows;
CREATE TABLE latest (sha256 BLOB PRIMARY KEY, at INTEGER, size INTEGER, ok INTEGER, pdq BLOB, quality INTEGER)
    WITHOUT ROWID;
INSERT INTO latest (at, size, sha256, ok, pdq, quality)
    SELECT MAX(at), size, sha256, ok, pdq, quality FROM loaded_pictures GROUP BY sha256;
DROP TABLE loaded_pictures;
CREATE TABLE pictures (sha256 BLOB PRIMARY KEY, at INTEGER, size INTEGER, compared INTEGER, pdq BLOB, place INTEGER)
    WITHOUT ROWID;
"""
"""The last word on each row and on each picture; rows in their order, which `place` numbers."""
# Both sides come sorted by hash, so that neither is searched at random.
FIRSTS = """
INSERT INTO pictures SELECT latest.sha256, latest.at, latest.size, ok AND quality >= ?, pdq, place FROM
    (SELECT sha256, MIN(place) AS place FROM ordered WHERE sha256 IS NOT NULL GROUP BY sha256) AS firsts
    CROSS JOIN latest USING (sha256)
"""
COMPARED = "SELECT place, pdq, sha256 FROM pictures WHERE compared ORDER BY place"
FINISHED = """
CREATE TABLE finished (
    place INTEGER PRIMARY KEY, at INTEGER, size INTEGER, picture_at INTEGER, picture_size INTEGER, first INTEGER
);
INSERT INTO finished SELECT placed.place, placed.at, placed.size, pictures.at, pictures.size, pictures.place
    FROM (SELECT place, at, size, sha256 FROM ordered ORDER BY sha256) AS placed
    LEFT JOIN pictures USING (sha256)
    WHERE placed.sha256 IS NULL OR pictures.sha256 IS NOT NULL ORDER BY placed.place;
"""
GIVEN = """
SELECT finished.at, finished.size, picture_at, picture_size,
    CASE WHEN first < finished.place THEN (SELECT id FROM ordered WHERE place = first) END,
    heads.sha256, CASE WHEN head IS NOT NULL THEN (SELECT id FROM ordered WHERE place = head) END
FROM finished LEFT JOIN heads USING (first) ORDER BY finished.place
"""


class Ledger:
    """A run, read once and ready to be gone through any number of times.

    Attributes:
        head: the journal's header.
        unfinished: rows whose picture was still being scored when the run was stopped; they are not among `rows`.
        count: rows whose picture is scored, or that have none; they are what `rows` gives.
        damaged: journal lines that are damaged or lost and were passed over.

    Raises:
        RunError: no run there, or a journal that does not begin as one.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.head = folder.header()
        self.damaged = 0
        self._spellings = Spellings()
        self._folder = folder
        # Held open: a journal that is replaced meanwhile (`merge`) stays the one that was read.
        self._journal = folder.journal.open("rb")
        self._db = sqlite3.connect("")
        try:
            self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;")
            self._db.executescript(LOADED)
            self._load()
            self._db.executescript(LATEST)
            self._db.execute(FIRSTS, (duplicates.QUALITY,))
            self._db.executescript(FINISHED)
            self._group()
            self.count = self._number("SELECT COUNT(*) FROM finished")
            self.unfinished = self._number("SELECT COUNT(*) FROM ordered") - self.count
        except sqlite3.Error as error:
            self.close()
            raise RunError(f"The rows can't be put together: {error} (is there room for temporary files?).") from error

    def close(self) -> None:
        self._db.close()
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def rows(self) -> Iterator[Row]:
        """The published rows, earliest post first, without a date last.

        Raises:
            RunError: no room for temporary files.
        """
        try:
            yield from self._joined()
        except sqlite3.Error as error:
            raise RunError(f"The rows can't be put in order: {error} (is there room for temporary files?).") from error

    def _joined(self) -> Iterator[Row]:
        for at, size, picture_at, picture_size, first, cluster, head in self._db.execute(GIVEN):
            row = self._record(at, size)
            links = {
                "duplicate_of": first.hex() if first else None,
                "near_duplicate_of": head.hex() if head else None,
                "cluster": cluster.hex() if cluster else row.get("sha256") if picture_at is not None else None,
            }
            found = None if picture_at is None else self._record(picture_at, picture_size)
            published = rows.publish(row, found, self.head, links)
            published["account"] = self._spellings.of(published["platform"], published["account"])
            yield published

    def _record(self, at: int, size: int) -> Record:
        self._journal.seek(at)
        record: Record = json.loads(self._journal.read(size))
        return record

    def _number(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    def _load(self) -> None:
        """Everything as it comes; `at` is where a line begins in the journal."""
        pictures: list[tuple[Any, ...]] = []
        listed: list[tuple[Any, ...]] = []
        at = 0
        for record, line in journal.read_lines(self._folder.journal):
            if record is None:
                self.damaged += 1
            elif "row" in record:
                told_of = record["item"]
                did = (told_of.get("extra") or {}).get("did")
                self._spellings.learn(told_of["platform"], told_of["account"], did)
                told = bytes.fromhex(record["sha256"]) if record.get("sha256") else None
                listed.append((at, len(line), bytes.fromhex(record["row"]), _order(record), told))
                for other in record.get("supersedes", ()):
                    self._db.execute("INSERT INTO superseded VALUES (?, ?)", (bytes.fromhex(other), at))
            elif "gone" in record:
                gone = [(bytes.fromhex(other), at) for other in record["gone"]]
                self._db.executemany("INSERT INTO superseded VALUES (?, ?)", gone)
            elif "picture" in record:
                pdq, quality = record["pdq"] or (None, None)
                pictures.append((at, len(line), bytes.fromhex(record["picture"]), record["result"]["status"] == "ok",
                                 bytes.fromhex(pdq) if pdq else None, quality))  # fmt: skip
            at += len(line)
            if len(listed) + len(pictures) > BATCH:
                self._store(listed, pictures)
        self._store(listed, pictures)

    def _store(self, listed: list[tuple[Any, ...]], pictures: list[tuple[Any, ...]]) -> None:
        self._db.executemany("INSERT INTO loaded_rows VALUES (?, ?, ?, ?, ?)", listed)
        self._db.executemany("INSERT INTO loaded_pictures VALUES (?, ?, ?, ?, ?, ?)", pictures)
        listed.clear()
        pictures.clear()

    def _group(self) -> None:
        """Where the first picture of its cluster is another one: which."""
        places, hashes = near.Places(), bytearray()
        for place, pdq, _ in self._db.execute(COMPARED):
            places.append(place)
            hashes += pdq
        groups = near.groups(bytes(hashes), self._folder.path / near.KEPT)
        self._db.execute("CREATE TABLE pairs (first INTEGER PRIMARY KEY, head INTEGER)")
        pairs = ((places[own], places[head]) for own, head in enumerate(groups) if own != head)
        self._db.executemany("INSERT INTO pairs VALUES (?, ?)", pairs)
        self._db.executescript(
            "CREATE TABLE heads (first INTEGER PRIMARY KEY, head INTEGER, sha256 BLOB);"
            "INSERT INTO heads SELECT first, head, (SELECT sha256 FROM ordered WHERE place = head) FROM pairs;"
        )


def _order(record: Record) -> str:
    """Sorts rows by date, then posts before reposts, then place in the archive; dateless rows last."""
    item = record["item"]
    parts = (
        item["posted_at"] or "~",
        "1" if item["is_repost"] else "0",
        item["source"],
        item["post_id"] or "",
        f"{item['media_index']:06d}",
        item["member"] or item["media_url"] or "",
    )
    return "\x1f".join(parts)
