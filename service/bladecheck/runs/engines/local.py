"""Scoring in this process: one session, as many threads as cores, each reads, decodes and infers a whole picture.

Pillow, numpy and onnxruntime let go of the interpreter while they work, so threads fill the cores; measured, this beats
a decoding pool with an inference thread, and processes (see the performance notes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterable

from bladecheck.core.classifier import Classifier
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.result import failed, succeeded
from bladecheck.core.verdict import Policy
from bladecheck.errors import JudgingFailed, PictureError
from bladecheck.machine import usable_cores
from bladecheck.runs import fingerprint
from bladecheck.runs.engines import Claims, Failure, Outcome, Task, fetch_bytes
from bladecheck.runs.engines.window import unordered

AHEAD = 4
"""Tasks queued per thread, so that a slow write of the journal starves nobody."""


class LocalEngine:
    """Scores with a classifier of this process.

    Args:
        classifier: loaded with one core an inference.
        policy: on top of the model.
        workers: threads; None takes one per core that this process may use.
        near: compute perceptual hashes, which needs `bladecheck[dedupe]`.
        limits: what is refused.
    """

    def __init__(
        self,
        classifier: Classifier,
        policy: Policy | None = None,
        workers: int | None = None,
        near: bool = False,
        limits: PictureLimits | None = None,
    ) -> None:
        self._classifier, self._policy, self._limits = classifier, policy or Policy(), limits or PictureLimits()
        self._workers = workers or usable_cores()
        self._pdq: Callable[[Picture], fingerprint.Fingerprint] | None = fingerprint.maker() if near else None
        self.model = classifier.bundle.identity
        self.card = classifier.bundle.manifest.model_dump(mode="json", by_alias=True)
        self.policy = self._policy.identity

    def score(self, tasks: Iterable[Task], claims: Claims) -> Generator[Outcome]:
        """See `Engine.score`."""
        return unordered(lambda task: self._work(task, claims), tasks, self._workers, self._workers * AHEAD)

    def close(self) -> None:
        """Nothing to let go of."""

    def _work(self, task: Task, claims: Claims) -> Outcome:
        data = fetch_bytes(task)
        if isinstance(data, Failure):
            return Outcome(task, failure=data)
        digest = hashlib.sha256(data)
        if not claims.take(digest.digest()):
            return Outcome(task, digest.hexdigest(), len(data))
        try:
            picture = self._classifier.load(data, self._limits)
            verdict = self._classifier.classify_one(picture, self._policy)
        except Exception as error:  # one picture must not end the run: it becomes a row that can be retried
            known = error if isinstance(error, PictureError) else JudgingFailed(f"Judging it failed: {error!r}"[:300])
            result = failed(data, known, self.model, self._policy)
            return Outcome(task, digest.hexdigest(), len(data), result)
        result = succeeded(picture, verdict, self.model, self._policy)
        # A video has no one picture that another could be like.
        still = picture.timeline is None
        return Outcome(task, digest.hexdigest(), len(data), result, self._pdq(picture) if self._pdq and still else None)
