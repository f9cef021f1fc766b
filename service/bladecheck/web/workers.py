"""The model behind a bounded pool of threads: the event loop never decodes or infers.

Pillow and onnxruntime release the GIL, so one process with a thread per core uses them all.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, ParamSpec, TypeVar

from PIL import Image

from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.images import Picture
from bladecheck.core.preprocess import Pixels
from bladecheck.core.redact import Redacted, redact
from bladecheck.core.result import Result, classify_bytes, classify_picture, failed
from bladecheck.core.verdict import Policy
from bladecheck.errors import BladecheckError, BundleError, JudgingFailed, PictureError, PictureTooLarge
from bladecheck.file_formats import HEAD_BYTES, video_kind
from bladecheck.web.http_errors import NotReady, Overloaded
from bladecheck.web.metrics import Metrics
from bladecheck.web.pool import Pool
from bladecheck.web.settings import Settings

logger = logging.getLogger("bladecheck.workers")
P = ParamSpec("P")
T = TypeVar("T")
ClassifierSource = Classifier | Callable[[], Classifier]


class Workers:
    """Judges and redacts pictures on a bounded pool.

    Args:
        source: a classifier, or what loads one; either is called ready only once its golden pictures were replayed.
        settings: threads, queue and time limits, decoder limits.
        policy: the force's rules, applied to every picture.
        metrics: where decisions and stage times are counted.
    """

    def __init__(self, source: ClassifierSource, settings: Settings, policy: Policy, metrics: Metrics) -> None:
        self._source, self._settings, self.policy, self._metrics = source, settings, policy, metrics
        self._classifier: Classifier | None = None
        self._pool = Pool(settings.pool_threads, settings.picture_seconds, metrics)
        self.failure: BladecheckError | None = None
        self.draining = False
        self.loaded = asyncio.Event()
        metrics.watch("queue_pictures", "Pictures waiting for a thread.", lambda: self._pool.waiting)
        metrics.watch("busy_threads", "Threads working on a picture.", lambda: self._pool.pending - self._pool.waiting)

    @property
    def classifier(self) -> Classifier:
        """The loaded model.

        Raises:
            NotReady: while it is loading, or if it could not be loaded.
        """
        if self.failure is not None:
            raise NotReady(f"The model could not be loaded: {self.failure.detail}", retry_after=60)
        if self._classifier is None:
            raise NotReady("The model is still loading; try again in a second.", retry_after=1)
        return self._classifier

    async def start(self) -> None:
        """Load the model and replay its golden pictures, in a thread; sets `loaded` when it ended either way."""
        try:
            self._classifier = await asyncio.to_thread(self._load)
            self._metrics.loaded(self._classifier.bundle.identity)
        except Exception as error:  # whatever it is, the service says why it is not ready, instead of dying
            known = error if isinstance(error, BladecheckError) else BundleError(f"{type(error).__name__}: {error}")
            self.failure = known
            logger.critical("model not loaded", extra={"code": known.code, "detail": known.detail}, exc_info=True)
        finally:
            self.loaded.set()

    def _load(self) -> Classifier:
        started = time.perf_counter()
        classifier = self._source if isinstance(self._source, Classifier) else self._source()
        outcome = replay(classifier)
        seconds = round(time.perf_counter() - started, 3)
        logger.info(
            "model ready", extra={"model": classifier.bundle.identity, "cases": outcome.cases, "seconds": seconds}
        )
        return classifier

    def close(self) -> None:
        """Drop what is queued and let running pictures finish."""
        self._pool.close()

    def admit(self, pictures: int = 1) -> None:
        """Refuse what would not fit.

        Raises:
            NotReady: without a model.
            Overloaded: if the queue has no room for so many pictures.
        """
        _ = self.classifier  # raises NotReady where there is none
        pool = self._pool
        if pool.pending and pool.waiting + pictures > self._settings.queue_pictures:
            seconds = math.ceil(pool.pending * pool.mean_seconds / self._settings.pool_threads)
            raise Overloaded(f"{pool.waiting} pictures are waiting.", retry_after=min(30, max(1, seconds)))

    async def check_all(self, pictures: Sequence[bytes], *, evidence: bool = False) -> list[Result]:
        """One result per picture, in order; all are admitted or none.

        Raises:
            NotReady, Overloaded: see `admit`.
        """
        self.admit(len(pictures))
        classifier = self.classifier
        return await _together(
            [self._check(partial(self._judge, data, classifier, evidence), data) for data in pictures]
        )

    async def check_pixels(self, batch: Pixels) -> list[Result]:
        """One result with evidence per decoded RGB picture, uint8 [n, height, width, 3]; all are admitted or none.

        Raises:
            NotReady, Overloaded: see `admit`.
        """
        self.admit(len(batch))
        classifier = self.classifier
        return await _together(
            [self._check(partial(self._judge_pixels, pixels, classifier), pixels.tobytes()) for pixels in batch]
        )

    async def check(self, data: bytes, *, evidence: bool = False) -> Result:
        """The result of one picture, failures included; cancelling frees its place in the queue.

        Raises:
            NotReady, Overloaded: see `admit`.
        """
        return (await self.check_all([data], evidence=evidence))[0]

    async def redact(self, data: bytes) -> Redacted:
        """A copy of a picture with the blade blurred and no metadata.

        Raises:
            PictureError: if the picture can't be read.
            NotReady, Overloaded: see `admit`.
        """
        self.admit()
        classifier, limits = self.classifier, self._settings.limits
        started = time.perf_counter()
        copy = await self._pool.run(redact, data, classifier, self.policy, limits)
        self._metrics.stage("redact", time.perf_counter() - started)
        return copy

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Any other work on pictures, under the same queue and time limits."""
        self.admit()
        return await self._pool.run(function, *args, **kwargs)

    async def _check(self, judge: Callable[[], Result], data: bytes) -> Result:
        classifier = self.classifier
        try:
            result = await self._pool.within(self._seconds(data), judge)
        except PictureError as error:
            result = failed(data, error, classifier.bundle.identity, self.policy)
        except Exception as error:
            # A fault of ours must not look like "no knife", nor take the other pictures of the request with it.
            logger.exception("judging failed", extra={"code": "internal"})
            fault = JudgingFailed(f"The service failed on this picture ({type(error).__name__}); it may be fine.")
            result = failed(data, fault, classifier.bundle.identity, self.policy)
        self._metrics.judged(result)
        return result

    def _seconds(self, data: bytes) -> float:
        """The time that judging these bytes may take."""
        film = video_kind(data[:HEAD_BYTES]) and self._settings.videos
        return self._settings.video_seconds if film else self._settings.picture_seconds

    def _judge(self, data: bytes, classifier: Classifier, evidence: bool) -> Result:
        mark = time.perf_counter()

        def reached(stage: str) -> None:
            nonlocal mark
            now = time.perf_counter()
            self._metrics.stage(stage, now - mark)
            mark = now

        limits = self._settings.limits
        return classify_bytes(data, classifier, self.policy, limits, evidence=evidence, reached=reached)

    def _judge_pixels(self, pixels: Pixels, classifier: Classifier) -> Result:
        frame = Image.fromarray(pixels)
        if frame.width * frame.height > self._settings.picture_max_pixels:
            raise PictureTooLarge(f"The picture has {frame.width} x {frame.height} pixels.")
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        picture = Picture(digest, "RGB", frame.width, frame.height, 1, False, (frame,))
        return classify_picture(picture, classifier, self.policy, evidence=True)


async def _together(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    if len(work) == 1:
        return [await work[0]]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in work]
    return [task.result() for task in tasks]
