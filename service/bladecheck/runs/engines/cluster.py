"""Scoring on a Ray cluster: this process keeps the claims and the journal, workers elsewhere read and judge.

Workers get handles, not pictures, where one read gets a picture from the disk or store that all share; what has no
handle is read here and sent. Rows are those of a run in one process, whatever workers go through meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.core.bundle import Bundle, roots
from bladecheck.core.images import PictureLimits
from bladecheck.core.result import Result, failed
from bladecheck.core.verdict import Policy
from bladecheck.errors import PictureError, RunError
from bladecheck.machine import processor
from bladecheck.runs.engines import Claims, Failure, Outcome, Task, batches, crew, fetch_bytes
from bladecheck.runs.engines.batches import Batch, Batches, Entry
from bladecheck.runs.engines.crew import Crew, Done, Joined, Lost, Member
from bladecheck.runs.engines.worker import BATCH_BYTES, Hello, Judged, Read, Setup, Sight, Source
from bladecheck.runs.provenance import versions

UNDER_WAY = 2
"""Batches at once with each worker: one is judged while the other is read."""
TICK = 0.5
"""Seconds after which it looks around if nothing has come in."""
REMARK_SECONDS = 15.0
"""Without any worker, until that is said."""
READERS = 4
"""Pictures that are read here at once, where they have to be sent."""
LOST = "worker_lost"
LOST_DETAIL = "Three workers in a row died over this picture."


class PictureLost(PictureError):
    """A picture over which workers died."""

    def __init__(self) -> None:
        super().__init__(LOST_DETAIL)
        self.code = LOST


class RayEngine:
    """Scores on a cluster of which this process is the driver.

    Args:
        bundle: the model. A shipped one is found by its name on each worker, another one by its path.
        policy: on top of the model.
        inputs: the paths of the archive, which workers must see, too, unless `send_bytes`.
        address: of the cluster, see `crew.connect`.
        workers: how many; None for as many as there is room for.
        cores: of each worker, which loads the model once; None for four, or what the machines have.
        near: compute perceptual hashes, which needs `bladecheck[dedupe]` on each worker.
        limits: what is refused.
        send_bytes: read everything here and send it, for workers that see no common disk.
        patience: seconds without any worker after which it gives up.
        stop: when set, no further picture is begun.
        say: where remarks go while it works.

    Raises:
        RunError: Ray is not installed, or no cluster answers.
    """

    def __init__(
        self,
        bundle: Bundle,
        policy: Policy | None = None,
        inputs: Sequence[Path] = (),
        *,
        address: str | None = None,
        workers: int | None = None,
        cores: int | None = None,
        near: bool = False,
        limits: PictureLimits | None = None,
        send_bytes: bool = False,
        patience: float = 600,
        stop: threading.Event | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        policy = policy or Policy()
        self.model, self.policy = bundle.identity, policy.identity
        self.card = bundle.manifest.model_dump(mode="json", by_alias=True)
        self._policy, self._send_bytes, self._patience = policy, send_bytes, patience
        self._stop, self._say, self._packages = stop or threading.Event(), say, versions()
        self._joined: Counter[tuple[str, str, tuple[tuple[str, str], ...]]] = Counter()
        self._counts: Counter[str] = Counter()
        self._remarks: dict[str, None] = {}
        sights = () if send_bytes else tuple(sight for path in inputs if (sight := Sight.of(path)))
        self._leave = crew.connect(address)
        self._cores = crew.cores_of(cores)
        path = bundle.path.resolve()
        name = path.name if path.parent in [root.resolve() for root in roots()] else str(path)
        self._setup = Setup(name, policy, near, limits or PictureLimits(), self._cores, sights)
        self._crew = Crew(self._setup, workers)

    @property
    def notes(self) -> Mapping[str, Any]:
        """What workers there were, how many were lost, and what makes rows differ, if anything does."""
        kinds = [
            {"cpu": cpu, "python": python, "packages": dict(packages), "joined": joined}
            for (cpu, python, packages), joined in self._joined.items()
        ]
        return {"cluster": {"worker_cores": self._cores, "workers": kinds, **self._counts,
                            "remarks": list(self._remarks)}}  # fmt: skip

    def score(self, tasks: Iterable[Task], claims: Claims) -> Generator[Outcome]:
        """See `Engine.score`.

        Raises:
            RunError: no worker for as long as there is patience, or one that would give other rows.
        """
        work = Batches(tasks, batches.size(self._cores))
        alone_since, told = time.monotonic(), False
        try:
            with ThreadPoolExecutor(READERS, "read") as readers:
                while True:
                    if self._stop.is_set():
                        work.stop()
                    if not (work.left or self._crew.busy):
                        break
                    if work.left:
                        self._crew.keep_up()
                    for member in self._crew.ready:
                        yield from self._give(member, work, readers)
                    for news in self._crew.answers(TICK):
                        yield from self._hear(news, work, claims)
                    if self._crew.ready:
                        alone_since, told = time.monotonic(), False
                        continue
                    told = told or self._lonely(time.monotonic() - alone_since)
        finally:
            self._crew.dismiss()
        if work.error:
            raise work.error

    def close(self) -> None:
        """End the workers and leave the cluster."""
        self._crew.dismiss()
        if self._leave:
            crew.leave()

    def _lonely(self, seconds: float) -> bool:
        """Whether it was said that there is no worker."""
        largest = max(crew.machines().values(), default=0)
        if not largest:
            why = "no machine of the cluster lends any cores"
        elif largest < self._cores:
            why = (f"each asks for {self._cores} cores, and the largest machine has {largest:.0f}: try "
                   f"--worker-cores {largest:.0f}")  # fmt: skip
        else:
            why = "none has answered"
        if seconds > self._patience:
            raise RunError(f"No worker for {self._patience:.0f} s: {why}. What was scored is kept: run the same "
                           "command again.")  # fmt: skip
        if seconds > REMARK_SECONDS:
            self._say(f"Waiting for workers: {why}.")
            return True
        return False

    def _give(self, member: Member, work: Batches, readers: ThreadPoolExecutor) -> Iterator[Outcome]:
        """As much work as the worker has room for."""
        while len(member.calls) < UNDER_WAY and not any(call.batch.alone for call in member.calls.values()):
            batch = work.take(idle=not member.calls)
            if batch is None:
                return
            sources, failures = self._sources(batch, work, readers)
            if batch.entries:
                self._crew.read(member, batch, sources)
            yield from failures

    def _sources(
        self, batch: Batch, work: Batches, readers: ThreadPoolExecutor
    ) -> tuple[list[Source], list[Outcome]]:  # fmt: skip
        """Handles, or bytes where there are none, for the entries that are left in the batch; and what failed.

        Bytes are read a few at a time, up to as many as a batch may hold: the other entries are given back.
        """
        sources: list[Source] = []
        kept: list[Entry] = []
        failures: list[Outcome] = []
        entries, size = batch.entries, 0
        for at in range(0, len(entries), READERS):
            some = entries[at : at + READERS]
            for entry, source in zip(some, readers.map(self._source, some), strict=True):
                if isinstance(source, Failure):
                    failures.append(Outcome(entry.task, failure=source))
                    continue
                if isinstance(source, bytes):
                    self._counts["sent_from_here"] += 1
                    size += len(source)
                sources.append(source)
                kept.append(entry)
            if size and not self._send_bytes:
                self._remark("Pictures that workers can't open by themselves (of packed tars, say, or of addresses) "
                             "are read here and sent to them.")  # fmt: skip
            if size >= BATCH_BYTES:
                work.give_back(entries[at + READERS :], batch.blame)
                break
        batch.entries = kept
        return sources, failures

    def _source(self, entry: Entry) -> Source | Failure:
        if entry.task.handle and not self._send_bytes:
            return entry.task.handle
        return fetch_bytes(entry.task.read)

    def _hear(self, news: Done | Joined | Lost, work: Batches, claims: Claims) -> Iterator[Outcome]:
        if isinstance(news, Joined):
            self._greet(news.hello)
        elif isinstance(news, Lost):
            self._counts["workers_died" if news.blame == batches.DEATH else "workers_gone"] += 1
            for call in news.calls:
                for entry in work.lost(call.batch, news.blame):
                    yield self._given_up(entry)
        elif news.call.judging:
            yield from self._judged(news)
        else:
            yield from self._claimed(news, work, claims)

    def _claimed(self, news: Done, work: Batches, claims: Claims) -> Iterator[Outcome]:
        """The pictures of a batch that are to be judged are those whose hash it claims now, or did before."""
        batch, reads = news.call.batch, news.value
        work.give_back(batch.entries[len(reads) :], batch.blame)
        wanted: list[Entry] = []
        mask: list[bool] = []
        outcomes: list[Outcome] = []
        for entry, read in zip(batch.entries, reads, strict=False):
            if isinstance(read, Failure):
                outcomes.append(Outcome(entry.task, failure=read))
                continue
            mask.append(self._claim(entry, read, claims))
            if mask[-1]:
                wanted.append(entry)
            else:
                outcomes.append(Outcome(entry.task, read.sha256.hex(), read.size))
        # What has an outcome now must not be sent again if the worker dies.
        batch.entries = wanted
        self._crew.judge(news.member, news.call, mask)
        yield from outcomes

    def _claim(self, entry: Entry, read: Read, claims: Claims) -> bool:
        if entry.claim != read.sha256 and not claims.take(read.sha256):
            return False
        entry.claim, entry.size = read.sha256, read.size
        return True

    def _judged(self, news: Done) -> Iterator[Outcome]:
        judged: list[Judged] = news.value
        for entry, (result, pdq) in zip(news.call.batch.entries, judged, strict=True):
            yield Outcome(entry.task, _hex(entry), entry.size, result, pdq)

    def _given_up(self, entry: Entry) -> Outcome:
        if entry.claim is None:
            return Outcome(entry.task, failure=Failure(LOST, LOST_DETAIL))
        result: Result = failed(None, PictureLost(), self.model, self._policy)
        return Outcome(entry.task, _hex(entry), entry.size, result | {"image": {"sha256": _hex(entry)}})

    def _greet(self, hello: Hello) -> None:
        """Refuse a worker whose rows would be others; say what may change their last digits.

        Raises:
            RunError: another model, version of Bladecheck, or set of optional libraries.
        """
        for what, theirs, ours in (
            ("the model", hello.model, self.model),
            ("the policy", hello.policy, self.policy),
            ("Bladecheck", hello.bladecheck, __version__),
            ("the libraries", sorted(hello.packages), sorted(self._packages)),
        ):
            if theirs != ours:
                raise RunError(f"The worker on {hello.host} differs in {what}: it has {_words(theirs)}, here it is "
                               f"{_words(ours)}. Install the same on all machines.")  # fmt: skip
        other = [f"{name} {version} for {self._packages[name]}" for name, version in hello.packages.items()
                 if version != self._packages[name]]  # fmt: skip
        if other or hello.cpu != processor():
            self._remark(f"Workers have {', '.join(other) or 'another processor'}, so scores may differ in their last "
                         "digits from those of this machine.")  # fmt: skip
        self._joined[hello.cpu, hello.python, tuple(sorted(hello.packages.items()))] += 1

    def _remark(self, line: str) -> None:
        if line not in self._remarks:
            self._remarks[line] = None
            self._say(line)


def _hex(entry: Entry) -> str | None:
    return entry.claim.hex() if entry.claim else None


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(part)[:12] for part in value.values())
    return ", ".join(value) if isinstance(value, list) else str(value)
