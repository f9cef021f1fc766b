"""`bladecheck estimate`: totals with intervals, from a drawn sample and its labels."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from bladecheck.cli.sample_options import By, CountBy, RunArgument, count_of, domains_of


def estimate(
    run: RunArgument,
    by: By = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="A,B", help="Set B against A: years, months, 2023-01..2023-06, or accounts. Repeatable."),
    ] = None,
    count: CountBy = "pictures",
    confidence: Annotated[float, typer.Option(min=50, max=99.9, help="Of the intervals, in percent.")] = 95,
    assume_alike: Annotated[
        bool,
        typer.Option("--assume-alike", help="With --by: also ranges, if the model errs alike everywhere."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print estimate.json instead of sentences.")] = False,
) -> int:
    """Estimate how many pictures show a knife, with an interval, from labels of a random sample.

    Writes estimate.json, estimate.csv and strata.csv into RUN; `bladecheck report` shows them.

    Examples:

        bladecheck estimate run

        bladecheck estimate run --by account,year --compare 2023,2024
    """
    from bladecheck.runs.counts.alike import CALLED, FILE
    from bladecheck.runs.counts.estimate import Options
    from bladecheck.runs.counts.opened import look, open_sample
    from bladecheck.runs.counts.sample import PLAN, place
    from bladecheck.runs.counts.sentences import domain

    if assume_alike and not domains_of(by):
        raise typer.BadParameter("--assume-alike is for domains: add --by, such as --by account,month.")
    wanted = count_of(count)
    drawn = "pictures" if wanted == "distinct" and not (place(run, wanted) / PLAN).exists() else wanted
    options = Options(domains_of(by), tuple(compare or ()), confidence / 100, wanted)
    found = look(open_sample(run, drawn), options, assume_alike)
    if as_json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    for sentence in found["sentences"]:
        print(sentence)
    for one in found["domains"]:
        print(f"  {domain(one)}")
    if assume_alike:
        print(f"{run}/{FILE}: each domain's {CALLED}. No interval: never to be summed or compared.")
    for warning in found["warnings"]:
        print(f"Note: {warning}")
    if found["not_covered"]["scored_after_the_draw"]:
        print(f"To cover what came into the run after the draw: bladecheck review {run} --redraw")
    print(_table(found))
    print(f"{run}/estimate.json, estimate.csv and strata.csv have it all. Next: bladecheck report {run}")
    return 0


def _table(found: dict[str, Any]) -> str:
    """The table that a reader can recompute, in columns."""
    width = max(len(line["stratum"]) for line in found["strata"])
    lines = [f"{'stratum':{width}}  {'N':>9} {'n':>6} {'x':>6} {'low':>11} {'high':>11}"]
    for one in found["strata"]:
        counts = f"{one['N']:>9,} {one['n']:>6,} {one['x']:>6,}"
        lines.append(f"{one['stratum']:{width}}  {counts} {one['low']:>11,.2f} {one['high']:>11,.2f}")
    return "\n".join(lines)
