"""Facts of a finished bundle stated anew, without training: its graph's metadata, and which pictures measured it.

Each changes files and with them the bundle's identity: raise its version, and name the change in models/CHANGELOG.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper
from rich.progress import track

from bladecheck.core import bundle, weights
from bladecheck.core.bundle import Bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.preprocess import prepare
from bladecheck.core.weights import HEADS
from bladecheck_training import bundling, card, export, novelty
from bladecheck_training.bundling import GRAPH_AUTHOR, GRAPH_LICENCE
from bladecheck_training.vit_graph import LEVELS

LEAST = 100
"""Pictures that a range is fitted to."""


def describe(folder: Path, version: str | None = None) -> Bundle:
    """Fill the metadata of a bundle's graph: name, version, author, licence and description; what else is there stays.

    Args:
        version: a new one for the bundle; None keeps it.
    """
    manifest = manifest_of(folder, version)
    path = folder / bundle.MODEL
    kept = {each.key: each.value for each in onnx.load(path, load_external_data=False).metadata_props}
    export.named(path, **kept | {
        "name": manifest["name"], "version": manifest["version"], "author": GRAPH_AUTHOR, "licence": GRAPH_LICENCE,
        "description": manifest["summary"],
    })  # fmt: skip
    return written(folder, manifest)


def narrowed(folder: Path, version: str) -> Bundle:
    """Give the integer weights steps of twice the size, so that no processor's product overflows; golden answers anew.

    Bundles before base 1.2.2 used all eight bits, and processors without VNNI cut off sums of two products (vit_graph).
    Scores change with the rounding: `settle` and `range` state anew what was measured.

    Raises:
        ValueError: there is nothing to narrow.
    """
    manifest, path = manifest_of(folder, version), folder / bundle.MODEL
    with np.load(folder / weights.FILE, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    if max(int(np.abs(codes).max()) for codes in weights.unpack(folder / weights.FILE).values()) <= LEVELS:
        raise ValueError(f"The weights of {folder} are within {LEVELS} already.")
    halved = {name: array / np.float16(2) for name, array in arrays.items() if name.endswith(".scales")}
    graph = onnx.load(path, load_external_data=False)
    for scale in _column_scales(graph.graph):
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) * np.float32(2), scale.name))
    onnx.save(graph, path)
    np.savez_compressed(folder / weights.FILE, **arrays | halved)
    bundling.state(folder, manifest)
    cases = bundling.golden(Classifier(bundle.load(folder)))
    (folder / bundle.GOLDEN).write_text(json.dumps({"cases": cases}, indent=1))
    return written(folder, manifest)


def _column_scales(graph: onnx.GraphProto) -> list[onnx.TensorProto]:
    """The scales per output of all integer weights: what an input's scale is multiplied by (vit_graph.linear)."""
    inputs = {node.output[1] for node in graph.node if node.op_type == "DynamicQuantizeLinear"}
    products = [node for node in graph.node if node.op_type == "Mul" and node.input[0] in inputs]
    constants = {each.name: each for each in graph.initializer}
    return [constants[name] for name in {node.input[1] for node in products}]


def measured_range(folder: Path, pictures: Iterable[Path], version: str | None = None) -> Bundle:
    """Fit the range of the measured pictures anew, to embeddings of their first looks as the service reads them.

    Raises:
        ValueError: too few pictures, or a bundle without an embedding.
    """
    manifest = manifest_of(folder, version)
    classifier = Classifier(bundle.load(folder))
    if not classifier.bundle.manifest.outputs.embedding:
        raise ValueError(f"{folder} gives no embedding, so it can't tell which pictures are like the measured ones.")
    found = []
    for path in track(list(pictures), "Looking", transient=True):
        frame = classifier.load(path.read_bytes()).frames[0]
        found.append(classifier.run(prepare(frame, classifier.bundle.spec)).embedding)
    if len(found) < LEAST:
        raise ValueError(f"{len(found)} pictures are too few for a range; at least {LEAST} are needed.")
    embeddings = np.stack([each for each in found if each is not None])
    known = novelty.fit(embeddings)
    with np.load(folder / HEADS, allow_pickle=False) as heads:
        arrays = {name: heads[name] for name in ("weight", "bias")}
    np.savez(folder / HEADS, **arrays, mean=known.mean, basis=known.basis)
    limit = novelty.limit(embeddings)
    manifest["embedding_range"] = {"limit": limit, "share": novelty.SHARE, "measure": "beside"}
    return written(folder, manifest)


def manifest_of(folder: Path, version: str | None) -> dict[str, Any]:
    """bundle.json of a folder, with another version if one is given."""
    found: dict[str, Any] = json.loads((folder / bundle.MANIFEST).read_bytes())
    return found | ({"version": version} if version else {})


def written(folder: Path, manifest: dict[str, Any]) -> Bundle:
    """bundle.json with the hashes of the files as they are now, and its card; the golden pictures must still agree."""
    bundling.state(folder, manifest)
    made = bundle.load(folder)
    replay(Classifier(made))
    (folder / "README.md").write_text(card.render(made))
    return made
