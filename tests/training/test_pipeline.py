"""The whole run on drawn pictures: prepare, train, evaluate, export; then the service's own loader judges it."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from PIL import Image
from timm.layers import Conv2dSame  # type: ignore[attr-defined]
from typer.testing import CliRunner

from bladecheck.core import bundle, weights
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.preprocess import prepare
from bladecheck_training import (
    backbones,
    bundling,
    cache,
    cascade,
    config,
    export,
    frozen,
    manifest,
    metrics,
    padding,
    pipeline,
    restate,
    settle,
    student,
    train,
    views,
)
from bladecheck_training.__main__ import app
from bladecheck_training.vit_graph import LEVELS


@pytest.fixture(scope="session")
def exported(config_file: Path) -> Path:
    outcome = CliRunner().invoke(app, ["all", "--config", str(config_file)])
    assert outcome.exit_code == 0, outcome.output
    return config_file.parent / "models" / "thin"


def test_bundle_loads_and_golden_replays(exported: Path) -> None:
    loaded = bundle.load(exported)
    assert loaded.manifest.name == "thin"
    assert replay(Classifier(loaded)).worst < 1e-3


def test_scores_from_the_service_are_those_of_the_graph(exported: Path, labelled: Path) -> None:
    classifier = Classifier(bundle.load(exported))
    picture = classifier.load((labelled / "images" / "p50.jpg").read_bytes())
    pixels = prepare(picture.frames[0], classifier.bundle.spec)
    found = classifier.run(pixels)
    logits, occupancy = export.answers(exported / bundle.MODEL, pixels[None])
    np.testing.assert_allclose(found.logits, logits[0], atol=1e-6)
    assert found.occupancy is not None
    np.testing.assert_allclose(found.occupancy, occupancy[0], atol=1e-6)


def test_scores_are_linear_in_the_embedding(exported: Path, labelled: Path) -> None:
    classifier = Classifier(bundle.load(exported))
    picture = classifier.load((labelled / "images" / "p50.jpg").read_bytes())
    found = classifier.run(prepare(picture.frames[0], classifier.bundle.spec))
    assert found.embedding is not None
    with np.load(exported / "heads.npz") as heads:
        np.testing.assert_allclose(found.embedding @ heads["weight"] + heads["bias"], found.logits, atol=1e-4)


def test_the_graph_says_what_it_is(exported: Path) -> None:
    model = onnx.load(exported / bundle.MODEL, load_external_data=False)
    facts = {item.key: item.value for item in model.metadata_props}
    assert (facts["name"], facts["version"], facts["licence"]) == ("thin", "0.0.1", "Apache-2.0")
    assert facts["author"]
    assert facts["description"] == model.doc_string == bundle.load(exported).manifest.summary
    assert len(facts["config_sha256"]) == 64


@pytest.fixture(scope="session")
def gone_on(exported: Path, config_file: Path) -> tuple[pipeline.Run, bundle.Bundle]:
    """A bundle that keeps the trunk and the knife score of the exported one."""
    base = config.read(config_file)
    model = config.Model("further", "0.0.2", parent=str(exported))
    data = dataclasses.replace(base.data, leave_out=())
    run = pipeline.Run.open(dataclasses.replace(base, data=data, model=model, work=base.work + "-further"))
    for step in (pipeline.prepare, pipeline.train, pipeline.export):
        step(run)
    return run, bundle.load(run.target)


def test_going_on_keeps_the_trunk_and_the_knife_score(
    gone_on: tuple[pipeline.Run, bundle.Bundle], exported: Path, labelled: Path
) -> None:
    _, further = gone_on
    assert further.manifest.parent == bundle.load(exported).sha256
    before, after = Classifier(bundle.load(exported)), Classifier(further)
    picture = after.load((labelled / "images" / "p50.jpg").read_bytes())
    pixels = prepare(picture.frames[0], further.spec)
    old, new = before.run(pixels), after.run(pixels)
    names = further.manifest.outputs.names
    np.testing.assert_allclose(new.logits[names.index("knife")], old.logits[names.index("knife")], atol=1e-3)
    assert np.abs(new.logits - old.logits)[3:11].max() > 1e-3
    assert replay(after).worst < 1e-3
    assert any("NOT the scores" in title for title in further.manifest.metrics)


def test_a_parent_that_takes_other_pictures_is_refused(exported: Path, config_file: Path) -> None:
    base = config.read(config_file)
    model, data = config.Model("other", "0.0.1", parent=str(exported)), dataclasses.replace(base.data, leave_out=())
    spec = base.preprocess | {"fit": "pad"}
    run = pipeline.Run.open(dataclasses.replace(base, data=data, model=model, preprocess=spec))
    with pytest.raises(ValueError, match="fit is 'pad'; the parent has 'squash'"):
        pipeline.prepare(run)


def test_card_and_metrics_name_n_and_intervals(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    manifest_ = json.loads((exported / bundle.MANIFEST).read_text())
    dev = next(part for name, part in manifest_["metrics"].items() if name.startswith("dev"))
    assert dev["knife_auc"]["n"] == 24
    assert dev["knife_auc"]["low"] <= dev["knife_auc"]["value"] <= dev["knife_auc"]["high"]
    assert "cross-validated" in card
    assert "| 24 (12 positive) |" in card
    for text in ("Drawn.", "- Only for tests.", "## Aims missed, and what was tried\n\n- Nothing else."):
        assert text in card


def test_plots_are_drawn(exported: Path, labelled: Path) -> None:
    for name in ("curves.png", "decisions.png"):
        assert (labelled / "work" / name).read_bytes().startswith(b"\x89PNG")


def test_a_finished_training_is_not_repeated(exported: Path, config_file: Path) -> None:
    run = pipeline.Run.open(config.read(config_file))
    before = (run.work / "no-police" / train.CURVE).read_text()
    pipeline.train(run)
    assert (run.work / "no-police" / train.CURVE).read_text() == before


def test_another_training_in_the_same_folder_is_refused(exported: Path, config_file: Path) -> None:
    base = config.read(config_file)
    longer = dataclasses.replace(base.optimisation, epochs=3.0)
    with pytest.raises(ValueError, match="no-police holds a training with other settings"):
        pipeline.train(pipeline.Run.open(dataclasses.replace(base, optimisation=longer)))


def test_cache_resumes_and_refuses_other_labels(exported: Path, config_file: Path) -> None:
    run = pipeline.Run.open(config.read(config_file))
    folder, crops = run.work / "cache", run.config.crops
    whole = np.array(cache.read(folder, run.library, run.config.spec, crops).middle[-1])
    stored = np.load(folder / "middle.npy", mmap_mode="r+")
    stored[30:] = 0
    stored.flush()
    made = np.load(folder / "done.npy")
    made[30:] = False
    np.save(folder / "done.npy", made)
    pipeline.prepare(run)
    found = cache.read(folder, run.library, run.config.spec, crops)
    np.testing.assert_array_equal(found.middle[-1], whole)
    assert found.made.all()
    fewer = views.Library(list(run.library.rows.values())[:-1], run.config.data)
    with pytest.raises(ValueError, match="other views"):
        cache.read(folder, fewer, run.config.spec, crops)


def test_compressed_graph_stays_close_to_torch(exported: Path, config_file: Path) -> None:
    run = pipeline.Run.open(config.read(config_file))
    study = pipeline.study(run)
    index = study.looks(study.named("dev"))[:, 0]
    net = pipeline.trained(run)
    with torch.inference_mode():
        expected = net(study.inputs(index)).logits[:, 0].numpy()
    session = frozen.session(exported / bundle.MODEL)
    pixels = np.asarray(study.cache.pixels[index])
    actual = np.array([session.run(["logits"], {"pixels": one[None]})[0][0, 0] for one in pixels])
    assert np.abs(actual - expected).mean() < 0.25 * expected.std() + 0.02


@pytest.fixture(scope="session")
def pupil(exported: Path, config_file: Path) -> pipeline.Run:
    """A convolutional student of the exported run."""
    base = config.read(config_file)
    model = dataclasses.replace(
        base.model, name="pupil", backbone="tf_efficientnet_lite0", options={}, teacher=base.work
    )
    data = dataclasses.replace(base.data, leave_out=())
    settings = dataclasses.replace(base.optimisation, epochs=0.5)
    run = pipeline.Run.open(
        dataclasses.replace(base, data=data, model=model, work=base.work + "-pupil", optimisation=settings)
    )
    for step in (pipeline.prepare, pipeline.train, pipeline.export):
        step(run)
    return run


def test_student_learns_from_the_run(pupil: pipeline.Run) -> None:
    run, loaded = pupil, bundle.load(pupil.target)
    assert replay(Classifier(loaded)).worst < 1e-3
    compression = loaded.manifest.metrics["compression"]
    assert compression["AUC as shipped"] == pytest.approx(compression["AUC in float32"], abs=0.01)
    assert loaded.model_path.stat().st_size < 0.6 * (run.work / "float.onnx").stat().st_size
    pixels = pipeline.study(run).some_pixels()
    halved, whole = (export.answers(path, pixels)[0] for path in (loaded.model_path, run.work / "float.onnx"))
    assert np.abs(halved - whole).max() < 0.02 * np.abs(whole).max()  # a layer fitted to few pictures magnifies


@pytest.fixture(scope="session")
def second(pupil: pipeline.Run, exported: Path) -> tuple[pipeline.Run, Path]:
    """A student that goes on from another's bundle, taught by a bundle; and its config file."""
    path = pupil.work.with_name("second.toml")
    text = (pupil.work.parent / "run.toml").read_text()
    for old, new in (
        ('name = "thin"', 'name = "second"'), ("/work", "/second-work"),
        ('backbone = "vit_base_patch16_clip_quickgelu_224"', 'backbone = "tf_efficientnet_lite0"'),
        ('weights = "none"', f'weights = "{pupil.target}"\nteacher = "{exported}"'), ("frozen_blocks = 1", ""),
        ("options = {embed_dim = 128, depth = 3, num_heads = 2, img_size = 64}", ""),
        ('leave_out = ["a/web", "b/tools"]', ""), ("epochs = 2.0", "epochs = 0.5\nkept_stages = 2"),
    ):  # fmt: skip
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    run = pipeline.Run.open(config.read(path))
    for step in (pipeline.prepare, pipeline.train, pipeline.export):
        step(run)
    return run, path


