"""The copy to post: what is covered, what is cut away, at which size, and what the check says of that very copy."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from bladecheck.core import areas as places
from bladecheck.core import images, redact
from bladecheck.core.bundle import Manifest
from bladecheck.core.images import PictureLimits
from bladecheck.core.looks import WHOLE
from bladecheck.core.verdict import KNIFE_CODES, Evidence
from bladecheck.web.pages import previews, wording
from bladecheck.web.pages.seals import seal
from bladecheck.web.workers import Workers

Box = tuple[float, float, float, float]
"""Left, top, right and bottom as shares of the picture's sides, 0..1."""
MOST_AREAS = 20
SMALLEST_SHARE = 0.005
PLATFORMS: dict[str, tuple[int, int] | None] = {
    "keep": None,
    "wide": (1600, 900),
    "square": (1080, 1080),
    "portrait": (1080, 1350),
    "link": (1200, 630),
    "story": (1080, 1920),
}
"""Sizes in pixels that platforms show; None keeps the picture's shape. `wording.PLATFORMS` names them."""
NUMBERED = ("left", "top", "width", "height")
"""How the form without scripts asks for a box; in percent."""


class BadPlan(ValueError):
    """A plan that can't be carried out; `field` is the input that is wrong."""

    def __init__(self, text: str, field: str) -> None:
        super().__init__(text)
        self.text, self.field = text, field


@dataclass(frozen=True, slots=True)
class Plan:
    """What a person wants of a copy: areas to cover, what to keep of the picture, the size."""

    areas: tuple[Box, ...] = ()
    crop: Box | None = None
    platform: str = "keep"

    @property
    def untouched(self) -> bool:
        """Only the hidden data goes."""
        return not self.areas and self.crop is None and PLATFORMS[self.platform] is None

    @property
    def whole(self) -> bool:
        """Nothing of the picture stays uncovered."""
        return any(box[0] <= 0 and box[1] <= 0 and box[2] >= 1 and box[3] >= 1 for box in self.areas)


@dataclass(frozen=True, slots=True)
class Copy:
    """A finished copy.

    Attributes:
        href: the file as a data: URI, `name` what to save it as, `sha256` of its bytes.
        small: a small picture of it to look at, with what the check still found outlined.
        facts: what was done, and what the check found in it.
        clean: the check found neither knife nor other weapon.
        left: areas of the whole picture that would cover the blade which the check still found, each with a margin.
        sealed: all of this without the pixels, for the record.
        plan: what was asked for.
        still: it is the first frame of an animation.
    """

    href: str
    name: str
    sha256: str
    width: int
    height: int
    small: str
    small_width: int
    small_height: int
    facts: tuple[str, ...]
    clean: bool
    sealed: str
    plan: Plan
    left: tuple[Box, ...] = ()
    still: bool = False

    @property
    def button(self) -> str:
        kind = "touched" if self.plan.areas else "" if self.still else "clean"
        return wording.COPY_BUTTON[f"{kind}{' still' if self.still else ''}".strip()]

    @property
    def description(self) -> str:
        return wording.COPY_DESCRIPTION


def suggested(result: Mapping[str, Any], manifest: Manifest) -> tuple[Box, ...]:
    """Areas to cover, worked out from the answer's own map; nothing where no knife was found."""
    if not shows_knife(result) or result["image"].get("frames", 1) > 1:
        return ()  # of an animation the map belongs to the worst frame, the copy is made of the first
    return tuple(_rounded(box) for box in redact.suggested(_map(result), manifest))


def shows_knife(result: Mapping[str, Any]) -> bool:
    """A knife was found, or may be there."""
    codes = {reason["code"] for reason in result["reasons"]}
    return result["status"] == "ok" and bool(codes & KNIFE_CODES)


def _map(result: Mapping[str, Any]) -> Evidence | None:
    found = result.get("evidence")
    return None if found is None else np.array(found["values"], np.float32)


def _rounded(box: Sequence[float]) -> Box:
    left, top, right, bottom = (round(float(edge), 4) for edge in box)
    return left, top, right, bottom


