"""One answer as the page shows it: the result's words, the picture to look at, the copy to post."""

from __future__ import annotations

import logging
import re
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from bladecheck.core.images import PictureLimits
from bladecheck.core.taxonomy import Decision
from bladecheck.errors import BladecheckError
from bladecheck.web.pages import approval, previews, wording
from bladecheck.web.pages.approval import Checked
from bladecheck.web.pages.previews import Preview
from bladecheck.web.workers import Workers

logger = logging.getLogger("bladecheck.pages")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """A line of a list of facts; `mono` for fingerprints."""

    key: str
    value: str
    mono: bool = False


@dataclass(frozen=True, slots=True)
class Suggestion:
    title: str
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy to download: a data: URI, the file name to save it under, and what was found when it was checked."""

    href: str
    name: str
    button: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """Everything that the template shows of one picture."""

    anchor: str
    checked: Checked
    answer: wording.AnswerWords
    reasons: tuple[str, ...]
    advice: str | None
    steps: tuple[str, ...]
    suggestions: tuple[Suggestion, ...]
    details: tuple[SummaryRow, ...]
    sealed: str
    preview: Preview | None = None
    copy: Copy | None = None

    @property
    def name(self) -> str:
        return self.checked.name

    @property
    def animated(self) -> bool:
        return bool(self.checked.result["image"].get("frames", 1) > 1)

    @property
    def gps(self) -> str | None:
        if not self.checked.result["image"].get("has_gps"):
            return None
        return wording.GPS_HAS_COPY if self.copy else wording.GPS


async def make(data: bytes, checked: Checked, anchor: str, workers: Workers, limits: PictureLimits, key: bytes) -> Card:
    """The card of one checked picture. A preview or copy that can't be made is left out; the answer always stands."""
    result, policy = checked.result, workers.policy
    suggestions = (
        Suggestion("Post without the picture", wording.post(result) or "", wording.POST_HINT),
        Suggestion("Alt text", wording.alt_text(result, policy) or "", wording.ALT_HINT),
    )
    showable = _showable(result)
    preview = await _attempt(_preview(data, result, workers, limits)) if showable else None
    copy = await _copy(data, checked, workers, limits)
    missing = [wording.NO_PREVIEW] if showable and preview is None else []
    missing += [wording.NO_COPY] if copy is None and _shows_knife(result) else []
    return Card(
        anchor=anchor,
        checked=checked,
        answer=wording.answer(result),
        reasons=tuple(wording.reasons(result)),
        advice=wording.advice(result, policy),
        steps=(*wording.steps(result, policy), *missing),
        suggestions=tuple(suggestion for suggestion in suggestions if suggestion.text),
        details=(*facts(checked), *identity(result)),
        sealed=approval.seal(checked, key),
        preview=preview,
        copy=copy,
    )


def facts(checked: Checked) -> list[SummaryRow]:
    """What is known of the picture: scores, file, error, time."""
    result, image = checked.result, checked.result["image"]
    rows = [SummaryRow(f"Score: {label}", f"{score:.3f}") for label, score in result.get("scores", {}).items()]
    if "width" in image:
        rows.append(SummaryRow("Picture", f"{image['format']}, {image['width']} × {image['height']} pixels"))
    if result["status"] == "failed":
        rows.append(SummaryRow("Error", f"{result['error']['code']}: {result['error']['detail']}"))
    rows.append(SummaryRow("Checked at", readable(checked.checked_at)))
    return [*rows, SummaryRow("Fingerprint of the picture (SHA-256)", image["sha256"], mono=True)]


def identity(result: dict[str, Any]) -> list[SummaryRow]:
    """Which model answered, under which policy; each fingerprint tells one version from every other."""
    model, policy = result["model"], result["policy"]
    return [
        SummaryRow("Model", f"{model['name']} {model['version']}"),
        SummaryRow("Fingerprint of the model (SHA-256)", model["sha256"], mono=True),
        SummaryRow("Policy", policy["name"]),
        *([SummaryRow("Fingerprint of the policy (SHA-256)", policy["sha256"], mono=True)] if policy["sha256"] else []),
    ]


def readable(moment: str) -> str:
    """An ISO 8601 time in UTC as people write it: "2026-11-23 14:05:09 UTC"."""
    return moment.replace("T", " ").replace("+00:00", " UTC")


def _shows_knife(result: dict[str, Any]) -> bool:
    codes = {reason["code"] for reason in result["reasons"]}
    return result["status"] == "ok" and bool(codes & {"knife", "knife_unsure"})


async def _attempt(work: Coroutine[Any, Any, T]) -> T | None:
    """The outcome, or None: what illustrates an answer must never take the answer down, nor those beside it."""
    try:
        return await work
    except BladecheckError as error:
        logger.warning("an answer lacks its preview or copy", extra={"code": error.code})
    except Exception:
        logger.exception("an answer lacks its preview or copy", extra={"code": "internal"})
    return None


async def _preview(data: bytes, result: dict[str, Any], workers: Workers, limits: PictureLimits) -> Preview:
    # An animation's map belongs to its worst frame, which need not be the one that is shown.
    still = result["image"]["frames"] == 1
    evidence = result.get("evidence") if _shows_knife(result) and still else None
    return await workers.run(previews.preview, data, evidence, limits)


async def _blurred(data: bytes, stem: str, workers: Workers, limits: PictureLimits) -> Copy:
    """The copy with the blade blurred, and what was found when it was checked in turn."""
    redacted = await workers.redact(data)
    small = await workers.run(previews.copy, redacted.data, limits)
    again = await workers.check(small)
    notes = wording.copy_notes(redacted.extent, again["decision"])
    return Copy(previews.data_uri(small, "image/jpeg"), f"{stem}-blurred.jpg", "Download the blurred copy", notes)


async def _without_place(data: bytes, stem: str, workers: Workers, limits: PictureLimits) -> Copy:
    """The same picture without hidden data."""
    uri = previews.data_uri(await workers.run(previews.copy, data, limits), "image/jpeg")
    return Copy(uri, f"{stem}-no-location.jpg", "Download a copy without the place", (wording.COPY_CLEAN,))


async def _copy(data: bytes, checked: Checked, workers: Workers, limits: PictureLimits) -> Copy | None:
    stem = re.sub(r"[^\w-]+", "-", PurePosixPath(checked.name.replace("\\", "/")).stem).strip("-")[:60] or "picture"
    result = checked.result
    if _shows_knife(result):
        return await _attempt(_blurred(data, stem, workers, limits))
    if result["image"].get("has_gps") and result["decision"] != Decision.CANNOT_JUDGE:
        return await _attempt(_without_place(data, stem, workers, limits))
    return None


def _showable(result: dict[str, Any]) -> bool:
    if result["status"] != "ok":
        return False
    return bool(min(result["image"]["width"], result["image"]["height"]) >= previews.SMALLEST)
