"""`bladecheck serve`: the service and its page."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bladecheck import __version__
from bladecheck.cli import exit_codes
from bladecheck.core import bundle, policy_file
from bladecheck.core.verdict import Policy
from bladecheck.errors import SettingsError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from bladecheck.web.settings import Settings


@dataclass(frozen=True)
class Builder:
    """Makes the app in whichever process it is called; may be sent to another process."""

    bundle: bundle.Bundle
    policy: Policy

    def __call__(self, settings: Settings) -> FastAPI:
        from bladecheck.core.classifier import Classifier
        from bladecheck.web.app import create_app

        return create_app(lambda: Classifier(self.bundle), settings, self.policy)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 0 takes a free one. Default: 8000.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Model: a bundle's name or folder. Default: base.")] = None,
    policy: Annotated[str | None, typer.Option(help="Rules: a shipped policy's name or a TOML file.")] = None,
    root_path: Annotated[
        str | None, typer.Option("--root-path", help="Path that a reverse proxy serves it under, as /bladecheck.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. Default: 1, with a thread per core.")] = None,
    insecure: Annotated[bool, typer.Option("--insecure", help="Listen beyond loopback without an API key.")] = False,
    new_key: Annotated[bool, typer.Option("--new-key", help="Print a new API key and its hash, and stop.")] = False,
) -> int:
    """Start the service: the page at /, the API under /v1, its documentation at /docs.

    Every setting is also an environment variable: see docs/settings.md.

    Examples:

        bladecheck serve

        bladecheck serve --port 9000 --policy only-when-necessary
    """
    if new_key:
        _print_key()
        return 0
    options = {
        "host": host,
        "port": port,
        "bundle": bundle,
        "policy": policy,
        "processes": workers,
        "root_path": root_path,
    }
    settings = read_settings({**options, "insecure": insecure or None})
    check_exposure(settings)
    return _run(settings)


def _run(settings: Settings) -> int:
    from bladecheck.web.processes import run_many
    from bladecheck.web.server import address, listen, run_one

    build = Builder(bundle.find(settings.bundle), policy_file.find(settings.policy))
    bound = listen(settings)
    print(
        f"Bladecheck {__version__} is starting on {address(bound)}: open that in a browser; for programs, "
        f"{address(bound)}/docs. Ctrl+C stops it.",
        flush=True,
    )
    try:
        good = (run_many if settings.processes > 1 else run_one)(settings, build, bound)
    except KeyboardInterrupt:
        good = True
    return exit_codes.OK if good else exit_codes.NO_MODEL


def read_settings(given: dict[str, Any]) -> Settings:
    from pydantic import ValidationError
    from pydantic_settings import SettingsError as UnreadableSetting

    from bladecheck.web.settings import Settings

    known = {f"BLADECHECK_{name.upper()}" for name in Settings.model_fields}
    for name in sorted(os.environ):
        if name.upper().startswith("BLADECHECK_") and name.upper() not in known:
            print(f"WARNING: {name} is no setting of the service and has no effect.", file=sys.stderr, flush=True)
    try:
        return Settings(**{key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        found = error.errors()[0]
        name = ".".join(str(part) for part in found["loc"]) or "settings"
        raise SettingsError(f"{name}: {found['msg']}. See docs/settings.md.") from error
    except UnreadableSetting as error:
        raise SettingsError(f"{error}. See docs/settings.md.") from error


def check_exposure(settings: Settings) -> None:
    if settings.on_loopback or settings.api_key_hashes:
        return
    if not settings.insecure:
        raise SettingsError(
            f"Listening on {settings.host} lets other machines in, so an API key is needed: run `bladecheck serve "
            "--new-key`, and set BLADECHECK_API_KEY_HASHES to its hash. --insecure starts without one."
        )
    print(
        f"WARNING: no API key is asked for on {settings.host}. Anyone who can reach this port can use the service "
        "and read its page. Publish it to this machine only, or set BLADECHECK_API_KEY_HASHES.",
        file=sys.stderr,
        flush=True,
    )


def _print_key() -> None:
    from bladecheck.web.keys import new_key

    key, digest = new_key()
    print(f"Key, for the client (shown once, not stored):   {key}")
    print(f"Hash, for the server: BLADECHECK_API_KEY_HASHES={digest}")
