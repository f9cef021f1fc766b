"""A drawn archive with everything in it that goes wrong, and ways to run the command over it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.archives import open_archive
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.runs.engines import Engine
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Finished, Options, Run
from score_helpers import COMMAND, NEAR, Score, fill
from serving import environment


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 30 pictures, 3 of them damaged."""
    return fill(tmp_path_factory.mktemp("archive") / "pictures", 30)


@pytest.fixture
def bladecheck() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command that users type."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def score(classifier: Classifier) -> Score:
    """Scores in this process."""

    def run(paths: Path | list[Path], folder: Path, engine: Engine | None = None, **options: object) -> Finished:
        given = paths if isinstance(paths, list) else [paths]
        engine = engine or LocalEngine(classifier, find(None), workers=2, near=NEAR)
        with open_archive(given) as archive:
            return Run(given, archive.items(), engine, RunFolder(folder), Options(**options)).go()

    return run
