"""What may import what, and what an import may bring along."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "service" / "bladecheck"


def test_import_linter_keeps_its_contracts() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:]


def modules() -> list[str]:
    found = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    names = [".".join(part for part in path.parts if part != "__init__") for path in found]
    return [name for name in names if not name.endswith("__main__")]


def test_no_import_brings_torch_or_reads_a_model() -> None:
    """All modules, in one fresh process: no torch, no open sockets or threads, nothing printed."""
    code = (
        "import importlib, json, sys, threading\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "heavy = sorted({'torch', 'torchvision', 'timm', 'tensorflow', 'matplotlib', 'sklearn'} & set(sys.modules))\n"
        "assert not heavy, heavy\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(modules())], capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_core_reads_no_environment_and_prints_nothing() -> None:
    core = [
        PACKAGE / "errors.py",
        PACKAGE / "file_formats.py",
        PACKAGE / "machine.py",
        *sorted((PACKAGE / "core").glob("*.py")),
    ]
    for path in core:
        name, nodes = path.name, list(ast.walk(ast.parse(path.read_text())))
        # Written, not read: the classifier turns its runtime's telemetry off.
        written = [node.value for node in nodes if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store)]
        for node in nodes:
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called not in {"print", "os.getenv", "logging.getLogger", "time.time", "open"}, f"{name}: {called}"
            assert not (isinstance(node, ast.Attribute) and node.attr == "environ" and node not in written), name
            assert not isinstance(node, ast.Global), name


def imported() -> dict[str, str]:
    """Every foreign top-level module that the service imports, with a file that does."""
    found: dict[str, str] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in names:
                found.setdefault(name.partition(".")[0], str(path.relative_to(REPOSITORY)))
    return {name: path for name, path in found.items() if name not in sys.stdlib_module_names | {"bladecheck"}}


DISTRIBUTIONS = {
    "cyclonedx": "cyclonedx-python-lib",
    "packageurl": "packageurl-python",
    "PIL": "pillow",
    "starlette": "fastapi",
}


def test_every_import_is_a_declared_dependency() -> None:
    """A development tool must not stand in for a runtime dependency that users then lack."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    extras = {name: items for name, items in project["optional-dependencies"].items() if name not in ("dev", "train")}
    runtime = [*project["dependencies"], *(item for items in extras.values() for item in items)]
    declared = {re.split(r"[\s\[<>=!~;]", item, maxsplit=1)[0].lower() for item in runtime}
    undeclared = {
        name: path
        for name, path in imported().items()
        if not declared & {name.lower().replace("_", "-"), DISTRIBUTIONS.get(name, "")}
    }
    assert not undeclared
