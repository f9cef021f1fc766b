"""The bundle: a folder of data (bundle.json, model.onnx, heads.npz, golden.json, README.md) that is the whole model.

Schema 2 adds looks, other weapons, an occupancy map, the embedding, and heads.npz; bundles of schema 1 load as before.
heads.npz holds
    weight   float32 [D, L] and
    bias     float32 [L], with logits = embedding @ weight + bias, in the order of `Outputs.names`; the graph reads them
             from there under the names head.weight and head.bias, so that other heads need no other graph;
    mean     float32 [D] and basis float32 [K, D] (and, of old, spread float32 [K + 1]), if the manifest has an
             `embedding_range`.
A cascade has neither graph nor heads: it names two other bundles, of which the `first` settles what it is sure to be
harmless, and the `lender` judges the rest; both are looked for beside it, then among the named ones.
Loading refuses what it does not know: an unknown key, label, schema or a file whose sha256 differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bladecheck.core import taxonomy
from bladecheck.core.preprocess import Spec
from bladecheck.core.weights import HEADS
from bladecheck.errors import BundleError

SCHEMA = "bladecheck-bundle/2"
MANIFEST, MODEL, GOLDEN = "bundle.json", "model.onnx", "golden.json"
DEFAULT = "base"

Probability = Annotated[float, Field(ge=0, le=1)]


Parsed = TypeVar("Parsed", bound=BaseModel)


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Looks(Strict):
    """Further looks at parts of a picture of which the first look, at the whole, is not sure.

    Attributes:
        crops: (left, top, right, bottom) in 0..1; each is cut from the frame and squashed to the model's input.
        combine: how logits of `labels` combine over the whole and its crops: the highest counts ("max"), or of the
            knife the mean of the whole's and the highest ("first_and_max"): one crop that looks like a blade weighs
            less if the whole does not. Other labels always take the highest. Each picture of a collage is a whole, and
            counts in full.
        kinds: blade and weapon kinds and features come from the "best" look (highest knife logit), or are the mean of
            their logits over looks, "weighted" by each look's uncalibrated knife probability.
        again_from, again_to: the crops are looked at if the first look's knife score, calibrated by
            `Calibration.first_look`, is at least the one and below the other.
    """

    crops: tuple[tuple[Probability, Probability, Probability, Probability], ...] = Field(min_length=1)
    combine: Literal["max", "first_and_max"] = "max"
    kinds: Literal["best", "weighted"] = "best"
    again_from: Probability
    again_to: Probability

    @model_validator(mode="after")
    def _possible(self) -> Looks:
        for left, top, right, bottom in self.crops:
            if left >= right or top >= bottom:
                raise ValueError(f"the crop {[left, top, right, bottom]} is empty")
        if self.again_from > self.again_to:
            raise ValueError(f"again_from {self.again_from} lies above again_to {self.again_to}")
        return self


class Preprocess(Strict):
    """The arguments of `preprocess.Spec`, which says what they mean and checks their values; and further looks."""

    size: int = Field(strict=True)
    fit: str
    filter: str
    headroom: int = Field(default=2, strict=True)
    looks: Looks | None = None


class Outputs(Strict):
    """Order of the columns of the graph's `logits` output, and the shapes of its other outputs.

    Attributes:
        evidence: rows and columns of the map of schema 1: where the knife score comes from.
        occupancy: 2, rows and columns of the map of schema 2, in 0..1: how likely it is that a cell holds some blade
            (plane 0), and the rest of the weapon, such as its handle (plane 1).
        embedding: D, the length of what the last linear layer reads.
    """

    labels: tuple[str, ...]
    blades: tuple[str, ...]
    features: tuple[str, ...]
    weapons: tuple[str, ...] = ()
    evidence: tuple[int, int] | None = None
    occupancy: tuple[Literal[2], int, int] | None = None
    embedding: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _known(self) -> Outputs:
        for key in ("labels", "blades", "features", "weapons"):
            names, known = getattr(self, key), getattr(taxonomy, key.upper())
            if unknown := set(names) - set(known):
                raise ValueError(f"outputs.{key} has {sorted(unknown)}; known: {', '.join(known)}")
            if len(set(names)) != len(names):
                raise ValueError(f"outputs.{key} names something twice")
        if "knife" not in self.labels:
            raise ValueError("outputs.labels lacks 'knife'")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of `logits` are."""
        return self.labels + self.blades + self.features + self.weapons

    @property
    def width(self) -> int:
        return len(self.names)


