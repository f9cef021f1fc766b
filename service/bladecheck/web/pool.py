"""A bounded pool of threads for CPU work that an event loop waits for: counted, timed, and freed when nobody waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from bladecheck.errors import PictureTooSlow
from bladecheck.web.metrics import Metrics

P = ParamSpec("P")
T = TypeVar("T")
SMOOTHING = 0.05
"""Weight of the newest job in the running mean of their times."""


class _Job:
    """One call: since when it waits and runs, where its outcome goes, and the timer that watches it."""

    timer: asyncio.TimerHandle | None

    def __init__(self, outcome: asyncio.Future[Any], allowed: float) -> None:
        self.outcome, self.allowed, self.timer = outcome, allowed, None
        self.queued, self.started = time.perf_counter(), 0.0


class Pool:
    """Threads that work for an event loop.

    Args:
        threads: jobs worked on at once.
        seconds: what one job may take; waiting does not count.
        metrics: where waiting times are counted.

    Attributes:
        pending: jobs that wait or run.
        mean_seconds: running mean of the time of a job.
    """

    def __init__(self, threads: int, seconds: float, metrics: Metrics) -> None:
        self._threads, self._seconds, self._metrics = threads, seconds, metrics
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="picture")
        self.pending, self.mean_seconds = 0, 0.05

    @property
    def waiting(self) -> int:
        """Jobs that wait for a thread."""
        return max(0, self.pending - self._threads)

    def close(self) -> None:
        """Drop what is queued and let running jobs finish."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The outcome of `function` in a thread. If the caller is cancelled while it is queued, it is never called.

        Raises:
            PictureTooSlow: after the allowed time; the thread itself ends when `function` does.
        """
        return await self.within(self._seconds, function, *args, **kwargs)

    async def within(self, seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`run`, with a time of its own.

        Raises:
            PictureTooSlow: see `run`.
        """
        loop = asyncio.get_running_loop()
        job = _Job(loop.create_future(), seconds)

        def work() -> None:
            job.started = time.perf_counter()
            try:
                value, error = function(*args, **kwargs), None
            except Exception as caught:  # whatever it is, it is raised in the caller
                value, error = None, caught
            loop.call_soon_threadsafe(self._finish, job, value, error)

        future = self._executor.submit(work)
        self.pending += 1
        self._watch(job, loop)
        try:
            found: T = await job.outcome
            return found
        finally:
            if job.timer:
                job.timer.cancel()
            if future.cancel():  # the caller left while it was queued
                self.pending -= 1

    def _watch(self, job: _Job, loop: asyncio.AbstractEventLoop) -> None:
        """Fail a job that ran too long; waiting in the queue does not count against the picture."""
        allowed = job.allowed
        left = job.started + allowed - time.perf_counter() if job.started else allowed
        if left > 0:
            job.timer = loop.call_later(left, self._watch, job, loop)
        elif not job.outcome.done():
            job.outcome.set_exception(PictureTooSlow(f"Judging it took longer than the limit of {allowed:g} seconds."))

    def _finish(self, job: _Job, value: Any, error: Exception | None) -> None:
        self.pending -= 1
        self._metrics.stage("wait", job.started - job.queued)
        self.mean_seconds += SMOOTHING * (time.perf_counter() - job.started - self.mean_seconds)
        if job.outcome.done():  # too late, or nobody waits any more
            return
        if error is None:
            job.outcome.set_result(value)
        else:
            job.outcome.set_exception(error)
