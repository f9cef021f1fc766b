"""What the journal holds, and how a published row is made of it.

Kinds of record: the header; a row (an item of the archive, with the hash of its picture or why there is none); a
picture (what the model said of these bytes, once per hash); rows that are gone. A row is finished when its picture is.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bladecheck import __version__
from bladecheck.archives.item import Item, Place
from bladecheck.archives.values import clean
from bladecheck.core.result import Result
from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS
from bladecheck.runs.columns import NAMES, SCHEMA, TOLD, Row

Record = dict[str, Any]
PEAK = ("peak_left", "peak_top", "peak_right", "peak_bottom")
FILMS = ("video", "animated_gif")
"""What archives call a film; on X an animated GIF is one."""
VIDEO = {"seconds": "video_seconds", **{name: name for name in ("frame_at", "frames_looked_at", "longest_gap")}}
REVIEW = {"check": "unsure", "cannot_judge": "unjudgeable"}
BLANK: Row = {
    **dict.fromkeys(NAMES), "schema": SCHEMA, "reasons": [], "edits": [], "also_in": [], "extra": {},
    "needs_review": False, "media_kind": "picture",
}  # fmt: skip


def row_id(source: str, item: Item, occurrence: int) -> str:
    """128 bits in hex that name this place in the archive for good, whatever the order of work.

    Args:
        source: the published name of the item's source.
        item: the picture.
        occurrence: how many items with the same source, member or address, post and index came before it.
    """
    return place_id(source, replace(item.place, occurrence=occurrence))


def place_id(source: str, place: Place) -> str:
    """`row_id` of a place, whatever is there."""
    parts = (source, place.member, place.post_id, place.media_index, place.occurrence)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def identified(items: Iterable[Item], label: Callable[[str], str]) -> Iterator[tuple[str, str, Item]]:
    """Row id, published source name and item of every item, in order. Ids of places are kept as bytes: they add up."""
    seen: Counter[bytes] = Counter()
    for item in items:
        source = label(item.source_path)
        if item.occurrence is not None:
            # The archive has counted, also the rows that are merged into others.
            yield row_id(source, item, item.occurrence), source, item
            continue
        place = bytes.fromhex(row_id(source, item, 0))
        identity = row_id(source, item, seen[place]) if place in seen else place.hex()
        seen[place] += 1
        yield identity, source, item


def header(run_id: str, model: Mapping[str, str], policy: Mapping[str, str], fmt: str) -> Record:
    return {"journal": fmt, "run_id": run_id, "model": dict(model), "policy": dict(policy), "by": __version__}


def row_record(identity: str, source: str, item: Item, also: Sequence[tuple[str, Place]] = ()) -> Record:
    """An item as the journal keeps it; sha256, bytes or an error are added when they are known.

    Args:
        identity: the row's id.
        source: the published name of its source.
        item: the picture.
        also: the other places that list it, each with its source's published name; rows of theirs that an earlier
            session wrote are replaced by this one.
    """
    elsewhere = {place_id(name, place) for name, place in also} - {identity}
    own = {
        "source": clean(source),
        "edits": [version for version in item.edits if version != item.post_id],
        "also_in": sorted({_where(name, place) for name, place in also}),
    }
    return {
        "row": identity,
        **({"supersedes": sorted(elsewhere)} if elsewhere else {}),
        "item": {
            **{name: own[name] if name in own else _told(getattr(item, name)) for name in (c.name for c in TOLD)},
            "extra": dict(item.extra),
        },
        "status": str(item.status),
        "detail": _told(item.detail),
        "by": __version__,
    }


def gone_record(identities: Iterable[bytes]) -> Record:
    """Rows that are none any more: a damaged container failed them, and what lies in its place lists no such row."""
    return {"gone": sorted(identity.hex() for identity in identities), "by": __version__}


def picture_record(sha256: str, result: Result, size: int, pdq: tuple[str, int] | None, at: str) -> Record:
    """What was found out about some bytes. Model and policy stand in the header, so they are left out."""
    kept = {key: value for key, value in result.items() if key not in ("model", "policy")}
    return {"picture": sha256, "result": kept, "bytes": size, "pdq": pdq, "at": at, "by": __version__}


def utc(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC to the second, as all outputs write it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def publish(row: Record, picture: Record | None, head: Record, links: Mapping[str, str | None]) -> Row:
    """The published row: item, picture, model and policy, and its links to other rows (duplicates).

    Args:
        row, picture: from the journal; `picture` is None where there are no bytes.
        head: the journal's header.
        links: duplicate_of, near_duplicate_of and cluster.
    """
    result = picture["result"] if picture else {}
    found: Row = {**BLANK, **row["item"], **links, "row_id": row["row"], "sha256": row.get("sha256")}
    found["status"], found["error_detail"] = row["status"], row.get("detail")
    if row["item"]["media_type"] in FILMS:
        found["media_kind"] = "video"
    found["bladecheck_version"] = (picture or row)["by"]
    if picture:
        found |= {"status": result["status"], "bytes": picture["bytes"], **_seen(result), **_pdq(picture)}
    elif row["status"] == "failed":
        found |= {"error_code": row["code"], "decision": "cannot_judge", "reasons": [row["code"]]}
    found |= _review(found)
    for key in ("model", "policy"):
        found |= {f"{key}_{part}": value for part, value in head[key].items()}
    return {name: found[name] for name in NAMES}


def _seen(result: Mapping[str, Any]) -> Row:
    error, image = result.get("error") or {}, result["image"]
    found: Row = {"decision": result["decision"], "kind": result.get("kind")}
    found["reasons"] = [reason["code"] for reason in result["reasons"]]
    found |= {"error_code": error.get("code"), "error_detail": error.get("detail")}
    found |= {name: image.get(name) for name in ("width", "height", "format", "frames")}
    found |= {f"score_{name}": result.get("scores", {}).get(name) for name in LABELS}
    found |= {f"raw_{name}": result.get("raw", {}).get(name) for name in LABELS}
    found |= {f"blade_{name}": result.get("blade", {}).get(name) for name in BLADES}
    found |= {f"feature_{name}": result.get("features", {}).get(name) for name in FEATURES}
    found |= {name: result.get(name) for name in ("weapon_kind", "looks", "blade_share", "unlike")}
    if video := result.get("video"):
        found |= {"media_kind": "video", **{column: video[name] for name, column in VIDEO.items()}}
    found |= dict(zip(PEAK, result.get("peak") or (None,) * 4, strict=True))
    return found | {f"weapon_{name}": result.get("weapons", {}).get(name) for name in WEAPONS}


def _pdq(picture: Record) -> Row:
    return dict(zip(("pdq", "pdq_quality"), picture["pdq"] or (None, None), strict=True))


def _review(row: Row) -> Row:
    reason = "failed" if row["status"] == "failed" else REVIEW.get(row["decision"] or "")
    return {"needs_review": reason is not None, "review_reason": reason}


def _where(source: str, place: Place) -> str:
    """A place in words: its source, and the member there."""
    return source if "://" in place.member or not place.member else clean(f"{source}/{place.member}")


def _told(value: Any) -> Any:
    """A fact of the archive as JSON has it."""
    if isinstance(value, datetime):
        return utc(value)
    return clean(value) if isinstance(value, str) else value
