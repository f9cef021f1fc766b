"""Whatever dies, and however often: every picture comes to its end once, and only deadly ones are given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bladecheck.errors import ArchiveError
from bladecheck.runs.engines import Task
from bladecheck.runs.engines.batches import DEATH, LOSS, Batch, Batches

UNDER_WAY = 2


def tasks(count: int) -> list[Task]:
    return [Task({"row": number}, bytes) for number in range(count)]


def number(task: Task) -> int:
    found: int = task.row["row"]
    return found


def play(count: int, deadly: set[int], losses: int, workers: int, chance: Random) -> tuple[Counter[int], set[int], int]:
    """How often each picture was done or given up, those that were given up, and how many deaths there were."""
    work, under_way = Batches(tasks(count), 4), [list[Batch]() for _ in range(workers)]
    done, given_up, deaths = Counter[int](), set[int](), 0
    while work.left or any(under_way):
        batches = chance.choice(under_way)
        if chance.random() < 0.5 and len(batches) < UNDER_WAY and not any(batch.alone for batch in batches):
            if batch := work.take(idle=not batches):
                batches.append(batch)
                assert not batch.alone or len(batches) == 1
            continue
        if not batches:
            continue
        finished, blame = chance.choice(batches), 0
        if losses and chance.random() < 0.1:
            losses, blame = losses - 1, LOSS
        elif deadly.intersection(number(entry.task) for entry in finished.entries):
            deaths, blame = deaths + 1, DEATH
        if blame:
            lost = [entry for batch in batches for entry in work.lost(batch, blame)]
            batches.clear()
            given_up |= {number(entry.task) for entry in lost}
            done.update(number(entry.task) for entry in lost)
            continue
        batches.remove(finished)
        # Some workers have no room for all of it.
        room = chance.randrange(1, len(finished.entries) + 1)
        work.give_back(finished.entries[room:], finished.blame)
        done.update(number(entry.task) for entry in finished.entries[:room])
    return done, given_up, deaths


@given(
    count=st.integers(0, 60), deadly=st.sets(st.integers(0, 59), max_size=4), losses=st.integers(0, 3),
    workers=st.integers(1, 4), seed=st.integers(0, 2**32),
)  # fmt: skip
def test_every_picture_ends_once_and_only_deadly_ones_are_given_up(
    count: int, deadly: set[int], losses: int, workers: int, seed: int
) -> None:
    done, given_up, deaths = play(count, deadly, losses, workers, Random(seed))
    assert done == dict.fromkeys(range(count), 1)
    assert given_up == {one for one in deadly if one < count}
    assert deaths <= 3 * len(given_up)


def test_a_picture_that_takes_machines_with_it_is_given_up_in_the_end() -> None:
    work, losses = Batches(tasks(3), 3), 0
    ended: list[int] = []
    while work.left:
        if (batch := work.take(idle=True)) is None:
            continue
        if 1 in [number(entry.task) for entry in batch.entries]:
            losses += 1
            ended += [number(entry.task) for entry in work.lost(batch, LOSS)]
        else:
            ended += [number(entry.task) for entry in batch.entries]
    assert sorted(ended) == [0, 1, 2]
    assert losses == 12


def test_what_happened_to_a_batch_is_not_held_against_each_of_its_pictures() -> None:
    work = Batches(tasks(2), 2)
    for blame in (LOSS, LOSS, LOSS, DEATH, DEATH):
        assert (batch := work.take(idle=True))
        assert list(work.lost(batch, blame)) == []
    for _ in range(2):
        assert (batch := work.take(idle=True))
        assert batch.alone
        assert list(work.lost(batch, LOSS)) == []


def test_an_archive_that_breaks_off_still_gives_what_it_gave_before() -> None:
    def breaking() -> Iterator[Task]:
        yield from tasks(5)
        raise ArchiveError("damaged")

    work = Batches(breaking(), 3)
    taken = [work.take(idle=True), work.take(idle=True)]
    assert [len(batch.entries) for batch in taken if batch] == [3, 2]
    assert not work.left
    with pytest.raises(ArchiveError):
        raise work.error or AssertionError


def test_stopped_it_gives_out_nothing_more() -> None:
    work = Batches(tasks(9), 3)
    batch = work.take(idle=True)
    assert batch is not None
    assert list(work.lost(batch, DEATH)) == []
    work.stop()
    assert not work.left
    assert work.take(idle=True) is None