class Platt(Strict):
    """Calibrated probability = sigmoid(scale * logit + shift); scale > 0, so the order of scores never changes."""

    scale: float = Field(gt=0)
    shift: float


class Calibration(Strict):
    """Platt scaling per label and feature; one temperature each for the distributions over kinds.

    Attributes:
        labels, features: of the combined logits, where the bundle has looks.
        first_look: of the knife logit of the first look alone, for deciding whether to look again.
    """

    labels: dict[str, Platt]
    features: dict[str, Platt] = {}
    blade_temperature: float = Field(default=1.0, gt=0)
    weapon_temperature: float = Field(default=1.0, gt=0)
    first_look: Platt | None = None


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
    """Cut-offs on calibrated scores, chosen on held-out data for the stated error rates.

    Attributes:
        blade_sure, weapon_sure: a kind is named from this probability on.
        occupied: cells of the occupancy map from this value on count as blade.
    """

    labels: dict[str, Band]
    blade_sure: Probability
    weapon_sure: Probability = 0.6
    occupied: Probability = 0.5
    feature_seen: dict[str, Probability] = {}
    chosen_for: str


class Gates(Strict):
    """Below these a picture cannot be judged: its shorter side in pixels, and its contrast (0 to 255)."""

    min_side: int = Field(ge=1)
    min_contrast: int = Field(ge=0, le=255)


class EmbeddingRange(Strict):
    """Which pictures are like the measured ones.

    The distance of an embedding e, by `measure`:
        beside: the share of the length of e - mean that the K directions of `basis`, along which measured pictures
            differ, leave unexplained. It does not depend on how strongly anything is seen.
        spread: the root of the mean of z squared, z being the K products of `basis` with e - mean, each divided by its
            `spread`, and last the length of what the basis leaves, divided by the last `spread`. It is read, but not
            used: pictures of which the model makes little lie nearest to the mean, and noise passed for the most usual.

    Attributes:
        limit: a picture farther away than this is unlike what was measured.
        share: of the measured pictures within the limit.
    """

    limit: float = Field(gt=0)
    share: Probability
    measure: Literal["spread", "beside"] = "spread"


class Borrowed(Strict):
    """Another bundle that this one works with."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{0,40}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class AskedFirst(Borrowed):
    """The quick model of a cascade, which looks once at the whole picture.

    Attributes:
        below: a picture is settled, as this model says and without a further look, if its own calibrated score of each
            of these labels lies below the value given.
    """

    below: dict[str, Probability]


class Manifest(Strict):
    """bundle.json: what the service needs to run, then what a reader needs to trust or doubt the model.

    Attributes:
        parent: sha256 of the bundle that this one was adapted or trained on from.
        first, lender: of a cascade, the model that is asked first, and the one whose graph, heads and looks are used
            for the pictures that the first does not settle.
    """

    schema_: Literal["bladecheck-bundle/1", "bladecheck-bundle/2"] = Field(alias="schema")
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
    parent: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    embedding_range: EmbeddingRange | None = None
    first: AskedFirst | None = None
    lender: Borrowed | None = None
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
        if self.preprocess.looks and not self.calibration.first_look:
            raise ValueError("preprocess.looks needs calibration.first_look")
        if (self.first is None) != (self.lender is None):
            raise ValueError("first and lender go together: a cascade has both")
        if self.first and set(self.first.below) != set(self.outputs.labels):
            raise ValueError(f"first.below covers {sorted(self.first.below)}, outputs.labels {self.outputs.labels}")
        if self.first and any(low > self.thresholds.labels[name].check for name, low in self.first.below.items()):
            raise ValueError("first.below lies above a threshold of `check`: what is settled must be clear")
        if self.lender and {MODEL, HEADS} & set(self.files):
            raise ValueError("a cascade's graph and heads are its lender's, not files of its own")
        if self.outputs.embedding and HEADS not in self.files and not self.lender:
            raise ValueError(f"outputs.embedding needs {HEADS} among files")
        if self.embedding_range and not self.outputs.embedding:
            raise ValueError("embedding_range needs outputs.embedding")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A checked bundle.

    Attributes:
        path: its folder.
        manifest: bundle.json, parsed.
        spec: how a picture becomes the graph's input.
        sha256: identity of the whole bundle in hex: the hash of bundle.json, which holds every other file's hash.
        first, lender: the two bundles that a cascade works with.
    """

    path: Path
    manifest: Manifest
    spec: Spec
    sha256: str
    first: Bundle | None = None
    lender: Bundle | None = None

    @property
    def identity(self) -> dict[str, str]:
        """What every answer carries: name, version and sha256."""
        return {"name": self.manifest.name, "version": self.manifest.version, "sha256": self.sha256}

    @property
    def home(self) -> Path:
        """The folder of the graph and the heads: its own, or of a cascade the lender's."""
        return self.lender.path if self.lender else self.path

    @property
    def model_path(self) -> Path:
        return self.home / MODEL

    @property
    def stored(self) -> Collection[str]:
        """Names of the files beside the graph."""
        return (self.lender or self).manifest.files


