"""Work for a client that may leave: when it does, what waits in the queue is freed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from bladecheck.web.http_errors import ClientGone

T = TypeVar("T")


async def attend(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of `work`, which is cancelled if the client disconnects first. The body must have been read.

    Raises:
        ClientGone: nobody is left to answer.
    """
    task = asyncio.current_task()
    assert task is not None
    left = False

    def stop(watching: asyncio.Task[None]) -> None:
        nonlocal left
        if not watching.cancelled():
            left = True
            task.cancel()

    watch = asyncio.ensure_future(_gone(request))
    watch.add_done_callback(stop)
    try:
        return await work
    except asyncio.CancelledError:
        if not left:
            raise
        task.uncancel()
        raise ClientGone("The client closed the connection.") from None
    finally:
        watch.remove_done_callback(stop)
        watch.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
