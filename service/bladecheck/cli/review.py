"""`bladecheck review`: draw a random sample once, and label it: on a page of this machine, or elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bladecheck.cli import exit_codes
from bladecheck.cli.sample_options import ArchivePath, By, CountBy, Reposts, RunArgument, count_of, domains_of
from bladecheck.errors import BladecheckError, RunError

if TYPE_CHECKING:
    from bladecheck.runs.counts.frame import Count
    from bladecheck.runs.counts.labels import Role
    from bladecheck.runs.counts.opened import Opened

# Rows named one by one when some could not be taken.
NAMED = 20


def review(
    run: RunArgument,
    labels: Annotated[int | None, typer.Option(min=1, help="How many to draw, the first time.")] = None,
    more: Annotated[int | None, typer.Option(min=1, help="Draw so many more.")] = None,
    redraw: Annotated[
        bool, typer.Option("--redraw", help="Draw again, with the same seed, after the archive has grown.")
    ] = False,
    by: By = None,
    count: CountBy = "pictures",
    who: Annotated[str, typer.Option(help="Pseudonym of who labels.")] = "A",
    second: Annotated[bool, typer.Option("--second", help="Label a part a second time, blind.")] = False,
    settle: Annotated[bool, typer.Option("--settle", help="Settle where two labellers differ.")] = False,
    export: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Write the sample: a .csv file, else a folder for Label Studio.")
    ] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", metavar="FILE", help="Take answers: .csv, or Label Studio's .json.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="With --export: copy the sample's pictures there.")
    ] = None,
    seed: Annotated[str | None, typer.Option(help="Instead of the hash of the frame; reported as chosen.")] = None,
    reposts: Reposts = False,
    looks: Annotated[int, typer.Option(min=1, help="How often a verdict may be looked for; fixed when drawn.")] = 1,
    blur: Annotated[bool, typer.Option("--blur", help="Show pictures blurred first.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 0,
    archive: ArchivePath = None,
) -> int:
    """Draw a random sample of a run once and label it by hand; the same command goes on where it stopped.

    Without --export or --import it serves a page on this machine only: keys 1 yes, 2 no, 3 can't tell.

    Examples:

        bladecheck review run --labels 1000

        bladecheck review run --labels 300 --export sample.csv

        bladecheck review run --import sample.csv --who A
    """
    if second and settle:
        raise typer.BadParameter("--second and --settle are two steps: first all second answers, then settle.")
    role: Role = "second" if second else "settled" if settle else "first"
    if redraw:
        return _redraw(run, labels, more, count_of(count))
    opened = _sample(run, labels, more, domains_of(by), count_of(count), seed, reposts, looks)
    if import_:
        return _import(opened, import_, who, role)
    if export:
        return _export(opened, export, pictures, role, archive)
    if labels and not sys.stdout.isatty():
        print(f"Drawn in {opened.sample.path}.", flush=True)
    from bladecheck.runs.review.server import serve

    return serve(opened, who, role, blur, port, archive)


def _sample(
    run: Path, labels: int | None, more: int | None, by: tuple[str, ...], count: Count, seed: str | None,
    reposts: bool, looks: int,
) -> Opened:  # fmt: skip
    """The sample of this run, drawn now if there is none."""
    from bladecheck.runs.counts.opened import draw_sample, open_sample
    from bladecheck.runs.counts.sample import PLAN, place

    if not (place(run, count) / PLAN).exists() and labels:
        opened = draw_sample(run, labels, count, by, seed, reposts, looks)
        drawn, seed = len(opened.sample.drawn()), opened.sample.plan["seed"]
        print(f"{drawn:,} of {len(opened.frame.units):,} {count} drawn; seed {seed}.")
    else:
        opened = open_sample(run, count)
        drawn = opened.sample.plan["batches"][0]["labels"]
        if came := opened.came:
            print(
                f"{came:,} {count} came into the run after the draw: the sample does not cover them. "
                f"bladecheck review {run} --redraw draws from all of them, and keeps what is labelled.",
                file=sys.stderr,
            )
        if labels and labels != drawn:
            raise RunError(f"{drawn:,} are drawn already in {opened.sample.path}; draw further ones with --more.")
    if more:
        opened.sample.more(more)
        print(f"{opened.sample.plan['batches'][-1]['labels']:,} {count} drawn now.")
    return opened


def _redraw(run: Path, labels: int | None, more: int | None, count: Count) -> int:
    """Draw from the run as it is now; answers stay."""
    from bladecheck.runs.counts.opened import open_sample

    if more:
        raise typer.BadParameter("--redraw takes --labels, the number in all, not --more.")
    opened = open_sample(run, count)
    before = sum(opened.sample.drawn_counts.values())
    with opened.sample.locked():
        opened.sample.redraw(opened.frame, labels or before)
    plan = opened.sample.plan
    last = plan["redrawn"][-1]
    given = opened.labels
    waiting = sum(given.given("first", *row) is None for row in opened.queue("first", given))
    print(
        f"{last['came']:,} {count} came, {last['left']:,} left; {plan['batches'][0]['labels']:,} of "
        f"{plan['frame_units']:,} drawn with the same seed, of which {waiting:,} pictures wait to be labelled: "
        f"bladecheck review {run}"
    )
    return 0


def _export(opened: Opened, target: Path, copies: Path | None, role: Role, archive: Path | None) -> int:
    from bladecheck.runs.counts.exchange import export
    from bladecheck.runs.pictures import address
    from bladecheck.runs.table import Ledger

    wanted = opened.queue(role, opened.labels)
    rows = {row for row, _ in wanted}
    inputs = opened.folder.manifest()["inputs"]
    with Ledger(opened.folder) as ledger:
        places = {row["row_id"]: address(row, inputs) for row in ledger.rows() if row["row_id"] in rows}
    if copies:
        places |= _copy(opened, wanted, copies, archive)
    export(target, wanted, lambda row: places.get(row, ""))
    print(f"{len(wanted):,} pictures to label in {target}. Then: bladecheck review {opened.folder.path} --import FILE")
    return 0


def _copy(opened: Opened, wanted: list[tuple[str, str]], copies: Path, archive: Path | None) -> dict[str, str]:
    """Pictures of the sample as files named by row_id."""
    from bladecheck.file_formats import HEAD_BYTES, picture_kind
    from bladecheck.runs.folder import replace
    from bladecheck.runs.pictures import Pictures

    found = {}
    copies.mkdir(parents=True, exist_ok=True)
    with Pictures(opened.folder, [row for row, _ in wanted], archive) as pictures:
        for row, sha256 in wanted:
            try:
                data = pictures.open(row, sha256)
            except (BladecheckError, OSError) as error:
                print(f"bladecheck: {error}", file=sys.stderr)
                continue
            target = copies / f"{row}.{picture_kind(data[:HEAD_BYTES]) or 'bin'}"
            replace(target, data)
            found[row] = str(target.resolve())
    return found


def _import(opened: Opened, source: Path, who: str, role: Role) -> int:
    from bladecheck.runs.counts.exchange import load, take
    from bladecheck.runs.counts.labels import LabelFile
    from bladecheck.runs.counts.sample import LABELS

    found = load(source)
    with opened.sample.locked(), LabelFile(opened.sample.path / LABELS) as file:
        wanted = opened.drawn_rows() if role == "first" else opened.queue(role, file.labels)
        done = take(found, wanted, file, who, role, source.name)
    print(f"{done.taken:,} answers taken, {done.known:,} known already, {done.empty:,} empty.")
    for row, reason in done.left_out[:NAMED]:
        print(f"bladecheck: row {row!r} {reason}: left out.", file=sys.stderr)
    if len(done.left_out) > NAMED:
        print(f"bladecheck: {len(done.left_out) - NAMED:,} more were left out.", file=sys.stderr)
    print(f"Next: bladecheck estimate {opened.folder.path}")
    return exit_codes.SOME_FAILED if done.left_out else 0
