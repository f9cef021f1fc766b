"""What was promised of rows for good: their ids, their order, when a person should look, what counts as a copy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bladecheck import __version__
from bladecheck.archives.item import Item, Place
from bladecheck.runs.columns import NAMES, Column, Row
from bladecheck.runs.exports.cells import guarded
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.report.facts import gather
from bladecheck.runs.rows import gone_record, header, identified, picture_record, publish, row_id, row_record
from bladecheck.runs.table import Ledger

NAMED = {"name": "tiny", "version": "1.0.0", "sha256": "0" * 64}
HEAD = header("run", NAMED, {"name": "default", "sha256": "1" * 64}, FORMAT)
POSTED = datetime(2024, 5, 1, 12, tzinfo=UTC)


def item(member: str | None = "media/1-a.jpg", **fields: Any) -> Item:
    return Item("x_archive", "/somewhere/twitter.zip", member=member, **{"post_id": "1746827059000246273", **fields})


def result(decision: str, sha256: str = "a" * 64, knife: float = 0.5) -> dict[str, Any]:
    """What the model said of a picture, as `core.result` words it; "failed" stands for one that can't be read."""
    image = {"sha256": sha256, "format": "JPEG", "width": 61, "height": 47, "frames": 1}
    if decision == "failed":
        return {"status": "failed", "decision": "cannot_judge", "reasons": [], "image": {"sha256": sha256},
                "error": {"code": "broken", "detail": "The JPEG data is truncated or corrupt."}}  # fmt: skip
    return {"status": "ok", "decision": decision, "reasons": [], "scores": {"knife": knife, "gun": 0.0}, "image": image}


def published(decision: str) -> Row:
    row = row_record(row_id("twitter.zip", item(), 0), "twitter.zip", item()) | {"sha256": "a" * 64}
    return publish(row, picture_record("a" * 64, result(decision), 100, None, "2024-05-01T12:00:00Z"), HEAD, {
        "duplicate_of": None, "near_duplicate_of": None, "cluster": "a" * 64})  # fmt: skip


def ledger_rows(folder: Path, *records: dict[str, Any]) -> list[Row]:
    """The rows of a journal with these records."""
    run = RunFolder(folder)
    run.create()
    with Journal(run.journal) as journal:
        journal.append([HEAD, *records])
    with Ledger(run) as ledger:
        return list(ledger.rows())


GOLDEN: list[tuple[Item, int, str]] = [
    (item(), 0, "99301cc0bf05e18e4200861800dc31ed"),
    (item(media_index=1), 0, "e7541e5d24fccae8ce8f42d48440baee"),
    (item(), 1, "00c7aab38c76932112f2739eb66652bb"),
    (item(post_id=None), 0, "8002ddd47d9a0f1494621962eccaa97b"),
    (item(None, media_url="https://pbs.twimg.com/media/a.jpg"), 0, "4fd02c80e73c60b658ca329dc8083cca"),
    (item("media/1-ü.jpg"), 0, "6a95c69e504efcc187c9bd5ce95655d0"),
]


@pytest.mark.parametrize(("place", "occurrence", "identity"), GOLDEN)
def test_row_ids_never_change(place: Item, occurrence: int, identity: str) -> None:
    """Labels, papers and resumed runs refer to them: these very ids, from any version, for ever."""
    assert row_id("twitter.zip", place, occurrence) == identity


def test_row_ids_depend_on_the_place_alone() -> None:
    told = item(account="force", text="Seized", posted_at=POSTED, alt_text="A knife", status="missing_media")
    assert row_id("twitter.zip", told, 0) == GOLDEN[0][2]
    assert row_id("other.zip", item(), 0) != GOLDEN[0][2]


@pytest.mark.parametrize(
    ("decision", "needed", "why"),
    [
        ("hold", False, None),
        ("clear", False, None),
        ("check", True, "unsure"),
        ("cannot_judge", True, "unjudgeable"),
        ("failed", True, "failed"),
    ],
)
def test_who_needs_a_person(decision: str, needed: bool, why: str | None) -> None:
    row = published(decision)
    assert (row["needs_review"], row["review_reason"]) == (needed, why)


def test_a_row_without_bytes_that_failed_needs_a_person() -> None:
    gone = row_record("0" * 32, "twitter.zip", item()) | {"status": "failed", "code": "vanished", "detail": "Gone."}
    row = publish(gone, None, HEAD, {"duplicate_of": None, "near_duplicate_of": None, "cluster": None})
    assert (row["needs_review"], row["review_reason"], row["decision"]) == (True, "failed", "cannot_judge")
    waiting = row_record("0" * 32, "twitter.zip", item(status="remote"))
    row = publish(waiting, None, HEAD, {"duplicate_of": None, "near_duplicate_of": None, "cluster": None})
    assert (row["needs_review"], row["review_reason"], row["decision"]) == (False, None, None)


