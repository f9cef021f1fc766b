"""Retry-After is the time until there is room again, not a constant: clients that obey it come back once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.web.http_errors import Overloaded
from bladecheck.web.keys import Guard, Rate
from bladecheck.web.metrics import Metrics
from bladecheck.web.settings import Settings
from bladecheck.web.workers import Workers


@pytest.mark.parametrize(("per_minute", "seconds"), [(60, 1.0), (6, 10.0), (1, 60.0)])
def test_a_used_up_rate_says_when_the_next_request_may_come(per_minute: int, seconds: float) -> None:
    rate = Rate(per_minute)
    assert [rate.wait("client", 0.0) for _ in range(per_minute)] == [0.0] * per_minute
    assert rate.wait("client", 0.0) == pytest.approx(seconds)
    assert rate.wait("client", seconds / 4) == pytest.approx(seconds * 3 / 4)
    assert rate.wait("another", 0.0) == 0.0


def test_the_header_says_the_same_in_whole_seconds() -> None:
    guard = Guard(PlainTextResponse("ok"), Settings(requests_per_minute=1))
    scope = {"type": "http", "method": "POST", "path": "/v1/classify", "headers": [], "client": ("192.0.2.1", 1)}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ask() -> None:
        await guard(scope, receive, send)

    asyncio.run(ask())
    asyncio.run(ask())
    allowed, limited = (message for message in sent if message["type"] == "http.response.start")
    assert (allowed["status"], limited["status"]) == (200, 429)
    assert 30 <= int(dict(limited["headers"])[b"retry-after"]) <= 60, "a minute for one a minute"


@pytest.mark.parametrize(("mean", "seconds"), [(0.01, 1), (1.4, 6), (2.2, 9), (600.0, 30)])
def test_a_full_queue_says_how_long_it_will_take_to_empty(mean: float, seconds: int, classifier: Classifier) -> None:
    """Four pictures on one thread, at `mean` seconds each, rounded up; at least 1 and at most 30 seconds."""

    async def fill() -> Overloaded:
        settings = Settings(threads=1, queue_pictures=3, max_files=3)
        workers = Workers(classifier, settings, find(None), Metrics())
        await workers.start()
        pool = workers._pool
        pool.mean_seconds = mean
        waiting = [asyncio.create_task(pool.run(time.sleep, 0.3)) for _ in range(4)]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded) as caught:
            workers.admit()
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        workers.close()
        return caught.value

    assert asyncio.run(fill()).headers["Retry-After"] == str(seconds)
