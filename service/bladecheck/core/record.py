"""The record of a decision as plain data: its fingerprint, its signature, and whether a file is what was once made.

The fingerprint (SHA-256 of the canonical JSON of all else) ties paper and file together, but anyone who edits a file
can work out a new one. The signature (HMAC-SHA-256, RFC 2104, over the fingerprint) can be made and verified only with
a key that the force keeps.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bladecheck.errors import RecordError

SCHEMA = "bladecheck-record/2"
# Bytes, as many as an HMAC-SHA256 has: a shorter key would be easier to guess than the signature.
LEAST_KEY = 32
OWN = ("fingerprint", "signature")
Signature = Literal["valid", "wrong", "not verified", "unsigned"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What holds of a record.

    Attributes:
        unaltered: everything in it is what its fingerprint was made of.
        signature: "valid" or "wrong" under the key that was given; "not verified" without a key; or "unsigned".
        pictures: by name of a file, what it is in the record: "the picture NAME", "the copy of NAME", or "" if nothing.
    """

    unaltered: bool
    signature: Signature
    pictures: Mapping[str, str]

    @property
    def good(self) -> bool:
        """Nothing speaks against the record and the files."""
        return self.unaltered and self.signature != "wrong" and all(self.pictures.values())


def canonical(value: object) -> bytes:
    """JSON in one way only: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def fingerprint(record: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the record's canonical JSON without its own fingerprint and signature."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k not in OWN})).hexdigest()


def finished(record: Mapping[str, Any], key: bytes | None) -> dict[str, Any]:
    """The record with its fingerprint, and with a signature if the force keeps a key."""
    mark = fingerprint(record)
    signed = {"algorithm": "HMAC-SHA-256", "value": _signature(mark, key)} if key else None
    return {**record, "fingerprint": mark, "signature": signed}


def read(data: bytes) -> dict[str, Any]:
    """A record from the bytes of its file.

    Raises:
        RecordError: if it is no record of this kind.
    """
    try:
        found = json.loads(data)
    except ValueError as error:
        raise RecordError("This is no record: choose the file that was downloaded as data (JSON).") from error
    if not isinstance(found, dict) or found.get("schema") != SCHEMA or not isinstance(found.get("pictures"), list):
        schema = found.get("schema") if isinstance(found, dict) else None
        raise RecordError(f"This is no record of the kind {SCHEMA!r}, but {str(schema)[:60]!r}.")
    return found


def verify(
    record: Mapping[str, Any], files: Sequence[tuple[str, bytes]] = (), key: bytes | None = None
) -> Verification:
    """Whether a record is unaltered, and what each file (name, bytes) is in it."""
    mark = fingerprint(record)
    return Verification(
        unaltered=hmac.compare_digest(mark, str(record.get("fingerprint"))),
        signature=_signature_of(record, mark, key),
        pictures={name: _named(record, hashlib.sha256(data).hexdigest()) for name, data in files},
    )


def _signature_of(record: Mapping[str, Any], mark: str, key: bytes | None) -> Signature:
    signed = record.get("signature")
    if not signed:
        return "unsigned"
    if key is None:
        return "not verified"
    value = signed.get("value") if isinstance(signed, Mapping) else None
    return "valid" if hmac.compare_digest(str(value).encode(), _signature(mark, key).encode()) else "wrong"


def _named(record: Mapping[str, Any], digest: str) -> str:
    for item in record["pictures"]:
        if item["result"]["image"].get("sha256") == digest:
            return f"the picture {item['name']}"
        if (item.get("copy") or {}).get("sha256") == digest:
            return f"the copy of {item['name']}"
    return ""


def _signature(mark: str, key: bytes) -> str:
    return hmac.new(key, b"bladecheck record " + mark.encode(), hashlib.sha256).hexdigest()


def new_key() -> str:
    """The text of a new key file: 64 hex digits."""
    return secrets.token_hex(32)


def read_key(path: str | Path) -> bytes:
    """The key in a file.

    Raises:
        RecordError: if it can't be read or is too short to protect anything.
    """
    try:
        key = Path(path).read_bytes().strip()
    except OSError as error:
        raise RecordError(f"The key {str(path)!r} can't be read: {error.strerror}.") from error
    if len(key) < LEAST_KEY:
        raise RecordError(
            f"The key in {str(path)!r} has {len(key)} bytes; at least {LEAST_KEY} are needed. "
            "Make one: bladecheck record new-key."
        )
    return key
