"""Shared fixtures: a real, tiny bundle, drawn pictures, and the shipped bundle where it is."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from bladecheck.core.bundle import Bundle, load
from bladecheck.core.classifier import Classifier
from tiny import write_bundle, write_looking

REPOSITORY = Path(__file__).parents[1]

# Where the suite itself runs in the background of a script, Ctrl-C is ignored, and so it would be in all it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle whose knife score is the redness of the picture (see tiny.py)."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def folder(tiny_path: Path, tmp_path: Path) -> Path:
    """A copy of the tiny bundle that a test may change."""
    return Path(shutil.copytree(tiny_path, tmp_path / "copy"))


@pytest.fixture(scope="session")
def tiny(tiny_path: Path) -> Bundle:
    return load(tiny_path)


@pytest.fixture(scope="session")
def classifier(tiny: Bundle) -> Classifier:
    return Classifier(tiny)


@pytest.fixture(scope="session")
def looking_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle that looks again at corners, maps red cells, and gives its embedding (see tiny.py)."""
    return write_looking(tmp_path_factory.mktemp("bundles") / "looking")


@pytest.fixture(scope="session")
def looking(looking_path: Path) -> Classifier:
    return Classifier(load(looking_path))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The developers' data folder; users don't have it."""
    path = REPOSITORY.parent / "shared"
    if not (path / "data" / "labels.csv").is_file():
        pytest.skip("needs the developers' labelled pictures, which are not published")
    return path