def load(path: Path) -> Bundle:
    """Read and check a bundle folder.

    Raises:
        BundleError: naming the file, key or value that is wrong.
    """
    source = path / MANIFEST
    raw = read(source)
    manifest = parse(Manifest, raw, source)
    spec = Spec(**manifest.preprocess.model_dump(exclude={"looks"}))
    needed = {GOLDEN} if manifest.lender else {MODEL, GOLDEN}
    if missing := needed - set(manifest.files):
        raise BundleError(f"{source}: files lists no {', '.join(sorted(missing))}.")
    for name, expected in manifest.files.items():
        _check_file(path, name, expected)
    first, lender = (_borrowed(path, one) for one in (manifest.first, manifest.lender))
    found = Bundle(path, manifest, spec, hashlib.sha256(raw).hexdigest(), first, lender)
    _check_cascade(found)
    return found


def _borrowed(folder: Path, wanted: Borrowed | None) -> Bundle | None:
    """The bundle that is meant, from beside `folder` or among the named ones.

    Raises:
        BundleError: if it is not there, or another one.
    """
    if wanted is None:
        return None
    seen = []
    for place in dict.fromkeys([folder.resolve().parent / wanted.name, *(root / wanted.name for root in roots())]):
        if not (place / MANIFEST).is_file():
            continue
        found = load(place)
        if found.sha256 == wanted.sha256:
            return found
        seen.append(f"{place} is {found.manifest.version}, sha256 {found.sha256[:12]}…")
    there = "; ".join(seen) or f"there is no {wanted.name} beside it or among the named bundles"
    raise BundleError(f"{folder} works with the bundle {wanted.name}, sha256 {wanted.sha256[:12]}…; {there}.")


def _check_cascade(made: Bundle) -> None:
    """A cascade's models must take the same pixels and know the same things.

    Raises:
        BundleError: naming what differs.
    """
    if made.first is None or made.lender is None:
        return
    for one in (made.first, made.lender):
        name, theirs = one.manifest.name, one.manifest.outputs
        if one.lender:
            raise BundleError(f"{made.path}: {name} is a cascade itself, and can't be part of one.")
        if one.spec != made.spec:
            raise BundleError(f"{made.path}: {name} prepares pictures as {one.spec}, not {made.spec}.")
        if lacking := set(made.manifest.outputs.names) - set(theirs.names):
            raise BundleError(f"{made.path}: {name} says nothing of {', '.join(sorted(lacking))}.")
    if made.lender.manifest.outputs != made.manifest.outputs:
        raise BundleError(
            f"{made.path}: outputs differ from those of {made.lender.manifest.name}, whose graph is used."
        )


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