def test_a_repost_of_the_same_second_is_the_copy_and_the_post_the_first(tmp_path: Path) -> None:
    """Sorted by anything else after the date ("a" comes before "b"), the repost would be the one that counts."""
    repost = row_record("0" * 32, "a.zip", item("a.jpg", post_id="1", posted_at=POSTED, is_repost=True))
    post = row_record("f" * 32, "b.zip", item("b.jpg", post_id="2", posted_at=POSTED))
    sha256 = {"sha256": "a" * 64}
    picture = picture_record("a" * 64, result("hold"), 100, None, "2024-05-01T12:00:00Z")
    rows = ledger_rows(tmp_path / "run", picture, repost | sha256, post | sha256)
    assert [row["is_repost"] for row in rows] == [False, True]
    assert [row["duplicate_of"] for row in rows] == [None, "f" * 32]


@pytest.mark.parametrize(("quality", "near"), [(50, "0" * 32), (49, None), (0, None)])
def test_perceptual_hashes_of_poor_quality_match_nothing(tmp_path: Path, quality: int, near: str | None) -> None:
    """PDQ says of a blank wall that it is like every other blank wall; its quality, below 50, says not to listen."""
    records: list[dict[str, Any]] = []
    for number, sha256 in enumerate(("a" * 64, "b" * 64)):
        row = row_record(f"{number}" * 32, "x.zip", item(f"{number}.jpg", posted_at=POSTED))
        seen = picture_record(sha256, result("clear", sha256), 100, ("0" * 64, quality), "2024-05-01T12:00:00Z")
        records += [seen, row | {"sha256": sha256}]
    rows = ledger_rows(tmp_path / "run", *records)
    assert [row["near_duplicate_of"] for row in rows] == [None, near]


def test_reposts_are_not_in_the_spread_of_scores() -> None:
    post = published("hold") | {"score_knife": 0.97, "duplicate_of": None}
    facts = gather([post, post | {"is_repost": True}, post | {"score_knife": 1.0}], "UTC")
    assert (sum(facts.scores), facts.scores[-1]) == (2, 2)


@pytest.mark.parametrize(("digits", "apostrophe"), [(15, False), (16, True), (17, True), (19, True)])
def test_numbers_that_a_spreadsheet_would_round_are_guarded(digits: int, apostrophe: bool) -> None:
    """Excel keeps 15 digits: 1234567890123456 would become 1234567890123450, another post."""
    number = "1234567890123456789"[:digits]
    assert guarded(Column("post_id", "text", ""), number) == ("'" * apostrophe) + number


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'"])
def test_every_sign_that_starts_a_formula_is_guarded(sign: str) -> None:
    """Full-width signs, too: Excel in Japanese takes them for the plain ones. One apostrophe undoes the guard."""
    column = Column("text", "text", "")
    assert guarded(column, sign + "1+1") == "'" + sign + "1+1"
    assert guarded(column, "a" + sign) == "a" + sign


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("text", None, ""),
        ("text", "", ""),
        ("text", "  =1", "'  =1"),
        ("text", "007", "'007"),
        ("text", "0", "'0"),
        ("text", "10", "10"),
        ("text", "1e5", "'1e5"),
        ("text", "1E5", "'1E5"),
        ("text", "1e", "1e"),
        ("text", "1,234.5", "1,234.5"),
        ("text", "1,234,567,890,123,456", "'1,234,567,890,123,456"),
        ("text", "12345678901234567x", "12345678901234567x"),
        ("list", ["knife", "in_hand"], "knife;in_hand"),
        ("list", ["=1"], "'=1"),
        ("list", [], ""),
        ("object", {"b": "é", "a": 1}, '{"a": 1, "b": "é"}'),
        ("object", {}, ""),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("integer", -3, -3),
        ("integer", 0, 0),
        ("number", -0.5, -0.5),
    ],
)
def test_cells_are_written_just_so(kind: Any, value: Any, cell: Any) -> None:
    """CSV of all versions, so that files of two runs can be compared line by line."""
    assert guarded(Column("any", kind, ""), value) == cell


