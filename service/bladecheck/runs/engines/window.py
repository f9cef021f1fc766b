"""Work through tasks on threads with a bounded window, giving outcomes as they come."""

from __future__ import annotations

import queue
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def unordered(work: Callable[[Given], Made], given: Iterable[Given], workers: int, window: int) -> Generator[Made]:
    """Yield `work(x)` for every x in whatever order they finish; at most `window` are queued or running.

    An exception of `given` or `work` surfaces after all that was in flight has been yielded; closing the iterator
    early drops what waits and lets what runs finish.
    """
    finished: queue.SimpleQueue[Future[Made]] = queue.SimpleQueue()
    source, running = iter(given), 0
    error: BaseException | None = None
    pool = ThreadPoolExecutor(workers, "score")
    try:
        more = True
        while more or running:
            while more and running < window:
                try:
                    item = next(source)
                except StopIteration:
                    more = False
                    break
                except BaseException as caught:  # raised below, once what is under way has ended
                    error, more = caught, False
                    break
                pool.submit(work, item).add_done_callback(finished.put)
                running += 1
            if not running:
                break
            future = finished.get()
            running -= 1
            caught_in_work = future.exception()
            if caught_in_work is None:
                yield future.result()
            else:
                error, more = error or caught_in_work, False
        if error is not None:
            raise error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
