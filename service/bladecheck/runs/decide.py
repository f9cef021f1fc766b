"""A new policy on scores that a run has already: seconds instead of hours, and the rows that scoring would have given.

What a policy can't decide from the journal alone waits to be scored: animations, since the journal keeps only the frame
that decided, and pictures that a lower threshold makes a knife where the model also marks the place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bladecheck import __version__
from bladecheck.core.bundle import Gates, Thresholds
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import KNIFE_CODES, Policy, Scores, Seen, decide
from bladecheck.errors import RunError
from bladecheck.runs import journal, rows
from bladecheck.runs.folder import RunFolder, now

SCORES = {"labels": "scores", "blade": "blade", "features": "features", "weapon": "weapons", "raw": "raw"}
"""Fields of Scores by the key of a result that holds them."""
# Contrast of pictures that had scores: blank ones have none, and the journal does not keep the contrast.
NOT_BLANK = 255
PLACE = ("peak", "blade_share")


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of a run: where the new rows lie, how many pictures were decided, how many wait to be scored."""

    folder: RunFolder
    pictures: int
    changed: int
    waiting: int


def again(folder: RunFolder, policy: Policy) -> Decided:
    """Decide every picture of a run by another policy, into a folder inside the run.

    Running it again adds what has been scored since.

    Raises:
        RunError: no run, the same policy, or a run that does not carry its model's thresholds.
    """
    head, manifest = folder.header(), folder.manifest()
    identity = policy.identity
    if head["policy"] == identity:
        raise RunError(f"{folder.path} is decided by policy {policy.name!r} already.")
    thresholds, gates = _cut_offs(folder, manifest)
    outputs = (manifest.get("model_card") or {}).get("outputs")
    target = folder.beside(head["model"], identity)
    target.create()
    with target.locked(), journal.Journal(target.journal) as written:
        kept = target.manifest()
        session = {"started": now(), "finished": None, "ended": None, "bladecheck": __version__,
                   "engine": "decided from the scores of the run above"}  # fmt: skip
        if written.empty:
            written.append([rows.header(kept["run_id"], head["model"], identity, journal.FORMAT)])
        kept |= {name: manifest[name] for name in ("inputs", "timezone", "model_card") if name in manifest}
        kept |= {"model": head["model"], "policy": identity, "decided_from": head["run_id"]}
        kept["sessions"].append(session)
        have = _have(target)
        pictures = changed = 0
        waiting = set()
        for record in journal.read(folder.journal):
            if record is None or _key(record) in have or "journal" in record:
                continue
            if "picture" in record:
                before = record["result"]
                marks_place = bool(outputs.get("occupancy")) if outputs else "peak" in before
                result = decided(before, thresholds, gates, policy, marks_place)
                if result is None:
                    waiting.add(record["picture"])
                    continue
                pictures += 1
                changed += result["decision"] != before["decision"]
                record = {**record, "result": result}
            written.append([record])
        session |= {"finished": now(), "ended": "stopped" if waiting else "complete"}
        target.save(kept)
    return Decided(target, pictures, changed, len(waiting))


def decided(
    result: Mapping[str, Any], thresholds: Thresholds, gates: Gates, policy: Policy, marks_place: bool = False
) -> dict[str, Any] | None:
    """A picture's result under a policy; None where the journal does not hold enough to say.

    Args:
        result: as the journal has it.
        thresholds, gates: of the model.
        policy: the new one.
        marks_place: whether the model says where in a picture the blade is, which it does for knives only.
    """
    if result["status"] != "ok" or result["decision"] == Decision.CANNOT_JUDGE:
        return dict(result)  # unreadable, too small or blank under any policy
    image = result["image"]
    if image["frames"] > 1:
        return None
    codes = {one["code"] for one in result["reasons"]}
    scores = Scores(**{name: result.get(key) or {} for name, key in SCORES.items()})
    seen = Seen(image["width"], image["height"], NOT_BLANK, "maybe_damaged" in codes)
    verdict = decide(scores, seen, thresholds, gates, policy)
    reasons = [{"code": reason.code, "text": reason.text} for reason in verdict.reasons]
    found = {**result, "decision": str(verdict.decision), "reasons": reasons, "kind": verdict.kind}
    if "weapon_kind" in result:  # runs of older versions have none
        found["weapon_kind"] = verdict.weapon
    before, after = KNIFE_CODES & codes, KNIFE_CODES & {reason.code for reason in verdict.reasons}
    if marks_place and after and not before:
        return None
    if before and not after:
        found |= {name: None for name in PLACE if name in result}
    return found


def _cut_offs(folder: RunFolder, manifest: Mapping[str, Any]) -> tuple[Thresholds, Gates]:
    card = manifest.get("model_card") or {}
    if not card.get("thresholds") or not card.get("gates"):
        raise RunError(
            f"{folder.path / 'run.json'} does not carry the model's thresholds: run the score command once more first."
        )
    return Thresholds.model_validate(card["thresholds"]), Gates.model_validate(card["gates"])


def _key(record: Mapping[str, Any]) -> tuple[str, str]:
    """What a record is about; a row that was read again counts as another."""
    if "picture" in record:
        return "picture", record["picture"]
    if "gone" in record:
        return "gone", ",".join(record["gone"])
    return f"row {record.get('status')}", record.get("row", "")


def _have(target: RunFolder) -> set[tuple[str, str]]:
    return {_key(record) for record in journal.read(target.journal) if record}
