"""What a run costs beside decoding and inference alone, and what HTTP adds: ratios of CPU time within one process tree.

    python benchmarks/scoring.py --bundle base --pictures 200
    python benchmarks/scoring.py --photographs FOLDER       # your own pictures instead of drawn ones

Wall-clock time says little on a machine that does other things, so CPU seconds are compared: of this process for what
runs here, and of this process and the server together for HTTP. Every measure is taken `--rounds` times in turn, and
the best of each is kept.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from drawing import photographs

from bladecheck.archives import open_archive
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.runs import fingerprint
from bladecheck.runs.engines import Engine
from bladecheck.runs.engines.http import HttpEngine
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Run

Seconds = tuple[float, float]
"""CPU and wall."""


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.photographs or draw(Path(scratch) / "pictures", options.pictures)
        paths = sorted(path for path in folder.iterdir() if path.is_file())
        classifier = Classifier.open(options.bundle)
        print(f"{len(paths)} pictures, {options.workers} threads, bundle {classifier.bundle.identity['name']}, "
              f"near duplicates {'in' if options.near else 'out'}")  # fmt: skip
        with Server(options.bundle, options.workers) as server:
            ways = measures(classifier, paths, folder, Path(scratch), server, options)
            best = {name: min(way() for _ in range(1)) for name, way in ways.items()}
            for _ in range(options.rounds - 1):
                best = {name: min(best[name], way()) for name, way in ways.items()}
    show(best, len(paths))


def measures(
    classifier: Classifier, paths: list[Path], folder: Path, scratch: Path, server: Server, options: argparse.Namespace
) -> dict[str, Callable[[], Seconds]]:
    def floor() -> None:
        def one(path: Path) -> None:
            classifier.classify_one(classifier.load(path.read_bytes()))

        with ThreadPoolExecutor(options.workers) as pool:
            for _ in pool.map(one, paths):
                pass

    def local() -> None:
        run(folder, LocalEngine(classifier, find(None), options.workers, options.near), scratch)

    def remote() -> None:
        run(folder, HttpEngine(server.url, near=options.near), scratch)

    return {
        "decode + inference alone": lambda: timed(floor),
        "in-process run": lambda: timed(local),
        "run over HTTP": lambda: timed(remote, server),
    }


def run(folder: Path, engine: Engine, scratch: Path) -> None:
    with open_archive(folder) as archive, tempfile.TemporaryDirectory(dir=scratch) as target:
        Run([folder], archive.items(), engine, RunFolder(Path(target))).go()
    engine.close()


def timed(work: Callable[[], None], server: Server | None = None) -> Seconds:
    cpu, wall = own() + (server.cpu() if server else 0), time.perf_counter()
    work()
    return own() + (server.cpu() if server else 0) - cpu, time.perf_counter() - wall


def own() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def show(best: dict[str, Seconds], count: int) -> None:
    floor, local, remote = (best[name] for name in best)
    print(f"{'':<26}{'CPU ms a picture':>17}{'pictures a CPU second':>23}{'wall, pictures/s':>18}")
    for name, (cpu, wall) in best.items():
        print(f"{name:<26}{1000 * cpu / count:>17.2f}{count / cpu:>23.1f}{count / wall:>18.1f}")
    print(f"in-process run of the limit:  {floor[0] / local[0]:.3f} by CPU time (target 0.95)")
    print(f"HTTP of the in-process run:   {local[0] / remote[0]:.3f} by CPU time, {local[1] / remote[1]:.3f} by wall "
          "(target 0.80)")  # fmt: skip


class Server:
    """`bladecheck serve` on a free port, on the same cores."""

    def __init__(self, bundle: str | None, threads: int) -> None:
        command = [sys.executable, "-c", "from bladecheck.cli import main; main()", "serve", "--port", "0"]
        env = {**os.environ, "BLADECHECK_THREADS": str(threads)}
        self._process = subprocess.Popen(
            [*command, *(["--bundle", bundle] if bundle else [])],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self.url = re.findall(r"http://\S+?:\d+", self._process.stdout.readline())[0]

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def cpu(self) -> float:
        """CPU seconds so far, from /proc (Linux)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def draw(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number, data in enumerate(photographs(count)):
        (folder / f"{number:05d}.jpg").write_bytes(data)
    return folder


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", help="name or folder; default: base")
    parser.add_argument("--pictures", type=int, default=200, help="how many to draw, of 1200 x 900 pixels")
    parser.add_argument("--photographs", type=Path, help="a folder of pictures to use instead")
    parser.add_argument("--workers", type=int, default=2, help="threads of the run and of the server")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--near", action="store_true", default=False, help="with near duplicates")
    found = parser.parse_args()
    if found.near and not fingerprint.available():
        parser.error("--near needs bladecheck[dedupe]")
    return found


if __name__ == "__main__":
    main()