def test_a_student_goes_on_from_a_bundle(pupil: pipeline.Run, second: tuple[pipeline.Run, Path]) -> None:
    run, _ = second
    before = backbones.create("tf_efficientnet_lite0", str(pupil.target))
    theirs, ours = pipeline.trained(pupil), pipeline.trained(run)
    pixels = torch.from_numpy(pipeline.study(run).some_pixels())
    with torch.inference_mode():  # folding norms and storing halves are all that may differ
        scaled = (pixels.permute(0, 3, 1, 2).float() - theirs.mean) / theirs.std
        expected = theirs.backbone.forward_features(scaled)
        torch.testing.assert_close(before.eval().forward_features(scaled), expected, rtol=0.05, atol=0.05)
    for name, value in before.state_dict().items():
        kept = name.startswith(("conv_stem", "bn1", "blocks.0", "blocks.1."))
        same = torch.equal(value, ours.backbone.state_dict()[name])
        assert same if kept or "running" in name else same == (value.ndim == 0), name
    with pytest.raises(ValueError, match="no bundle of this backbone"):
        backbones.create("tf_efficientnet_lite1", str(pupil.target))


def test_a_bundle_teaches_where_labels_say_nothing(second: tuple[pipeline.Run, Path], exported: Path) -> None:
    run, _ = second
    study, teacher = pipeline.study(run), Classifier(bundle.load(exported))
    asked = np.array([view.kind in student.ASKED for view in study.cache.views])
    assert 0 < asked.sum() < len(asked)
    assert np.isnan(study.cache.logits[~asked]).all()
    one = int(np.flatnonzero(asked)[0])
    np.testing.assert_allclose(study.cache.logits[one], teacher.run(study.cache.pixels[one]).logits, atol=1e-5)
    np.testing.assert_allclose(study.targets.teacher[one], study.cache.logits[one], atol=1e-5)


