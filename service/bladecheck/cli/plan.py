"""`bladecheck plan`: how many labels a total needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bladecheck.cli.sample_options import By, CountBy, Reposts, RunArgument, count_of, domains_of

if TYPE_CHECKING:
    from bladecheck.runs.counts.draw import Stratum

# Labels: the sizes of sample that are shown beside the one asked for.
STEPS = (100, 200, 300, 600, 1_000, 2_000, 3_000, 5_000, 10_000)


def plan(
    run: RunArgument,
    by: By = None,
    within: Annotated[
        str | None, typer.Option(metavar="10%", help="Say how many labels bring the upper limit within this.")
    ] = None,
    count: CountBy = "pictures",
    reposts: Reposts = False,
) -> int:
    """Show how many pictures to label by hand for a total of which width, from the scores alone.

    The width is how far the upper limit is expected above the estimate. The last column takes the pictures with the
    lowest scores to show three times as many knives as the scores say: a guess, untested.

    Examples:

        bladecheck plan run

        bladecheck plan run --by year --within 10%
    """
    from bladecheck.runs.counts import draw
    from bladecheck.runs.counts.frame import gather, strata, stratify
    from bladecheck.runs.folder import RunFolder
    from bladecheck.runs.table import Ledger

    folder, domains = RunFolder(run), domains_of(by)
    with Ledger(folder) as ledger:
        frame = gather(ledger.rows(), folder.manifest().get("timezone", "UTC"), count_of(count), reposts)
    parts = strata(frame, stratify(frame, domains))
    worse = [
        draw.Stratum(one.name, one.size, min(1.0, 3 * one.score)) if one.name.endswith(draw.BANDS[0][0]) else one
        for one in parts
    ]
    size = sum(one.size for one in parts)
    expected = sum(one.size * one.score for one in parts)
    print(f"{size:,} {count} in {len(parts)} strata; by their scores about {expected:,.0f} show a knife.")
    print("labels  upper limit above the estimate  if low scores hide more")
    steps = [step for step in STEPS if draw.least(parts) <= step < size]
    for step in [*steps, size]:
        given = draw.allocate(parts, step)
        print(f"{step:>6,}  {_share(draw.width(parts, given)):>30}  {_share(draw.width(worse, given)):>23}")
    if domains:
        print(f"By {', '.join(domains)} each domain gets labels of its own; the widths above are of the total.")
    if within:
        print(_enough(parts, _target(within), run))
    print(f"Next: bladecheck review {run} --labels {steps[-1] if steps else size}")
    return 0


def _share(width: float | None) -> str:
    return "no knife expected" if width is None else f"{100 * width:.0f} %"


def _target(text: str) -> float:
    try:
        found = float(text.strip().removesuffix("%")) / 100
    except ValueError:
        found = 0.0
    if not 0 < found < 10:
        raise typer.BadParameter(f"--within takes a share such as 10%, not {text!r}.")
    return found


def _enough(strata: list[Stratum], target: float, run: Path) -> str:
    from bladecheck.runs.counts import draw

    low, high = draw.least(strata), sum(one.size for one in strata)
    while low < high:
        middle = (low + high) // 2
        width = draw.width(strata, draw.allocate(strata, middle))
        if width is None:
            return "The scores expect no knife at all: no number of labels gives a width."
        low, high = (low, middle) if width <= target else (middle + 1, high)
    return f"Within {100 * target:g} %: about {low:,} labels. bladecheck review {run} --labels {low}"
