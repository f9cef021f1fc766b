"""The parts of the pipeline that have laws of their own."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from sklearn.metrics import average_precision_score, roc_auc_score

from bladecheck.core import weights
from bladecheck.core.bundle import Looks, Outputs
from bladecheck.core.looks import WHOLE, combined
from bladecheck.core.preprocess import prepare_part
from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS
from bladecheck.core.unlike import MeasuredRange
from bladecheck_training import (
    calibrate,
    compose,
    compress,
    config,
    gptq,
    last,
    looks,
    losses,
    manifest,
    metrics,
    novelty,
    occupancy,
    study,
    truth,
    views,
)
from bladecheck_training.augment import cut_out
from bladecheck_training.config import Data, Targets
from bladecheck_training.manifest import Row
from bladecheck_training.net import BLADE, KNIFE, NAMES, WIDTH, Heads


@pytest.mark.parametrize("bits", [4, 5, 6])
def test_packed_codes_come_back(bits: int, tmp_path: Path) -> None:
    codes = np.random.default_rng(bits).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (256, 6)).astype(np.int8)
    part = weights.pack(codes, bits) | {"scales": np.ones((2, 6), np.float16), "smooth": np.ones(256, np.float32)}
    np.savez(tmp_path / weights.FILE, **{f"q0.{key}": value for key, value in part.items()})
    np.testing.assert_array_equal(weights.unpack(tmp_path / weights.FILE)["q0"], codes)
    assert sum(part[key].nbytes for key in ("low", "high") if key in part) == codes.size * bits // 8


def test_gptq_beats_rounding_on_correlated_inputs() -> None:
    torch.manual_seed(0)
    inputs = torch.randn(2000, 16) @ torch.randn(16, 128) + 0.1 * torch.randn(2000, 128)
    weight = torch.randn(32, 128)
    small = gptq.quantise(weight, inputs.T @ inputs, 4)
    scale = weight.abs().amax(1, keepdim=True) / 7
    rounded = (weight / scale).round() * scale
    exact = inputs @ weight.T
    error = (inputs @ small.dequantise() - exact).square().mean()
    assert error < 0.5 * (inputs @ rounded.T - exact).square().mean()


def test_smoothing_divides_outliers() -> None:
    top = torch.tensor([1.0, 1.0, 100.0])
    divisor = compress.smoothing(top, torch.ones(4, 3))
    assert (top / divisor).max() / (top / divisor).min() < 15


def test_folds_never_split_a_group() -> None:
    rows = [Row(str(i), Path("x"), "police", {"knife": i % 3 % 2}, group=f"g{i // 3}") for i in range(60)]
    folds = study.police_folds(rows)
    groups = [{rows[int(name)].group for name in part} for part in folds]
    assert sorted(int(name) for part in folds for name in part) == list(range(60))
    assert all(groups)
    assert sum(len(part) for part in groups) == len(set().union(*groups)) == 20


def test_data_that_cannot_be_measured_is_refused_at_once() -> None:
    def rows(**counts: tuple[int, int]) -> list[Row]:
        return [
            Row(f"{split}{knife}{i}", Path("x"), split, {"knife": knife}, group=f"{split}{i}", source="a/web")
            for split, (others, knives) in counts.items()
            for knife, count in ((0, others), (1, knives))
            for i in range(count)
        ]

    manifest.check(rows(train=(3, 3), dev=(2, 2)), ["a/web"])
    manifest.check(rows(train=(3, 3), dev=(2, 2), police=(5, 5)), [])
    with pytest.raises(ValueError, match="'dev' needs pictures with and without a knife; it has 0 and 2"):
        manifest.check(rows(train=(3, 3), dev=(2, 0)), [])
    with pytest.raises(ValueError, match="'police' needs 5 groups to cross-validate, or no picture; it has 4"):
        manifest.check(rows(train=(3, 3), dev=(2, 2), police=(4, 4)), [])
    with pytest.raises(ValueError, match="no picture has the source 'a/wep'; there are: a/web"):
        manifest.check(rows(train=(3, 3), dev=(2, 2)), ["a/wep"])
    split = [*rows(train=(3, 3), dev=(2, 2)), Row("x", Path("x"), "dev", {"knife": 1}, group="train0")]
    with pytest.raises(ValueError, match="group 'train0' has pictures in 'train' and 'dev'"):
        manifest.check(split, [])


def test_a_small_knife_is_learnt_like_a_large_one() -> None:
    share = torch.zeros((2, 196))
    share[0, :2], share[1, :] = 1, 1
    scores = torch.full((2, 196), -20.0).masked_fill(share > 0, 20.0)
    assert float(losses._patches(scores, torch.ones(2), share, torch.ones(2))) < 1e-6


def test_the_map_learns_parts_where_they_are_known_and_their_union_elsewhere() -> None:
    cells = torch.zeros((3, 4, 4, 4))
    cells[0, 0, 0, 0] = 1  # blade
    cells[1, 2, 0, 0] = 1  # blade or handle
    cells[2, 3] = 1  # may be anything
    right = torch.full((3, 2, 4, 4), -20.0)
    right[0, 0, 0, 0] = 20
    right[1, 1, 0, 0] = 20
    right[2] = 5.0
    knife, asked = torch.ones(3), torch.zeros(3, dtype=torch.bool)
    assert float(losses._occupancy(right, knife, cells, asked)) < 1e-4
    wrong = right.clone()
    wrong[0, :, 0, 0] = torch.tensor([-20.0, 20.0])
    assert float(losses._occupancy(wrong, knife, cells, asked)) > 0.5
    missed = right.clone()
    missed[1, 1, 0, 0] = -20
    assert float(losses._occupancy(missed, knife, cells, asked)) > 0.5


def test_unreadable_pictures_and_labels_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"a\.jpg"):
        views.open_row(Row("a", tmp_path / "a.jpg", "train", {"knife": 1}))
    (tmp_path / "l.csv").write_text("id,split,knife\na,train,1\nb,val,0\n")
    with pytest.raises(ValueError, match="line 3: split 'val'"):
        manifest.read(tmp_path / "l.csv")
    (tmp_path / "l.csv").write_text("id,split,knife\na,train,yes\n")
    with pytest.raises(ValueError, match="line 2: knife 'yes'"):
        manifest.read(tmp_path / "l.csv")


def test_simple_labels_files(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("path,label\na.jpg,zombie\nb.jpg,none\nc.jpg,gun\n")
    rows = manifest.read(tmp_path / "mine.csv")
    assert [row.knife for row in rows] == [1, 0, 0]
    assert rows[0].blade == "zombie"
    assert rows[0].path == tmp_path / "a.jpg"
    (tmp_path / "bad.csv").write_text("path,label\na.jpg,blade\n")
    with pytest.raises(ValueError, match="line 2: label 'blade'"):
        manifest.read(tmp_path / "bad.csv")


def test_unknown_config_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text('[data]\nlabels = "l.csv"\n[model]\nname = "a"\nversion = "1"\nbackbone = "b"\nlayers = 3\n')
    with pytest.raises(ValueError, match="unknown key 'layers'"):
        config.read(path)


CROPS = ((0.0, 0.0, 0.6, 0.6), (0.4, 0.4, 1.0, 1.0))


def library(labelled: Path) -> views.Library:
    data = Data(
        str(labelled / "labels.csv"),
        outlines=str(labelled / "outlines.json"),
        police_views=2,
        parts=6,
        laid=12,
        lifted=1,
        tools=("b/tools",),
    )
    return views.Library(manifest.load(data), data)


def test_views_are_the_same_every_time(labelled: Path) -> None:
    found = library(labelled)
    spec = views.Spec(64, "squash", "bicubic")
    for view in views.plan(found, CROPS)[::9]:
        first, again = (views.render(view, found, spec, CROPS) for _ in range(2))
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])


def test_held_out_pictures_never_train(labelled: Path) -> None:
    found = library(labelled)
    for view in views.plan(found, CROPS):
        splits = {found.rows[name].split for name in view.ids}
        assert len(splits) == 1
        assert view.kind in ("whole", "look") or "dev" not in splits
        assert view.kind in ("whole", "look", "turned", "lifted") or splits == {"train"}


def test_a_look_is_the_part_that_the_service_looks_at(labelled: Path) -> None:
    found, spec = library(labelled), views.Spec(64, "squash", "bicubic")
    pixels, _ = views.render(views.View("look", ("p50",), 1), found, spec, CROPS)
    np.testing.assert_array_equal(pixels, prepare_part(found.open("p50"), spec, CROPS[1]))


def test_of_a_part_only_what_shows_is_known(labelled: Path) -> None:
    found, spec = library(labelled), views.Spec(64, "squash", "bicubic")
    place = {name: index for index, name in enumerate(NAMES)}
    corner, middle = ((0.7, 0.7, 1.0, 1.0), (0.1, 0.1, 0.7, 0.5))
    for crop, knife in ((corner, 0.0), (middle, 1.0)):
        view = views.View("look", ("p72",), 0)
        known = truth.of(view, found, views.render(view, found, spec, [crop])[1])
        assert known.labels[place["knife"]] == knife
    view = views.View("look", ("p73",), 0)
    assert truth.of(view, found, views.render(view, found, spec, [corner])[1]).labels[place["knife"]] == 0.0


def test_classes_move_with_the_picture() -> None:
    image = Image.new("RGB", (80, 60), (90, 90, 90))
    ImageDraw.Draw(image).rectangle((20, 20, 50, 40), fill=(250, 10, 10))
    scene = compose.outlined(image, [("blade", ((25, 33), (63, 33), (63, 67), (25, 67)))])
    for seed in range(12):
        moved = compose.turned(np.random.default_rng(seed), scene)
        red = np.asarray(moved.image)[:, :, 0].astype(int) - np.asarray(moved.image)[:, :, 1]
        blade = np.asarray(moved.classes) == compose.BLADE
        assert ((red > 80) == blade).mean() > 0.95
    cells = compose.cells(scene.classes, 8)
    share = (np.asarray(scene.classes) == compose.BLADE).mean()
    assert cells[0].mean() / 255 == pytest.approx(share, abs=0.01)
    assert cells[1:].max() == 0


def test_what_is_laid_on_a_scene_is_marked_where_it_lies() -> None:
    thing = Image.new("RGB", (40, 20), (0, 200, 0))
    piece = compose.piece(thing, Image.new("L", (40, 20), 255), knife=True)
    for seed in range(8):
        scene = compose.plain(Image.new("RGB", (200, 160), (200, 200, 200)))
        laid = compose.lay(np.random.default_rng(seed), scene, piece, (0.3, 0.8))
        green = np.asarray(laid.image)[:, :, 1].astype(int) - np.asarray(laid.image)[:, :, 0]
        marked = np.asarray(laid.classes) == compose.EITHER
        assert marked.any()
        assert ((green > 60) == marked).mean() > 0.97


def test_looks_combine_as_in_the_service() -> None:
    logits = np.random.default_rng(0).normal(0, 2, (5, 4, WIDTH)).astype(np.float32)
    outputs = Outputs(labels=LABELS, blades=BLADES, features=FEATURES, weapons=WEAPONS)
    kinds: tuple[Literal["best", "weighted"], ...] = ("best", "weighted")
    joins: tuple[Literal["max", "first_and_max"], ...] = ("max", "first_and_max")
    for kind, join in itertools.product(kinds, joins):
        rule = Looks(crops=(WHOLE,), combine=join, kinds=kind, again_from=0, again_to=1)
        ours = looks.combine(logits, kind, join)
        theirs = np.stack([combined(each, outputs, rule) for each in logits])
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    rule = looks.Rule(0.5, 0.9)
    again = rule.again(logits)
    np.testing.assert_array_equal(rule.combined(logits)[~again], logits[~again, 0])


def test_refitting_keeps_the_columns_it_is_told_to() -> None:
    torch.manual_seed(0)
    heads, x = Heads(8), torch.randn(200, 17)
    nothing = torch.full((200, WIDTH), float("nan"))
    blade = (x[:, 3] > 0).long()
    target = losses.Targets(nothing[:, :3], nothing[:, 11:20], blade, blade - blade - 1, torch.ones(200),
                            torch.zeros(200, dtype=torch.bool), nothing, torch.ones(8), torch.ones(9))  # fmt: skip
    target = dataclasses.replace(target, labels=(x[:, :3] > 0).float())
    before = heads.out.weight.detach().clone()
    last.refit(heads, x, target, 1e-3, kept=[KNIFE])
    torch.testing.assert_close(heads.out.weight[KNIFE], before[KNIFE])
    right = (heads.out(x)[:, BLADE].argmax(1) == blade).float().mean()
    assert right > 0.95
    held = Heads(8)
    start = held.out.weight.detach().clone()
    last.refit(held, x, target, 1e6)
    torch.testing.assert_close(held.out.weight, start, atol=1e-3, rtol=0)


def test_a_gate_asks_no_more_often_than_it_may() -> None:
    rng = np.random.default_rng(4)
    labels = np.r_[np.ones(50, int), np.zeros(500, int)]
    score = np.clip(np.r_[rng.beta(2, 3, 50), rng.beta(1, 3, 500)], 0, 1)
    check, hold = calibrate.gate([(score, labels)], 0.05, 0.02, 0.01)
    assert (score[labels == 0] >= check).mean() <= 0.02
    assert (score[labels == 0] >= hold).mean() <= 0.01
    easy, _ = calibrate.gate([(labels * 0.5 + 0.2, labels)], 0.05, 0.02, 0.01)
    assert ((labels * 0.5 + 0.2)[labels == 1] >= easy).mean() >= 0.95


def test_what_is_said_is_as_often_right_as_promised() -> None:
    score, right = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([1.0, 1.0, 0.0, 1.0, 0.0])
    assert calibrate.sure(score, right, 0.25) == 0.6
    assert calibrate.sure(score, 1 - right, 0.25) == 1.0


def test_the_measured_range_is_what_the_service_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    known = (rng.normal(0, 1, (300, 40)) * np.linspace(5, 0.1, 40)).astype(np.float32)
    found = novelty.fit(known)
    np.savez(tmp_path / "heads.npz", mean=found.mean, basis=found.basis)
    limit = novelty.limit(known)
    ours = novelty.distance(found, known)
    assert (ours > limit).mean() <= 0.02
    theirs = [MeasuredRange(tmp_path, limit).distance(each) for each in known[:5]]
    np.testing.assert_allclose(ours[:5] / limit, theirs, rtol=1e-4)
    assert novelty.distance(found, known[:1] + 50)[0] > limit
    weak = np.zeros((1, 40), np.float32)
    weak[0, -1] = 0.01
    assert novelty.distance(found, found.mean + weak)[0] > limit, "what is hardly seen at all need not be usual"


def test_a_blur_is_useful_if_it_hides_the_blade_and_little_else() -> None:
    blade = ("blade", ((0.0, 0.0), (25.0, 0.0), (25.0, 25.0), (0.0, 25.0)))
    row = Row("a", Path("x"), "police", {"knife": 1}, outline=(blade,))
    maps = np.zeros((3, occupancy.SIDE, occupancy.SIDE), np.float32)
    quarter = occupancy.SIDE // 4
    maps[0, :quarter, :quarter], maps[1] = 1, 1
    covered, spilt = occupancy.hiding([row] * 3, maps, 0.5)
    assert occupancy.useful(covered, spilt).tolist() == [True, False, False]
    assert covered[2] == spilt[2] == 0


def test_objects_on_white_are_cut_out() -> None:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).rectangle((40, 30, 80, 60), fill=(30, 30, 30))
    alpha = cut_out(image)
    assert alpha is not None
    assert np.asarray(alpha)[45, 60] > 250
    assert np.asarray(alpha)[5, 5] == 0
    assert cut_out(Image.new("RGB", (120, 90), (90, 90, 90))) is None


def test_areas_are_scikit_learns() -> None:
    rng = np.random.default_rng(6)
    for digits in (0, 1, 6):  # few digits: ties
        known = rng.integers(0, 2, 90)
        score = np.round(rng.normal(known, 1.5), digits)
        assert metrics.auc(known, score) == pytest.approx(roc_auc_score(known, score), abs=1e-12)
        assert metrics.average_precision(known, score) == pytest.approx(
            average_precision_score(known, score), abs=1e-12
        )
    assert np.isnan(metrics.auc(np.ones(3, int), score[:3]))
    assert np.isnan(metrics.average_precision(np.zeros(3, int), score[:3]))


def test_interval_covers_and_counts() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 200)
    found = metrics.interval(metrics.auc, truth, truth + rng.normal(0, 1, 200), [str(i) for i in range(200)], 200)
    assert found["low"] < found["value"] < found["high"]
    assert found["n"] == 200
    assert metrics.share(0, 10)["high"] == pytest.approx(0.2775, abs=1e-3)


def test_calibration_recovers_a_known_distortion() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, 20000)
    truth = (rng.random(20000) < 1 / (1 + np.exp(-(0.5 * logits + 1)))).astype(int)
    fitted = calibrate.platt(logits, truth)
    assert fitted.scale == pytest.approx(0.5, abs=0.03)
    assert fitted.shift == pytest.approx(1.0, abs=0.1)
    assert metrics.calibration_error(truth, fitted(logits)) < 0.02


def test_calibration_floor_is_what_a_perfect_model_shows() -> None:
    rng = np.random.default_rng(3)
    probability = rng.random(200)
    floor = metrics.calibration_floor(probability)
    errors = [metrics.calibration_error((rng.random(200) < probability).astype(int), probability) for _ in range(200)]
    assert floor["value"] == pytest.approx(np.mean(errors), abs=0.01)
    assert floor["low"] < floor["value"] < floor["high"]
    assert metrics.calibration_floor(rng.random(50_000))["value"] < 0.2 * floor["value"]


def test_band_keeps_its_promises() -> None:
    rng = np.random.default_rng(2)
    knife = np.r_[np.ones(300, int), np.zeros(700, int)]
    probability = np.clip(np.r_[rng.beta(8, 2, 300), rng.beta(1, 8, 700)], 0, 1)
    held = calibrate.HeldOut(probability, knife, knife == 0)
    check, hold = calibrate.band([held], Targets(missed=0.01, false_hold=0.005))
    assert (probability[knife == 1] < check).mean() <= 0.01
    assert (probability[knife == 0] >= hold).mean() <= 0.005
    assert check <= hold


def test_pointing_counts_peaks_in_boxes() -> None:
    rows = [Row("a", Path("x"), "dev", {"knife": 1}, boxes=((0.0, 0.0, 0.3, 0.3),))] * 2
    patches = np.zeros((2, 4, 4), np.float32)
    patches[0, 0, 0], patches[1, 3, 3] = 1, 1
    found = occupancy.pointing(rows, patches)
    assert (found["positives"], found["n"]) == (1, 2)
