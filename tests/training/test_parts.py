"""The parts of the pipeline that have laws of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from bladecheck.core import weights
from bladecheck_training import calibrate, compress, config, evaluate, gptq, losses, manifest, metrics, runs, views
from bladecheck_training.augment import Sample, augment, cut_out
from bladecheck_training.config import Data, Targets
from bladecheck_training.manifest import Row


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
    folds = runs.police_folds(rows)
    groups = [{rows[index].group for index in part} for part in folds]
    assert sorted(index for part in folds for index in part) == list(range(60))
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
    patches = torch.zeros((2, 196), dtype=torch.uint8)
    patches[0, :2], patches[1, :] = views.MAYBE, views.MAYBE
    scores = torch.full((2, 196), -20.0).masked_fill(patches == views.MAYBE, 20.0)
    one = torch.tensor([1, 1])
    found = losses._patch_loss(scores, one, patches, torch.ones(2))
    assert float(found) < 1e-6


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


def test_views_are_the_same_every_time(labelled: Path) -> None:
    rows = manifest.read(labelled / "labels.csv")
    spec = views.Spec(64, "squash", "bicubic")
    first = views.render(rows[0], 1, spec, [], 4)
    again = views.render(rows[0], 1, spec, [], 4)
    np.testing.assert_array_equal(first[0], again[0])
    assert not np.array_equal(first[0], views.render(rows[0], 2, spec, [], 4)[0])


def test_held_out_pictures_never_train(labelled: Path) -> None:
    rows = manifest.read(labelled / "labels.csv")
    plan = views.plan(rows, Data("x", views=2, police_views=3))
    assert all(view.number == 0 for view in plan if rows[view.row].split == "dev")
    assert max(view.number for view in plan if rows[view.row].split == "police") == 3


def test_objects_on_white_are_cut_out_and_moved() -> None:
    image = Image.new("RGB", (120, 90), "white")
    ImageDraw.Draw(image).rectangle((40, 30, 80, 60), fill=(30, 30, 30))
    alpha = cut_out(image)
    assert alpha is not None
    assert np.asarray(alpha)[45, 60] > 250
    assert np.asarray(alpha)[5, 5] == 0
    moved = [augment(np.random.default_rng(seed), Sample(image), []) for seed in range(8)]
    assert any(sample.mask is not None and np.asarray(sample.image).min(2)[0, 0] < 240 for sample in moved)


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
    found = evaluate.pointing(evaluate.Scored(rows, np.zeros((2, 18), np.float32)), patches)
    assert (found["positives"], found["n"]) == (1, 2)
