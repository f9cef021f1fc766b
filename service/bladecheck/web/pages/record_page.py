"""A record as a page: its rows, its entries, and the files that it is given as."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Request
from starlette.responses import HTMLResponse

from bladecheck.core.videos.reading import clock
from bladecheck.web.http_errors import BadInput
from bladecheck.web.pages import approval, cards, wording
from bladecheck.web.pages.approval import Checked
from bladecheck.web.pages.cards import SummaryRow
from bladecheck.web.pages.previews import data_uri
from bladecheck.web.pages.site import respond, text


def refused(request: Request, why: str) -> HTMLResponse:
    if is_piece(request):
        raise BadInput(f"{why} Check the pictures again.")
    paragraphs = [why, "Check the pictures again."]
    heading = "This record cannot be made"
    return respond(
        request, "error.html", status=400, private=True, code="broken_seal", heading=heading, paragraphs=paragraphs
    )


def finished(request: Request, made: dict[str, Any]) -> HTMLResponse:
    values = shown(made)
    page = text(request.scope, "record_file.html", values)
    downloads = {
        "json": data_uri(json.dumps(made, indent=1, ensure_ascii=False).encode(), "application/json"),
        "html": data_uri(page.encode(), "text/html"),
        "name": f"picture-check-{made['made_at'][:10]}-{values['reference']}",
    }
    template = "record_made.html" if is_piece(request) else "record.html"
    return respond(request, template, private=True, piece=is_piece(request), download=downloads, **values)


def is_piece(request: Request) -> bool:
    """The page's own script asks, and puts the answer into the page that is open."""
    return request.query_params.get("piece") == "1"


def shown(made: Mapping[str, Any], seen: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "record": made,
        "reference": made["fingerprint"][:12],
        "rows": _rows(made),
        "entries": _entries(made, seen or {}),
        "waiting": made["state"] == approval.WAITING,
    }


def _rows(made: Mapping[str, Any]) -> list[SummaryRow]:
    policy, post, handed = made["policy"], made["post"], made["handed_over"]
    said = [
        ("State", made["state"]),
        ("Begun at", cards.readable(made["made_at"])),
        ("Decided by", _person(made["decided_by"])),
        ("Approved by", _person(made["approved_by"])),
        ("Why", made["reason"] or "No reason given"),
        ("Approval by the policy", "required" if policy["approver_required"] else "not required"),
        ("Case number", post["case_number"]),
        ("Posted on", post["platform"]),
        ("Date of the post", post["post_date"]),
        ("Link to the post", post["post_link"]),
        ("Approved at", cards.readable(handed["approved_at"]) if handed else ""),
    ]
    shared = cards.identity(made["pictures"][0]["result"]) if _same(made) else []
    return [
        *(SummaryRow(key, value) for key, value in said if value),
        *shared,
        SummaryRow("Service", f"{made['service']['name']} {made['service']['version']}"),
        *([SummaryRow("Handed over as (SHA-256)", handed["fingerprint"], mono=True)] if handed else []),
        SummaryRow("Fingerprint of this record (SHA-256)", made["fingerprint"], mono=True),
        SummaryRow("Signature", wording.SIGNED if made["signature"] else wording.UNSIGNED),
    ]


def _person(one: Mapping[str, str]) -> str:
    return ", ".join(part for part in (one["name"], one["role"]) if part) or "No name given"


def _same(made: Mapping[str, Any]) -> bool:
    """Every picture was checked by one model under one policy, so both can be said once."""
    first = made["pictures"][0]["result"]
    return all(
        item["result"]["model"] == first["model"] and item["result"]["policy"] == first["policy"]
        for item in made["pictures"]
    )


def _entries(made: Mapping[str, Any], seen: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the record says of each picture, and the files that were chosen to look at beside it.

    `seen` holds small pictures by fingerprint, empty where a file can't be shown in a page.
    """
    entries = []
    for item in made["pictures"]:
        checked, copy = Checked(item["name"], item["checked_at"], item["result"]), item["copy"]
        rows = [
            SummaryRow("Decided by the person", item["outcome"]["text"]),
            *([SummaryRow("This answer was wrong", item["correction"]["text"])] if item["correction"] else []),
            *([SummaryRow("Approved by", item["approved_by"])] if item["approved_by"] else []),
            *(_copy_rows(copy) if copy else []),
            SummaryRow("Reasons of the check", " ".join(wording.reasons(item["result"]))),
            *cards.facts(checked),
            *([] if _same(made) else cards.identity(item["result"])),
        ]
        looked_at = [
            (*words, seen[digest])
            for words, digest in (
                (_named(checked.result), checked.result["image"].get("sha256", "")),
                (("The copy", "The copy"), (copy or {}).get("sha256", "")),
            )
            if digest in seen
        ]
        entries.append(
            {"name": item["name"], "answer": wording.answer(item["result"]), "rows": rows, "looked_at": looked_at}
        )
    return entries


def _named(result: Mapping[str, Any]) -> tuple[str, str]:
    """What a checked file is called, and what stands under the picture of it."""
    if video := result.get("video"):
        return "The video", f"The video’s frame at {clock(video['frame_at'])}: play the file to see the rest"
    if result["image"].get("frames", 1) > 1:
        return "The picture", "Its first frame: play the file to see the rest"
    return "The picture", "The picture"


def _copy_rows(copy: Mapping[str, Any]) -> list[SummaryRow]:
    areas = len(copy["areas"])
    covered = "nothing covered" if not areas else "1 area covered" if areas == 1 else f"{areas} areas covered"
    what = f"{copy['width']} × {copy['height']} pixels, {covered}{', cut' if copy['crop'] else ''}"
    return [
        SummaryRow("Copy", what),
        SummaryRow("Check of the copy", wording.ANSWERS[copy["check"]["decision"]].word),
        SummaryRow("Fingerprint of the copy (SHA-256)", copy["sha256"], mono=True),
    ]
