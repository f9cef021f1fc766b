"""Workers on a Ray cluster: hired, greeted, replaced. All that is asked of Ray is asked here.

Ray restarts and retries nothing for us: a call to an actor that waits for a machine waits with it, for ever if none
comes. So a worker gets work only after it has answered `hello`, and one that is lost is replaced by a new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bladecheck.errors import BladecheckError, RunError
from bladecheck.machine import usable_cores
from bladecheck.runs.engines.batches import DEATH, LOSS, Batch
from bladecheck.runs.engines.worker import Hello, Setup, Source, Worker

USUAL_CORES = 4
OVERLAPPING = 4
"""Calls that a worker takes at once: it reads one batch while it judges another."""
LOOK_SECONDS = 2.0
"""Between two looks at which machines there are."""
FALSE_STARTS = 5
"""Workers that may die in a row before one answers: then it is not chance."""
STORE_BYTES = 512 * 2**20
"""Of shared memory, where Ray is started here: handles need next to none, bytes two batches a worker."""
CONNECT_SECONDS = 10


class _Actor(Worker):
    """The worker as Ray runs it."""

    def greet(self) -> tuple[Hello, str]:
        """`hello`, and the machine's id in the cluster."""
        import ray

        return self.hello(), ray.get_runtime_context().get_node_id()


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """What a worker is doing for a batch: reading it or, after that, judging it."""

    number: int
    batch: Batch
    judging: bool = False


@dataclass(slots=True, eq=False)
class Member:
    """A worker. `hello` is None until it has answered; `calls` are under way, by what Ray knows them by."""

    actor: Any
    greeting: Any
    hello: Hello | None = None
    node: str = ""
    calls: dict[Any, Call] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What a call gave."""

    member: Member
    call: Call
    value: Any


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker that is gone, with all it was doing; `blame` says whether by its own death or with its machine."""

    member: Member
    calls: list[Call]
    blame: int


@dataclass(frozen=True, slots=True)
class Joined:
    """A worker that has answered."""

    member: Member
    hello: Hello


