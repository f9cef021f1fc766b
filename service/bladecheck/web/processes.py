"""Several processes that share one listening socket; one that dies is replaced, and the others go on meanwhile."""

from __future__ import annotations

import logging
import logging.config
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.synchronize import Event

from bladecheck.web.logs import configuration
from bladecheck.web.server import Build, run_one
from bladecheck.web.settings import Settings

logger = logging.getLogger("bladecheck.server")
SHORT_LIFE, LONGEST_PAUSE = 5.0, 30.0
"""Seconds: who dies sooner is replaced after a pause, which doubles each time up to the longest."""
# Seconds between two looks at the processes: a dead one is replaced within that.
LOOK_SECONDS = 0.2
# Exit code of a process that can't load its model, which would fail again.
NO_MODEL = 3


@dataclass(slots=True)
class Member:
    """One process, and when to replace it.

    Attributes:
        accepts: set once it answers; before, its model loads and it takes no connection.
        failures: short lives in a row.
        due: when the next one is started, once this one has died (monotonic).
    """

    process: SpawnProcess
    accepts: Event
    since: float
    failures: int = 0
    due: float | None = None

    @property
    def serves(self) -> bool:
        """It lives and answers."""
        return self.process.is_alive() and self.accepts.is_set()

    @property
    def died_young(self) -> bool:
        """It never answered, or not for long."""
        return not self.accepts.is_set() or time.monotonic() - self.since < SHORT_LIFE


class Crew:
    """The processes of one service."""

    def __init__(self, settings: Settings, build: Build, bound: socket.socket) -> None:
        self._settings, self._build, self._bound = settings, build, bound
        self._context: SpawnContext = multiprocessing.get_context("spawn")
        self._members = [self._start() for _ in range(settings.processes)]

    def _start(self, failures: int = 0) -> Member:
        accepts = self._context.Event()
        process = self._context.Process(target=_serve, args=(self._settings, self._build, self._bound, accepts))
        process.start()
        return Member(process, accepts, time.monotonic(), failures)

    def tend(self) -> bool:
        """Replace who has died; False if nobody serves and the newest could not even start."""
        for index, member in enumerate(self._members):
            if member.process.is_alive():
                continue
            if member.due is None:
                logger.error("process died", extra={"pid": member.process.pid, "exit_code": member.process.exitcode})
                if member.died_young and not any(other.serves for other in self._members):
                    return False
                member.failures = member.failures + 1 if member.died_young else 0
                member.due = time.monotonic() + (min(LONGEST_PAUSE, 2.0**member.failures) if member.failures else 0)
            if time.monotonic() >= member.due:
                self._members[index] = self._start(member.failures)
        return True

    def stop(self) -> None:
        """Drain and end all."""
        for member in self._members:
            member.process.terminate()
        for member in self._members:
            member.process.join(self._settings.drain_seconds + self._settings.shutdown_seconds + 5)
            member.process.kill()


def run_many(settings: Settings, build: Build, bound: socket.socket) -> bool:
    """Serve in `settings.processes` processes that share the socket, until told to stop.

    Returns False if they die before they serve, so that replacing them would never end.
    """
    logging.config.dictConfig(configuration(settings.log_level))
    stopping: list[int] = []
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda received, frame: stopping.append(received))
    crew, healthy = Crew(settings, build, bound), True
    while not stopping and healthy:
        time.sleep(LOOK_SECONDS)
        healthy = bool(stopping) or crew.tend()
    bound.close()
    crew.stop()
    return healthy


def _serve(settings: Settings, build: Build, bound: socket.socket, accepts: Event) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if not run_one(settings, build, bound, accepts.set):
        sys.exit(NO_MODEL)


def _end_with_parent() -> None:
    """Stop if the process that replaces us is gone (kill -9): nobody would ever end this one."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
