"""What the tests of scoring share besides fixtures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from bladecheck.cli.export import export
from bladecheck.runs import fingerprint
from bladecheck.runs.columns import Row
from bladecheck.runs.run import Finished
from tiny import BLUE, GREEN, RED, draw, encode

COMMAND = [sys.executable, "-W", "error", "-c", "from bladecheck.cli import main; main()"]
FIRST_POST = 1746827059000246273
MINUTE = 60_000 << 22


def fill(folder: Path, count: int) -> Path:
    """Draw `count` pictures as X posts would name them; every tenth is damaged, every seventh a copy."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        colour = tuple((value + 7 * number) % 256 for value in (RED, GREEN, BLUE)[number % 3])
        data = encode(draw((colour[0], colour[1], colour[2]), (61 + number % 5, 47)), "JPEG", quality=90)
        if number % 10 == 9:
            data = (b"", b"no picture at all", data[: len(data) // 3])[number // 10 % 3] + b"x" * (number // 30)
        if number % 7 == 6:
            data = encode(draw(RED), "PNG")
        (folder / f"{FIRST_POST + number * 40 * 24 * MINUTE}-P{number:04d}.jpg").write_bytes(data)
    return folder


NEAR = fingerprint.available()
"""Near duplicates need a library that has to be compiled; everything else is tested without it, too."""

Score = Callable[..., Finished]


def lines(path: Path) -> list[str]:
    """The records of a journal, as text."""
    return path.read_text().split("\n")[:-1]


def scored(folder: Path) -> list[str]:
    """Hashes of the pictures in the order in which they were scored, one for every time."""
    records = [json.loads(line) for line in lines(folder / "journal.jsonl")]
    return [record["picture"] for record in records if "picture" in record]


def exported(folder: Path) -> list[Row]:
    """The rows as `bladecheck export --format jsonl` writes them."""
    target = folder / "rows.jsonl"
    export(folder, "jsonl", target)
    return [json.loads(line) for line in lines(target)]
