"""Send damaged pictures to a server and watch its memory: no 500, no crash, nothing grows.

    python benchmarks/fuzz.py --pictures 20000 --bundle base

Starts its own server on a free port; prints outcomes by code and the memory curve, and exits with 1 on any surprise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx2

from mutations import mutated
from serving import Running, serve

AT_ONCE = 16


def resident(process: int) -> int:
    """Resident memory in MiB."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096 // 2**20


def send(running: Running, http: httpx2.Client, batch: list[bytes]) -> Counter[str]:
    """What became of each picture of a batch; every tenth batch also goes through redact."""
    answer = http.post("/v1/classify?evidence=map", files=[("file", ("x", data)) for data in batch])
    if answer.status_code != 200:
        return Counter({f"status {answer.status_code}": len(batch)})
    results = answer.json()["results"]
    seen = Counter(item["error"]["code"] if item["status"] == "failed" else "ok" for item in results)
    seen["missing"] += len(batch) - len(results)
    copy = http.post("/v1/redact", files=[("file", ("x", batch[0]))])
    if copy.status_code not in (200, 422):
        seen[f"redact {copy.status_code}"] += 1
    return seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--bundle", default="base")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    source, seen, done, started = mutated(options.seed), Counter[str](), 0, time.monotonic()
    with serve(options.bundle, log_level="error") as running, running.client() as http:
        print(f"{'pictures':>9} {'seconds':>8} {'MiB':>6}\n{0:>9} {0:>8} {resident(running.process.pid):>6}")
        with ThreadPoolExecutor(options.clients) as pool:
            while done < options.pictures and running.process.poll() is None:
                batches = [list(islice(source, AT_ONCE)) for _ in range(options.clients * 8)]
                for outcome in pool.map(lambda batch: send(running, http, batch), batches):
                    seen.update(outcome)
                done += AT_ONCE * len(batches)
                print(f"{done:>9} {time.monotonic() - started:>8.0f} {resident(running.process.pid):>6}", flush=True)
        alive, log = running.process.poll() is None, "".join(running.log)
    for code, count in seen.most_common():
        print(f"{code:>20} {count}")
    surprises = [code for code in seen if seen[code] and code.startswith(("status", "redact", "missing", "internal"))]
    print(f"alive: {alive}; surprises: {surprises or 'none'}")
    print(log[-2000:] if surprises else "", end="")
    return 0 if alive and not surprises else 1


if __name__ == "__main__":
    sys.exit(main())
