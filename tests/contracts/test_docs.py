"""What the program can say or take stands in the documents, and the documents name nothing that is gone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bladecheck import errors
from bladecheck.cli import commands as commands_file
from bladecheck.cli import exit_codes
from bladecheck.core import taxonomy, verdict
from bladecheck.web import http_errors

REPOSITORY = Path(__file__).parents[2]
REFERENCE = (REPOSITORY / "docs" / "reference.md").read_text()


def documents() -> str:
    paths = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
    return "\n".join(path.read_text() for path in paths)


def section(title: str) -> str:
    return REFERENCE.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_column(title: str) -> set[str]:
    return set(re.findall(r"^\| `?([^|`]+?)`? +?\|", section(title), re.MULTILINE)) - {"code", "decision"}


def below(kind: type[Any]) -> Iterator[type[Any]]:
    yield kind
    for child in kind.__subclasses__():
        yield from below(child)


def test_every_picture_error_is_documented_and_none_besides() -> None:
    codes = {kind.code for kind in below(errors.PictureError) if kind.__module__.startswith("bladecheck.")}
    assert first_column("Error codes of a picture") == codes


def test_every_command_error_is_documented_and_none_besides() -> None:
    pictures = set(below(errors.PictureError))
    kinds = {kind for kind in below(errors.BladecheckError) if kind.__module__ == "bladecheck.errors"} - pictures
    assert first_column("Error codes of a command") == {kind.code for kind in kinds}


def test_every_http_error_is_documented_with_its_status() -> None:
    codes = {
        kind.code: kind.status for kind in below(http_errors.RequestError) if kind.__module__.startswith("bladecheck.")
    }
    found = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", section("Error codes over HTTP"), re.MULTILINE))
    assert found == {**{code: str(status) for code, status in codes.items()}, "not_found": "404"}
    assert set(http_errors.TITLES) <= set(found)


def test_every_reason_is_documented_word_for_word() -> None:
    found = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", section("Reason codes"), re.MULTILINE))
    blades = {f"blade_{name}": f"It looks like this kind: {words}." for name, words in taxonomy.BLADE_WORDS.items()}
    weapons = {f"weapon_{name}": f"It looks like this kind: {words}." for name, words in taxonomy.WEAPON_WORDS.items()}
    assert found == {**verdict.REASONS, **blades, **weapons}


def test_every_label_kind_and_feature_is_explained() -> None:
    text = (REPOSITORY / "docs" / "labels.md").read_text()
    explained = set(re.findall(r"`(\w+)`", text))
    weapons = getattr(taxonomy, "WEAPONS", ())
    assert {*taxonomy.LABELS, *taxonomy.BLADES, *weapons, *taxonomy.FEATURES, *taxonomy.Decision} <= explained


def test_the_documents_show_the_bundle_that_ships() -> None:
    """Examples and figures of an older model would be read as this one's."""
    shipped = json.loads((REPOSITORY / "models" / "base" / "bundle.json").read_text())["version"]
    shown = [(REPOSITORY / "docs" / name).read_text() for name in ("api.md", "researchers.md", "accuracy.md")]
    for text in (*shown, (REPOSITORY / "README.md").read_text()):
        found = set(re.findall(r'(?:`base`|"base", "version":|Model base) "?(\d+\.\d+\.\d+)', text))
        assert found == {shipped}


def test_every_decision_and_exit_code_is_documented() -> None:
    assert first_column("Decisions") == set(taxonomy.Decision)
    codes = {str(value) for name, value in vars(exit_codes).items() if name.isupper()}
    assert first_column("Exit codes") == codes


def commands(command: Any, path: str = "bladecheck") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands(typer.main.get_command(commands_file.app)))


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_is_documented(path: str) -> None:
    text = documents()
    assert path in text
    options = {option for item in COMMANDS[path].params for option in item.opts if option.startswith("--")}
    missing = {option for option in options if not re.search(rf"(?<![\w-]){option}(?![\w-])", text)}
    assert not missing


def test_every_option_in_the_reference_exists() -> None:
    known = {option for command in COMMANDS.values() for item in command.params for option in item.opts} | {
        "--help",
        "-h",
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", REFERENCE))
    assert named <= known


@pytest.mark.parametrize(
    "path", [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))], ids=lambda p: p.name
)
def test_links_between_the_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name} links to {target}"
