"""Running the app in one process: the listening socket, limits of the system, the drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import logging.config
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from bladecheck.errors import ServerError
from bladecheck.web.connections import SPARE, Connections
from bladecheck.web.logs import configuration
from bladecheck.web.protocol import PatientProtocol
from bladecheck.web.proxies import Proxies
from bladecheck.web.settings import Settings
from bladecheck.web.workers import Workers

logger = logging.getLogger("bladecheck.server")
Build = Callable[[Settings], FastAPI]
LAST_ACCEPTS = 0.1
"""Seconds between refusing new connections and the end: those that the system had accepted by then are still served."""
# Linux' numbers, which Python's socket module lacks: attach a filter of packets, and its instruction that returns.
SO_ATTACH_FILTER, BPF_RETURN = 26, 0x06
BACKLOG = 2048
"""Connections that may wait to be accepted, as uvicorn's own default."""
OWN_FILES, LEAST_FILES = 32, 64
"""Open files that the process itself may need, and those without which it does not start."""


class DrainingServer(uvicorn.Server):
    """uvicorn's server, that on SIGTERM first says "not ready" and "Connection: close" for a while, then stops.

    Attributes:
        failed: the model could not be loaded, so the server stopped.
    """

    def __init__(
        self, config: uvicorn.Config, workers: Workers, drain_seconds: float, accepts: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._workers, self._drain_seconds, self._accepts = workers, drain_seconds, accepts
        self._exit_at: float | None = None
        self.failed = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGTERM and self.started and self._exit_at is None and not self.should_exit:
            self._workers.draining = True
            self._exit_at = time.monotonic() + self._drain_seconds
        else:
            super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._accepts()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for bound in sockets or []:
            take_no_more(bound)
        await asyncio.sleep(LAST_ACCEPTS)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if self._exit_at is not None and time.monotonic() >= self._exit_at:
            self.should_exit = True
        if self._workers.failure is not None:
            self.failed = self.should_exit = True
        return await super().on_tick(counter)


def take_no_more(bound: socket.socket) -> None:
    """Have the kernel ignore new connections to a listening socket, while those that it took already can be accepted.

    Closing it at once would reset connections that wait to be accepted, whose requests may be on their way. A socket
    filter that drops every packet keeps new ones out; who tries is refused once the socket is closed. Linux only.
    """
    if not sys.platform.startswith("linux"):
        return
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    with contextlib.suppress(OSError):  # without it the last milliseconds may lose a connection, as elsewhere
        bound.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def listen(settings: Settings) -> socket.socket:
    """The bound socket.

    Raises:
        ServerError: if the address can't be used, or the system allows too few open files.
    """
    open_files(LEAST_FILES)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; left on, it costs each answer 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((settings.host, settings.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        reason = error.strerror or str(error)
        raise ServerError(f"Can't listen on {settings.host} port {settings.port}: {reason}.") from error
    bound.setblocking(False)
    return bound


def connection_limit(wanted: int) -> int:
    """Connections that this process may hold: as many as wanted, or as the system's limit of open files allows.

    That limit is raised as far as it may be. A burst of newcomers is taken in before any of them can be turned away,
    and an accept that fails for want of a file would drop honest ones, hence the room for BACKLOG.
    """
    soft = open_files(wanted + SPARE + BACKLOG + OWN_FILES)
    possible = min(wanted, soft - SPARE - OWN_FILES)
    if possible < wanted:
        logger.warning("fewer connections", extra={"open_files": soft, "wanted": wanted, "connections": possible})
    return possible


def open_files(needed: int) -> int:
    """Files that this process may have open; the system's limit is raised for it as far as needed and allowed.

    Raises:
        ServerError: if they are too few for any service.
    """
    try:
        import resource
    except ImportError:  # Windows
        return needed
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed
    soft = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < LEAST_FILES:
        raise ServerError(f"Only {soft} files may be open at once; the service needs {LEAST_FILES}: see `ulimit -n`.")
    return soft


def address(bound: socket.socket) -> str:
    """The URL to open."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{host}:{port}"


def run_one(settings: Settings, build: Build, bound: socket.socket, accepts: Callable[[], None] = lambda: None) -> bool:
    """Serve in this process until told to stop; False if the model could not be loaded.

    Args:
        accepts: called once connections are accepted.
    """
    log = configuration(settings.log_level)
    logging.config.dictConfig(log)
    app = build(settings)
    connections = Connections(
        connection_limit(settings.max_connections),
        settings.connections_per_client,
        settings.body_bytes_per_second,
        app.state.metrics,
    )
    kept = {"header_seconds": settings.header_seconds, "room": connections}
    protocol = type("Protocol", (PatientProtocol,), {**kept, "proxies": Proxies(settings.trusted_proxies)})
    options: dict[str, Any] = {
        "log_config": log,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,  # uvicorn would believe whatever runs on this machine; see bladecheck.web.proxies
        "ws": "none",
        "http": protocol,
        "timeout_keep_alive": settings.keep_alive_seconds,
        "timeout_graceful_shutdown": settings.shutdown_seconds,
        "backlog": BACKLOG,
    }
    server = DrainingServer(uvicorn.Config(app, **options), app.state.workers, settings.drain_seconds, accepts)
    server.run([bound])
    return not server.failed
