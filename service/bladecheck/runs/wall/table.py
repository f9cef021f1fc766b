"""A run's pictures as a table to page through: filters, arrangements, months, and what may not be shown of them.

A temporary SQLite table with an index for each arrangement, so that a page of a run of 100,000 pictures is a matter of
milliseconds. What must not be seen yet (`hold_back`), answers of the model and marks of people, is taken out of all
that is read.
"""

# ruff: noqa: S608  (conditions are put together of this module's own texts; every value is passed apart)

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from bladecheck.archives.item import DateSource
from bladecheck.core.taxonomy import BLADES
from bladecheck.runs.columns import Row
from bladecheck.runs.summary import UNKNOWN, local, months_between, zone

DECISIONS = ("hold", "check", "cannot_judge", "clear")
WAITING = "waiting"
"""Stands for the decision on pictures whose answer is held back."""
NOT_SURE = "not sure"
KINDS = ("", *BLADES, NOT_SURE)
ARRANGEMENTS = ("month", "decision", "kind", "account", "posted", "alike")
REPOSTS = ("own", "reposts")
UNMARKED = "none"
MOST_MONTHS, MOST_ACCOUNTS, MOST_ON_A_PAGE = 600, 1_000, 240

TABLE = """
CREATE TABLE pictures (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, sha256 TEXT NOT NULL, cluster TEXT NOT NULL, first INTEGER,
    times INTEGER, day TEXT NOT NULL, month TEXT NOT NULL, platform TEXT, post TEXT, account TEXT NOT NULL,
    repost INTEGER NOT NULL, words TEXT NOT NULL, facts TEXT NOT NULL,
    true_decision TEXT, true_kind TEXT, true_answer TEXT, true_mark TEXT NOT NULL DEFAULT '',
    held INTEGER NOT NULL DEFAULT 0, decision TEXT, kind TEXT, rank INTEGER, answer TEXT, mark TEXT NOT NULL DEFAULT ''
);
"""
PREPARED = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;
CREATE TEMP TABLE wanted (value TEXT PRIMARY KEY) WITHOUT ROWID;
"""
INDEXES = """
CREATE INDEX by_id ON pictures (id);
CREATE INDEX by_sha256 ON pictures (sha256);
CREATE INDEX by_cluster ON pictures (cluster, place);
CREATE INDEX by_decision ON pictures (decision, place);
CREATE INDEX by_rank ON pictures (rank, place);
CREATE INDEX by_kind ON pictures (kind = '', kind, place);
CREATE INDEX by_times ON pictures (times DESC, first, place);
CREATE INDEX by_account ON pictures (account, place);
CREATE INDEX by_month ON pictures (month, place);
CREATE INDEX by_mark ON pictures (mark, place);
"""
COUNTED = """
UPDATE pictures SET (first, times) = (SELECT n.first, n.times FROM counted AS n WHERE n.cluster = pictures.cluster)
"""
SHOWN = f"""
UPDATE pictures SET decision = CASE WHEN held THEN '{WAITING}' ELSE true_decision END,
    kind = CASE WHEN held THEN '' ELSE true_kind END,
    mark = CASE WHEN held THEN '' ELSE true_mark END, answer = CASE WHEN held THEN NULL ELSE true_answer END,
    rank = CASE WHEN held THEN {len(DECISIONS)} ELSE
        CASE true_decision {" ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(DECISIONS))} END END
"""
LAYOUT = "2" + TABLE + INDEXES + SHOWN
"""What a kept table must agree with; the number changes with what is put into the columns."""
HELD = "cluster IN (SELECT cluster FROM pictures WHERE sha256 IN (SELECT value FROM wanted))"
TILE = "id, day, account, decision, kind, mark, times, held, first, month"
ORDER = {
    "month": "place",
    "decision": "rank, place",
    "kind": "kind = '', kind, place",
    "account": "account, place",
    "alike": "times DESC, first, place",
}
HEADING = {"month": "month", "decision": "decision", "kind": "kind", "account": "account"}
FACTS = ("posted_at", "text", "alt_text", "post_url", "member", "media_url", "source", "width", "height")


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked at; an empty field leaves nothing out.

    Attributes:
        start, end: months as YYYY-MM, both included; `unknown` in both means pictures without a date.
        reposts: "own" or "reposts".
        mark: a mark, or "none".
        words: that stand in the post's text, the picture's description or its file name.
        cluster: a picture (row id) whose look-alikes are wanted.
    """

    decision: str = ""
    kind: str = ""
    account: str = ""
    start: str = ""
    end: str = ""
    reposts: str = ""
    mark: str = ""
    words: str = ""
    cluster: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Filter:
        """Those fields that a request names."""
        return cls(**{one.name: str(query.get(one.name, "")) for one in fields(cls)})

    def where(self) -> tuple[str, list[str]]:
        """A condition in SQL and its values.

        Raises:
            ValueError: no such choice.
        """
        if self.reposts not in ("", *REPOSTS):
            raise ValueError(f"reposts={self.reposts!r}")
        parts = [
            ("decision = ?", self.decision),
            ("kind = ?", self.kind),
            ("account = ?", self.account),
            ("month >= ?", self.start),
            ("month <= ?", self.end),
            ("mark = ?", "" if self.mark == UNMARKED else self.mark),
            ("instr(words, ?) > 0", self.words.casefold()),
            ("cluster = (SELECT cluster FROM pictures WHERE id = ?)", self.cluster),
        ]
        found = [(text, value) for text, value in parts if value]
        texts, values = [text for text, _ in found], [value for _, value in found]
        if self.mark == UNMARKED:
            texts.append("mark = ''")
        if self.start and self.start != UNKNOWN:
            texts.append(f"month != '{UNKNOWN}'")
        if self.reposts:
            texts.append("repost" if self.reposts == "reposts" else "NOT repost")
        return " AND ".join(texts) or "1", values


class Table:
    """Every row with a picture that could be opened when it was scored. Safe to use from many threads.

    Args:
        db: with the table in it; SQLite's own temporary one, closed with this.
        without: rows that have no picture to show, by status.

    Attributes:
        count: how many.
        without: as given.
    """

    def __init__(self, db: sqlite3.Connection, without: Mapping[str, int]) -> None:
        self._lock, self._db, self.without = threading.Lock(), db, dict(without)
        self.count: int = self._one("SELECT COUNT(*) FROM pictures")

    @classmethod
    def built(cls, rows: Iterable[Row], timezone: str) -> Self:
        """Of published rows, in their order, gone through once; in days and months of that time zone."""
        db, without = _temporary(), dict[str, int]()
        db.executescript(TABLE)
        with db:
            db.executemany(
                f"INSERT INTO pictures (id, sha256, cluster, day, month, platform, post, account, repost, words, facts,"
                f" true_decision, true_kind, true_answer) VALUES ({', '.join('?' * 14)})",
                _lines(rows, zone(timezone), without),
            )
            db.execute(
                "CREATE TEMP TABLE counted AS SELECT cluster, MIN(place) AS first, COUNT(*) AS times "
                "FROM pictures GROUP BY cluster"
            )
            db.execute("CREATE UNIQUE INDEX temp.counted_cluster ON counted (cluster)")
            db.execute(COUNTED)
            db.execute(SHOWN)
        db.executescript(INDEXES + "DROP TABLE counted; ANALYZE;")
        return cls(db, without)

    @classmethod
    def copied(cls, path: Path, without: Mapping[str, int]) -> Self:
        """Of a file that `save` wrote, which stays as it is.

        Raises:
            sqlite3.Error: it is no such file.
        """
        db = _temporary()
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as kept:
            kept.backup(db)
        return cls(db, without)

    def save(self, path: Path) -> None:
        """Into a new file; before anything is held back or marked.

        Raises:
            sqlite3.Error: it can't be written.
        """
        with self._lock, closing(sqlite3.connect(path)) as kept:
            self._db.backup(kept)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def hold_back(self, sha256: Collection[str]) -> None:
        """Show neither answer nor mark on any picture with these bytes, nor on any that looks like one of them."""
        with self._lock, self._db:
            self._want(sha256)
            changed = f"held != ({HELD})"
            self._db.execute("CREATE TEMP TABLE moved AS SELECT place FROM pictures WHERE " + changed)
            self._db.execute("UPDATE pictures SET held = NOT held WHERE place IN (SELECT place FROM moved)")
            self._db.execute(SHOWN + " WHERE place IN (SELECT place FROM moved)")
            self._db.execute("DROP TABLE moved")

    def mark(self, marks: Mapping[str, str]) -> None:
        """Show these marks, by row id; an empty one takes a mark away."""
        with self._lock, self._db:
            self._db.executemany(
                "UPDATE pictures SET mark = ? WHERE id = ?", ((mark, row) for row, mark in marks.items())
            )

    def page(self, chosen: Filter, arrangement: str, number: int, size: int) -> dict[str, Any]:
        """One page of tiles, how many pictures match, and how many under each heading of the page.

        Args:
            chosen: what is looked at.
            arrangement: one of ARRANGEMENTS; `posted` shows one tile for each group of look-alikes, the most often
                posted first, `alike` all pictures of groups of two or more.
            number: from 1; a later one than the last gives the last.
            size: tiles on it.

        Raises:
            ValueError: no such arrangement or choice.
        """
        if arrangement not in ARRANGEMENTS:
            raise ValueError(f"by={arrangement!r}")
        where, values = chosen.where()
        if arrangement == "alike":
            where += " AND times > 1"
        size = min(max(size, 1), MOST_ON_A_PAGE)
        folded = arrangement == "posted"
        total = self._one(f"SELECT COUNT({'DISTINCT cluster' if folded else '*'}) FROM pictures WHERE {where}", values)
        pages = max(1, -(-total // size))
        number = min(max(number, 1), pages)
        select = (
            _folded(where) if folded else f"SELECT {TILE}, 1 FROM pictures WHERE {where} ORDER BY {ORDER[arrangement]}"
        )
        lines = self._all(f"{select} LIMIT {size} OFFSET {(number - 1) * size}", values)
        tiles = [_tile(line, arrangement) for line in lines]
        held = self._one(f"SELECT COUNT(*) FROM pictures WHERE {where} AND held", values)
        return {"total": total, "pages": pages, "page": number, "tiles": tiles, "held": held,
                "headings": self._headings(where, values, arrangement, {one["heading"] for one in tiles})}  # fmt: skip

    def _headings(self, where: str, values: list[str], arrangement: str, names: set[str]) -> dict[str, int]:
        """How many pictures match under each of these headings."""
        column = HEADING.get(arrangement)
        if column is None:
            return {}
        marks = ", ".join("?" * len(names))
        select = f"SELECT {column}, COUNT(*) FROM pictures WHERE {where} AND {column} IN ({marks}) GROUP BY {column}"
        return dict(self._all(select, [*values, *names]))

    def months(self, chosen: Filter) -> list[dict[str, Any]]:
        """Pictures by month, without gaps, whatever months are chosen; `hold` are those that may be told."""
        where, values = replace(chosen, start="", end="").where()
        select = f"SELECT month, COUNT(*), SUM(decision = 'hold') FROM pictures WHERE {where} GROUP BY month"
        found = {name: {"pictures": count, "hold": hold} for name, count, hold in self._all(select, values)}
        known = sorted(name for name in found if name != UNKNOWN)
        between = months_between(known[0], known[-1]) if known else []
        names = (between if len(between) <= MOST_MONTHS else known) + [UNKNOWN] * (UNKNOWN in found)
        return [{"month": name, **found.get(name, {"pictures": 0, "hold": 0})} for name in names]

    def choices(self) -> dict[str, list[str]]:
        """What there is to filter by. Decisions and kinds are all there can be, so that nothing shows by its lack."""
        accounts = "SELECT account FROM pictures GROUP BY account ORDER BY COUNT(*) DESC, account LIMIT"
        return {
            "decision": [*DECISIONS, WAITING],
            "kind": [kind for kind in KINDS if kind],
            "month": [one["month"] for one in self.months(Filter())],
            "account": sorted(name for (name,) in self._all(f"{accounts} {MOST_ACCOUNTS}")),
        }

    def picture(self, row: str) -> dict[str, Any]:
        """What may be told of one picture.

        Raises:
            LookupError: no such row.
        """
        lines = self._all(f"SELECT {TILE}, 1, sha256, facts, answer FROM pictures WHERE id = ?", [row])
        if not lines:
            raise LookupError(f"row {row!r}")
        *_, sha256, facts, answer = lines[0]
        told = json.loads(answer) if answer else {"score_knife": None, "reasons": []}
        return {**_tile(lines[0], "month"), **json.loads(facts), **told, "sha256": sha256}

    def matching(self, chosen: Filter, alike: bool = False) -> tuple[list[str], int]:
        """Row ids that match and may be marked, and how many match and may not."""
        where, values = chosen.where()
        where += " AND times > 1" if alike else ""
        lines = self._all(f"SELECT id, held FROM pictures WHERE {where} ORDER BY place", values)
        return [row for row, held in lines if not held], sum(held for _, held in lines)

    def among(self, rows: Collection[str], copies_in: Filter | None = None) -> tuple[list[str], int]:
        """Like `matching`, for given rows; with `copies_in`, for everything there that looks like one of them."""
        where, values = copies_in.where() if copies_in else ("1", [])
        column = "cluster IN (SELECT cluster FROM pictures WHERE id IN (SELECT value FROM wanted))"
        with self._lock, self._db:
            self._want(rows)
            own = column if copies_in else "id IN (SELECT value FROM wanted)"
            lines = self._db.execute(
                f"SELECT id, held FROM pictures WHERE {own} AND {where} ORDER BY place", values
            ).fetchall()
        return [row for row, held in lines if not held], sum(held for _, held in lines)

    def without_answers(self) -> Iterator[Row]:
        """Rows with what units of a sample are made of, without anything that the model said."""
        select = "SELECT id, sha256, cluster, platform, account, post, repost FROM pictures ORDER BY place"
        names = ("row_id", "sha256", "cluster", "platform", "account", "post_id", "is_repost")
        for line in self._all(select):
            yield {**dict(zip(names, line, strict=True)), "status": "ok", "decision": None, "score_knife": None,
                   "posted_at": None}  # fmt: skip

    def _want(self, names: Collection[str]) -> None:
        self._db.execute("DELETE FROM wanted")
        self._db.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", ((name,) for name in names))

    def _all(self, select: str, values: Iterable[str] = ()) -> list[Any]:
        with self._lock:
            return self._db.execute(select, tuple(values)).fetchall()

    def _one(self, select: str, values: Iterable[str] = ()) -> int:
        return int(self._all(select, values)[0][0])


def _temporary() -> sqlite3.Connection:
    """A database of SQLite's own, which spills to disk and is gone when it is closed."""
    db = sqlite3.connect("", check_same_thread=False)
    db.executescript(PREPARED)
    return db


def _lines(rows: Iterable[Row], where: ZoneInfo, without: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    """Of every row with a picture what the table holds; the others are counted in `without`, by status."""
    for row in rows:
        if row["status"] != "ok" or row["media_kind"] == "video":
            why = "video" if row["status"] == "ok" else row["status"]
            without[why] = without.get(why, 0) + 1
            continue
        words = " ".join(row[name] or "" for name in ("text", "alt_text", "member")).casefold()
        kind = (row["kind"] or NOT_SURE) if row["decision"] == "hold" else ""
        answer = {"score_knife": row["score_knife"], "reasons": row["reasons"]}
        day = _day(row, where)
        yield (
            row["row_id"], row["sha256"], row["cluster"], day, day[:7] or UNKNOWN,
            row["platform"], row["post_id"], row["account"] or UNKNOWN,
            row["is_repost"], words, json.dumps({name: row[name] for name in FACTS}),
            row["decision"], kind, json.dumps(answer),
        )  # fmt: skip


def _folded(where: str) -> str:
    """One line for each group of look-alikes among what matches: its first picture there, and how many they are."""
    columns = TILE.replace("mark", "CASE WHEN same THEN mark ELSE 'mixed' END")
    groups = (
        "SELECT MIN(place) AS place, COUNT(*) AS copies, MIN(mark) = MAX(mark) AS same "
        f"FROM pictures WHERE {where} GROUP BY cluster"
    )
    return f"SELECT {columns}, copies FROM ({groups}) JOIN pictures USING (place) ORDER BY copies DESC, place"


def _unfolded(where: str, arrangement: str) -> str:
    return f"SELECT {TILE}, 1 FROM pictures WHERE {where} ORDER BY {ORDER[arrangement]}"


def _tile(line: tuple[Any, ...], arrangement: str) -> dict[str, Any]:
    row, day, account, decision, kind, mark, times, held, first, month, copies = line[:11]
    headings = {"month": month, "decision": decision, "kind": kind, "account": account, "alike": str(first)}
    return {
        "row": row, "day": day, "account": account, "decision": decision, "kind": kind, "mark": mark, "times": times,
        "held": bool(held), "copies": copies, "heading": headings.get(arrangement, ""),
    }  # fmt: skip


def _day(row: Row, where: ZoneInfo) -> str:
    """Day and time there, or the day alone where no time is told; empty without a date."""
    moment = local(row, where)
    told = "%Y-%m-%d" if row["posted_at_source"] == DateSource.DAY else "%Y-%m-%d %H:%M"
    return moment.strftime(told) if moment else ""
