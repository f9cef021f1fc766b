"""The answers' shapes for the OpenAPI document and for clients; they match `results` key for key (tested)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Model(Shape):
    """Which model answered."""

    name: str
    version: str
    sha256: str = Field(description="Identity of the whole bundle.")


class PolicyUsed(Shape):
    """Which policy was applied."""

    name: str
    sha256: str = Field(description="Of the policy file; empty for the built-in rules.")


class Reason(Shape):
    """Why, as a stable code and a plain sentence."""

    code: str
    text: str


class Failure(Shape):
    """What went wrong with a picture."""

    code: str
    detail: str


class Evidence(Shape):
    """Where the knife score comes from: a coarse grid over the picture, values 0 to 1, first row on top."""

    rows: int
    columns: int
    values: list[list[float]]


class Image(Shape):
    """The picture as received; width and height as a person sees it."""

    sha256: str
    format: str
    width: int
    height: int
    frames: int
    has_gps: bool = Field(description="The file's metadata carries coordinates.")
    has_place_name: bool = Field(description="The file's metadata (IPTC, XMP) names a town, a part of it or a region.")


class Video(Shape):
    """How a video was looked at; times in seconds."""

    seconds: float = Field(description="How long it is.")
    frame_at: float = Field(description="When the frame shows that decided.")
    frames_looked_at: int
    longest_gap: float = Field(
        description="The longest stretch between two frames looked at; what shows for less may not have been seen."
    )


class FailedImage(Shape):
    """All that is known of a picture that can't be read."""

    sha256: str


class Judged(Shape):
    """The result for a picture that was judged, or that is too small or blank to judge."""

    status: Literal["ok"]
    decision: Literal["hold", "check", "clear", "cannot_judge"]
    reasons: list[Reason]
    scores: dict[str, float] = Field(description="Calibrated probability per label.")
    kind: str | None = Field(description="Kind of blade, if sure.")
    blade: dict[str, float] = Field(description="Given a knife, the distribution over its kind.")
    weapon_kind: str | None = Field(description="Kind of other weapon, if one is seen and sure.")
    weapons: dict[str, float] = Field(description="Given another weapon, the distribution over its kind.")
    features: dict[str, float] = Field(description="Calibrated probability of what else shows.")
    raw: dict[str, float] = Field(description="Uncalibrated logits.")
    looks: int = Field(description="How often the model looked, at whole frames and parts of them.")
    peak: tuple[float, float, float, float] | None = Field(
        description="Left, top, right and bottom, 0 to 1, of where the map is surest of blade; null without a knife."
    )
    blade_share: float | None = Field(description="Share of the picture that the map calls blade.")
    unlike: float | None = Field(
        description="How far the picture lies from the measured ones; above 1: unlike what was measured."
    )
    image: Image
    video: Video | None = Field(default=None, description="Only of videos.")
    model: Model
    policy: PolicyUsed
    evidence: Evidence | None = Field(default=None, description="Only with ?evidence=map.")


class Failed(Shape):
    """The result for a picture that could not be read: never a negative."""

    status: Literal["failed"]
    decision: Literal["cannot_judge"]
    reasons: list[Reason]
    error: Failure
    image: FailedImage
    model: Model
    policy: PolicyUsed


class Answer(Shape):
    """One result per picture, in the order they were sent."""

    model: Model
    policy: PolicyUsed
    results: list[Judged | Failed]


class Health(Shape):
    """`status` is "ok"."""

    status: Literal["ok"]


class ModelCard(Shape):
    """The loaded model and the policy in force."""

    name: str
    version: str
    sha256: str
    summary: str
    limits: list[str]
    policy: PolicyUsed
    videos: bool = Field(description="Frames of videos are looked at here.")
    card: dict[str, Any] = Field(description="The whole bundle.json.")


class Problem(BaseModel):
    """RFC 9457 problem details with a stable code."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[dict[str, Any]] | None = None


class InferenceError(Shape):
    """The Open Inference Protocol's error object."""

    error: str
