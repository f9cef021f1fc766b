"""The approval record: who used which picture, and on what answer. Made from sealed results; nothing is kept.

Between the answer and the record the results travel through the browser, sealed with a keyed hash (HMAC-SHA-256,
RFC 2104) so that nobody can edit them on the way. A finished record is plain text; it is verified by checking the
same file again, not by a signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bladecheck import __version__
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy
from bladecheck.web.pages import seals
from bladecheck.web.pages.seals import canonical
from bladecheck.web.pages.wording import OUTCOMES, STATEMENT, USES

SCHEMA = "bladecheck-record/1"
MOST_NAME, MOST_REASON, MOST_FILE_NAME = 200, 2000, 200


@dataclass(frozen=True, slots=True)
class Checked:
    """One answer: the file's name as the browser gave it, when it was checked (UTC, ISO 8601), and the result."""

    name: str
    checked_at: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Approval:
    """What a person decided: `outcomes` by picture, in order, codes of `wording.OUTCOMES`; who, in which role, why."""

    outcomes: tuple[str, ...]
    approver: str
    role: str
    reason: str


def seal(checked: Checked, key: bytes) -> str:
    """The answer as text for a hidden field, with its keyed hash."""
    kept = {name: value for name, value in checked.result.items() if name != "evidence"}
    return seals.seal("answer", {**asdict(checked), "result": kept}, key)


def unseal(token: str, key: bytes) -> Checked:
    """The answer that was sealed.

    Raises:
        BrokenSeal: if the text was changed, or sealed under another key.
    """
    return Checked(**seals.unseal("answer", token, key))


def approval_needed(checked: Sequence[Checked], outcomes: Sequence[str], policy: Policy) -> bool:
    """The policy asks for a name and a reason: a picture that is not clear is to be used."""
    return policy.approver_required and any(
        item.result["decision"] != Decision.CLEAR and outcome in USES
        for item, outcome in zip(checked, outcomes, strict=True)
    )


def make(checked: Sequence[Checked], approval: Approval, policy: Policy, made_at: str) -> dict[str, Any]:
    """The record as plain data, with a fingerprint over everything else in it that paper and file can be matched by."""
    record = {
        "schema": SCHEMA,
        "made_at": made_at,
        "service": {"name": "bladecheck", "version": __version__},
        "policy": {
            "name": policy.name,
            "sha256": policy.sha256,
            "approver_required": policy.approver_required,
        },
        "approval": {"approver": approval.approver, "role": approval.role, "reason": approval.reason},
        "pictures": [
            {**asdict(item), "outcome": {"code": outcome, "text": OUTCOMES[outcome]}}
            for item, outcome in zip(checked, approval.outcomes, strict=True)
        ],
        "statement": STATEMENT,
    }
    return {**record, "fingerprint": fingerprint(record)}


def fingerprint(record: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of the record's canonical JSON without its own fingerprint."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "fingerprint"})).hexdigest()
