"""What serving costs above decoding and inference, here and with other stacks, in one run on one machine.

    python benchmarks/serving.py --bundle base --peers /tmp/peers/bin/python

Prints CPU milliseconds per picture (of the server and its children, the load generator not counted), its ratio to
decoding + inference alone in as many threads as cores, requests a second, and p50 and p99 at 1, 8 and 32 clients.
See benchmarks/peers/README.md for the peers. Wall times need a quiet machine; CPU times and ratios bear some noise.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
from loading import body, cpu_seconds, drawn, free_port, load, resident, wait_for

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "benchmarks" / "peers"
HEADER = "server          clients   CPU ms  ratio   req/s   p50 ms   p99 ms failed   MiB  first"


def commands(peers: str | None, bundle: str, port: int) -> dict[str, tuple[list[str], str]]:
    """By name: how to start a server on `port`, and the path it takes pictures at."""
    ours = [sys.executable, "-c", "from bladecheck.cli import main; main()", "serve"]
    found = {"bladecheck": ([*ours, "--bundle", bundle, "--port", str(port)], "/v1/classify")}
    if peers:
        for name in ("plain_fastapi", "naive_fastapi", "litserve_app"):
            found[name] = ([peers, str(PEERS / f"{name}.py"), str(port)], "/predict")
        bento = [peers, "-m", "bentoml", "serve", "bentoml_app:Knives", "--port", str(port), "--host", "127.0.0.1"]
        found["bentoml_app"] = (bento, "/predict")
    return found


def alone(bundle: str, pictures: list[bytes], requests: int) -> tuple[float, float]:
    """Decoding, inference and verdict without any server: CPU ms per picture, and pictures a second."""
    from bladecheck import Classifier
    from bladecheck.core.result import classify_bytes

    classifier, process = Classifier.open(bundle), psutil.Process()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda data: classify_bytes(data, classifier), pictures[:8]))
        cpu, started = cpu_seconds(process), time.perf_counter()
        list(pool.map(lambda index: classify_bytes(pictures[index % len(pictures)], classifier), range(requests)))
        seconds = time.perf_counter() - started
    return (cpu_seconds(process) - cpu) * 1000 / requests, requests / seconds


def measure(
    command: list[str], path: str, port: int, bodies: list[bytes], options: argparse.Namespace
) -> dict[str, Any]:
    """Start a server, load it with each number of clients, stop it."""
    env = {**os.environ, "BUNDLE": options.bundle, "PYTHONPATH": str(ROOT / "service"), "BENTOML_DO_NOT_TRACK": "True"}
    quiet = subprocess.DEVNULL
    process = psutil.Popen(command, env=env, cwd=PEERS, stdout=quiet, stderr=quiet)
    try:
        row: dict[str, Any] = {"first_answer_s": round(wait_for(port, path, bodies[0], process), 2)}
        load(port, path, bodies, 8, 40)
        for clients in options.clients:
            before = cpu_seconds(process)
            outcome = load(port, path, bodies, clients, options.requests)
            row[str(clients)] = {
                "cpu_ms": round((cpu_seconds(process) - before) * 1000 / options.requests, 2),
                "per_second": round(options.requests / outcome.wall, 1),
                "p50_ms": round(outcome.percentile(50), 1),
                "p99_ms": round(outcome.percentile(99), 1),
                "failures": outcome.failures,
            }
        row["MiB"] = round(resident(process))
        return row
    finally:
        family = [process, *(process.children(recursive=True) if process.is_running() else [])]
        process.terminate()
        _, left = psutil.wait_procs(family, timeout=10)
        for one in left:
            one.kill()


def show(name: str, row: dict[str, Any], clients: list[int], limit: float) -> None:
    for count in clients:
        cell = row[str(count)]
        print(
            f"{name:<15}{count:>8}{cell['cpu_ms']:>9.2f}{cell['cpu_ms'] / limit:>7.2f}{cell['per_second']:>8.1f}"
            f"{cell['p50_ms']:>9.1f}{cell['p99_ms']:>9.1f}{cell['failures']:>7}{row['MiB']:>6}{row['first_answer_s']:>7}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="base", help="a bundle's name or folder")
    parser.add_argument("--peers", help="Python of the environment that has the peers; without it only ours is run")
    parser.add_argument("--pictures", type=Path, help="a folder of JPEGs instead of drawn ones")
    parser.add_argument("--requests", type=int, default=1000, help="per number of clients")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--only", nargs="+", help="names of the servers to run")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    if Path(options.bundle).exists():
        options.bundle = str(Path(options.bundle).resolve())
    files = sorted(options.pictures.glob("*.jp*g"))[:200] if options.pictures else []
    pictures = [file.read_bytes() for file in files] or drawn(40)
    bodies = [body(picture) for picture in pictures]
    limit, rate = alone(options.bundle, pictures, options.requests)
    mean = sum(map(len, pictures)) // len(pictures) // 1024
    print(f"{len(pictures)} pictures, mean {mean} KiB, {os.cpu_count()} cores")
    print(f"decoding + inference + verdict alone: {limit:.2f} ms CPU a picture, {rate:.1f} a second\n")
    print(HEADER)
    rows: dict[str, Any] = {"alone": {"cpu_ms": limit, "per_second": rate}}
    for name in commands(options.peers, options.bundle, 0):
        if options.only and name not in options.only:
            continue
        port = free_port()
        command, path = commands(options.peers, options.bundle, port)[name]
        try:
            rows[name] = measure(command, path, port, bodies, options)
        except RuntimeError as error:
            print(f"{name:<15} did not run: {error}", flush=True)
            continue
        show(name, rows[name], options.clients, limit)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