def test_a_cascade_joins_a_quick_bundle_and_a_sure_one(second: tuple[pipeline.Run, Path], exported: Path) -> None:
    run, path = second
    out = exported.with_name("both")
    outcome = CliRunner().invoke(app, ["cascade", "--config", str(path), str(exported), "-o", str(out)])
    assert outcome.exit_code == 0, outcome.output
    made, lender = bundle.load(out), bundle.load(exported)
    assert made.first is not None
    assert made.first.sha256 == bundle.load(run.target).sha256
    assert made.manifest.thresholds == lender.manifest.thresholds
    assert replay(Classifier(made)).worst < 1e-3
    rows = [row for row in manifest.load(run.config.data) if row.split == "dev"]
    dev, classifier = made.manifest.metrics[cascade.TITLES["dev"]], Classifier(made)
    verdicts = [classifier.classify_one(classifier.load(row.path.read_bytes())) for row in rows]
    raw = np.array([verdict.scores.raw["knife"] for verdict in verdicts])
    truth = np.array([row.knife for row in rows])
    assert dev["knife_auc"]["value"] == pytest.approx(metrics.auc(truth, raw), abs=0.02)
    settled = [verdict.embedding is None for verdict in verdicts]
    assert dev["settled, of all pictures"]["positives"] == pytest.approx(sum(settled), abs=1)
    assert "the lender alone" in dev
    card = (out / "README.md").read_text()
    assert "in one quick look" in card
    assert "| The lender alone: " in card
    assert len(rows_of := [line for line in card.splitlines() if line.startswith("| ordinary")]) == len(set(rows_of))


