"""Real machines of a cluster, as far as one computer can have them: each with its own raylet, store and processes."""

from __future__ import annotations

import os
import zipfile
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
from score_helpers import NEAR, exported, fill
from serving import SOURCE
from tiny import RED, draw, encode

CRASHING = Path(__file__).parent / "crashing"
STORE = 200 * 2**20
"""Bytes of shared memory of each machine."""
Score = Callable[..., Finished]
Tick = Callable[[str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Warnings inside Ray are not ours to mend."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("default"))


class Machines:
    """A head that lends no cores, and other machines of one core each."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self._lent: list[Any] = []
        self.address: str = self._cluster.address

    def add(self) -> None:
        """One more machine."""
        self._lent.append(self._cluster.add_node(num_cpus=1, object_store_memory=STORE))

    def lose(self) -> None:
        """One machine goes at once, with all that runs on it."""
        self._cluster.remove_node(self._lent.pop(), allow_graceful=False)

    def restore(self, count: int = 2) -> None:
        """As many as there were."""
        while len(self._lent) < count:
            self.add()

    def spilled(self) -> list[Path]:
        """Files into which a store was emptied since it was full."""
        session = Path(self._cluster.head_node.get_session_dir_path())
        return [path for path in session.glob("**/*spill*/**/*") if path.is_file()]

    def close(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Machines]:
    """A cluster for all tests; some take machines away."""
    pytest.importorskip("ray", reason="needs ray: make test-cluster")
    kept = dict(os.environ)
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": f"{CRASHING}{os.pathsep}{SOURCE}",
    }
    machines = Machines()
    try:
        yield machines
    finally:
        machines.close()
        os.environ.clear()
        os.environ.update(kept)


@pytest.fixture
def machines(cluster: Machines) -> Machines:
    """The cluster with its two machines."""
    cluster.restore()
    return cluster


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """250 pictures in a zip, 25 of them damaged and 35 of them copies."""
    folder = fill(tmp_path_factory.mktemp("archive") / "pictures", 250)
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as packed:
        for path in sorted(folder.iterdir()):
            packed.write(path, path.name)
    return folder.with_suffix(".zip")


@pytest.fixture
def local(classifier: Classifier) -> Score:
    """Scores in this process."""

    def run(archive: Path | list[Path], folder: Path, **options: object) -> Finished:
        return go(archive, folder, LocalEngine(classifier, find(None), workers=2, near=NEAR), **options)

    return run


@pytest.fixture(scope="session")
def wanted(archive: Path, classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of the archive in this process, exported."""
    folder = tmp_path_factory.mktemp("wanted") / "run"
    go(archive, folder, LocalEngine(classifier, find(None), workers=2, near=NEAR))
    exported(folder)
    return folder


@pytest.fixture
def on_cluster(machines: Machines, tiny: Bundle) -> Score:
    """Scores on the cluster."""
    from bladecheck.runs.engines.cluster import RayEngine

    def run(
        archive: Path | list[Path], folder: Path, tick: Tick = lambda status: None, bundle: Bundle = tiny,
        prepare: Callable[[], object] = lambda: None, settings: dict[str, Any] | None = None, **options: object,
    ) -> Finished:  # fmt: skip
        given = {"address": machines.address, "cores": 1, "near": NEAR, "patience": 60} | (settings or {})
        paths = archive if isinstance(archive, list) else [archive]
        engine = RayEngine(bundle, find(None), paths, **given)
        prepare()
        return go(archive, folder, engine, tick, **options)

    return run


def go(
    archive: Path | list[Path], folder: Path, engine: Engine, tick: Tick = lambda status: None, **options: object
) -> Finished:  # fmt: skip
    """One session of a run; the engine is closed."""
    paths = archive if isinstance(archive, list) else [archive]
    try:
        with open_archive(paths) as opened:
            return Run(paths, opened.items(), engine, RunFolder(folder), Options(**options), tick).go()
    finally:
        engine.close()


def deadly(path: Path) -> Path:
    """Write a picture over which the workers' decoder dies; here it is a picture like any other."""
    said = PngImagePlugin.PngInfo()
    said.add_text("deadly", "yes")
    path.write_bytes(encode(draw(RED, (64, 48)), "PNG", pnginfo=said))
    return path


def told(finished: Finished) -> dict[str, Any]:
    """What run.json says of the last session's workers."""
    found: dict[str, Any] = finished.folder.manifest()["sessions"][-1]["cluster"]
    return found


def rows(run: Path) -> bytes:
    """The export, byte for byte."""
    exported(run)
    return (run / "rows.jsonl").read_bytes()
