"""uvicorn's HTTP protocol with bounds on headers, and with patience for requests that are on their way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

FRESH_SECONDS = 1.0
"""On shutdown: what a connection without any request yet has to send one, since it may be on its way."""
MOST_HEADER_BYTES = 64 * 1024
"""Of one request's headers; browsers and proxies stay below 16 kB."""

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Base
else:
    Base = AutoHTTPProtocol  # httptools where it is installed: a quarter of a millisecond less a picture than h11


class PatientProtocol(Base):
    """Neither waits for ever for headers, nor takes them without end, nor drops a request that is on its way."""

    header_seconds = 10.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._head = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self._unwatch()
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
            self.transport.close()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _unwatch(self) -> None:
        self._head = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if self._awaits_headers:
            self.transport.close()
