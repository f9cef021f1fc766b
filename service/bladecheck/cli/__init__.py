"""The command line: thin shells over the library. Each command lives in its own file."""

from __future__ import annotations

import io
import os
import sys
import warnings

import typer

from bladecheck import __version__
from bladecheck.cli import (
    adapt,
    classify,
    decide,
    doctor,
    estimate,
    evaluate,
    exit_codes,
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
from bladecheck.cli.extras import extra_with
from bladecheck.errors import BladecheckError, BundleError

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


def main() -> None:
    """Run the command line; errors that we raise on purpose become one line on stderr, not a traceback."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on damaged metadata; what matters is an error
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    try:
        code = app(standalone_mode=False)
        sys.stdout.flush()
    except BladecheckError as error:
        _stop(
            f"{error.detail} [{error.code}]",
            exit_codes.NO_MODEL if isinstance(error, BundleError) else exit_codes.USAGE,
        )
    except KeyboardInterrupt:
        _stop("Interrupted.", exit_codes.INTERRUPTED)
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(exit_codes.BROKEN_PIPE)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _stop(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}.", exit_codes.USAGE)
    except ModuleNotFoundError as error:
        extra = extra_with(error.name or "")
        if extra is None:
            raise
        _stop(f"This needs an optional library: pip install 'bladecheck[{extra}]'.", exit_codes.USAGE)
    except typer.Abort:
        _stop("Interrupted.", exit_codes.INTERRUPTED)
    except Exception as error:  # whatever is not a usage error is raised on
        show = getattr(error, "show", None)  # typer carries its own click, whose usage errors have no public base class
        if show is None:
            raise
        show()
        sys.exit(exit_codes.USAGE)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str, code: int) -> None:
    print(f"bladecheck: {message}", file=sys.stderr)
    sys.exit(code)
