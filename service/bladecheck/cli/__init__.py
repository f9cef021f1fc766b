"""The command line: thin shells over the library. Each command lives in its own file."""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from typing import TYPE_CHECKING

from bladecheck.cli import exit_codes
from bladecheck.errors import BladecheckError, BundleError

if TYPE_CHECKING:
    import typer


def main() -> None:
    """Run the command line; errors that we raise on purpose become one line on stderr, not a traceback."""
    warnings.filterwarnings("ignore", module=r"PIL\.")  # remarks on damaged metadata; what matters is an error
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be valid text
    app = _loaded()
    import typer

    from bladecheck.cli.extras import extra_with

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


def _loaded() -> typer.Typer:
    """All commands. Loading them takes a second or more, and Ctrl-C in that time ends the process at once: modules
    in the middle of their import would answer it with a traceback, or not at all."""
    known = signal.getsignal(signal.SIGINT)
    if known is signal.default_int_handler:  # else it is ignored, as in the background of a script, and stays so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from bladecheck.cli.commands import app

    if known is signal.default_int_handler:
        signal.signal(signal.SIGINT, known)
    return app


def _stop(message: str, code: int) -> None:
    print(f"bladecheck: {message}", file=sys.stderr)
    sys.exit(code)
