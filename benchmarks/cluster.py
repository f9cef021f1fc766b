"""What a Ray cluster costs beside a run in one process, and how many workers one driver can feed.

    python benchmarks/cluster.py --bundle small --pictures 300      # local, handles, bytes, shards, in turn
    python benchmarks/cluster.py --feed 100000                      # workers that judge at once: the driver's limit

The cluster is one on this machine, with as many cores in all as the local run has threads. Starting costs seconds
whatever the archive, so what is compared is the steady part: CPU seconds of the driver and its workers between the rows
at a fifth and at nine tenths of the run. Shards are timed whole. Only ratios within one call mean anything.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from drawing import photographs

from bladecheck.archives import open_archive
from bladecheck.archives.containers.handles import Held, Piece, Span
from bladecheck.core.bundle import find as find_bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.core.policy_file import find
from bladecheck.runs.engines import Claims, Engine, Task, crew
from bladecheck.runs.engines.cluster import RayEngine
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.engines.worker import Judged, Read, Source
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Options, Run
from bladecheck.runs.shards import Shard, merge

BEGIN, END = 0.2, 0.9
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Cost:
    """CPU seconds of driver and workers over `rows` rows, seconds to the first row, and wall seconds of the rows."""

    driver: float
    workers: float
    rows: int
    first: float
    wall: float


def main() -> None:
    options = arguments()
    if options.feed:
        feed(options.feed, options.workers)
        return
    with tempfile.TemporaryDirectory() as scratch:
        archive = draw(Path(scratch), options.pictures)
        ways = measures(archive, options)
        best: dict[str, Cost] = {}
        for _ in range(options.rounds):
            for name, way in ways.items():
                with tempfile.TemporaryDirectory(dir=scratch) as run:
                    cost = way(Path(run))
                if name not in best or cost.driver + cost.workers < best[name].driver + best[name].workers:
                    best[name] = cost
    show(best)


def measures(archive: Path, options: argparse.Namespace) -> dict[str, Callable[[Path], Cost]]:
    bundle, workers = find_bundle(options.bundle), options.workers
    classifier = Classifier(bundle)

    def local(run: Path) -> Cost:
        return steady(archive, run, lambda: LocalEngine(classifier, find(None), workers))

    def cluster(run: Path, send_bytes: bool = False) -> Cost:
        def made() -> Engine:
            return RayEngine(
                bundle, find(None), [archive], workers=workers // options.cores, cores=options.cores,
                send_bytes=send_bytes,
            )  # fmt: skip

        return steady(archive, run, made)

    def shards(run: Path) -> Cost:
        begun, cpu = time.perf_counter(), own()
        for number in range(1, 5):
            with open_archive(archive) as opened:
                part = Shard(number, 4)
                engine = LocalEngine(classifier, find(None), workers)
                Run([archive], opened.items(), engine, RunFolder(run / part.name), Options(shard=part)).go()
        merge(RunFolder(run))
        return Cost(own() - cpu, 0, options.pictures, float("nan"), time.perf_counter() - begun)

    return {"local": local, "ray, handles": cluster, "ray, bytes": lambda run: cluster(run, True), "4 shards": shards}


def steady(archive: Path, run: Path, made: Callable[[], Engine]) -> Cost:
    """A whole run, and what its steady part cost."""
    begun = time.perf_counter()
    marks: list[tuple[int, float, float, float]] = []
    with open_archive(archive) as opened:
        total, done = opened.describe().rows, 0
        engine = made()

        def tick(status: str) -> None:
            nonlocal done
            done += 1
            if done in (1, int(total * BEGIN), int(total * END)):
                marks.append((done, time.perf_counter(), own(), workers_cpu()))

        Run([archive], opened.items(), engine, RunFolder(run), tick=tick).go()
        engine.close()
    first, start, end = marks
    return Cost(end[2] - start[2], end[3] - start[3], end[0] - start[0], first[1] - begun, end[1] - start[1])


def own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def workers_cpu() -> float:
    """CPU seconds so far of all actors on this machine, from /proc (Linux)."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("cmdline").read_bytes().startswith(b"ray::_Actor"):
                fields = process.joinpath("stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / TICK


def show(best: dict[str, Cost]) -> None:
    print(f"{'':<14}{'CPU ms a row':>14}{'of it driver':>14}{'rows/s':>9}{'first row, s':>14}{'of local':>10}")
    local = (best["local"].driver + best["local"].workers) / best["local"].rows
    for name, cost in best.items():
        each = (cost.driver + cost.workers) / cost.rows
        print(f"{name:<14}{1000 * each:>14.2f}{1000 * cost.driver / cost.rows:>14.2f}{cost.rows / cost.wall:>9.1f}"
              f"{cost.first:>14.1f}{local / each:>10.3f}")  # fmt: skip
    print("Targets: steady CPU of handles at least .90 of local; driver at most .2 ms a row.")


class Instant(crew._Actor):
    """A worker that takes any handle for a picture of its own and has judged it already."""

    def read(self, number: int, sources: list[Source]) -> list[Read]:  # type: ignore[override]
        self._held[number] = [b""] * len(sources)
        return [Read(hashlib.sha256(str(source).encode()).digest(), 60_000) for source in sources]

    def judge(self, number: int, wanted: list[bool]) -> list[Judged]:  # type: ignore[override]
        result, pdq = self._judge(b"no picture")
        return [(result, pdq) for _ in range(sum(wanted))]


def feed(rows: int, workers: int) -> None:
    """Rows a second through one driver, its CPU a row, and its memory at a tenth and at the end."""
    crew._Actor = Instant  # type: ignore[misc]
    file = Held(Path("/data/huge.zip"), 10**12)

    def tasks() -> Iterator[Task]:
        for number in range(rows):
            handle = Piece(Span(file, number * 60_000, 60_000), f"{number}.jpg", 64 * 2**20)
            yield Task({"row": f"{number:032x}"}, handle, handle)

    engine = RayEngine(find_bundle(None), find(None), limits=PictureLimits(), workers=workers, cores=1)
    outcomes = engine.score(tasks(), Claims())
    tenth = rows // 10
    for _ in islice(outcomes, tenth):
        pass
    cpu, begun, memory = own(), time.perf_counter(), resident()
    for _ in outcomes:
        pass
    cpu, wall = own() - cpu, time.perf_counter() - begun
    print(f"{(rows - tenth) / wall:,.0f} rows/s, driver {1000 * cpu / (rows - tenth):.3f} ms CPU a row, memory "
          f"{memory:,.0f} MB at {tenth:,} rows, {resident():,.0f} MB at {rows:,}")  # fmt: skip
    engine.close()


def resident() -> float:
    """MB of this process in memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def draw(folder: Path, count: int) -> Path:
    with zipfile.ZipFile(folder / "pictures.zip", "w") as packed:
        for number, data in enumerate(photographs(count)):
            packed.writestr(f"{number:05d}.jpg", data)
    return folder / "pictures.zip"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="name or folder; default: base")
    parser.add_argument("--pictures", type=int, default=300, help="how many to draw, of 1200 x 900 pixels")
    parser.add_argument("--workers", type=int, default=2, help="threads of the local run, cores of the cluster")
    parser.add_argument("--cores", type=int, default=1, help="of each worker")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--feed", type=int, default=0, metavar="ROWS", help="measure the driver alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