def plan_from(given: Mapping[str, str]) -> Plan:
    """The plan that a form asks for: JSON in `areas` and `crop` (the page's script), or numbers in percent.

    Raises:
        BadPlan: naming the field.
    """
    platform = given.get("platform") or "keep"
    if platform not in PLATFORMS:
        raise BadPlan("Select a size from the list", "platform")
    if "areas" in given:
        areas = tuple(_box(item, "areas") for item in _listed(given["areas"], "areas"))
        crop = _listed(given.get("crop") or "null", "crop", allow_none=True)
        kept = _box(crop, "crop") if crop else None
    else:
        names = [f"area-{number}" for number in range(1, MOST_AREAS + 1)]
        areas = tuple(box for name in names if (box := _numbered(given, name)))
        kept = _numbered(given, "crop")
    if len(areas) > MOST_AREAS:
        raise BadPlan(f"You can cover up to {MOST_AREAS} areas", "areas")
    return Plan(areas, kept, platform)


def _listed(text: str, field: str, *, allow_none: bool = False) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadPlan("The areas could not be read", field) from error
    if value is None and allow_none:
        return []
    if not isinstance(value, list):
        raise BadPlan("The areas could not be read", field)
    return value


def _box(values: Any, field: str) -> Box:
    numbers = isinstance(values, list) and len(values) == 4 and all(type(item) in (int, float) for item in values)
    if not numbers or not all(0 <= item <= 1 for item in values):  # NaN fails this too
        raise BadPlan("Each area is four numbers from 0 to 1", field)
    left, top, right, bottom = _rounded(values)
    if right - left < SMALLEST_SHARE or bottom - top < SMALLEST_SHARE:
        raise BadPlan("Each area must be wider and higher than half a percent of the picture", field)
    return left, top, right, bottom


def _numbered(given: Mapping[str, str], name: str) -> Box | None:
    """An area given as four numbers in percent, or None if all four are empty."""
    texts = [given.get(f"{name}-{part}", "").strip().removesuffix("%").strip() for part in NUMBERED]
    if not any(texts):
        return None
    numbers = []
    for part, text in zip(NUMBERED, texts, strict=True):
        try:
            number = float(text.replace(",", "."))
        except ValueError as error:
            raise BadPlan(f"Enter {part} as a number from 0 to 100", f"{name}-{part}") from error
        if not 0 <= number <= 100:
            raise BadPlan(f"{part.capitalize()} must be between 0 and 100", f"{name}-{part}")
        numbers.append(number / 100)
    left, top, width, height = numbers
    if width < SMALLEST_SHARE or height < SMALLEST_SHARE:
        raise BadPlan("Width and height must be at least 0.5", f"{name}-width")
    return _box([left, top, min(1.0, left + width), min(1.0, top + height)], f"{name}-left")


def as_numbers(areas: Sequence[Box]) -> dict[str, str]:
    """Areas as the fields of the form without scripts, numbered from 1; those beyond the last share its box."""
    fields = {}
    if len(areas) > MOST_AREAS:
        lefts, tops, rights, bottoms = zip(*areas[MOST_AREAS - 1 :], strict=True)
        areas = (*areas[: MOST_AREAS - 1], (min(lefts), min(tops), max(rights), max(bottoms)))
    for number, (left, top, right, bottom) in enumerate(areas, 1):
        for part, value in zip(NUMBERED, (left, top, right - left, bottom - top), strict=True):
            fields[f"area-{number}-{part}"] = f"{value * 100:.1f}".removesuffix(".0")
    return fields


def draw(data: bytes, plan: Plan, limits: PictureLimits) -> bytes:
    """The copy as JPEG: the areas covered beyond recovery, the rest as it was; only pixels, no hidden data.

    Raises:
        PictureError: if the picture can't be read.
    """
    # A cut may keep a small part only: then every pixel of it is wanted.
    at_least = previews.COPY_SIDE if plan.crop is None and PLATFORMS[plan.platform] is None else None
    frame = images.load(data, replace(limits, frames=1), at_least=at_least).frames[0]
    return previews.jpeg(_shaped(redact.covered(frame, plan.areas, plan.crop), PLATFORMS[plan.platform]), 90)


def _shaped(frame: Image.Image, shape: tuple[int, int] | None) -> Image.Image:
    """Cut to the shape around the middle, and shrunk to it; never enlarged."""
    if shape is None:
        frame.thumbnail((previews.COPY_SIDE, previews.COPY_SIDE))
        return frame
    ratio = shape[0] / shape[1]
    width, height = min(frame.width, frame.height * ratio), min(frame.height, frame.width / ratio)
    left, top = (frame.width - width) / 2, (frame.height - height) / 2
    cut = frame.crop((round(left), round(top), round(left + width), round(top + height)))
    return cut.resize(shape, Image.Resampling.LANCZOS) if cut.width > shape[0] else cut


