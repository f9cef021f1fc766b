"""How long near duplicates take as an archive grows: CPU seconds for drawn hashes of several kinds.

    python benchmarks/near_duplicates.py 10000 100000 1000000
    python benchmarks/near_duplicates.py 10000 30000 100000 --kind copies

`pairs`: random hashes of which half have a near copy; `correlated`: no copies, bits as unlike from random as those of
photos; `copies`: all are near copies of one picture. `--cut` compares the lengths of words. The last column is CPU time
over what linear growth from the first count would be.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import numpy.typing as npt

from bladecheck.runs.duplicates import LONG, SHORT, Cut, grouped

CUTS: dict[str, Cut | None] = {"auto": None, "short": SHORT, "long": LONG}
KINDS = ("pairs", "correlated", "copies")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", nargs="*", type=int, default=[10_000, 100_000, 300_000], help="numbers of pictures")
    parser.add_argument("--kind", choices=KINDS, default="pairs")
    parser.add_argument("--cut", choices=CUTS, nargs="*", default=["auto"])
    options = parser.parse_args()
    first: dict[str, float] = {}
    print(f"{'pictures':>10}  {'words':<6}{'CPU s':>9}{'x linear':>10}{'clusters':>12}")
    for count in options.counts:
        hashes = drawn(options.kind, count)
        for name in options.cut:
            started = time.process_time()
            found = len(np.unique(grouped(hashes, cut=CUTS[name])))
            took = time.process_time() - started
            first.setdefault(name, took / count)
            print(f"{count:>10,}  {name:<6}{took:>9.2f}{took / count / first[name]:>10.2f}{found:>12,}", flush=True)


def drawn(kind: str, count: int) -> npt.NDArray[np.uint8]:
    """Hashes of a kind, uint8 [N, 32]."""
    generator = np.random.default_rng(0)
    if kind == "correlated":
        mix = generator.normal(size=(24, 256))
        return np.concatenate([_mixed(generator, mix, min(10_000, count - at)) for at in range(0, count, 10_000)])
    if kind == "copies":
        bits = np.repeat(generator.integers(0, 2, (1, 256), np.uint8), count, axis=0)
        bits[np.arange(count)[:, None], generator.integers(0, 256, (count, 8))] ^= 1
        return np.packbits(bits, axis=1)
    made = generator.integers(0, 256, (count, 32), np.uint8)
    made[1::2] = made[: count - count % 2 : 2]
    made[1::2, 5] ^= 0b111
    generator.shuffle(made)
    return made


def _mixed(generator: np.random.Generator, mix: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.uint8]:
    values = generator.normal(size=(count, 24)) @ mix + 2.5 * generator.normal(size=(count, 256))
    return np.packbits(values > np.median(values, axis=1, keepdims=True), axis=1)


if __name__ == "__main__":
    main()
