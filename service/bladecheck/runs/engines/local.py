"""Scoring in this process: one session, as many threads as cores, each reads, decodes and infers a whole picture.

Pillow, numpy and onnxruntime let go of the interpreter while they work, so threads fill the cores; measured, this beats
a decoding pool with an inference thread, and processes (see the performance notes).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.core.verdict import Policy
from bladecheck.machine import usable_cores
from bladecheck.runs.engines import Claims, Failure, Outcome, Task, fetch_bytes
from bladecheck.runs.engines.judging import Judge
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
        self._judge, self._workers = Judge(classifier, policy, near, limits), workers or usable_cores()
        self.model, self.policy = self._judge.model, self._judge.policy
        self.card = classifier.bundle.manifest.model_dump(mode="json", by_alias=True)

    @property
    def notes(self) -> Mapping[str, Any]:
        """Nothing: run.json tells of this process anyway."""
        return {}

    def score(self, tasks: Iterable[Task], claims: Claims) -> Generator[Outcome]:
        """See `Engine.score`."""
        return unordered(lambda task: self._work(task, claims), tasks, self._workers, self._workers * AHEAD)

    def close(self) -> None:
        """Nothing to let go of."""

    def _work(self, task: Task, claims: Claims) -> Outcome:
        data = fetch_bytes(task.read)
        if isinstance(data, Failure):
            return Outcome(task, failure=data)
        digest = hashlib.sha256(data)
        if not claims.take(digest.digest()):
            return Outcome(task, digest.hexdigest(), len(data))
        return Outcome(task, digest.hexdigest(), len(data), *self._judge(data))
