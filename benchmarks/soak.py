"""A long row of requests, and the memory curve beside it: is anything kept?

    python benchmarks/soak.py --requests 100000 --bundle small

Classifies and, every fiftieth time, redacts, from 8 clients; prints resident memory on the way. Exits with 1 if the
last tenth lies more than 5 % above the second tenth, if an answer was not 200, or if the server stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import psutil
from loading import body, drawn, free_port, load, resident, wait_for

STEPS = 40
GROWTH = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="base")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--clients", type=int, default=8)
    options = parser.parse_args()
    port, bodies, failures, curve = free_port(), [body(picture) for picture in drawn(40)], 0, []
    command = [sys.executable, "-c", "from bladecheck.cli import main; main()", "serve"]
    quiet = subprocess.DEVNULL
    process = psutil.Popen([*command, "--bundle", options.bundle, "--port", str(port)], stdout=quiet, stderr=quiet)
    try:
        wait_for(port, "/v1/classify", bodies[0], process)
        started, step = time.perf_counter(), max(1, options.requests // STEPS)
        print(f"{'requests':>9}{'seconds':>9}{'MiB':>7}")
        for done in range(step, options.requests + 1, step):
            failures += load(port, "/v1/classify", bodies, options.clients, step - step // 50).failures
            failures += load(port, "/v1/redact", bodies, options.clients, step // 50).failures
            curve.append(resident(process))
            print(f"{done:>9}{time.perf_counter() - started:>9.0f}{curve[-1]:>7.0f}", flush=True)
        alive = process.poll() is None
    finally:
        process.terminate()
        psutil.wait_procs([process], timeout=20)
    tenth = max(1, len(curve) // 10)
    early, late = max(curve[tenth : 2 * tenth]), max(curve[-tenth:])
    flat = late <= GROWTH * early
    print(f"early {early:.0f} MiB, late {late:.0f} MiB ({late / early:.3f}); failures {failures}; alive {alive}")
    return 0 if flat and alive and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