class Crew:
    """The workers of one run.

    Args:
        setup: what each is told; its cores are also what each asks of a machine.
        wanted: how many; None for as many as the machines have room for.
    """

    def __init__(self, setup: Setup, wanted: int | None) -> None:
        import ray

        self._ray, self._setup, self._wanted = ray, setup, wanted
        self._kind = ray.remote(
            num_cpus=setup.cores, max_restarts=0, max_task_retries=0, max_concurrency=OVERLAPPING
        )(_Actor)  # fmt: skip
        self._members: list[Member] = []
        self._numbers, self._false_starts, self._looked = count(), 0, float("-inf")

    @property
    def ready(self) -> list[Member]:
        """Those that have answered."""
        return [member for member in self._members if member.hello]

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return any(member.calls for member in self._members)

    def keep_up(self) -> None:
        """Hire as many as are wanting. Those for which there is no room yet wait, and get no work meanwhile."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        wanted = self._wanted or sum(int(cores // self._setup.cores) for cores in machines().values())
        while len(self._members) < max(1, wanted):
            actor = self._kind.remote(self._setup)
            self._members.append(Member(actor, actor.greet.remote()))

    def read(self, member: Member, batch: Batch, sources: list[Source]) -> None:
        """Send a batch to be read."""
        call = Call(next(self._numbers), batch)
        member.calls[member.actor.read.remote(call.number, sources)] = call

    def judge(self, member: Member, call: Call, wanted: list[bool]) -> None:
        """Have a batch judged that was read."""
        member.calls[member.actor.judge.remote(call.number, wanted)] = Call(call.number, call.batch, judging=True)

    def answers(self, seconds: float) -> Iterator[Done | Joined | Lost]:
        """What has come in; waits for so many seconds at most if nothing has.

        Raises:
            RunError: a worker can't work here, or failed over more than one picture.
        """
        waiting = {ref: member for member in self._members for ref in member.calls}
        waiting |= {member.greeting: member for member in self._members if not member.hello}
        refs = list(waiting)
        found, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0) if refs else ([], [])
        if not found and refs:
            found, _ = self._ray.wait(refs, num_returns=1, timeout=seconds)
        for ref in found:
            # One that was lost a moment ago has lost all its calls at once.
            if waiting[ref] in self._members:
                yield self._answer(waiting[ref], ref)

    def dismiss(self) -> None:
        """End all workers; the cluster stays."""
        for member in self._members:
            self._end(member)
        self._members.clear()

    def _answer(self, member: Member, ref: Any) -> Done | Joined | Lost:
        try:
            value = self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            return self._lose(member, error)
        except self._ray.exceptions.RayTaskError as error:
            raise _told(error) from error
        if ref in member.calls:
            return Done(member, member.calls.pop(ref), value)
        (member.hello, member.node), self._false_starts = value, 0
        return Joined(member, value[0])

    def _lose(self, member: Member, error: Any) -> Lost:
        self._members.remove(member)
        self._looked = float("-inf")
        self._end(member)
        died = isinstance(error, self._ray.exceptions.ActorDiedError)
        if error.actor_init_failed:
            raise RunError(f"A worker can't start: {_last_line(error)}")
        # Ray learns of a lost machine late: what is only unreachable for now is taken for that.
        alive = not member.node or member.node in machines()
        if member.hello is None and died and alive:
            self._false_starts += 1
            if self._false_starts >= FALSE_STARTS:
                raise RunError(f"{FALSE_STARTS} workers in a row died before they could work: {_last_line(error)}")
        calls, member.calls = list(member.calls.values()), {}
        return Lost(member, calls, DEATH if died and alive else LOSS)

    def _end(self, member: Member) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, ValueError):
            self._ray.kill(member.actor, no_restart=True)


def _told(error: Any) -> RunError:
    """What a worker raised, in its own words where they are ours."""
    cause = getattr(error, "cause", None)
    return RunError(cause.detail if isinstance(cause, BladecheckError) else f"A worker failed: {_last_line(error)}")


def _last_line(error: Exception) -> str:
    """What went wrong, of Ray's pages of text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def machines() -> dict[str, float]:
    """The cluster's living machines, by id: how many cores each lends."""
    import ray

    return {node["NodeID"]: node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"]}


def cores_of(asked: int | None) -> int:
    """Cores of a worker: as asked, else four, or as many as the largest machine has."""
    return asked or max(1, min(USUAL_CORES, int(max(machines().values(), default=0)) or USUAL_CORES))


def connect(address: str | None) -> bool:
    """Join a cluster, or start one on this machine that ends with this process and listens on loopback only.

    Args:
        address: HOST:PORT; "auto" for the one that runs here; None for RAY_ADDRESS, else a new one.

    Returns: whether it has to be left again: not if whoever calls had joined one before.

    Raises:
        RunError: no cluster there, or it won't have us.
    """
    # Ray tells its makers of every cluster, unless told not to; and warns of what is no concern of ours.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise RunError("--engine ray needs an optional library: pip install 'bladecheck[ray]'.") from error
    if ray.is_initialized():
        return False
    address = address or os.environ.get("RAY_ADDRESS")
    if address and "://" in address:
        raise RunError(f"--address takes HOST:PORT or auto, not {address}: run this on a machine of the cluster.")
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    if not address or address == "local":
        address = "local"
        quiet |= {"num_cpus": usable_cores(), "include_dashboard": False, "_node_ip_address": "127.0.0.1",
                  "object_store_memory": STORE_BYTES}  # fmt: skip
    elif address != "auto":
        _reachable(address)
    try:
        with _signals_kept():
            ray.init(address, **quiet)
    except Exception as error:  # bare ones, too, where a machine is so busy that Ray's processes take too long to start
        where = "can't be started here" if address == "local" else f"at {address} does not take this run"
        raise RunError(f"A Ray cluster {where}: {_last_line(error)}") from error
    return True


def leave() -> None:
    """Leave the cluster; one that was started here ends."""
    import ray

    with _signals_kept():
        ray.shutdown()


def _reachable(address: str) -> None:
    """Ray itself ends the process where nothing answers."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise RunError(f"--address takes HOST:PORT, such as 10.0.0.5:6379, or auto; not {address!r}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise RunError(f"No Ray cluster answers at {address}: {error}.") from error


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray takes SIGTERM for itself; how a run ends when asked to is ours to say."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
