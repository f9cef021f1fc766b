"""The published row: every column once, with its type and meaning; all outputs, the JSON Schema and the docs follow it.

A row holds nothing that depends on the order of work or on the clock, so that two runs over the same archive with the
same model and policy give the same rows byte for byte. When, and by which run, stands in run.json.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from bladecheck.core.taxonomy import (
    BLADE_WORDS,
    BLADES,
    FEATURES,
    LABELS,
    WEAPON_WORDS,
    WEAPONS,
    Decision,
)

SCHEMA = "bladecheck-predictions/1"
STATUSES = ("ok", "failed", "remote", "missing_media", "video_skipped", "not_an_image")

Kind = Literal["text", "integer", "number", "boolean", "time", "list", "object"]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its type, what it means, and whether a row may leave it empty (null)."""

    name: str
    kind: Kind
    about: str
    nullable: bool = True
    values: tuple[str, ...] = ()


TOLD: tuple[Column, ...] = (
    Column("source_format", "text", "Which reader read it, such as x_archive.", nullable=False),
    Column("source", "text", "The input it came from, by name and without the folders above it.", nullable=False),
    Column("member", "text", "Name inside the archive."),
    Column("platform", "text", "Where it was posted, such as x."),
    Column("account", "text", "The account that posted it; a handle in one spelling, however archives write it."),
    Column("post_id", "text", "The platform's id of the post; always text, never a number."),
    Column("post_url", "text", "Address of the post."),
    Column("posted_at", "time", "When it was posted, UTC."),
    Column("posted_at_source", "text", "What posted_at was taken from: field, snowflake, filename, exif, day or none."),
    Column("media_index", "integer", "Position within the post, from 0.", nullable=False),
    Column("media_type", "text", "What the archive says the medium is."),
    Column("media_url", "text", "Address of the picture."),
    Column("alt_text", "text", "The picture's description, as posted."),
    Column("text", "text", "Text of the post."),
    Column("is_repost", "boolean", "Somebody else's post, shared.", nullable=False),
    Column("original_post_id", "text", "For a repost, the id of the post that was shared."),
    Column("collected_at", "time", "When the archive was collected, UTC, where it says so."),
    Column("is_quote", "boolean", "The post quotes another; empty where the archive does not tell."),
    Column("is_reply", "boolean", "The post answers another; empty where the archive does not tell."),
    Column("quoted_id", "text", "For a quote, the id of the post that is quoted."),
    Column("edits", "list", "For an edited post, which counts once, as its last version: ids of its other versions.",
           nullable=False),
    Column("also_in", "list", "Where else this picture of this post is listed: other archives, by source and member.",
           nullable=False),
)  # fmt: skip
"""What the archive told of a picture and its post: fields of `archives.item.Item`, and the facts of a journal row."""
COLUMNS: tuple[Column, ...] = (
    Column("schema", "text", "Name and version of this row format.", nullable=False, values=(SCHEMA,)),
    Column("row_id", "text", "Identity of the row: a hash of source, member or address, post id, media index and "
           "how often that combination came before.", nullable=False),
    *TOLD,
    Column("sha256", "text", "Hash of the picture's bytes; null where there are none."),
    Column("bytes", "integer", "Size of the picture's file."),
    Column("pdq", "text", "Perceptual hash (PDQ, 256 bits in hex) of the picture scaled to 128 x 128."),
    Column("pdq_quality", "integer", "PDQ's own quality, 0 to 100; hashes below 50 are not compared."),
    Column("duplicate_of", "text", "row_id of the first row with the very same bytes; null for that first row."),
    Column("near_duplicate_of", "text", "row_id of the first row of its cluster of near-identical pictures; null for "
           "the pictures of that first row."),
    Column("cluster", "text", "sha256 of the first picture of its cluster, its own if nothing is like it: counting "
           "distinct values counts distinct pictures."),
    Column("width", "integer", "Pixels across, as a person sees it."),
    Column("height", "integer", "Pixels down, as a person sees it."),
    Column("format", "text", "File format by its bytes, such as JPEG."),
    Column("frames", "integer", "Frames in the file; more than 1 for an animation or a video."),
    Column("media_kind", "text", "What it counts as: a video, by the archive's word or by its bytes, or a picture. "
           "Videos are in no count of pictures.", nullable=False, values=("picture", "video")),
    Column("frame_at", "number", "For a video, when the frame shows that decided, in seconds from its start."),
    Column("video_seconds", "number", "For a video, how long it is."),
    Column("frames_looked_at", "integer", "For a video, how many frames were looked at."),
    Column("longest_gap", "number", "For a video, the longest stretch between two of them in seconds: what shows for a "
           "shorter time may not have been seen."),
    Column("status", "text", "ok: scored. failed: there should be a picture, but it could not be read or scored. "
           "remote: known by address only. missing_media: not in the archive. video_skipped: a "
           "video that was not looked at. not_an_image: no picture.", nullable=False, values=STATUSES),
    Column("error_code", "text", "For failed rows, a stable code."),
    Column("error_detail", "text", "Why there is no score, in a sentence."),
    Column("decision", "text", "hold: knife imagery. check: a person decides. clear: none found. cannot_judge: too "
           "small, blank or unreadable. null where there was no picture to judge.",
           values=tuple(str(decision) for decision in Decision)),
    Column("reasons", "list", "Codes of the grounds, most important first.", nullable=False),
    Column("kind", "text", "Kind of blade, if one is likely enough.", values=BLADES),
    *(Column(f"score_{name}", "number", f"Calibrated probability of: {name}.") for name in LABELS),
    *(Column(f"raw_{name}", "number", f"The model's uncalibrated logit for: {name}.") for name in LABELS),
    *(Column(f"blade_{name}", "number", f"Given a knife, probability that it is: {BLADE_WORDS[name]}.")
      for name in BLADES),
    *(Column(f"feature_{name}", "number", f"Calibrated probability of the feature: {name}.") for name in FEATURES),
    Column("weapon_kind", "text", "Kind of other weapon, if one is seen and likely enough.", values=WEAPONS),
    *(Column(f"weapon_{name}", "number", f"Given another weapon, probability that it is: {WEAPON_WORDS[name]}.")
      for name in WEAPONS),
    Column("looks", "integer", "How often the model looked: at whole frames, and again at parts of doubtful ones."),
    Column("peak_left", "number", "Left edge, 0 to 1, of the box where the map is surest of blade; null without a "
           "knife, or if the model gives no such map."),
    Column("peak_top", "number", "Top edge of that box, 0 to 1."),
    Column("peak_right", "number", "Right edge of that box, 0 to 1."),
    Column("peak_bottom", "number", "Bottom edge of that box, 0 to 1."),
    Column("blade_share", "number", "Share of the picture that the map calls blade, 0 to 1."),
    Column("unlike", "number", "How far the picture lies from the measured ones; above 1 it is unlike what was "
           "measured, and the model's stated error rates may not hold. null if the model does not say."),
    Column("needs_review", "boolean", "A person should look: decision check or cannot_judge.", nullable=False),
    Column("review_reason", "text", "Why a person should look: unsure, unjudgeable or failed.",
           values=("unsure", "unjudgeable", "failed")),
    Column("model_name", "text", "Name of the model bundle.", nullable=False),
    Column("model_version", "text", "Version of the model bundle.", nullable=False),
    Column("model_sha256", "text", "Identity of the whole bundle.", nullable=False),
    Column("policy_name", "text", "Name of the policy.", nullable=False),
    Column("policy_sha256", "text", "sha256 of the policy file.", nullable=False),
    Column("bladecheck_version", "text", "Version of Bladecheck that wrote it.", nullable=False),
    Column("extra", "object", "Further facts from the archive, as JSON.", nullable=False),
)  # fmt: skip
NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)

JSON_TYPES: dict[Kind, dict[str, Any]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"},
    "list": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object"},
}


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of one line of predictions.jsonl."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "Bladecheck predictions: one row per picture",
        "type": "object",
        "properties": {column.name: _property(column) for column in COLUMNS},
        "required": list(NAMES),
        "additionalProperties": False,
    }


def _property(column: Column) -> dict[str, Any]:
    found = dict(JSON_TYPES[column.kind])
    if column.values:
        found["enum"] = [*column.values, None] if column.nullable else list(column.values)
    if column.nullable:
        found["type"] = [found["type"], "null"]
    return {**found, "description": column.about}


def markdown() -> str:
    """The table of columns for the docs."""
    lines = ["| column | type | may be empty | meaning |", "|---|---|---|---|"]
    lines += [f"| `{c.name}` | {c.kind} | {'yes' if c.nullable else 'no'} | {c.about} |" for c in COLUMNS]
    return "\n".join(lines) + "\n"
