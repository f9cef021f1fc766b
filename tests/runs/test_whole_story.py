"""Plan, draw, label from the truth, estimate, two hundred times: how often does the interval hold the truth?"""

from __future__ import annotations

import csv
import random
from pathlib import Path

from bladecheck.runs.counts.draw import allocate, ranked
from bladecheck.runs.counts.estimate import Options, estimate
from bladecheck.runs.counts.frame import gather, strata, stratify
from bladecheck.runs.counts.labels import Labels
from bladecheck.runs.counts.sample import create
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.table import Ledger
from invented import Invented, run

SEEDS, LABELS = 200, 300


def test_two_hundred_samples_of_the_labelled_pictures(shared: Path, tmp_path: Path) -> None:
    """The labels of real pictures; scores invented, as a model might give that takes some tools for knives."""
    dice = random.Random(11)
    with (shared / "data" / "labels.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["knife"] in ("0", "1")]
    pictures = []
    for row in rows:
        knife = row["knife"] == "1"
        if knife and dice.random() > 0.12:
            continue  # as rare as in an archive
        doubt = 0.35 if "tool" in row["other"] or row["blade"] in ("scissors", "axe", "saw") else 0.05
        score = dice.betavariate(5, 1) if knife and dice.random() > 0.06 else dice.betavariate(0.3, 8)
        if not knife and dice.random() < doubt:
            score = dice.betavariate(1.2, 2)
        pictures.append(Invented(f"{row['id']}.jpg", score, knife, account=row["split"]))
    truth = run(tmp_path / "run", pictures)
    folder, knives = RunFolder(tmp_path / "run"), sum(one.knife for one in pictures)
    with Ledger(folder) as ledger:
        frame = gather(ledger.rows(), "UTC")
        parts = strata(frame, stratify(frame, ()))
        assert sum(allocate(parts, LABELS).values()) == LABELS
        sample = create(folder, frame, ledger.head, LABELS)
    held, widths = 0, []
    for seed in range(SEEDS):
        sample.plan["seed"] = str(seed)
        labels = Labels()
        for stratum, units in ranked(str(seed), sample.frame).items():
            for name in units[: sample.drawn_counts[stratum]]:
                word = "yes" if truth[name].knife else "no"
                sha256 = frame.units[name].rows[0][1]
                labels.take({"row": name, "sha256": sha256, "answer": word, "who": "truth", "role": "first"})
        total = estimate(sample, frame, labels, Options())["total"]
        held += total["at_least"] <= knives <= total["at_most"]
        widths.append((total["high"] - total["low"]) / 2 / knives)
    print(f"{held} of {SEEDS} intervals hold the {knives:,} of {len(pictures):,}; median half-width "
          f"{100 * sorted(widths)[SEEDS // 2]:.0f} %")  # fmt: skip
    assert held / SEEDS >= 0.94
