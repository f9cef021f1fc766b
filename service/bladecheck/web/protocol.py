"""uvicorn's HTTP protocol with bounds on headers and connections, and patience for requests that are on their way."""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bladecheck.web.connections import Connections, Place, Stage, client_of
from bladecheck.web.http_errors import CUT_OFF, REFUSAL, HeadersTooLarge, Overloaded
from bladecheck.web.keys import OPEN_PATHS
from bladecheck.web.proxies import Proxies

FRESH_SECONDS = 1.0
"""On shutdown: what a connection without any request yet has to send one, since it may be on its way."""
MOST_HEADER_BYTES = 64 * 1024
"""Of one request's headers, and between two pieces of its body; browsers and proxies stay below 16 kB."""
HEADER_OVERHEAD = len(": \r\n")
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
PROCESSING = b"HTTP/1.1 102 Processing\r\n\r\n"
# Seconds until it is looked whether the client is still there, doubled each time up to the second.
FIRST_LOOK, LONGEST_LOOK = 0.05, 1.0
TCP_CLOSE = 7
"""Linux' name for the state of a connection that the other side has reset."""


class PatientProtocol(HttpToolsProtocol):
    """Neither waits for ever for headers, nor takes them without end, nor drops a request that is on its way.

    Attributes:
        header_seconds: time for a request's headers.
        room: the open connections of this process; decides who must leave when there are too many.
        proxies: peers whose requests count for the client that they name.
    """

    header_seconds = 10.0
    room: Connections
    proxies: Proxies

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._head = 0
        self._framing = 0
        self._place: Place | None = None
        self._by_proxy = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        self._by_proxy = self.proxies.trusts(peer)
        self._place = self.room.enter("" if self._by_proxy else client_of(peer), self._cut_off)
        if self._place is None:
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        if self._place:
            if self._place.stage is Stage.IDLE:
                self._place.turn(Stage.SENDING)
            self._place.received += len(data)
        self._framing += len(data)
        super().data_received(data)
        if self._framing > MOST_HEADER_BYTES and not self._awaits_headers:
            self._refuse_headers()
        else:
            self._watch(len(data))

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        self._framing = 0

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._framing = 0
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        size = len(self.url) + sum(len(name) + len(value) + HEADER_OVERHEAD for name, value in self.headers)
        if size > MOST_HEADER_BYTES:
            scope[REFUSAL] = HeadersTooLarge(f"The headers have more than {MOST_HEADER_BYTES:,} bytes.")
        elif self._place:
            if self._by_proxy:
                client = self.proxies.client(self.client[0] if self.client else "", self.headers)
                self.room.count_for(self._place, client_of(client))
            if self._place.refusal and scope.get("path") not in OPEN_PATHS:
                scope[REFUSAL] = Overloaded(self._place.refusal, retry_after=2)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._place and not self.cycle.response_complete:
            self._place.turn(Stage.ANSWERED)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._place and not self.pipeline:
            self._place.turn(Stage.IDLE)
            if self._by_proxy:
                self.room.count_for(self._place, "")

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._place:
            self._place.stalled = time.monotonic()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._place:
            self._place.stalled = None

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer what was asked for before the client closed its side; True keeps our side open for that.

        A client that has left altogether looks the same at first: see `_look`.
        """
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return False
        cycle.keep_alive = False
        self.loop.call_later(FIRST_LOOK, self._look, FIRST_LOOK)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
        if self._place:
            self.room.leave(self._place)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        if self.cycle is None:
            self._unwatch()
            self._timer = self.loop.call_later(FRESH_SECONDS, self._give_up)
        else:
            super().shutdown()

    @property
    def _awaits_headers(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self, received: int = 0) -> None:
        """Have a timer run, and count bytes, exactly while the headers of a request are awaited."""
        if not self._awaits_headers:
            self._unwatch()
            return
        self._head += received
        if self._head > MOST_HEADER_BYTES:
            self._refuse_headers()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _refuse_headers(self) -> None:
        """Headers without end, or, of a body in chunks, what is none of it: trailers and extensions."""
        if self._awaits_headers or not self.cycle.response_started:
            self.transport.write(TOO_LARGE)
        self.transport.close()

    def _unwatch(self) -> None:
        self._head = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._awaits_headers:
            self.transport.close()

    def _cut_off(self) -> None:
        """Make room for another connection."""
        if self.scope is not None:
            self.scope[CUT_OFF] = True  # type: ignore[literal-required]
        self.transport.abort()

    def _look(self, waited: float) -> None:
        """After the client's end of data: whether it is still there to take the answer, so that work for nobody ends.

        It is told that its request is being worked on (102, which clients must ignore). If it has left altogether,
        its system answers that with a reset, which shows in the state of the connection. Older HTTP has no such
        answers, so HTTP/1.0 clients are taken to be there.
        """
        cycle = self.cycle
        if self.transport.is_closing() or cycle.response_complete or self.scope["http_version"] != "1.1":
            return
        if _is_reset(self.transport):
            self.transport.abort()
            return
        if waited == FIRST_LOOK and not cycle.response_started and not self.pipeline:
            self.transport.write(PROCESSING)
        self.loop.call_later(min(waited, LONGEST_LOOK), self._look, waited * 2)


def _is_reset(transport: asyncio.Transport) -> bool:
    if not sys.platform.startswith("linux"):
        return False
    shown = transport.get_extra_info("socket")  # the event loop's stand-in can't be asked for options: take a copy
    try:
        with socket.fromfd(shown.fileno(), socket.AF_INET, socket.SOCK_STREAM) as copy:
            return copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1) == bytes([TCP_CLOSE])
    except OSError:
        return False