def test_a_whole_row_is_published_just_so() -> None:
    """Every field of an item and of an answer comes out under its own name."""
    told = item(
        "media/1-a.jpg", platform="x", account="force", post_url="https://x.com/force/status/1", posted_at=POSTED,
        posted_at_source="field", media_index=2, media_type="photo", media_url="https://pbs.twimg.com/media/a.jpg",
        alt_text="A knife", text="Seized\x00", is_repost=True, original_post_id="7", collected_at=POSTED, is_quote=True,
        is_reply=False, quoted_id="8", edits=("5", "1746827059000246273"), extra={"note": 1}, detail="why",
    )  # fmt: skip
    answer = result("hold", knife=0.9) | {
        "reasons": [{"code": "knife", "text": ""}, {"code": "in_hand", "text": ""}], "kind": "sword",
        "raw": {"knife": 2.5, "gun": -3.0}, "blade": {"sword": 0.8}, "features": {"in_hand": 0.7},
        "weapon_kind": "axe", "weapons": {"axe": 0.6}, "looks": 6, "blade_share": 0.25, "unlike": 0.5,
        "peak": [0.1, 0.2, 0.3, 0.4],
    }  # fmt: skip
    also = [("b.zip", Place("/x/b.zip", "c.jpg", "", 0)), ("d", Place("/x/d", "https://e.org/f.jpg", "", 0))]
    kept = row_record("9" * 32, "twitter.zip", told, also) | {"sha256": "a" * 64}
    assert kept["supersedes"] == sorted(kept["supersedes"])
    assert len(set(kept["supersedes"])) == 2
    seen = picture_record("a" * 64, answer, 1234, ("f" * 64, 88), "2024-05-01T12:00:00Z")
    links = {"duplicate_of": "1" * 32, "near_duplicate_of": "2" * 32, "cluster": "3" * 64}
    row = publish(kept, seen, HEAD, links)
    assert list(row) == list(NAMES)
    assert {name: value for name, value in row.items() if value is not None} == {
        "schema": "bladecheck-predictions/1", "row_id": "9" * 32, "source_format": "x_archive", "source": "twitter.zip",
        "member": "media/1-a.jpg", "platform": "x", "account": "force", "post_id": "1746827059000246273",
        "post_url": "https://x.com/force/status/1", "posted_at": "2024-05-01T12:00:00Z", "posted_at_source": "field",
        "media_index": 2, "media_type": "photo", "media_url": "https://pbs.twimg.com/media/a.jpg",
        "alt_text": "A knife", "text": "Seized", "is_repost": True, "original_post_id": "7",
        "collected_at": "2024-05-01T12:00:00Z", "is_quote": True, "is_reply": False, "quoted_id": "8", "edits": ["5"],
        "also_in": ["b.zip/c.jpg", "d"], "extra": {"note": 1}, "sha256": "a" * 64, "bytes": 1234, "pdq": "f" * 64,
        "pdq_quality": 88, **links, "status": "ok", "decision": "hold", "reasons": ["knife", "in_hand"],
        "width": 61, "height": 47, "format": "JPEG", "frames": 1, "score_knife": 0.9, "score_gun": 0.0,
        "media_kind": "picture",
        "raw_knife": 2.5, "raw_gun": -3.0, "kind": "sword", "blade_sword": 0.8, "feature_in_hand": 0.7,
        "weapon_kind": "axe", "weapon_axe": 0.6, "looks": 6, "peak_left": 0.1, "peak_top": 0.2, "peak_right": 0.3,
        "peak_bottom": 0.4, "blade_share": 0.25, "unlike": 0.5, "needs_review": False, "model_name": "tiny",
        "model_version": "1.0.0", "model_sha256": "0" * 64, "policy_name": "default", "policy_sha256": "1" * 64,
        "bladecheck_version": __version__,
    }  # fmt: skip


def test_rows_of_one_place_are_told_apart_by_their_order() -> None:
    """Unless the archive has counted itself, with those that it merged away."""
    three = list(identified([item(), item("other.jpg"), item()], lambda path: "twitter.zip"))
    assert [identity for identity, _, _ in three][::2] == [GOLDEN[0][2], GOLDEN[2][2]]
    assert {source for _, source, _ in three} == {"twitter.zip"}
    ((identity, _, _),) = identified([item(occurrence=1)], lambda path: "twitter.zip")
    assert identity == GOLDEN[2][2]


def test_the_table_counts_what_it_has_and_what_it_lacks(tmp_path: Path) -> None:
    """A row that took another's place, one that is gone, one whose picture is still to be scored, a damaged line."""
    sha256 = {"sha256": "a" * 64}
    picture = picture_record("a" * 64, result("hold"), 100, None, "2024-05-01T12:00:00Z")
    old, new, lost, waiting = (row_record(f"{n}" * 32, "a.zip", item(f"{n}.jpg")) | sha256 for n in range(4))
    run = RunFolder(tmp_path / "run")
    run.create()
    with Journal(run.journal) as journal:
        journal.append([HEAD, picture, old, lost])
    with Ledger(run) as ledger:
        assert (ledger.count, ledger.unfinished, ledger.damaged) == (2, 0, 0)
    with Journal(run.journal) as journal:
        replaced = new | {"supersedes": [old["row"], "e" * 32]}
        gone = gone_record([bytes.fromhex(lost["row"])])
        journal.append([replaced, gone, waiting | {"sha256": "b" * 64}, waiting])
        journal.append([new])
    data = run.journal.read_bytes()
    run.journal.write_bytes(data[:-20] + b"?" + data[-19:])
    with Ledger(run) as ledger:
        assert [row["member"] for row in ledger.rows()] == ["1.jpg", "3.jpg"]
        assert (ledger.count, ledger.unfinished, ledger.damaged) == (2, 0, 1)
    with Journal(run.journal) as journal:
        journal.append([waiting | {"sha256": "b" * 64}])
    with Ledger(run) as ledger:
        assert (ledger.count, ledger.unfinished) == (1, 1)
