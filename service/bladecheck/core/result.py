"""The one result object that the command line, HTTP, the page and archive runs all show."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from bladecheck.core.classifier import Classifier
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Evidence, Policy, Verdict
from bladecheck.errors import PictureError

Result = dict[str, Any]


def classify_bytes(
    data: bytes,
    classifier: Classifier,
    policy: Policy | None = None,
    limits: PictureLimits | None = None,
    *,
    evidence: bool = False,
    reached: Callable[[str], None] = lambda stage: None,
) -> Result:
    """Bytes in, result out; never raises for a bad picture: that becomes a result with status "failed".

    Args:
        data: the file's bytes.
        classifier: the loaded model.
        policy: the force's rules; None takes the plain defaults.
        limits: what the decoder refuses.
        evidence: add the key "evidence", the map that says where the knife score comes from (None without a map).
        reached: called with "decode" and "judge" when that stage is done, for whoever measures.
    """
    policy = policy or Policy()
    try:
        picture = classifier.load(data, limits)
        reached("decode")
        result = classify_picture(picture, classifier, policy, evidence=evidence)
        reached("judge")
    except PictureError as error:
        return failed(data, error, classifier.bundle.identity, policy)
    return result


def classify_picture(picture: Picture, classifier: Classifier, policy: Policy, *, evidence: bool = False) -> Result:
    """A decoded picture in, result out; `classify_bytes` for those who have pixels already.

    Raises:
        PictureError: if it can't be judged.
    """
    verdict = classifier.classify_one(picture, policy)
    result = succeeded(picture, verdict, classifier.bundle.identity, policy)
    return {**result, "evidence": _listed(verdict.evidence)} if evidence else result


def _listed(evidence: Evidence | None) -> dict[str, Any] | None:
    """The evidence map as JSON: rows x columns of values 0..1, from the picture's upper left corner."""
    if evidence is None:
        return None
    values = [[round(float(value), 4) for value in row] for row in evidence]
    return {"rows": len(values), "columns": len(values[0]), "values": values}


def succeeded(picture: Picture, verdict: Verdict, model: Mapping[str, str], policy: Policy) -> Result:
    """The result object of a judged picture; probabilities in 0..1, sizes in pixels."""
    scores = verdict.scores
    return {
        "status": "ok",
        "decision": str(verdict.decision),
        "reasons": [{"code": reason.code, "text": reason.text} for reason in verdict.reasons],
        "scores": dict(scores.labels),
        "kind": verdict.kind,
        "blade": dict(scores.blade),
        "weapon_kind": verdict.weapon,
        "weapons": dict(scores.weapon),
        "features": dict(scores.features),
        "raw": dict(scores.raw),
        "looks": verdict.looks,
        "peak": None if verdict.peak is None else [round(edge, 4) for edge in verdict.peak],
        "blade_share": None if verdict.covered is None else round(verdict.covered, 4),
        "unlike": None if verdict.unlike is None else round(verdict.unlike, 3),
        "image": {
            "sha256": picture.sha256,
            "format": picture.format,
            "width": picture.width,
            "height": picture.height,
            "frames": picture.frame_count,
            "has_gps": picture.has_gps,
            "has_place_name": picture.has_place_name,
        },
        **_of_video(picture, verdict),
        "model": dict(model),
        "policy": policy.identity,
    }


def _of_video(picture: Picture, verdict: Verdict) -> Result:
    """Of a video: how long it is, when the frame shows that decided, and how closely was looked; times in seconds."""
    if (timeline := picture.timeline) is None:
        return {}
    facts = {
        "seconds": timeline.seconds,
        "frame_at": timeline.times[verdict.frame],
        "frames_looked_at": len(timeline.times),
        "longest_gap": timeline.longest_gap,
    }
    return {"video": facts}


def failed(data: bytes | None, error: PictureError, model: Mapping[str, str], policy: Policy) -> Result:
    """The result object of a picture that could not be read: it cannot be judged, and is no negative.

    `data` is None where not even the bytes could be had; `image` then is empty.
    """
    return {
        "status": "failed",
        "decision": str(Decision.CANNOT_JUDGE),
        "reasons": [{"code": error.code, "text": error.detail}],
        "error": {"code": error.code, "detail": error.detail},
        "image": {} if data is None else {"sha256": hashlib.sha256(data).hexdigest()},
        "model": dict(model),
        "policy": policy.identity,
    }
