"""How long near duplicates take as an archive grows: CPU seconds for random hashes of which half have a near copy.

    python benchmarks/near_duplicates.py 10000 100000 1000000

Single-threaded; the last column is what the first line's time would be at linear growth.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from bladecheck.runs.duplicates import LONG, SHORT, clusters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 100_000, 300_000], help="numbers of pictures")
    parser.add_argument("--long", action="store_true", help="also with the long words that suit many millions")
    options = parser.parse_args()
    first: float | None = None
    print("pictures | words | CPU s | linear would be | clusters")
    for count in options.counts:
        for name, cut in [("short", SHORT), *([("long", LONG)] if options.long else [])]:
            generator = np.random.default_rng(0)
            made = generator.integers(0, 256, (count, 32), np.uint8)
            made[1::2] = made[: count - count % 2 : 2]
            made[1::2, 5] ^= 0b111
            generator.shuffle(made)
            hashes = [row.tobytes() for row in made]
            started = time.process_time()
            found = len(set(clusters(hashes, cut=cut)))
            took = time.process_time() - started
            first = first or took / count
            print(f"{count:,} | {name} | {took:.2f} | {first * count:.2f} | {found:,}", flush=True)


if __name__ == "__main__":
    main()
