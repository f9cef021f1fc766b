"""The command line: thin shells over the library. Each command lives in its own file."""

from __future__ import annotations

import sys

import typer

from bladecheck import __version__
from bladecheck.cli import classify, doctor, model, serve
from bladecheck.errors import BladecheckError, BundleError

EXIT_USAGE, EXIT_SOME_FAILED, EXIT_NO_MODEL = 1, 2, 3

app = typer.Typer(
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Tell whether photos show knife imagery.\n\n"
    "Exit codes: 0 ran, 1 wrong usage, 2 some pictures failed, 3 no usable model.",
)
app.command("classify")(classify.classify)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(model.app, name="model")


@app.callback(invoke_without_command=True)
def root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    if version:
        typer.echo(f"bladecheck {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors that we raise on purpose become one line on stderr, not a traceback."""
    try:
        code = app(standalone_mode=False)
    except BladecheckError as error:
        _stop(f"{error.detail} [{error.code}]", EXIT_NO_MODEL if isinstance(error, BundleError) else EXIT_USAGE)
    except KeyboardInterrupt:
        _stop("Interrupted.", 130)
    except Exception as error:
        import click

        if isinstance(error, click.exceptions.Abort):
            _stop("Interrupted.", 130)
        if not isinstance(error, click.ClickException):
            raise
        error.show()
        sys.exit(EXIT_USAGE)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(message: str, code: int) -> None:
    print(f"bladecheck: {message}", file=sys.stderr)
    sys.exit(code)