def test_card_tells_of_sources_left_out(exported: Path) -> None:
    metrics = json.loads((exported / bundle.MANIFEST).read_text())["metrics"]
    for source, pictures in (("a/web", 61), ("b/tools", 31)):
        assert metrics[f"never trained on: {source}"]["knife_auc"]["n"] == pictures
        assert f"### never trained on: {source}" in (exported / "README.md").read_text()


def test_padding_worked_out_once_changes_no_answer() -> None:
    torch.manual_seed(0)
    net = student.network(backbones.create("tf_efficientnet_lite0", "none")).eval()
    pixels = torch.randint(0, 255, (2, 70, 70, 3), dtype=torch.uint8)
    rigid = padding.fixed(net, pixels)
    assert not any(isinstance(module, Conv2dSame) for module in rigid.modules())
    with torch.inference_mode():
        torch.testing.assert_close(rigid(pixels).logits, net(pixels).logits)


def test_turned_pixels_and_cells_stay_together() -> None:
    torch.manual_seed(0)
    cells = torch.arange(4 * 9, dtype=torch.float32).view(4, 1, 3, 3)
    pixels = cells[:, 0, :, :, None].repeat(1, 1, 1, 3)
    seen = set()
    for _ in range(60):
        turned, pictures = train._turn(cells, pixels)
        assert torch.equal(pictures[..., 0], turned[:, 0])
        seen.add(tuple(turned[0].flatten().tolist()))
    assert len(seen) == 8


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "tf_efficientnet_lite0"])
def test_backbones_that_cannot_be_compressed_are_refused(name: str, config_file: Path) -> None:
    base = config.read(config_file)
    model = dataclasses.replace(base.model, backbone=name, options={})
    run = pipeline.Run(dataclasses.replace(base, model=model), views.Library([], base.data))
    with pytest.raises(ValueError, match="QuickGELU"):
        run.backbone()


def test_student_normalisation_is_the_backbones_own() -> None:
    net = student.network(backbones.create("tf_efficientnet_lite0", "none"))
    assert net.mean.flatten().tolist() == pytest.approx([127.5] * 3)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_torchvision_backbones_give_a_grid(name: str) -> None:
    net = student.network(backbones.create(f"torchvision/{name}", "none")).eval()
    assert net.mean.flatten().tolist() == pytest.approx([255 * mean for mean in (0.485, 0.456, 0.406)])
    assert net(torch.zeros((2, 96, 96, 3), dtype=torch.uint8)).patches.shape == (2, 9)


