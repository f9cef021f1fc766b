"""What a finished run costs to read as it grows: resume, near duplicates, summary, Parquet,
report and merge over a made journal.

    python benchmarks/growth.py 100000 300000 1000000

A journal is written as a run would write it, with drawn results: nothing is scored. Each step runs in a process of its
own, whose CPU time and peak resident memory the system reports. The last column is CPU time over what linear growth
from the first count would be. `--keep FOLDER` keeps the runs.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck import __version__
from bladecheck.archives.item import DateSource, Item
from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS
from bladecheck.runs import rows
from bladecheck.runs.engines import Claims
from bladecheck.runs.folder import MANIFEST, RunFolder
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.resume import Again, look_back
from bladecheck.runs.run import CARD
from bladecheck.runs.shards import merge
from bladecheck.runs.table import Ledger

BEGIN = datetime(2012, 1, 1, tzinfo=UTC)
MODEL = {"name": "drawn", "version": "1.0.0", "sha256": "0" * 64}
POLICY = {"name": "default", "sha256": "1" * 64}
ACCOUNTS, BATCH = 40, 500
STEPS = {
    "resume": "",
    "duplicates": "",
    "summary": "summary",
    "parquet": "parquet",
    "report": "report",
    "merge": "",
}
"""Each step, and the format of the export that it is, if it is one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[100_000, 300_000, 1_000_000], help="numbers of rows")
    parser.add_argument("--steps", nargs="*", choices=STEPS, default=list(STEPS))
    parser.add_argument("--keep", type=Path, help="where the runs are made and kept; default: a temporary folder")
    parser.add_argument("--step", nargs=2, metavar=("STEP", "RUN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        return step(options.step[0], Path(options.step[1]))
    with tempfile.TemporaryDirectory(prefix="bladecheck-") as scratch:
        measure(options.counts, options.steps, options.keep or Path(scratch))
    return None


def measure(counts: list[int], steps: list[str], where: Path) -> None:
    """Every step on every count; the run of a count is made first, where it is not there yet."""
    first: dict[str, float] = {}
    print(f"{'rows':>10}  {'step':<12}{'peak MB':>9}{'CPU s':>9}{'x linear':>10}")
    for count in counts:
        run = RunFolder(where / f"run-{count}")
        if not run.exists:
            make(run, count)
        for name in steps:
            peak, took = measured([sys.executable, __file__, "--step", name, str(run.path)])
            first.setdefault(name, took / count)
            print(f"{count:>10,}  {name:<12}{peak:>9.0f}{took:>9.1f}{took / count / first[name]:>10.2f}", flush=True)


def measured(command: list[str]) -> tuple[float, float]:
    """Peak resident memory in MB and CPU seconds of a command."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    return used.ru_maxrss / 1024, used.ru_utime + used.ru_stime


def step(name: str, run: Path) -> None:
    """One step in this process."""
    if name == "resume":
        behind = look_back(RunFolder(run).journal, Again())
        Claims(behind.pictures).take(bytes(32))
        return
    if name == "merge":
        # One shard that holds all: merging reads and writes every line, whatever the number of shards.
        with tempfile.TemporaryDirectory(dir=run.parent) as scratch:
            shard = Path(scratch) / "shard-0001-of-0001"
            shard.mkdir()
            for file in (RunFolder(run).journal, run / MANIFEST):
                os.link(file, shard / file.name)
            merge(RunFolder(Path(scratch)))
        return
    if name == "duplicates":
        for kept in run.glob("near*"):
            kept.unlink()
        with Ledger(RunFolder(run)):
            return
    from bladecheck.cli import main as command

    asked = ["report", str(run)] if name == "report" else ["export", str(run), "--format", STEPS[name]]
    sys.argv = ["bladecheck", *asked]
    command()


def make(run: RunFolder, count: int) -> None:
    """A run of so many rows: a tenth are copies, a tenth near copies, some failed, a few only known by address."""
    begun = time.perf_counter()
    run.create()
    manifest = run.manifest() | {"run_id": f"{count:032x}", "model": MODEL, "policy": POLICY, "timezone": "UTC"}
    manifest["model_card"] = dict.fromkeys(CARD)
    session = {"started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:00:00Z", "ended": "complete",
               "bladecheck": __version__, "engine": "none"}  # fmt: skip
    run.save(manifest | {"sessions": [session]})
    with Journal(run.journal) as journal:
        batch = [rows.header(f"{count:032x}", MODEL, POLICY, FORMAT)]
        for made in records(count):
            batch += made
            if len(batch) > BATCH:
                journal.append(batch)
                batch = []
        journal.append(batch)
    print(f"{count:,} rows written in {time.perf_counter() - begun:.0f} s", file=sys.stderr)


def records(count: int) -> Iterator[list[dict[str, Any]]]:
    """For each row what a run would append."""
    generator = np.random.default_rng(0)
    before = (hashlib.sha256(b"").hexdigest(), generator.bytes(32))
    for number in range(count):
        item = _item(number, generator)
        record = rows.row_record(rows.row_id(item.source_path, item, 0), item.source_path, item)
        luck = generator.random()
        if luck < 0.02:
            yield [record | {"status": "remote"}]
        elif luck < 0.03:
            yield [record | {"status": "failed", "code": "unreadable_file", "detail": "The file can't be read."}]
        elif luck < 0.13:
            yield [record | {"status": "present", "sha256": before[0]}]
        else:
            near = bytearray(before[1])
            near[5] ^= 0b111
            before = (hashlib.sha256(b"%d" % number).hexdigest(), bytes(near) if luck < 0.23 else generator.bytes(32))
            pdq = (before[1].hex(), 100)
            result = _result(number, generator)
            picture = rows.picture_record(before[0], result, 60_000 + number % 9_999, pdq, "2026-01-01T00:00:00Z")
            yield [picture, record | {"status": "present", "sha256": before[0]}]


def _item(number: int, generator: np.random.Generator) -> Item:
    post = 10**17 + int(generator.integers(0, 10**17))
    return Item(
        "x_archive", "archive.zip", member=f"data/tweets_media/{post}-{number:x}.jpg", platform="x",
        account=f"account_{number % ACCOUNTS}", post_id=str(post), post_url=f"https://x.com/i/status/{post}",
        posted_at=BEGIN + timedelta(seconds=int(generator.integers(0, 14 * 365 * 86_400))),
        posted_at_source=DateSource.FIELD, media_url=f"https://pbs.twimg.com/media/{number:x}.jpg",
        text="A post of an ordinary length about what was found at the scene, with a link to more. " * 2,
        is_repost=number % 50 == 0,
    )  # fmt: skip


def _result(number: int, generator: np.random.Generator) -> dict[str, Any]:
    drawn = generator.random(100).tolist()
    hold = number % 9 == 0
    return {
        "status": "ok", "decision": "hold" if hold else "clear", "kind": "kitchen_knife" if hold else None,
        "reasons": [{"code": "knife" if hold else "no_knife", "detail": "What was seen there, in a sentence."}],
        "image": {"width": 1600, "height": 1200, "format": "JPEG", "frames": 1},
        "scores": dict(zip(LABELS, drawn, strict=False)), "raw": dict(zip(LABELS, drawn[10:], strict=False)),
        "blade": dict(zip(BLADES, drawn[20:], strict=False)), "features": dict(zip(FEATURES, drawn[30:], strict=False)),
        "weapons": dict(zip(WEAPONS, drawn[60:], strict=False)), "looks": 1, "unlike": drawn[99],
        "peak": drawn[95:99] if hold else None, "blade_share": drawn[94] if hold else None,
    }  # fmt: skip


if __name__ == "__main__":
    main()
