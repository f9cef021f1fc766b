"""Policy files: what is shipped, what is refused, and that every surface applies and names them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from bladecheck.core import policy_file
from bladecheck.core.bundle import Band
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy
from bladecheck.errors import PolicyError
from serving import COMMAND, environment, serve
from tiny import BLUE, GREEN, RED, draw, encode

START = 'name = "mine"\nsummary = "A test."\n'


def test_the_shipped_policies_are_complete() -> None:
    assert policy_file.available() == ["default", "only-when-necessary"]
    for name in policy_file.available():
        found = policy_file.find(name)
        assert found.name == name
        assert found.sha256 == hashlib.sha256((policy_file.folder() / f"{name}.toml").read_bytes()).hexdigest()
        assert set(found.wording) == {*map(str, Decision), "gun", "other_weapon"}
        assert set(found.alt_text) >= set(found.wording)
        for text in [*found.wording.values(), *found.alt_text.values(), *found.post.values()]:
            assert "{" not in text.format(kind="sword", organisation="Anytown Police", helplines="Call 101.")
    assert policy_file.find("only-when-necessary").approver_required


def test_the_shipped_default_decides_as_the_plain_rules_do() -> None:
    found, plain = policy_file.find(), Policy()
    rules = ("name", "gun", "food", "drawing", "thresholds", "approver_required")
    assert all(getattr(found, rule) == getattr(plain, rule) for rule in rules)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        START + 'gun = "ignore"\nfood = "check"\ndrawing = "check"\napprover_required = true\n'
        "[thresholds.knife]\ncheck = 0.2\nhold = 0.9\n[thresholds.gun]\ncheck = 0\nhold = 1\n"
        '[wording]\nhold = "Not the {kind}."\n[alt_text]\nclear = "A scene."\n'
    )
    found = policy_file.find(path)
    assert (found.gun, found.food, found.drawing, found.approver_required) == ("ignore", "check", "check", True)
    assert found.thresholds == {"knife": Band(check=0.2, hold=0.9), "gun": Band(check=0, hold=1)}
    assert found.wording == {"hold": "Not the {kind}."}
    assert found.alt_text["clear"] == "A scene."
    assert found.alt_text["hold"] == policy_file.find().alt_text["hold"]


def test_words_come_from_a_wording_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(START + 'wording = "cy"\norganisation = "Heddlu"\n[post]\nhold = "{organisation}: {kind}"\n')
    found = policy_file.find(path)
    assert (found.language, found.organisation, found.post["hold"]) == ("cy", "Heddlu", "{organisation}: {kind}")
    assert found.wording["clear"].startswith("Ni chafwyd")
    assert "Crimestoppers" in found.helplines
    (tmp_path / "ours.toml").write_text('organisation = "Ours"\n[advice]\nhold = "No."\n')
    path.write_text(START + 'wording = "ours.toml"\n')
    assert (policy_file.find(path).organisation, policy_file.find(path).wording) == ("Ours", {"hold": "No."})


BAD = [
    ("colour = 1", "unknown key 'colour'; known: name, summary, approver_required"),
    ("[thresholds.axe]\ncheck = 0.1\nhold = 0.2", "unknown label 'axe'"),
    ("[thresholds.knife]\ncheck = 0.3\nhold = 0.2", "thresholds.knife"),
    ("[thresholds.knife]\ncheck = 0.3\nhold = 1.2", "thresholds.knife.hold"),
    ("[thresholds.knife]\nhold = 0.2", "thresholds.knife.check"),
    ("[thresholds.knife]\ncheck = 0.1\nhold = 0.2\nlow = 0", "unknown key 'thresholds.knife.low'; known: check, hold"),
    ("[thresholds.Knife]\ncheck = 0.1\nhold = 0.2", "thresholds.Knife: unknown label 'Knife'"),
    ('gun = "shoot"', "gun"),
    ('food = "ignore"', "food"),
    ('approver_required = "yes"', "approver_required"),
    ('[wording]\nheld = "x"', "wording.held"),
    ('[wording]\nhold = "{name}"', "unknown placeholder 'name'"),
    ('[wording]\nhold = "{kind.__class__}"', "unknown placeholder"),
    ('[wording]\nhold = "{"', "braces"),
    ("name", "TOML"),
    ('wording = "fr"', "No wording 'fr'"),
    ('[post]\nheld = "x"', "unknown case 'held'"),
    ('[post]\nhold = "{place}"', "unknown placeholder 'place'"),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_what_is_not_known_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message) as caught:
        policy_file.parse((START + text).encode(), "mine.toml")
    assert "mine.toml" in caught.value.detail


def test_a_missing_policy_names_those_that_exist() -> None:
    with pytest.raises(PolicyError, match="default, only-when-necessary"):
        policy_file.find("no-such-policy")


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    path = tmp_path / "strict.toml"
    path.write_text(START + 'gun = "hold"\n[thresholds.knife]\ncheck = 0.0\nhold = 0.99\n')
    return path


def test_the_server_applies_and_names_the_policy(tiny_path: Path, strict: Path) -> None:
    with serve(tiny_path, "--policy", str(strict)) as running, running.client() as http:
        parts = [("file", ("a", encode(draw(colour)))) for colour in (RED, BLUE, GREEN)]
        body = http.post("/v1/classify", files=parts).json()
        named = {"name": "mine", "sha256": hashlib.sha256(strict.read_bytes()).hexdigest()}
        assert [item["decision"] for item in body["results"]] == ["hold", "hold", "check"]
        assert [item["policy"] for item in [body, *body["results"]]] == [named] * 4
        assert http.get("/v1/model").json()["policy"] == named


def test_the_command_line_applies_and_names_the_policy(tiny_path: Path, strict: Path, tmp_path: Path) -> None:
    picture = tmp_path / "blue.png"
    picture.write_bytes(encode(draw(BLUE)))
    command = [*COMMAND[:-1], "classify", str(picture), "--json", "--bundle", str(tiny_path), "--policy"]
    done = subprocess.run([*command, str(strict)], env=environment(), capture_output=True, text=True, timeout=60)
    result = json.loads(done.stdout)
    assert (result["decision"], result["policy"]["name"]) == ("hold", "mine")
    bad = tmp_path / "bad.toml"
    bad.write_text(START + "colour = 1")
    done = subprocess.run([*command, str(bad)], env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "unknown key 'colour'" in done.stderr
