"""The wheel alone, in a fresh environment: it classifies, without torch, and brings nothing but itself."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bladecheck.core import bundle
from tiny import RED, draw, encode, write_bundle

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what goes into a release; where the default model isn't trained yet, the tiny one takes its place."""
    copy = tmp_path_factory.mktemp("source")
    for name in ("service", "models"):
        shutil.copytree(REPOSITORY / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, copy / name)
    if not (copy / "models" / bundle.DEFAULT / bundle.MANIFEST).is_file():
        write_bundle(copy / "models" / bundle.DEFAULT)
    return copy


@pytest.fixture(scope="module")
def built(source: Path) -> Path:
    """The folder with wheel and sdist."""
    done = subprocess.run([sys.executable, "-m", "hatchling", "build"], cwd=source, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return source / "dist"


def test_the_wheel_holds_the_package_and_its_models_only(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"bladecheck"}
    for folder in [path.parent.name for path in (built.parent / "models").glob(f"*/{bundle.MANIFEST}")]:
        for name in (bundle.MANIFEST, bundle.MODEL, bundle.GOLDEN):
            assert f"bladecheck/models/{folder}/{name}" in names
    assert "bladecheck/py.typed" in names
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name or "training" in name]


def test_the_sdist_can_build_the_same_wheel(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"models/{bundle.DEFAULT}/{bundle.MODEL}", "pyproject.toml", "service/bladecheck/__init__.py"} <= names


@pytest.fixture(scope="module")
def alone(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin folder of a fresh environment with the wheel and what it requires, and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=120)
    (wheel,) = built.glob("*.whl")
    command = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", wheel]
    constraints = REPOSITORY / "constraints.txt"
    if constraints.is_file():
        command += ["-c", constraints]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    if done.returncode and "ConnectionError" in done.stderr + done.stdout:
        pytest.skip("no network to install the wheel's requirements from")
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def test_the_wheel_alone_classifies(alone: Path, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(encode(draw(RED, (320, 240))))
    done = subprocess.run(
        [alone / "bladecheck", "classify", "red.png", "--json"], cwd=tmp_path, capture_output=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
    row = json.loads(done.stdout)
    assert row["status"] == "ok"
    assert 0 <= row["scores"]["knife"] <= 1


def test_the_wheel_alone_verifies_its_model_and_explains_what_is_absent(alone: Path, tmp_path: Path) -> None:
    done = subprocess.run([alone / "bladecheck", "doctor"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "golden pictures agree" in done.stdout
    assert "pip install 'bladecheck[serve]'" in done.stdout
    for command, extra in ((["serve"], "bladecheck[serve]"),):
        done = subprocess.run(
            [alone / "bladecheck", *command], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode != 0
        assert extra in done.stderr
        assert "Traceback" not in done.stderr


def test_nothing_foreign_lands_in_site_packages(alone: Path) -> None:
    code = (
        "import importlib.util, json, pathlib, bladecheck\n"
        "site = pathlib.Path(bladecheck.__file__).parents[1]\n"
        "print(json.dumps([importlib.util.find_spec('torch') is None, sorted(p.name for p in site.iterdir())]))"
    )
    done = subprocess.run([alone / "python", "-c", code], capture_output=True, check=True, timeout=60, cwd=alone)
    no_torch, names = json.loads(done.stdout)
    assert no_torch
    assert not {"service", "models", "tests", "training", "bladecheck_training", "benchmarks", "docs"} & set(names)
