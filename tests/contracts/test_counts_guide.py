"""docs/counts.md: its commands run as they stand there, and its table gives its total."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from bladecheck.runs.counts.limits import Cell, total
from invented import answer, archive, run
from score_helpers import COMMAND
from serving import environment

GUIDE = (Path(__file__).parents[2] / "docs" / "counts.md").read_text()


def test_every_command_of_the_guide_runs(tmp_path: Path) -> None:
    truth = run(tmp_path / "run", archive(1_500, 0.06))
    lines = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]
    assert len(lines) >= 6
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "bladecheck"
        if "--import" in arguments:
            answer(tmp_path / "sample.csv", truth, tmp_path / "sample.csv")
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, (line, done.stderr)
    found = json.loads((tmp_path / "run/estimate.json").read_text())
    assert found["total"]["low"] <= sum(one.knife for one in truth.values()) <= found["total"]["high"]
    assert found["sentences"][0] in (tmp_path / "run/report.html").read_text()


def test_the_worked_table_gives_the_total_it_names() -> None:
    rows = re.findall(
        r"^\| (?:below|0|from)[^|]*\| ([\d,]+) \| (\d+) \| (\d+) \| ([\d.]+) \| (\d+) \| (\d+) \|", GUIDE, re.M
    )
    assert len(rows) == 4
    cells = [Cell(str(n), int(row[0].replace(",", "")), int(row[1]), int(row[2])) for n, row in enumerate(rows)]
    for cell, row in zip(cells, rows, strict=True):
        assert cell.estimate == pytest.approx(float(row[3]), abs=0.01)
        assert cell.limits() == (int(row[4]), int(row[5]))
    got = total(cells)
    assert (round(got.estimate, 1), int(got.low), round(got.top)) == (163.5, 133, 230)
