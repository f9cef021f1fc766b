"""Text that travels through the browser and comes back unchanged: sealed with a keyed hash (HMAC-SHA-256, RFC 2104)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from bladecheck.core.record import canonical


class BrokenSeal(ValueError):
    """A sealed text that was changed on the way, is of another kind, or was sealed under another key."""


def seal(kind: str, value: dict[str, Any], key: bytes) -> str:
    """The value as text for a hidden field, with its keyed hash; `kind` says what it may be used as."""
    body = base64.urlsafe_b64encode(canonical({"kind": kind, "value": value})).decode()
    return f"{body}.{_mac(body, key)}"


def unseal(kind: str, token: str, key: bytes) -> dict[str, Any]:
    """The value that was sealed.

    Raises:
        BrokenSeal: if the text was changed, is of another kind, or was sealed under another key.
    """
    body, _, mac = token.rpartition(".")
    if not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):
        raise BrokenSeal("The results were changed, or the service was restarted since they were made.")
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
    if found["kind"] != kind:
        raise BrokenSeal(f"This is a sealed {found['kind']}, not a sealed {kind}.")
    value: dict[str, Any] = found["value"]
    return value


def _mac(body: str, key: bytes) -> str:
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()