def _left(again: Mapping[str, Any], plan: Plan, manifest: Manifest) -> tuple[Box, ...]:
    """Where the check of the copy still says blade, beside what is covered."""
    if not shows_knife(again) or again["image"].get("frames", 1) > 1:
        return ()
    # A size that cuts as well shifts the map a little; then all of it counts.
    areas = plan.areas if PLATFORMS[plan.platform] is None or plan.whole else ()
    return tuple(_rounded(box) for box in redact.uncovered(_map(again), manifest, areas, plan.crop))


def _to_cover(left: Sequence[Box], plan: Plan, size: tuple[int, int]) -> tuple[Box, ...]:
    """Boxes of a copy as boxes of the whole picture (`size` in pixels), with a margin of one cell of the map."""
    shown = _shown(plan, size)
    margin = 1 / redact.MARGIN
    grown = (
        (max(0.0, box[0] - margin), max(0.0, box[1] - margin), min(1.0, box[2] + margin), min(1.0, box[3] + margin))
        for box in left
    )
    return tuple(_rounded(places.within(box, shown)) for box in grown)


def _shown(plan: Plan, size: tuple[int, int]) -> Box:
    """The part of the picture that a copy keeps: what the person cut, less what the platform's shape cuts as well."""
    cut = plan.crop or WHOLE
    if (shape := PLATFORMS[plan.platform]) is None:
        return cut
    width, height = (cut[2] - cut[0]) * size[0], (cut[3] - cut[1]) * size[1]
    ratio = shape[0] / shape[1]
    across, down = min(1.0, height * ratio / width), min(1.0, width / ratio / height)
    return places.within((0.5 - across / 2, 0.5 - down / 2, 0.5 + across / 2, 0.5 + down / 2), cut)


def _file_name(stem: str, plan: Plan, still: bool) -> str:
    size = "" if plan.platform == "keep" else f"-{plan.platform}"
    kind = "covered" if plan.areas else "still" if still else "clean"
    return f"{stem}-{kind}{'-cut' if plan.crop else ''}{size}.jpg"


async def make(
    data: bytes, stem: str, plan: Plan, result: Mapping[str, Any], workers: Workers, limits: PictureLimits, key: bytes
) -> Copy:
    """Draw a copy and check it; where only hidden data goes, the answer that was given holds and no one looks twice.

    Raises:
        PictureError: if the picture can't be read.
        NotReady, Overloaded: if the service is busy.
    """
    drawn = await workers.run(draw, data, plan, limits)
    still = result["image"].get("frames", 1) > 1
    # An answer handed back by a page has no map any more, which says where to cover.
    holds = plan.untouched and not still and ("evidence" in result or not shows_knife(result))
    again = result if holds else await workers.check(drawn, evidence=True)
    left = _left(again, plan, workers.classifier.bundle.manifest)
    small, size, shown = await workers.run(previews.marked, drawn, left)
    digest = hashlib.sha256(drawn).hexdigest()
    check = {name: again[name] for name in ("decision", "reasons", "scores") if name in again}
    kept = {
        "of": result["image"]["sha256"],
        "sha256": digest,
        "width": size[0],
        "height": size[1],
        "areas": [list(area) for area in plan.areas],
        "crop": list(plan.crop) if plan.crop else None,
        "platform": plan.platform,
        "check": {**check, "left": [list(box) for box in left]},
    }
    return Copy(
        href=previews.data_uri(drawn, "image/jpeg"),
        name=_file_name(stem, plan, still),
        sha256=digest,
        width=size[0],
        height=size[1],
        small=small,
        small_width=shown[0],
        small_height=shown[1],
        facts=wording.copy_facts(len(plan.areas), plan.whole, plan.crop is not None, again, left, still=still),
        clean=not left and not wording.weapons(again, knife=not plan.areas or not again.get("evidence")),
        sealed=seal("copy", kept, key),
        plan=plan,
        left=_to_cover(left, plan, (result["image"]["width"], result["image"]["height"])),
        still=still,
    )
