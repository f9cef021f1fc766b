"""The path that a reverse proxy serves the service under, such as `/bladecheck`, and what it takes to live there.

A proxy may take the prefix away before it passes a request on, or leave it; both arrive at the same page.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,60}){1,6}")
"""Nothing in it can leave our own site in a link: no second slash in a row, no dot in front, no colon, no query."""
OWN = frozenset(
    (
        "accessibility",
        "check",
        "copy",
        "docs",
        "healthz",
        "help",
        "metrics",
        "model",
        "openapi.json",
        "privacy",
        "readyz",
    )
) | {"record", "static", "v1", "v2"}
"""First segments of our own paths. A prefix that begins so could not be told from them."""

Scope = MutableMapping[str, Any]


def valid(text: str) -> str | None:
    """The prefix without its final slash, empty for none; None if it can't be one."""
    kept = text.strip().rstrip("/")
    if not kept:
        return ""
    return kept if PREFIX.fullmatch(kept) and kept.split("/")[1] not in OWN else None


def put(scope: Scope, prefix: str) -> None:
    """Note the prefix in a request's scope, and put it before the path if the proxy took it away."""
    path = str(scope["path"])
    if path == prefix:
        scope["path"] = f"{prefix}/"
    elif not path.startswith(f"{prefix}/"):
        scope["path"] = prefix + path
    scope["root_path"] = prefix


def base(scope: Scope) -> str:
    """The prefix that a request came in by; empty without one."""
    # Inside mounted folders root_path is theirs.
    return str(scope.get("app_root_path", scope.get("root_path", "")))


def route(scope: Scope) -> str:
    """The path of a request as our routes know it: without the prefix."""
    return str(scope.get("path", "")).removeprefix(base(scope))
