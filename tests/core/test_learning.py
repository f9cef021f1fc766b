"""Measuring and adapting on a user's own labels: refusals are sentences, and only what is better is installed."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from altered import alter
from bladecheck.cli import main
from bladecheck.core import bundle as bundles
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.learning import adapting, evaluating, installing, labels, measures
from bladecheck.core.learning.fitting import Table
from bladecheck.core.learning.seen import Looked, Store, groups, read_all, reading
from bladecheck.errors import LabelsError
from tiny import BLUE, GREEN, RED, draw, encode


def labelled(folder: Path, knives: int, others: int, purple: bool, unlike: bool = True) -> Path:
    """A labels file of drawn pictures; `purple`: the user's knives are purple, which the tiny model takes for none."""
    folder.mkdir(parents=True, exist_ok=True)
    chance, lines = np.random.default_rng(5), ["path,label,group"]
    for number in range(knives + others):
        knife = number < knives
        base = (130, 30, 130) if knife and purple else (220, 30, 30) if knife else (40, 140, 60)
        colour = tuple(int(v) for v in np.clip(np.array(base) + chance.integers(-30, 31, 3) * unlike, 0, 255))
        (folder / f"{number}.png").write_bytes(encode(draw((colour[0], colour[1], colour[2]), (40 + number % 9, 50))))
        lines.append(f"{number}.png,{'knife' if knife else 'other'},{number if unlike else ''}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


def command(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """The command that users type, in this process."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["bladecheck", *map(str, args)]
    try:
        with redirect_stdout(out), redirect_stderr(err), warnings.catch_warnings(), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    return subprocess.CompletedProcess(sys.argv, ended.value.code or 0, out.getvalue(), err.getvalue())


WRONG = {
    "no columns": ("a,b\n1,2\n", "has no column 'path'; its first line names a, b"),
    "no label": ("path,b\n1,2\n", "has no column 'label'"),
    "unknown label": ("path,label\n0.png,sword?\n", r"line 2: the label 'sword\?' is not known"),
    "missing picture": ("path,label\nx.png,knife\n", r"x\.png, which does not exist"),
    "both": ("path,label\n0.png,knife\n0.png,other\n", "line 3: 0.png is labelled knife and other"),
    "none": ("path,label\n", "labels no picture"),
    "unlabelled": ("path,label\n0.png,\n", "labels no picture"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_labels_file_that_is_not_understood_is_refused_with_the_line(name: str, tmp_path: Path) -> None:
    text, named = WRONG[name]
    (tmp_path / "0.png").write_bytes(encode(draw(RED)))
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(LabelsError, match=named):
        labels.read(tmp_path / "labels.csv")


def test_labels_come_in_many_words_and_separators(tmp_path: Path) -> None:
    words = {"knife": 1, "1": 1, "Yes": 1, "TRUE": 1, "other": 0, "0": 0, "no": 0, "False": 0}
    for number in range(len(words)):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    lines = [f"{number}.png;{word};g{number % 2}" for number, word in enumerate(words)]
    (tmp_path / "l.csv").write_bytes(("\ufeffFile;Label;Group\r\n" + "\r\n".join(lines)).encode())
    found = labels.read(tmp_path / "l.csv")
    assert [one.knife for one in found] == list(words.values())
    assert {one.group for one in found} == {"g0", "g1"}


def test_measures_agree_with_scikit_learn_and_with_wilson() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(2)
    truth, score = chance.integers(0, 2, 80), np.round(chance.random(80), 1)
    assert measures.auc(truth, score) == pytest.approx(metrics.roc_auc_score(truth, score))
    assert np.isnan(measures.auc(np.ones(3, np.int64), score[:3]))
    found = measures.share(8, 10)
    assert (found["low"], found["high"]) == pytest.approx((0.4902, 0.9433), abs=1e-3)
    assert measures.share(0, 0)["value"] is None


def test_only_the_surest_are_left_to_the_score() -> None:
    truth, score = np.array([1, 1, 0, 0, 1]), np.array([0.9, 0.8, 0.1, 0.2, 0.4])
    found = {part["coverage"]: part["wrong"] for part in measures.risk_coverage(truth, score, np.ones(5))}
    assert (found[1.0]["positives"], found[1.0]["n"], found[0.8]["positives"], found[0.8]["n"]) == (1, 5, 0, 4)


@pytest.mark.parametrize("combine", ["max", "first_and_max"])
def test_the_cached_looks_give_the_classifiers_own_logit(looking_path: Path, tmp_path: Path, combine: str) -> None:
    copy = Path(shutil.copytree(looking_path, tmp_path / "copy"))
    alter(copy, lambda manifest: manifest["preprocess"]["looks"].update(combine=combine))
    looking = Classifier.open(copy)
    corner = Image.new("RGB", (60, 60), (60, 60, 60))
    corner.paste(RED, (30, 30, 60, 60))
    pictures = [encode(corner), encode(draw(RED)), encode(draw(GREEN)), encode(draw(BLUE))]
    looked = Looked([reading(data, looking) for data in pictures], looking.bundle.manifest.preprocess.looks)
    head = adapting.shipped_head(looking.bundle)
    expected = [looking.classify_one(looking.load(data)).scores for data in pictures]
    assert looked.choose(head.weight, head.bias)[1] == pytest.approx([one.raw["knife"] for one in expected], abs=1e-4)
    assert head.probabilities(looked) == pytest.approx([one.labels["knife"] for one in expected], abs=1e-4)


def test_a_threshold_is_loosened_only_if_the_labels_prove_it() -> None:
    """40 knives without a miss leave 6 % possible; 300 do not. A tighter one needs no proof."""

    def bands(count: int, parent: tuple[float, float]) -> tuple[float, float]:
        truth = np.repeat([1, 0], count)
        score = np.concatenate([np.linspace(0.6, 1, count), np.linspace(0, 0.2, count)])
        return adapting.chosen_bands(truth, score, adapting.Targets(), parent)

    assert bands(40, (0.2, 0.9)) == (0.2, 0.9)
    assert bands(300, (0.2, 0.9)) == (pytest.approx(0.5, abs=0.2), pytest.approx(0.6, abs=0.1))
    assert bands(300, (0.2, 0.9))[0] > 0.2
    assert bands(40, (0.8, 0.9))[0] < 0.6
    truth, score = np.repeat([1, 0], 40), np.linspace(1, 0, 80)
    score[60] = 0.95
    assert adapting.chosen_bands(truth, score, adapting.Targets(), (0.2, 0.9))[1] > 0.95


def test_weights_count_as_so_many_pictures() -> None:
    chance = np.random.default_rng(4)
    truth, score, weight = chance.integers(0, 2, 50), chance.random(50), chance.integers(1, 4, 50)
    often = np.repeat(np.arange(50), weight)
    assert measures.auc(truth, score, weight.astype(float)) == pytest.approx(measures.auc(truth[often], score[often]))
    hit = score > 0.4
    weighted = measures.weighted_share(hit, weight.astype(float))
    assert weighted["value"] == pytest.approx(hit[often].mean(), abs=1e-4)
    assert measures.weighted_share(hit, np.full(50, 7.0)) == measures.share(int(hit.sum()), 50)
    assert (
        weighted["high"] - weighted["low"]
        > measures.share(int(hit[often].sum()), len(often))["high"]
        - (measures.share(int(hit[often].sum()), len(often))["low"])
    )


def test_what_was_read_is_kept_and_not_read_again(looking: Classifier, tmp_path: Path) -> None:
    found = labels.read(labelled(tmp_path / "own", 2, 2, purple=True))
    unreadable: list[tuple[labels.Labelled, str]] = []
    first = [one for _, one in read_all(found, Store(tmp_path / "kept", looking), unreadable)]
    kept = list((tmp_path / "kept").rglob("*.npz"))
    assert len(kept) == 4
    assert not list((tmp_path / "kept").rglob("*.part"))
    np.savez(kept[0], embedding=np.full((1, 3), 7, np.float32), kind=np.zeros(1, np.int8))
    second = [one for _, one in read_all(found, Store(tmp_path / "kept", looking), unreadable)]
    assert sum(bool((one.embedding == 7).all()) for one in second) == 1
    assert len(first) == 4
    found[0].path.write_bytes(b"text")
    assert len(list(read_all(found, Store(tmp_path / "kept", looking), unreadable))) == 3
    assert "bytes start with" in unreadable[0][1]


def test_look_alikes_and_named_groups_are_never_on_both_sides() -> None:
    whole = np.random.default_rng(1).normal(size=(30, 8))
    whole[7] = whole[3] + 1e-4
    named = [labels.Labelled(Path("x"), str(n), n % 2, "same" if n in (1, 9) else None) for n in range(30)]
    found = groups(named, whole)
    assert found[7] == found[3]
    assert found[1] == found[9]
    assert len(set(found)) == 28

    class Given:
        pass

    given = Given()
    given.whole = whole  # type: ignore[attr-defined]
    table = Table(given, np.array([n % 2 for n in range(30)]), found)  # type: ignore[arg-type]
    parts = table.folds(np.arange(30), 5)
    assert sorted(np.concatenate(parts)) == list(range(30))
    for part in parts:
        assert (7 in part) == (3 in part)
        assert (1 in part) == (9 in part)


def test_labels_that_the_shipped_head_gets_wrong_are_learned(looking_path: Path, tmp_path: Path) -> None:
    source = labelled(tmp_path / "own", 60, 60, purple=True)
    before = command("evaluate", source, "--bundle", looking_path, "--json")
    out = tmp_path / "models" / "mine"
    done = command("adapt", source, "-o", out, "--bundle", looking_path)
    assert done.returncode == 0, done.stderr
    assert "Installed" in done.stdout
    assert "looking 1.0.0" in done.stdout
    assert "adapted (cross-validated)" in done.stdout
    made, parent = Classifier.open(out), bundles.load(looking_path)
    manifest = made.bundle.manifest
    assert (manifest.name, manifest.parent) == ("mine", parent.sha256)
    assert replay(made).worst == 0.0
    after = command("evaluate", source, "--bundle", out, "--json")
    assert json.loads(before.stdout)["knives not clear"]["value"] < 0.9
    measured = json.loads(after.stdout)
    assert measured["knives not clear"]["value"] >= 0.95
    assert measured["others held"]["value"] <= 0.05
    red = made.classify_one(made.load(encode(draw(RED))))
    assert red.scores.raw["gun"] == Classifier(parent).classify_one(made.load(encode(draw(RED)))).scores.raw["gun"]
    card = (out / installing.CARD).read_text()
    assert parent.sha256 in card
    assert "cross-validated" in card
    again = command("adapt", source, "-o", out, "--bundle", looking_path)
    assert (again.returncode, "--overwrite" in again.stderr) == (1, True)


def test_nothing_is_installed_that_is_not_better(looking_path: Path, tmp_path: Path) -> None:
    source = labelled(tmp_path / "own", 24, 24, purple=False)
    truth = source.read_text().splitlines()
    np.random.default_rng(0).shuffle(words := [line.split(",")[1] for line in truth[1:]])
    shuffled = [
        f"{line.split(',')[0]},{word},{line.split(',')[2]}" for line, word in zip(truth[1:], words, strict=True)
    ]
    source.write_text("\n".join([truth[0], *shuffled]))
    parent = tmp_path / "parent"
    parent.mkdir()
    for file in looking_path.iterdir():
        (parent / file.name).write_bytes(file.read_bytes())
    alter(parent, lambda m: m["calibration"]["labels"].update(knife={"scale": 0.01, "shift": 0.0}))
    done = command("adapt", source, "-o", tmp_path / "mine", "--bundle", parent)
    assert done.returncode == 0, done.stderr
    assert "Nothing installed" in done.stdout
    assert not (tmp_path / "mine").exists()


def test_what_cannot_be_adapted_is_refused_in_a_sentence(looking_path: Path, tiny_path: Path, tmp_path: Path) -> None:
    few = labelled(tmp_path / "few", 3, 30, purple=True)
    same = labelled(tmp_path / "same", 25, 25, purple=True, unlike=False)
    (tmp_path / "full").mkdir()
    for args, named in (
        ((few, "-o", tmp_path / "mine"), "labels 3 pictures knife and 30 other; at least 20 of each"),
        ((same, "-o", tmp_path / "mine"), "groups of look-alikes"),
        ((same, "-o", tmp_path / "full"), "exists and is no bundle"),
        ((tmp_path / "none.csv", "-o", tmp_path / "mine"), "can't be read"),
    ):
        done = command("adapt", *args, "--bundle", looking_path)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
        assert named in done.stderr
        assert "[bad_labels]" in done.stderr
    done = command("adapt", same, "-o", tmp_path / "mine", "--bundle", tiny_path)
    assert "gives no embedding" in done.stderr


def test_evaluating_lists_what_is_wrong_and_what_could_not_be_judged(looking_path: Path, tmp_path: Path) -> None:
    source = labelled(tmp_path / "own", 6, 6, purple=False)
    (tmp_path / "own" / "0.png").write_bytes(encode(draw((60, 60, 60))))
    (tmp_path / "own" / "11.png").write_bytes(b"text")
    done = command("evaluate", source, "--bundle", looking_path, "--errors", tmp_path / "wrong.csv")
    assert done.returncode == 2
    assert "11 pictures, 6 with a knife; 1 could not be read." in done.stdout
    assert "not judged: 11.png" in done.stderr
    with (tmp_path / "wrong.csv").open(newline="") as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == ["0.png"]
    found = evaluating.evaluate(labels.read(source), Classifier.open(looking_path))
    assert sum(found.measured()["confusion"]["knife"].values()) == 6
    one_kind = tmp_path / "own" / "one.csv"
    one_kind.write_text("path,label\n1.png,knife\n")
    done = command("evaluate", one_kind, "--bundle", looking_path)
    assert "labels 1 pictures knife and 0 other; at least 1 of each" in done.stderr
