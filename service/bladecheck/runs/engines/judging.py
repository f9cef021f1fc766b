"""What becomes of one picture's bytes: the same in this process and in a worker's."""

from __future__ import annotations

from collections.abc import Callable

from bladecheck.core.classifier import Classifier
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.result import Result, failed, succeeded
from bladecheck.core.verdict import Policy
from bladecheck.errors import JudgingFailed, PictureError
from bladecheck.runs import fingerprint


class Judge:
    """Decodes, judges and fingerprints. Safe to use from many threads at once; each call uses one core.

    Args:
        classifier: loaded with one core an inference.
        policy: on top of the model.
        near: compute perceptual hashes, which needs `bladecheck[dedupe]`.
        limits: what is refused.
    """

    def __init__(
        self,
        classifier: Classifier,
        policy: Policy | None = None,
        near: bool = False,
        limits: PictureLimits | None = None,
    ) -> None:
        self._classifier, self._policy, self._limits = classifier, policy or Policy(), limits or PictureLimits()
        self._pdq: Callable[[Picture], fingerprint.Fingerprint] | None = fingerprint.maker() if near else None
        self.model, self.policy = classifier.bundle.identity, self._policy.identity

    def __call__(self, data: bytes) -> tuple[Result, fingerprint.Fingerprint | None]:
        """The result of a picture's bytes, never an error, and its fingerprint where asked for and possible."""
        try:
            picture = self._classifier.load(data, self._limits)
            verdict = self._classifier.classify_one(picture, self._policy)
        except Exception as error:  # one picture must not end the run: it becomes a row that can be retried
            known = error if isinstance(error, PictureError) else JudgingFailed(f"Judging it failed: {error!r}"[:300])
            return failed(data, known, self.model, self._policy), None
        # A video has no one picture that another could be like.
        still = picture.timeline is None
        result = succeeded(picture, verdict, self.model, self._policy)
        return result, self._pdq(picture) if self._pdq and still else None
