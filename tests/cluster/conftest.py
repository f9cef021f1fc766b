"""Real machines of a cluster, as far as one computer can have them: each with its own raylet, store and processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import PngImagePlugin

from bladecheck.archives import open_archive
from bladecheck.core.bundle import Bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.runs.engines import Engine
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Finished, Options, Run
from score_helpers import NEAR, Score
from serving import SOURCE
from tiny import RED, draw, encode

CRASHING = Path(__file__).parent / "crashing"
Ray = Callable[..., Finished]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings inside Ray are not ours to mend."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("default"))


@pytest.fixture(scope="session")
def machines() -> Iterator[Any]:
    """A head that lends no cores, and two machines of one core each; `address`, `add_node` and `remove_node`."""
    pytest.importorskip("ray", reason="needs ray: make test-cluster")
    kept = dict(os.environ)
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": f"{CRASHING}{os.pathsep}{SOURCE}",
    }
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=200 * 2**20)
        yield cluster
    finally:
        cluster.shutdown()
        os.environ.clear()
        os.environ.update(kept)


@pytest.fixture
def local(classifier: Classifier) -> Score:
    """Scores in this process."""

    def run(archive: Path, folder: Path, **options: object) -> Finished:
        return go(archive, folder, LocalEngine(classifier, find(None), workers=2, near=NEAR), **options)

    return run


@pytest.fixture
def on_cluster(machines: Any, tiny: Bundle) -> Ray:
    """Scores on the cluster."""
    from bladecheck.runs.engines.cluster import RayEngine

    def run(archive: Path, folder: Path, engine: dict[str, Any] | None = None, **options: object) -> Finished:
        settings = {"address": machines.address, "cores": 1, "near": NEAR, "patience": 60} | (engine or {})
        return go(archive, folder, RayEngine(tiny, find(None), [archive], **settings), **options)

    return run


def go(archive: Path, folder: Path, engine: Engine, **options: object) -> Finished:
    """One session of a run; the engine is closed."""
    try:
        with open_archive([archive]) as opened:
            return Run([archive], opened.items(), engine, RunFolder(folder), Options(**options)).go()
    finally:
        engine.close()


def deadly(path: Path) -> Path:
    """Write a picture over which the workers' decoder dies; here it is a picture like any other."""
    said = PngImagePlugin.PngInfo()
    said.add_text("deadly", "yes")
    path.write_bytes(encode(draw(RED, (64, 48)), "PNG", pnginfo=said))
    return path
