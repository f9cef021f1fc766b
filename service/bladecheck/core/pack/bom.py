"""A bundle as a CycloneDX ML-BOM (JSON, 1.6): files with hashes, what it runs on, where it comes from, its model card.

The library knows everything of the format but `modelCard`, which is written into its JSON afterwards.
"""

from __future__ import annotations

import importlib.metadata
import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bladecheck import __version__
from bladecheck.core.bundle import MANIFEST, Bundle
from bladecheck.errors import PackError

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

RUNS_ON = ("numpy", "onnxruntime", "pillow")
MEASURE = frozenset(("value", "low", "high"))
USERS = ("Press teams of police forces, before they post a picture.", "Researchers who count pictures in archives.")
USES = ("Telling whether a photo shows knife imagery, so that a person decides whether to post it.",
        "Counting knife imagery in archives, corrected by a labelled sample.")  # fmt: skip


def bom(bundle: Bundle, facts: Mapping[str, str], at: datetime | None = None) -> dict[str, Any]:
    """The bill of materials of a bundle.

    Args:
        facts: the graph's own metadata; `licence` and `author` are taken from there.
        at: its date; None: now.

    Raises:
        PackError: the library is not installed.
    """
    try:
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    except ImportError as error:
        raise PackError("This needs an optional library: pip install 'bladecheck[pack]'.") from error
    made = _bom(bundle, facts, at or datetime.now(UTC))
    found: dict[str, Any] = json.loads(make_outputter(made, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string())
    found["metadata"]["component"]["modelCard"] = card(bundle)
    return found


def _bom(bundle: Bundle, facts: Mapping[str, str], at: datetime) -> Bom:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType

    model = _model(bundle, facts)
    made = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, bundle.sha256))
    made.metadata.timestamp = at
    made.metadata.component = model
    made.metadata.tools.components.add(
        Component(type=ComponentType.APPLICATION, name="bladecheck", bom_ref="bladecheck", version=__version__)
    )
    libraries = list(_libraries())
    for part in libraries:
        made.components.add(part)
    made.register_dependency(model, libraries)
    return made


def _model(bundle: Bundle, facts: Mapping[str, str]) -> Component:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.component import Component, ComponentType, Pedigree
    from cyclonedx.model.contact import OrganizationalContact

    manifest = bundle.manifest
    files = [
        Component(
            type=ComponentType.FILE,
            name=name,
            bom_ref=f"file:{name}",
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        )
        for name, sha256 in {MANIFEST: bundle.sha256, **manifest.files}.items()
    ]
    author, licence = facts.get("author"), facts.get("licence")
    before = manifest.parent and Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name="parent of " + manifest.name,
        bom_ref="parent",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=manifest.parent)],
        description="The bundle that this one was trained or adapted from; the hash is that of its bundle.json.",
    )
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=manifest.name,
        version=manifest.version,
        bom_ref=f"{manifest.name}@{manifest.version}",
        description=manifest.summary,
        licenses=[LicenseFactory().make_from_string(licence)] if licence else None,
        authors=[OrganizationalContact(name=author)] if author else None,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=bundle.sha256)],
        components=files,
        pedigree=Pedigree(ancestors=[before]) if before else None,
    )


def _libraries() -> Iterator[Component]:
    """What the model runs on here."""
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    for name in RUNS_ON:
        version = importlib.metadata.version(name)
        url = PackageURL("pypi", name=name, version=version)
        yield Component(type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=str(url))


def card(bundle: Bundle) -> dict[str, Any]:
    """CycloneDX's model card of a bundle, from its manifest."""
    manifest = bundle.manifest
    size, outputs = manifest.preprocess.size, manifest.outputs
    given = ["logits: " + ", ".join(outputs.names)]
    given += [f"occupancy: {list(outputs.occupancy)}, where blade and weapon are"] if outputs.occupancy else []
    given += [f"embedding: {outputs.embedding} numbers"] if outputs.embedding else []
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "image classification",
            "datasets": list(_datasets(manifest.data)),
            "inputs": [{"format": f"{manifest.input}, {size} x {size}"}],
            "outputs": [{"format": each} for each in given],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_measures(manifest.metrics))},
        "considerations": {
            "users": list(USERS),
            "useCases": list(USES),
            "technicalLimitations": list(manifest.limits),
            "ethicalConsiderations": [{"name": each} for each in rights(bundle)],
        },
    }


def rights(bundle: Bundle) -> list[str]:
    """What a bundle, or else the parent that it was adapted from, says of rights in its pictures."""
    data = bundle.manifest.data
    while "licences" not in data and isinstance(data.get("parent"), Mapping):
        data = data["parent"]
    return [*([data["licences"]] if data.get("licences") else []), *data.get("for_lawyers", ())]


def _datasets(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Where the pictures come from; of an adapted bundle, the user's labels and then its parent's."""
    if isinstance(labels := data.get("labels"), Mapping):
        counts = ", ".join(f"{value} {key}" for key, value in labels.items())
        yield {"type": "dataset", "name": "the user's own labels", "description": f"{counts}; not distributed"}
    for source, counts in (data.get("by_source") or {}).items():
        said = ", ".join(f"{value} {key}" for key, value in counts.items())
        yield {"type": "dataset", "name": source, "description": f"{said}; not distributed"}
    for source, count in (data.get("unlabelled") or {}).items():
        yield {"type": "dataset", "name": source, "description": f"{count} unlabelled pictures; not distributed"}
    if isinstance(parent := data.get("parent"), Mapping):
        yield from _datasets(parent)


def _measures(tree: Mapping[str, Any], within: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and set(value) >= MEASURE:
            if value["value"] is not None:
                limits = {"lowerBound": str(value["low"]), "upperBound": str(value["high"])}
                counted = f" (n {value['n']})" if "n" in value else ""
                yield {"type": key, "value": str(value["value"]), "slice": " / ".join(within) + counted,
                       "confidenceInterval": limits}  # fmt: skip
        elif isinstance(value, Mapping):
            yield from _measures(value, (*within, key))
