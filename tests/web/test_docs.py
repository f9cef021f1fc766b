"""Docs are tests: every example is run, every setting, code and measurement is listed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bladecheck.core import policy_file
from bladecheck.core.policy_file import parse
from bladecheck.web import http_errors
from bladecheck.web.settings import Settings
from serving import Running, environment
from tiny import RED, draw, encode

DOCS = Path(__file__).parents[2] / "docs"
API = (DOCS / "api.md").read_text()
OPERATIONS = (DOCS / "operations.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(encode(draw(RED, (320, 240)), "JPEG"))
    return tmp_path


def adapted(block: str, server: Running) -> str:
    return block.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace('"base"', '"tiny"')


def test_there_are_examples_in_every_language() -> None:
    assert len(blocks(API, "sh")) >= 5
    assert len(blocks(API, "python")) >= 3
    assert blocks(API, "r")


@pytest.mark.parametrize("index", range(len(blocks(API, "sh"))))
def test_curl_examples_run(server: Running, folder: Path, index: int) -> None:
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    command = adapted(blocks(API, "sh")[index], server).replace("curl ", "curl --silent --show-error ", 1)
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout or (folder / "copy.jpg").stat().st_size > 100


@pytest.mark.parametrize("index", range(len(blocks(API, "python"))))
def test_python_examples_run(server: Running, folder: Path, index: int) -> None:
    code = adapted(blocks(API, "python")[index], server)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert b"hold" in done.stdout


def test_the_r_example_runs(server: Running, folder: Path) -> None:
    if not shutil.which("Rscript"):
        pytest.skip("needs R with the package httr2")
    code = "if (!requireNamespace('httr2', quietly = TRUE)) quit(status = 99)\n" + adapted(blocks(API, "r")[0], server)
    done = subprocess.run(["Rscript", "-e", code], cwd=folder, capture_output=True, timeout=60)
    if done.returncode == 99:
        pytest.skip("needs the R package httr2")
    assert done.returncode == 0, done.stderr
    assert b"hold" in done.stdout


def test_the_settings_page_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "settings.py")], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert done.stdout == (DOCS / "settings.md").read_text(), "run: python docs/settings.py > docs/settings.md"
    assert all(field.description for field in Settings.model_fields.values())


def every(base: type[http_errors.RequestError]) -> set[type[http_errors.RequestError]]:
    return {base}.union(*(every(child) for child in base.__subclasses__()))


def test_every_code_is_explained() -> None:
    rows = set(re.findall(r"^\| (\d+) \| `(\w+)`", API, re.M))
    own = {http_errors.RequestError, http_errors.ClientGone, http_errors.BadTensor, http_errors.UnknownModel}
    for error in every(http_errors.RequestError) - own:
        assert (str(error.status), error.code) in rows


def test_every_measurement_is_explained(server: Running) -> None:
    with server.client() as client:
        text = client.get("/metrics").text
    names = {name for name in re.findall(r"^# TYPE (\S+) ", text, re.M) if not name.endswith("_created")}
    assert len(names) >= 10
    assert {name for name in names if f"`{name}`" not in OPERATIONS} == set()


def test_every_policy_key_is_explained() -> None:
    text = (DOCS / "policy.md").read_text()
    for name in policy_file.available():
        for key in tomllib.loads((policy_file.folder() / f"{name}.toml").read_text()):
            assert f"`{key}`" in text or f"`[{key}]`" in text
        assert f"`{name}`" in text
    for block in blocks(text, "toml"):
        assert parse(block.encode(), "docs/policy.md").approver_required
