"""Who may stay connected when there are too many: the slowest leave first, and probes always get in.

A client that sends a byte a second costs nothing but a place. With all places taken nobody else would get in, so a
newcomer takes the place of whoever makes least use of theirs. Requests that came whole are never cut off.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from bladecheck.web.metrics import Metrics

SPARE = 16
"""Places beyond the limit, for connections whose request turns out to be a probe; others are told to come back."""
GRACE_SECONDS = 1.0
"""What a newcomer has before its speed counts."""
RANKED_FOR_SECONDS = 0.25
"""How long an order of who goes first is kept."""
PAUSE_PER_PLACE = 25e-6
"""Seconds, for each place, before an order is made anew when nobody is left in it: a look at each takes a twentieth."""
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


class Group:
    """Connections of which one may have to make room: all of the process, or those of one client.

    Who goes first is worked out for all of them at once and kept for a moment: a flood of newcomers must not cost a
    look at every connection for each of them.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self.places: set[Place] = set()
        self._bytes_per_second = bytes_per_second
        self._queue: list[tuple[tuple[int, float], Place]] = []
        self._ranked_at = 0.0

    def slowest(self) -> tuple[str, Place] | None:
        """Who makes least use of its place, and why it may be cut; None if all make good use of theirs."""
        now = time.monotonic()
        kept = RANKED_FOR_SECONDS if self._queue else PAUSE_PER_PLACE * len(self.places)
        if now - self._ranked_at > kept:
            ranked = [(rank, place) for place in self.places if (rank := self._rank(place, now)) is not None]
            self._queue = sorted(ranked, key=lambda pair: pair[0], reverse=True)
            self._ranked_at = now
        while self._queue:
            (kind, _), place = self._queue.pop()
            rank = self._rank(place, now) if place in self.places else None
            if rank is not None and rank[0] <= kind:
                return "idle" if kind in (1, 2) else "slow", place
        return None

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
        self._all = Group(bytes_per_second)
        self._clients: dict[str, Group] = {}
        metrics.watch("connections", "Open connections.", lambda: len(self._all.places))

    def enter(self, client: str, cut: Callable[[], None]) -> Place | None:
        """A place for a new connection, taken from a slow one if need be; None if there is none at all.

        Args:
            client: from `client_of`; empty for a proxy's, which may have as many as they like.
            cut: closes the connection at once.
        """
        refusal, places = "", self._all.places
        if len(places) >= self._limit and not self._make_room(self._all):
            if len(places) >= self._limit + SPARE:
                self._metrics.cut("full")
                return None
            refusal = "All connections are in use."
        place = Place(cut, "", refusal)
        places.add(place)
        self.count_for(place, client)
        return place

    def count_for(self, place: Place, client: str) -> None:
        """Let a connection count for a client, whose slowest one is cut if there are too many."""
        self._forget(place)
        if not client:
            return
        theirs = self._clients.get(client)
        if theirs and self._per_client and len(theirs.places) >= self._per_client and not self._make_room(theirs):
            place.refusal = place.refusal or "Too many connections come from your address."
        place.client = client
        self._clients.setdefault(client, Group(self._bytes_per_second)).places.add(place)

    def leave(self, place: Place) -> None:
        """Give up the place of a closed connection."""
        self._all.places.discard(place)
        self._forget(place)

    def _forget(self, place: Place) -> None:
        theirs = self._clients.get(place.client)
        if theirs:
            theirs.places.discard(place)
            if not theirs.places:
                del self._clients[place.client]
        place.client = ""

    def _make_room(self, group: Group) -> bool:
        """Cut the connection that makes least use of its place; False if all make good use of theirs."""
        found = group.slowest()
        if found is None:
            return False
        why, place = found
        self.leave(place)
        self._metrics.cut(why)
        place.cut()
        return True


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
