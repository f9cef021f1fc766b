"""Who may stay connected when there are too many: the slowest leave first, and probes always get in.

A client that sends a byte a second costs nothing but a place. With all places taken nobody else would get in, so a
newcomer takes the place of whoever makes least use of theirs. Requests that came whole are never cut off.
"""

from __future__ import annotations

import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum

from bladecheck.web.metrics import Metrics

SPARE = 16
"""Places beyond the limit, for connections whose request turns out to be a probe; others are told to come back."""
GRACE_SECONDS = 1.0
"""What a newcomer has before its speed counts."""
STALL_SECONDS = 5.0
"""How long a client may take none of an answer before it counts as slow."""
CLIENT_NETWORK_V6 = 64
"""Bits of an IPv6 address that one customer has to themselves: the rest can be chosen at will."""


class Stage(Enum):
    """What a connection does: nothing, sending a request, or having it answered."""

    IDLE = "idle"
    SENDING = "sending"
    ANSWERED = "answered"


@dataclass(eq=False, slots=True)
class Place:
    """One open connection.

    Attributes:
        cut: closes it at once.
        client: whom it counts for; see `client_of`.
        refusal: why it is one too many, so that only probes are answered on it; empty otherwise.
        stage, since, received: what it does, since when (monotonic), and the bytes that came since.
        stalled: since when an answer waits for the client to take it.
    """

    cut: Callable[[], None]
    client: str
    refusal: str = ""
    stage: Stage = Stage.IDLE
    since: float = field(default_factory=time.monotonic)
    received: int = 0
    stalled: float | None = None

    def turn(self, stage: Stage) -> None:
        """Begin another stage."""
        self.stage, self.since, self.received = stage, time.monotonic(), 0


class Connections:
    """The open connections of one process.

    Args:
        limit: connections at once.
        per_client: connections, or requests on their way through a listed proxy, of one client at once; 0: no limit.
        bytes_per_second: below it an upload is slow.
        metrics: where cut connections are counted.
    """

    def __init__(self, limit: int, per_client: int, bytes_per_second: int, metrics: Metrics) -> None:
        self._limit, self._per_client, self._bytes_per_second = limit, per_client, bytes_per_second
        self._metrics = metrics
        self._places: set[Place] = set()
        self._clients: Counter[str] = Counter()
        metrics.watch("connections", "Open connections.", lambda: len(self._places))

    def enter(self, client: str, cut: Callable[[], None]) -> Place | None:
        """A place for a new connection, taken from a slow one if need be; None if there is none at all.

        Args:
            client: from `client_of`; empty for a proxy's, which may have as many as they like.
            cut: closes the connection at once.
        """
        refusal = ""
        if len(self._places) >= self._limit and not self._make_room(self._places):
            if len(self._places) >= self._limit + SPARE:
                self._metrics.cut("full")
                return None
            refusal = "All connections are in use."
        place = Place(cut, "", refusal)
        self._places.add(place)
        self.count_for(place, client)
        return place

    def count_for(self, place: Place, client: str) -> None:
        """Let a connection count for a client, whose slowest one is cut if there are too many."""
        self._forget(place)
        if client and self._per_client and self._clients[client] >= self._per_client:
            theirs = (other for other in self._places if other.client == client)
            if not self._make_room(theirs):
                place.refusal = place.refusal or "Too many connections come from your address."
        place.client = client
        if client:
            self._clients[client] += 1

    def leave(self, place: Place) -> None:
        """Give up the place of a closed connection."""
        if place in self._places:
            self._places.discard(place)
            self._forget(place)

    def _forget(self, place: Place) -> None:
        if place.client:
            self._clients[place.client] -= 1
            if not self._clients[place.client]:
                del self._clients[place.client]
            place.client = ""

    def _make_room(self, places: Iterable[Place]) -> bool:
        """Cut the connection that makes least use of its place; False if all make good use of theirs."""
        now = time.monotonic()
        ranked = [(rank, place) for place in places if (rank := self._rank(place, now)) is not None]
        if not ranked:
            return False
        (kind, _), slowest = min(ranked, key=lambda pair: pair[0])
        self.leave(slowest)
        self._metrics.cut("slow" if kind in (0, 3) else "idle")
        slowest.cut()
        return True

    def _rank(self, place: Place, now: float) -> tuple[int, float] | None:
        """Who goes first: the slow by speed, then the idle by time, then newcomers who have sent little or nothing."""
        age = now - place.since
        if place.stage is Stage.ANSWERED:
            waits = place.stalled is not None and now - place.stalled > STALL_SECONDS
            return (0, 0.0) if waits else None
        if place.stage is Stage.IDLE:
            return (1 if age > GRACE_SECONDS else 2, place.since)
        if place.received >= self._bytes_per_second * max(age, GRACE_SECONDS):
            return None
        return (0, place.received / age) if age > GRACE_SECONDS else (3, place.since)


def client_of(address: str) -> str:
    """Whom an address counts for: itself, or the customer's network of an IPv6 one."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.is_loopback:
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, CLIENT_NETWORK_V6), strict=False))
