"""How long the wall of a large run takes: to start, for the first page, and for filters.

    python benchmarks/wall.py [--pictures 100000] [--sample 1000]

Makes a zip of small pictures and the journal that scoring it would have written, with invented scores; every twentieth
picture is a copy. Then it asks the page's own functions, without a browser. Of the numbers, the ratios are what counts:
they hang on the machine. CPU time of a start has the listing of the archive in it, which goes on in the background.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from bladecheck.archives import open_archive
from bladecheck.runs import rows
from bladecheck.runs.counts.opened import draw_sample
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.provenance import Inputs
from bladecheck.runs.wall.server import opened

FILTERS: dict[str, dict[str, Any]] = {
    "first page": {},
    "last page": {"page": 10**6},
    "decision": {"decision": "hold"},
    "by decision": {"by": "decision"},
    "by kind": {"by": "kind"},
    "by account": {"by": "account"},
    "account and months": {"account": "force17", "start": "2022-01", "end": "2022-12"},
    "words": {"words": "p0123"},
    "most posted": {"by": "posted"},
    "look-alikes": {"by": "alike"},
}


def zipped(path: Path, count: int) -> None:
    """A zip of small pictures, all different but for every twentieth."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as target:
        for number in range(count):
            own = number - number % 20 if number % 20 == 19 else number
            buffer = io.BytesIO()
            Image.new("RGB", (64, 48), (own % 256, own // 256 % 256, own // 65536)).save(buffer, "PNG")
            target.writestr(f"p{number:07d}.png", buffer.getvalue())


def journalled(source: Path, run: Path) -> None:
    """The journal of a run over it, with invented answers."""
    dice, start = random.Random(1), datetime(2015, 1, 1, tzinfo=UTC)
    run.mkdir()
    folder, inputs, written = RunFolder(run), Inputs((source,), []), set()
    entries = inputs.describe()
    with open_archive([source]) as archive, Journal(folder.journal) as journal:
        model, policy = {"name": "m", "version": "1", "sha256": "0" * 64}, {"name": "default", "sha256": "1" * 64}
        journal.append([rows.header("f" * 32, model, policy, FORMAT)])
        for identity, name, item in rows.identified(archive.items(), inputs.label):
            sha256 = hashlib.sha256(item.open()).hexdigest()
            row = rows.row_record(identity, name, item) | {"status": "present", "sha256": sha256}
            row["item"] |= {"account": f"force{dice.randrange(43):02d}", "text": "Weapons seized in town today. " * 5,
                            "posted_at": rows.utc(start + timedelta(hours=dice.randrange(90_000)))}  # fmt: skip
            score = dice.betavariate(6, 1.2) if dice.random() < 0.05 else dice.betavariate(0.35, 9)
            decision = "hold" if score >= 0.5 else "check" if score >= 0.2 else "clear"
            result: dict[str, Any] = {
                "status": "ok", "decision": decision, "reasons": [], "scores": {"knife": score, "gun": 0.01},
                "kind": dice.choice(("kitchen", "zombie", None)) if decision == "hold" else None, "blade": {},
                "features": {}, "raw": {}, "image": {"format": "PNG", "width": 64, "height": 48, "frames": 1},
            }  # fmt: skip
            bits = dice.getrandbits(256).to_bytes(32, "big").hex()
            seen = [] if sha256 in written else [rows.picture_record(sha256, result, 150, (bits, 90), "2024")]
            written.add(sha256)
            journal.append([*seen, row])
    folder.save({"format": "bladecheck-run/1", "run_id": "f" * 32, "inputs": entries, "timezone": "UTC",
                 "sessions": [{"started": "", "finished": "", "ended": "complete", "bladecheck": "0"}]})  # fmt: skip


@contextmanager
def timed(what: str) -> Iterator[None]:
    start = time.perf_counter(), time.process_time()
    yield
    took, used = time.perf_counter() - start[0], time.process_time() - start[1]
    print(f"{what:24} {took:9.3f} s {used:9.3f} CPU s", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pictures", type=int, default=100_000)
    options.add_argument("--sample", type=int, default=1_000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        source, run = Path(place) / "archive.zip", Path(place) / "run"
        with timed("make the archive"):
            zipped(source, given.pictures)
        with timed("make the run"):
            journalled(source, run)
        with timed("draw a sample"):
            draw_sample(run, given.sample)
        with timed("first start"), opened(run, "A", None):
            pass
        start = time.perf_counter(), time.process_time()
        with opened(run, "A", None) as wall:
            print(f"{'start, table kept':24} {time.perf_counter() - start[0]:9.3f} s "
                  f"{time.process_time() - start[1]:9.3f} CPU s", flush=True)  # fmt: skip
            for name, query in FILTERS.items():
                with timed(name):
                    wall.list("", query)
            with timed("timeline"):
                wall.months("", {})
            with timed("archive listed, too"):
                wall.wait()
            tab = "t"
            first = json.loads(wall.list("", {}).body)["tiles"]
            for state in ("60 thumbnails, made", "60 thumbnails, kept"):
                with timed(state):
                    for tile in first:
                        wall.thumb(tile["row"], {})
            with timed("mark 60"):
                wall.mark("", {"tab": tab, "mark": "knife", "rows": [tile["row"] for tile in first]})
            with timed("mark all that match"):
                wall.mark("", {"tab": tab, "mark": "again", "all": True, "filter": {"decision": "clear"}})
            with timed("undo that"):
                wall.undo("", {"tab": tab})


if __name__ == "__main__":
    main()
