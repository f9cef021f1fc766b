"""The journal as a table: every row once, in a fixed order, with its picture and its duplicates.

Built in SQLite's own temporary store, which spills to disk: memory stays small however long the journal is.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from bladecheck.errors import RunError
from bladecheck.runs import duplicates, journal, rows
from bladecheck.runs.columns import Row
from bladecheck.runs.folder import RunFolder

TABLES = """
CREATE TABLE rows (id TEXT PRIMARY KEY, sort TEXT, sha256 TEXT, body BLOB) WITHOUT ROWID;
CREATE TABLE pictures (sha256 TEXT PRIMARY KEY, ok INTEGER, pdq TEXT, quality INTEGER, body BLOB) WITHOUT ROWID;
CREATE TABLE firsts (sha256 TEXT PRIMARY KEY, id TEXT, place INTEGER) WITHOUT ROWID;
CREATE TABLE clusters (sha256 TEXT PRIMARY KEY, first TEXT) WITHOUT ROWID;
"""
FIRSTS = """
INSERT INTO firsts SELECT sha256, id, ROW_NUMBER() OVER (ORDER BY sort, id) FROM (
    SELECT rows.sha256, id, sort, ROW_NUMBER() OVER (PARTITION BY rows.sha256 ORDER BY sort, id) AS nth
    FROM rows JOIN pictures USING (sha256)) WHERE nth = 1
"""
COMPARED = """
SELECT sha256, pdq FROM pictures JOIN firsts USING (sha256) WHERE ok AND quality >= ? ORDER BY place
"""
FINISHED = """
SELECT rows.body, pictures.body, rows.id, own.id, rows.sha256, clusters.first, head.id
FROM rows LEFT JOIN pictures USING (sha256) LEFT JOIN firsts AS own USING (sha256)
LEFT JOIN clusters USING (sha256) LEFT JOIN firsts AS head ON head.sha256 = clusters.first
WHERE rows.sha256 IS NULL OR pictures.sha256 IS NOT NULL ORDER BY sort, rows.id
"""
COUNTED = """
SELECT COUNT(*) FROM rows LEFT JOIN pictures USING (sha256) WHERE rows.sha256 IS NULL OR pictures.sha256 IS NOT NULL
"""
UNFINISHED = "SELECT COUNT(*) FROM rows WHERE sha256 IS NOT NULL AND sha256 NOT IN (SELECT sha256 FROM pictures)"


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
        self._db = sqlite3.connect("")
        try:
            self._db.executescript(
                "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-16384;" + TABLES
            )
            with self._db:
                for record, line in journal.read_lines(folder.journal):
                    self._take(record, line)
                self._db.execute(FIRSTS)
                self._group()
            self.count: int = self._db.execute(COUNTED).fetchone()[0]
            self.unfinished: int = self._db.execute(UNFINISHED).fetchone()[0]
        except sqlite3.Error as error:
            raise RunError(f"The rows can't be put together: {error} (is there room for temporary files?).") from error

    def close(self) -> None:
        self._db.close()

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
        for row, picture, identity, first, sha256, cluster, head in self._db.execute(FINISHED):
            found = json.loads(picture) if picture else None
            links = {
                "duplicate_of": first if first and first != identity else None,
                "near_duplicate_of": head if cluster and cluster != sha256 else None,
                "cluster": cluster or sha256,
            }
            yield rows.publish(json.loads(row), found, self.head, links)

    def _take(self, record: dict[str, Any] | None, line: bytes) -> None:
        if record is None:
            self.damaged += 1
        elif "row" in record:
            for other in record.get("supersedes", ()):
                self._db.execute("DELETE FROM rows WHERE id = ?", (other,))
            row = (record["row"], _order(record), record.get("sha256"), line)
            self._db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)", row)
        elif "gone" in record:
            self._db.executemany("DELETE FROM rows WHERE id = ?", [(other,) for other in record["gone"]])
        elif "picture" in record:
            pdq, quality = record["pdq"] or (None, None)
            values = (record["picture"], record["result"]["status"] == "ok", pdq, quality, line)
            self._db.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?, ?)", values)

    def _group(self) -> None:
        found = self._db.execute(COMPARED, (duplicates.QUALITY,)).fetchall()
        groups = duplicates.clusters([bytes.fromhex(pdq) for _, pdq in found])
        pairs = ((sha256, found[group][0]) for (sha256, _), group in zip(found, groups, strict=True))
        self._db.executemany("INSERT INTO clusters VALUES (?, ?)", pairs)


def _order(record: dict[str, Any]) -> str:
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
