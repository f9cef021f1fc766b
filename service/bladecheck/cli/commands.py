"""All commands under one name."""

from __future__ import annotations

import typer

from bladecheck import __version__
from bladecheck.cli import (
    adapt,
    classify,
    decide,
    doctor,
    estimate,
    evaluate,
    export,
    merge,
    model,
    plan,
    record,
    report,
    review,
    score,
    serve,
    verify,
    wall,
)

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Tell whether photos show knife imagery.\n\n"
    "Exit codes: 0 ran, 1 wrong usage, 2 some pictures failed, 3 no usable model.",
)
app.command("classify")(classify.classify)
app.command("serve")(serve.serve)
app.command("score")(score.score)
app.command("merge")(merge.merge)
app.command("export")(export.export)
app.command("report")(report.report)
app.command("plan")(plan.plan)
app.command("review")(review.review)
app.command("estimate")(estimate.estimate)
app.command("verify")(verify.verify)
app.command("wall")(wall.wall)
app.command("decide")(decide.decide)
app.command("evaluate")(evaluate.evaluate)
app.command("adapt")(adapt.adapt)
app.command("doctor")(doctor.doctor)
app.add_typer(model.app, name="model")
app.add_typer(record.app, name="record")


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    if version:
        typer.echo(f"bladecheck {__version__}")
        raise typer.Exit
