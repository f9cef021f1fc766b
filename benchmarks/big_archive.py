"""Peak memory of a run over a large archive in mixed formats, and of every export.

    python benchmarks/big_archive.py --pictures 100000 --bundle base

The archive is drawn: a quarter each as an X archive, a table with a folder, a tar and a gallery-dl folder. Each step
runs in a process of its own, whose peak resident memory the system reports.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from drawing import archives

COMMAND = [sys.executable, "-c", "from bladecheck.cli import main; main()"]
FORMATS = ("jsonl", "csv", "parquet", "xlsx", "duckdb", "summary", "camtrap-dp", "label-studio", "ro-crate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--bundle", help="name or folder; default: base")
    parser.add_argument("--folder", type=Path, help="where to work; default: a temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        begun = time.perf_counter()
        paths = archives(Path(scratch) / "archives", options.pictures)
        print(f"{options.pictures:,} pictures drawn in {time.perf_counter() - begun:.0f} s")
        run = str(Path(scratch) / "run")
        score = ["score", *map(str, paths), "-o", run, *(["--bundle", options.bundle] if options.bundle else [])]
        print(f"{'step':<28}{'peak MB':>9}{'CPU s':>9}{'wall s':>9}")
        step("score", score, allowed=(0, 2))
        step("score again (all done)", score, allowed=(0, 2))
        for name in FORMATS:
            step(f"export {name}", ["export", run, "--format", name])
        step("report", ["report", run])
        size = (Path(run) / "journal.jsonl").stat().st_size
        print(f"journal: {size / 2**20:.0f} MB, {size / options.pictures:.0f} bytes a picture")


def step(name: str, arguments: list[str], allowed: tuple[int, ...] = (0,)) -> None:
    begun = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    complaint = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        sys.exit(f"{name} ended with {process.returncode}: {complaint.decode()[-500:]}")
    peak = used.ru_maxrss / 1024
    print(f"{name:<28}{peak:>9.0f}{used.ru_utime + used.ru_stime:>9.1f}{time.perf_counter() - begun:>9.1f}", flush=True)


if __name__ == "__main__":
    main()