@pytest.mark.parametrize(("name", "problem"), [("vit_b_16", "no grid"), ("resnet19", "no model 'resnet19'")])
def test_torchvision_backbones_without_a_grid_are_refused(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        backbones.create(f"torchvision/{name}", "none")


def test_own_pictures_without_police_or_guns_become_a_bundle(labelled: Path, config_file: Path) -> None:
    """The README's way for users: a CSV of path and label, and a copy of the config."""
    rows = [row for row in manifest.read(labelled / "labels.csv") if row.split != "police"]
    lines = [f"images/{row.id}.jpg,{row.blade or 'none'},{row.split},{row.group}" for row in rows]
    (labelled / "own.csv").write_text("\n".join(["path,label,split,group", *lines]))
    text = config_file.read_text().replace("labels.csv", "own.csv").replace('"thin"', '"own"')
    text = (
        text.replace("/work", "/own-work")
        .replace('leave_out = ["a/web", "b/tools"]', "")
        .replace('tools = ["b/tools"]', "")
    )
    (labelled / "own.toml").write_text(text)
    outcome = CliRunner().invoke(app, ["all", "--config", str(labelled / "own.toml")])
    assert outcome.exit_code == 0, outcome.output
    loaded = bundle.load(labelled / "models" / "own")
    assert not any("police" in name for name in loaded.manifest.metrics)
    assert loaded.manifest.thresholds.labels["gun"].check == 1.0
    assert loaded.manifest.thresholds.feature_seen == {}
    verdict = Classifier(loaded).classify_one(Classifier(loaded).load((labelled / "images" / "p50.jpg").read_bytes()))
    assert verdict.scores.labels["gun"] < 1


def test_rows_are_what_the_labels_say(labelled: Path) -> None:
    rows = manifest.read(labelled / "labels.csv")
    assert [sum(row.split == split for row in rows) for split in ("train", "dev", "police")] == [48, 24, 20]
    assert rows[2].blade == "zombie"
    assert rows[2].features["serrated"] == 1
    assert rows[1].features["serrated"] is None


def test_settling_changes_the_knife_score_alone(gone_on: tuple[pipeline.Run, bundle.Bundle], tmp_path: Path) -> None:
    run, before = gone_on
    copy, base = Path(shutil.copytree(before.path, tmp_path / "further")), run.config
    looks = dataclasses.replace(base.looks, combine="first_and_max")
    chosen = dataclasses.replace(base, looks=looks, model=dataclasses.replace(base.model, version="0.0.3"))
    rows = [row for row in manifest.load(chosen.data) if row.split in ("dev", "police")]
    made = settle.settle(copy, rows, chosen, settle.read_looks(copy, rows))
    assert made.manifest.preprocess.looks is not None
    assert made.manifest.preprocess.looks.combine == "first_and_max"
    assert (made.manifest.version, made.sha256 != before.sha256) == ("0.0.3", True)
    for name in ("gun", "other_weapon"):
        assert made.manifest.thresholds.labels[name] == before.manifest.thresholds.labels[name]
    title = next(title for title in made.manifest.metrics if title.startswith("dev"))
    then, now = before.manifest.metrics[title], made.manifest.metrics[title]
    # Measured anew, through the integer graph, whose last digits depend on the processor.
    assert now["kinds"]["accuracy"]["value"] == pytest.approx(then["kinds"]["accuracy"]["value"], abs=0.1)
    classifier, dev = Classifier(made), [row for row in rows if row.split == "dev"]
    raw = [classifier.classify_one(classifier.load(row.path.read_bytes())).scores.raw["knife"] for row in dev]
    measured = metrics.auc(np.array([row.knife for row in dev]), np.array(raw))
    assert now["knife_auc"]["value"] == pytest.approx(measured, abs=1e-3)
    assert f"# {made.manifest.name} 0.0.3" in (copy / "README.md").read_text()


def test_a_cross_validated_knife_score_is_not_settled(exported: Path, config_file: Path) -> None:
    with pytest.raises(ValueError, match="not gone on from a parent"):
        settle.settle(exported, [], config.read(config_file), {})


def test_narrowing_halves_the_weights_and_answers_alike(exported: Path, labelled: Path, tmp_path: Path) -> None:
    wide = Path(shutil.copytree(exported, tmp_path / "wide"))
    graph = onnx.load(wide / bundle.MODEL, load_external_data=False)
    for scale in restate._column_scales(graph.graph):
        scale.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(scale) / np.float32(1.9), scale.name))
    onnx.save(graph, wide / bundle.MODEL)
    with np.load(wide / weights.FILE) as stored:
        factors = {name: np.float16(1.9) if name.endswith(".scales") else 1 for name in stored.files}
        arrays = {name: (stored[name] * factor).astype(stored[name].dtype) for name, factor in factors.items()}
    np.savez(wide / weights.FILE, **arrays)
    bundling.state(wide, restate.manifest_of(wide, None))
    pixels = prepare(Image.open(labelled / "images" / "p50.jpg").convert("RGB"), bundle.load(wide).spec)
    before = Classifier(bundle.load(wide)).run(pixels).logits
    codes = weights.unpack(wide / weights.FILE)
    assert max(int(np.abs(part).max()) for part in codes.values()) > LEVELS

    narrow = restate.narrowed(wide, "0.0.9")
    for name, part in weights.unpack(narrow.path / weights.FILE).items():
        assert np.abs(part.astype(int) * 2 - codes[name]).max() <= 1, name
        assert np.abs(part).max() <= LEVELS
    after = Classifier(narrow)
    assert narrow.manifest.version == "0.0.9"
    assert np.corrcoef(after.run(pixels).logits, before)[0, 1] > 0.99
    assert replay(after).worst < 1e-3
    with pytest.raises(ValueError, match="within 64 already"):
        restate.narrowed(narrow.path, "0.0.10")
