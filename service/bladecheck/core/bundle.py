"""The bundle: a folder of data (bundle.json, model.onnx, golden.json, README.md) that is the whole model.

Loading refuses what it does not know: an unknown key, label, schema or a file whose sha256 differs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bladecheck.core import taxonomy
from bladecheck.core.preprocess import Spec
from bladecheck.errors import BundleError

SCHEMA = "bladecheck-bundle/1"
MANIFEST, MODEL, GOLDEN = "bundle.json", "model.onnx", "golden.json"
DEFAULT = "base"

Probability = Annotated[float, Field(ge=0, le=1)]


Parsed = TypeVar("Parsed", bound=BaseModel)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Preprocess(Strict):
    """The arguments of `preprocess.Spec`, which says what they mean and checks their values."""

    size: int = Field(strict=True)
    fit: str
    filter: str
    headroom: int = Field(default=2, strict=True)


class Outputs(Strict):
    """Order of the columns of the graph's `logits` output, and the shape of its `evidence` output."""

    labels: tuple[str, ...]
    blades: tuple[str, ...]
    features: tuple[str, ...]
    evidence: tuple[int, int] | None = None

    @model_validator(mode="after")
    def _known(self) -> Outputs:
        for key in ("labels", "blades", "features"):
            names, known = getattr(self, key), getattr(taxonomy, key.upper())
            if unknown := set(names) - set(known):
                raise ValueError(f"outputs.{key} has {sorted(unknown)}; known: {', '.join(known)}")
            if len(set(names)) != len(names):
                raise ValueError(f"outputs.{key} names something twice")
        if "knife" not in self.labels:
            raise ValueError("outputs.labels lacks 'knife'")
        return self

    @property
    def width(self) -> int:
        return len(self.labels) + len(self.blades) + len(self.features)


class Platt(Strict):
    """Calibrated probability = sigmoid(scale * logit + shift); scale > 0, so the order of scores never changes."""

    scale: float = Field(gt=0)
    shift: float


class Calibration(Strict):
    """Platt scaling per label and feature; one temperature for the blade distribution."""

    labels: dict[str, Platt]
    features: dict[str, Platt] = {}
    blade_temperature: float = Field(default=1.0, gt=0)


class Band(Strict):
    """At or above `hold` the answer is yes; from `check` up to `hold` a person decides; below `check` it is no."""

    check: Probability
    hold: Probability

    @model_validator(mode="after")
    def _ordered(self) -> Band:
        if self.check > self.hold:
            raise ValueError(f"check {self.check} lies above hold {self.hold}")
        return self


class Thresholds(Strict):
    """Cut-offs on calibrated scores, chosen on held-out data for the stated error rates."""

    labels: dict[str, Band]
    blade_sure: Probability
    feature_seen: dict[str, Probability] = {}
    chosen_for: str


class Gates(Strict):
    """Below these a picture cannot be judged: its shorter side in pixels, and its contrast (0 to 255)."""

    min_side: int = Field(ge=1)
    min_contrast: int = Field(ge=0, le=255)


class Manifest(Strict):
    """bundle.json: what the service needs to run, then what a reader needs to trust or doubt the model."""

    schema_: Literal["bladecheck-bundle/1"] = Field(alias="schema")
    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    summary: str
    input: Literal["uint8 NHWC RGB"]
    preprocess: Preprocess
    outputs: Outputs
    calibration: Calibration
    thresholds: Thresholds
    gates: Gates
    files: dict[str, str]
    data: dict[str, Any]
    training: dict[str, Any]
    metrics: dict[str, Any]
    limits: tuple[str, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Manifest:
        for key, names in (
            ("calibration.labels", self.calibration.labels),
            ("thresholds.labels", self.thresholds.labels),
        ):
            if set(names) != set(self.outputs.labels):
                raise ValueError(f"{key} covers {sorted(names)}, outputs.labels {sorted(self.outputs.labels)}")
        if set(self.calibration.features) != set(self.outputs.features):
            raise ValueError("calibration.features and outputs.features differ")
        if unknown := set(self.thresholds.feature_seen) - set(self.outputs.features):
            raise ValueError(f"thresholds.feature_seen has {sorted(unknown)}, which the model does not score")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle.

    Attributes:
        path: its folder.
        manifest: bundle.json, parsed.
        spec: how a picture becomes the graph's input.
        sha256: identity of the whole bundle in hex: the hash of bundle.json, which holds every other file's hash.
    """

    path: Path
    manifest: Manifest
    spec: Spec
    sha256: str

    @property
    def identity(self) -> dict[str, str]:
        """What every answer carries: name, version and sha256."""
        return {"name": self.manifest.name, "version": self.manifest.version, "sha256": self.sha256}

    @property
    def model_path(self) -> Path:
        return self.path / MODEL


def load(path: Path) -> Bundle:
    """Read and check a bundle folder.

    Raises:
        BundleError: naming the file, key or value that is wrong.
    """
    source = path / MANIFEST
    raw = read(source)
    manifest = parse(Manifest, raw, source)
    spec = Spec(**manifest.preprocess.model_dump())
    if missing := {MODEL, GOLDEN} - set(manifest.files):
        raise BundleError(f"{source}: files lists no {', '.join(sorted(missing))}.")
    for name, expected in manifest.files.items():
        _check_file(path, name, expected)
    return Bundle(path, manifest, spec, hashlib.sha256(raw).hexdigest())


def read(source: Path) -> bytes:
    """A bundle file's bytes, or BundleError."""
    try:
        return source.read_bytes()
    except OSError as error:
        raise BundleError(f"{source} can't be read ({error.strerror}).") from error


def parse(model: type[Parsed], raw: bytes, source: Path) -> Parsed:
    """JSON bytes as `model`, or BundleError naming the first wrong key and its value."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        first, more = error.errors()[0], error.error_count() - 1
        where = ".".join(str(part) for part in first["loc"])
        value = "" if where in ("", "files") else f", not {str(first['input'])[:80]!r}"
        others = f" (and {more} more)" if more else ""
        raise BundleError(f"{source}: {where}: {first['msg']}{value}{others}.") from error


def _check_file(folder: Path, name: str, expected: str) -> None:
    if Path(name).name != name:
        raise BundleError(f"files names {name!r}, which is not a plain file name.")
    try:
        with (folder / name).open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{folder / name} can't be read ({error.strerror}).") from error
    if actual != expected:
        raise BundleError(f"{folder / name} has sha256 {actual[:12]}…, the bundle says {expected[:12]}…: replace it.")


def roots() -> list[Path]:
    """Folders where bundles are looked up by name: inside the installed package, then beside a source checkout."""
    package = Path(__file__).parents[1]
    return [package / "models", package.parents[1] / "models"]


def available() -> list[str]:
    """Names of the bundles that `find` can see."""
    return sorted({found.parent.name for root in roots() for found in root.glob(f"*/{MANIFEST}")})


def find(name_or_path: str | Path | None = None) -> Bundle:
    """Load a bundle by folder path or by name; None takes the default.

    Raises:
        BundleError: if there is none, with the names that exist.
    """
    wanted = str(name_or_path or DEFAULT)
    if Path(wanted).name == wanted:
        for root in roots():  # before the current folder, where a stray "base" would stand in for the shipped one
            if (root / wanted / MANIFEST).is_file():
                return load(root / wanted)
    if name_or_path and (Path(wanted) / MANIFEST).is_file():
        return load(Path(wanted))
    known = ", ".join(available()) or "none"
    raise BundleError(f"No bundle {wanted!r}. Give a folder with a {MANIFEST}, or one of: {known}.")
