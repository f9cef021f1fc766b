"""The optional parts of this package, from its own metadata: which libraries each needs, and which are here."""

from __future__ import annotations

import importlib.metadata
import re
import sys

from bladecheck import __name__ as package

REQUIREMENT = re.compile(r"^(?P<name>[\w.-]+)(?P<rest>.*?extra == ['\"](?P<extra>[\w-]+)['\"].*)$")
FOR_DEVELOPERS = ("dev",)


def extras() -> dict[str, list[str]]:
    """Names of libraries by extra, as pyproject.toml lists them; those for developers alone are left out."""
    found: dict[str, list[str]] = {}
    for requirement in importlib.metadata.requires(package) or []:
        match = REQUIREMENT.match(requirement)
        not_here = match and "sys_platform != 'win32'" in match["rest"].replace('"', "'") and sys.platform == "win32"
        if match and not not_here and match["extra"] not in FOR_DEVELOPERS:
            found.setdefault(match["extra"], []).append(match["name"])
    return found


def missing(libraries: list[str]) -> list[str]:
    """Those of the libraries that are not installed."""
    return [library for library in libraries if version(library) is None]


def version(library: str) -> str | None:
    """The installed version of a library, or None."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return None


def extra_with(module: str) -> str | None:
    """The extra that brings `module`, if one does."""
    wanted = module.partition(".")[0].replace("_", "-").lower()
    return next((extra for extra, libraries in extras().items() if wanted in map(str.lower, libraries)), None)
