"""One answer as the page shows it: the result's words, the picture to look at, the copy to post."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar
from urllib.parse import urlencode

from bladecheck.core.images import PictureLimits
from bladecheck.core.videos.reading import clock, frame_at
from bladecheck.errors import BladecheckError
from bladecheck.web.pages import approval, copies, previews, wording
from bladecheck.web.pages.approval import Checked
from bladecheck.web.pages.copies import Copy, Plan
from bladecheck.web.pages.previews import Preview
from bladecheck.web.workers import Workers

FORBIDDEN = frozenset("<>:\"/\\|?*%#&$`'")
MOST_STEM = 80
DEVICES = frozenset(
    ("CON", "PRN", "AUX", "NUL", *(f"{name}{number}" for name in ("COM", "LPT") for number in range(1, 10)))
)

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
    language: str = "en"
    pointers: tuple[wording.Pointer, ...] = ()
    preview: Preview | None = None
    copy: Copy | None = None
    thumbnail: str = ""
    moment: str = ""
    same_as: str = ""

    @property
    def name(self) -> str:
        return self.checked.name

    @property
    def printed(self) -> str:
        """Which file this was and when, for paper, where the details are closed."""
        sha256 = self.checked.result["image"]["sha256"]
        return f"Checked at {readable(self.checked.checked_at)}. Fingerprint of the picture (SHA-256): {sha256}"

    @property
    def animated(self) -> bool:
        return bool(self.checked.result["image"].get("frames", 1) > 1) and "video" not in self.checked.result

    @property
    def areas(self) -> str:
        """The suggested areas as JSON, for the page's script."""
        return json.dumps(self.copy.plan.areas if self.copy else ())

    @property
    def numbers(self) -> str:
        """The same, with what the copy still shows, as a query for the form without scripts."""
        return urlencode(copies.as_numbers((*self.copy.plan.areas, *self.copy.left)) if self.copy else {})

    @property
    def gps(self) -> str | None:
        """The warning that the file tells where it was taken, if it does."""
        image = self.checked.result["image"]
        if image.get("has_gps"):
            return wording.GPS_HAS_COPY if self.copy else wording.GPS
        if image.get("has_place_name"):
            return wording.PLACE_HAS_COPY if self.copy else wording.PLACE
        return None


async def make(data: bytes, checked: Checked, anchor: str, workers: Workers, limits: PictureLimits, key: bytes) -> Card:
    """The card of one checked picture. A preview or copy that can't be made is left out; the answer always stands."""
    result, policy = checked.result, workers.policy
    suggestions = (
        Suggestion("Post without the picture", wording.post(result, policy) or "", wording.POST_HINT),
        # Of a video there is no copy that the text could describe.
        Suggestion("Alt text", "" if "video" in result else wording.alt_text(result, policy) or "", wording.ALT_HINT),
    )
    showable = _showable(result)
    if video := result.get("video"):
        # Of a video the frame that decided is shown, with its marks; there is no copy of it to post.
        still = await _attempt(workers.run(frame, data, video["frame_at"], limits))
        data, showable = still or b"", showable and still is not None
    preview = await _attempt(_preview(data, result, workers, limits)) if showable else None
    copy = await _attempt(_copy(data, checked, workers, limits, key)) if showable and not video else None
    thumbnail = await _attempt(workers.run(previews.thumbnail, data, limits)) if showable else None
    missing = [wording.NO_PREVIEW] if _showable(result) and preview is None else []
    if copies.shows_knife(result) and copy is None:
        missing.append(wording.NO_VIDEO_COPY if video else wording.NO_COPY)
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
        language=policy.language,
        pointers=wording.pointers(policy),
        preview=preview,
        copy=copy,
        thumbnail=thumbnail or "",
        moment=wording.moment(video) if video else "",
    )


def facts(checked: Checked) -> list[SummaryRow]:
    """What is known of the picture: scores, file, error, time."""
    result, image = checked.result, checked.result["image"]
    rows = [SummaryRow(f"Score: {label}", f"{score:.3f}") for label, score in result.get("scores", {}).items()]
    if "width" in image:
        rows.append(SummaryRow("Picture", f"{image['format']}, {image['width']} × {image['height']} pixels"))
    if video := result.get("video"):
        rows.append(SummaryRow("Video", wording.looked_at(video)))
        rows.append(SummaryRow("Frame that decided", f"at {clock(video['frame_at'])}"))
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


async def _attempt(work: Coroutine[Any, Any, T]) -> T | None:
    """The outcome, or None: what illustrates an answer must never take the answer down, nor those beside it."""
    try:
        return await work
    except BladecheckError as error:
        logger.warning("an answer lacks its preview or copy", extra={"code": error.code})
    except Exception:  # whatever it is, it is in the log, with its traceback
        logger.exception("an answer lacks its preview or copy", extra={"code": "internal"})
    return None


async def _preview(data: bytes, result: dict[str, Any], workers: Workers, limits: PictureLimits) -> Preview:
    # An animation's map belongs to its worst frame, which need not be the one that is shown.
    still = result["image"]["frames"] == 1 or "video" in result
    evidence = result.get("evidence") if copies.shows_knife(result) and still else None
    return await workers.run(previews.preview, data, evidence, limits)


def frame(data: bytes, seconds: float, limits: PictureLimits) -> bytes:
    """The frame of a video at this time, as a JPEG file.

    Raises:
        PictureError: if it can't be read.
    """
    return previews.jpeg(frame_at(data, seconds, limits), 95)


async def _copy(data: bytes, checked: Checked, workers: Workers, limits: PictureLimits, key: bytes) -> Copy:
    """The suggested copy: what the answer rests on covered, and no hidden data."""
    plan = Plan(copies.suggested(checked.result, workers.classifier.bundle.manifest))
    return await copies.make(data, stem(checked.name), plan, checked.result, workers, limits, key)


def stem(name: str) -> str:
    """A file name's stem as its owner knows it, less what some system can't save or what misleads in a list of files.

    Out go control and direction characters, those that Windows, macOS or a shell treat as part of a path, dots that
    hide a file, and names that Windows keeps for devices.
    """
    text = unicodedata.normalize("NFC", PurePosixPath(name.replace("\\", "/")).stem)
    text = "".join("-" if char in FORBIDDEN else char for char in text if unicodedata.category(char)[0] != "C")
    text = re.sub(r"\s+", " ", text).strip(" .-")[:MOST_STEM].rstrip(" .-")
    return f"{text}-picture" if text.split(".")[0].upper() in DEVICES else text or "picture"


def _showable(result: dict[str, Any]) -> bool:
    if result["status"] != "ok":
        return False
    return bool(min(result["image"]["width"], result["image"]["height"]) >= previews.SMALLEST)
