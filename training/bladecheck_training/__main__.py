"""`python -m bladecheck_training prepare|train|evaluate|export|all --config X.toml`, and, of a finished bundle,
`describe|narrow|range|settle BUNDLE` and, of two, `cascade LENDER`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from bladecheck_training import cascade as cascading
from bladecheck_training import manifest, pipeline, restate
from bladecheck_training import settle as settling
from bladecheck_training.config import read

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Train a Bladecheck model: labelled pictures in, a checked bundle out. Every step resumes after a break.",
)
ConfigPath = Annotated[Path, typer.Option("--config", exists=True, dir_okay=False, help="TOML file of the run.")]
STEPS: dict[str, tuple[str, Callable[[pipeline.Run], None]]] = {
    "prepare": ("Compress the frozen blocks and cache the views.", pipeline.prepare),
    "train": ("Train, with cross-validation over police pictures.", pipeline.train),
    "evaluate": ("Print the held-out measures.", pipeline.evaluate),
    "export": ("Write and check the bundle and its card.", pipeline.export),
}


def _command(name: str, summary: str, step: Callable[[pipeline.Run], None]) -> None:
    def command(config: ConfigPath) -> None:
        step(pipeline.Run.open(read(config)))

    app.command(name, help=summary)(command)


for _name, (_summary, _step) in STEPS.items():
    _command(_name, _summary, _step)


@app.command("all", help="All four steps.")
def everything(config: ConfigPath) -> None:
    run = pipeline.Run.open(read(config))
    for _, step in STEPS.values():
        step(run)


Folder = Annotated[Path, typer.Argument(metavar="BUNDLE", exists=True, file_okay=False, help="Folder of a bundle.")]
Version = Annotated[str | None, typer.Option("--version", help="The bundle's new version. Default: keep it.")]


@app.command(help="Fill the graph's metadata in a finished bundle; its files and identity change.")
def describe(folder: Folder, version: Version = None) -> None:
    print(restate.describe(folder, version).sha256)


@app.command(help="Settle anew how looks combine to the knife score; calibration, thresholds, measures follow.")
def settle(config: ConfigPath, folder: Folder) -> None:
    chosen = read(config)
    rows = [row for row in manifest.load(chosen.data) if row.split in ("dev", "police")]
    print(settling.settle(folder, rows, chosen, settling.read_looks(folder, rows)).sha256)


@app.command("narrow", help="Keep integer weights within seven bits, which every processor multiplies alike.")
def narrow(folder: Folder, version: Annotated[str, typer.Option(help="Of the bundle from now on.")]) -> None:
    print(restate.narrowed(folder, version).sha256)


@app.command("range", help="State anew which pictures are like the measured ones; files and identity change.")
def measured_range(config: ConfigPath, folder: Folder, version: Version = None) -> None:
    rows = manifest.load(read(config).data)
    made = restate.measured_range(folder, [row.path for row in rows if row.split in ("dev", "police")], version)
    print(made.manifest.embedding_range)
    print(made.sha256)


@app.command(help="Join the run's bundle, asked first, and another, asked where the first is not sure, to a cascade.")
def cascade(
    config: ConfigPath,
    lender: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", file_okay=False, help="Folder of the new bundle.")],
    version: Annotated[str, typer.Option("--version", help="Its version.")] = "1.0.0",
) -> None:
    chosen = read(config)
    rows = [row for row in manifest.load(chosen.data) if row.split in ("dev", "police")]
    first = Path(chosen.models) / chosen.model.name
    print(cascading.build(out, first, lender, rows, chosen, version).sha256)


if __name__ == "__main__":
    app()
