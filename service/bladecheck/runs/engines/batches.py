"""What is to be done next on a cluster, and what is done again when a worker was lost over it.

A picture that kills its process must not end the run, nor take others with it. The batches that a dead worker had are
sent again whole; after a second death their pictures go one by one, each alone on its worker; the third death over one
picture is then surely its own, and it is given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from bladecheck.runs.engines import Task

BATCH = 16
"""Pictures of a batch, at least: enough that two calls cost little beside them."""
A_CORE = 4
"""Pictures of a batch for each core of a worker, so that the last ones of a batch leave few cores idle."""
DEATH, LOSS = 4, 1
"""What a worker's own death, and a loss with its machine, put on a batch. A machine that goes says little of the
pictures it had, but not nothing: a run over a picture that takes machines with it must end, too."""
ALONE, GIVEN_UP = 2 * DEATH, 3 * DEATH


@dataclass(slots=True, eq=False)
class Entry:
    """A task in a batch.

    Attributes:
        claim: the hash of the picture that it has claimed, which it keeps however often it is sent again.
        size: of that picture in bytes.
    """

    task: Task
    claim: bytes | None = None
    size: int = 0


@dataclass(slots=True, eq=False)
class Batch:
    """Tasks that are sent together, and how much speaks for one of them being deadly."""

    entries: list[Entry]
    blame: int = 0

    @property
    def alone(self) -> bool:
        """Whether nothing else may be under way where it is worked on."""
        return self.blame >= ALONE


class Batches:
    """Those that were lost come before new ones.

    Args:
        tasks: pulled as they are asked for.
        size: of a new batch.
    """

    def __init__(self, tasks: Iterable[Task], size: int) -> None:
        self._tasks, self._size = iter(tasks), size
        self._again: deque[Batch] = deque()
        self._alone: deque[Batch] = deque()
        self._more = True
        self.error: BaseException | None = None

    @property
    def left(self) -> bool:
        """Whether there is, or may be, something that nobody works on."""
        return self._more or bool(self._again or self._alone)

    def take(self, idle: bool) -> Batch | None:
        """A batch to work on; None if there is none, or none for this worker now.

        What tasks raise is kept in `error`, and no more are pulled.

        Args:
            idle: whether the worker has nothing under way. As long as pictures wait that must be alone, workers get
                nothing else, so that they become idle.
        """
        if self._alone:
            return self._alone.popleft() if idle else None
        if self._again:
            return self._again.popleft()
        return self._fresh() if self._more else None

    def give_back(self, entries: list[Entry], blame: int) -> None:
        """Entries of a batch that it had no room for."""
        self._put(Batch(entries, blame))

    def lost(self, batch: Batch, blame: int) -> Iterator[Entry]:
        """Take back a batch that a lost worker had; gives the picture that is given up, if it is one.

        Args:
            blame: DEATH or LOSS.
        """
        suspected = batch.alone
        batch.blame += blame
        if batch.blame >= GIVEN_UP:
            yield from batch.entries
        elif suspected or not batch.alone:
            self._put(batch)
        else:
            # From here on only what happens to a picture alone speaks against it.
            for entry in batch.entries:
                self._put(Batch([entry], ALONE))

    def stop(self) -> None:
        """Give out nothing more."""
        self._more = False
        self._again.clear()
        self._alone.clear()

    def _put(self, batch: Batch) -> None:
        if batch.entries:
            (self._alone if batch.alone else self._again).append(batch)

    def _fresh(self) -> Batch | None:
        entries: list[Entry] = []
        try:
            for task in islice(self._tasks, self._size):
                entries.append(Entry(task))
        except BaseException as error:  # raised by who holds the queue, once what is under way has ended
            self.error = error
        self._more = len(entries) == self._size and self.error is None
        return Batch(entries) if entries else None


def size(cores: int) -> int:
    """Pictures of a batch for a worker of so many cores."""
    return max(BATCH, A_CORE * cores)
