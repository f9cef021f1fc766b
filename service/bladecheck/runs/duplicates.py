"""Near duplicates among perceptual hashes: clusters of pictures within 31 of 256 bits of each other.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): the 256 bits are cut into words. Two hashes that differ in at
most 31 bits have, of 16 words, one that differs in at most one bit; of 11 words, one that differs in at most two. So it
is enough to compare pictures that share a word, or a word with so many bits flipped. The answer is exact. Pairs to
compare still grow with the square of the number of pictures, divided by the number of values that a word can take:
short words suit up to a few million pictures, long ones more (benchmarks/near_duplicates.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

DISTANCE, QUALITY = 31, 50
"""PDQ's own advice: at most 31 bits apart is a match; a quality of 49 or less says too little."""

BLOCK = 1 << 20
"""Pairs that are compared in one go: about 40 MB of temporary arrays."""
MANY = 3_000_000
"""Distinct hashes from which long words take less time than short ones (by what 100,000 to a million took)."""

Hashes = npt.NDArray[np.uint64]
Words = npt.NDArray[np.uint32]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cut:
    """How 256 bits are cut: the length of every word in bits, and how many of a word's bits may differ."""

    lengths: tuple[int, ...]
    flips: int

    def masks(self, length: int) -> list[int]:
        """Every way to flip at most `flips` of `length` bits; no flip at all comes first."""
        return [sum(1 << bit for bit in bits) for count in range(self.flips + 1)
                for bits in combinations(range(length), count)]  # fmt: skip


SHORT = Cut((16,) * 16, 1)
LONG = Cut((24,) * 3 + (23,) * 8, 2)


def clusters(hashes: list[bytes], distance: int = DISTANCE, cut: Cut | None = None) -> list[int]:
    """For each 32-byte hash the index of the first hash of its cluster, itself if it stands alone.

    A cluster is everything connected by a chain of matches (single linkage), whatever the order of the hashes. `cut`
    changes the time it takes, never the answer.
    """
    if not hashes:
        return []
    whole = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), 32)
    return [int(index) for index in grouped(whole, distance, cut)]


def grouped(hashes: npt.NDArray[np.uint8], distance: int = DISTANCE, cut: Cut | None = None) -> Indices:
    """`clusters` for an array uint8 [N, 32]."""
    if not len(hashes):
        return np.zeros(0, np.int64)
    whole = np.ascontiguousarray(hashes).view(">u8").astype(np.uint64)
    distinct, first, inverse = np.unique(whole, axis=0, return_index=True, return_inverse=True)
    del whole
    cut = cut or (LONG if len(distinct) > MANY else SHORT)
    if distance >= len(cut.lengths) * (cut.flips + 1):
        raise ValueError(f"{len(cut.lengths)} words with {cut.flips} flips can't find all pairs {distance} bits apart.")
    parents = np.arange(len(distinct))
    for left, right in _near(distinct, cut, distance):
        apart = parents[left] != parents[right]
        _join(parents, left[apart], right[apart])
    roots = _roots(parents)
    earliest = np.full(len(distinct), len(hashes))
    np.minimum.at(earliest, roots, first)
    found: Indices = earliest[roots][inverse.reshape(-1)]
    return found


def _near(distinct: Hashes, cut: Cut, distance: int) -> Iterator[tuple[Indices, Indices]]:
    """Pairs within the distance, in blocks of bounded size; a pair may come more than once."""
    start = 0
    for length in cut.lengths:
        word = _word(distinct, start, length)
        start += length
        order = np.argsort(word, kind="stable")
        word, ordered = word[order], distinct[order]  # neighbours in memory, where most of the time would go otherwise
        front, back = np.ascontiguousarray(ordered[:, :2].T), np.ascontiguousarray(ordered[:, 2:].T)
        for left, right in _candidates(word, length, cut.masks(length)):
            apart = _differing(front, left, right)
            close = apart <= distance  # half the bits decide almost every pair that is not near
            left, right = left[close], right[close]
            near = apart[close] + _differing(back, left, right) <= distance
            yield order[left[near]], order[right[near]]


def _word(hashes: Hashes, start: int, length: int) -> Words:
    """Bits `start` up to `start + length` of every hash, counted from its first byte."""
    place, shift = divmod(start, 64)
    word = hashes[:, place] << np.uint64(shift)
    if shift + length > 64:
        word = word | (hashes[:, place + 1] >> np.uint64(64 - shift))
    return (word >> np.uint64(64 - length)).astype(np.uint32)


def _candidates(word: Words, length: int, masks: list[int]) -> Iterator[tuple[Indices, Indices]]:
    """Pairs of places in the sorted `word` that differ by one of the masks, each pair once."""
    begins = np.zeros((1 << length) + 1, np.int32)
    np.cumsum(np.bincount(word, minlength=1 << length), out=begins[1:])
    places = np.arange(len(word), dtype=np.int32)
    yield from _expand(places, places + 1, begins[word + 1] - places - 1)
    for mask in masks[1:]:
        lower = places[word & np.uint32(1 << (mask.bit_length() - 1)) == 0]  # of two that match, one has this bit off
        wanted = word[lower] ^ np.uint32(mask)
        begin = begins[wanted]
        count = begins[wanted + 1] - begin
        found = count > 0
        yield from _expand(lower[found], begin[found], count[found])


def _expand(
    left: npt.NDArray[np.int32], begin: npt.NDArray[np.int32], count: npt.NDArray[np.int32]
) -> Iterator[tuple[Indices, Indices]]:
    """Each place in `left` with the `count` places from `begin` on."""
    ends, first = np.cumsum(count, dtype=np.int64), 0
    while first < len(count):
        done = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
        size = count[first:last]
        total = int(ends[last - 1]) - done
        if total:
            offsets = np.arange(total) - np.repeat(ends[first:last] - size - done, size)
            yield np.repeat(left[first:last], size).astype(np.int64), np.repeat(begin[first:last], size) + offsets
        first = last


def _differing(halves: Hashes, left: Indices, right: Indices) -> npt.NDArray[np.uint8]:
    """How many of the 128 bits in uint64 [2, N] differ between places."""
    counts: npt.NDArray[np.uint8] = np.bitwise_count(halves[0][left] ^ halves[0][right])
    counts += np.bitwise_count(halves[1][left] ^ halves[1][right])
    return counts


def _join(parents: Indices, left: Indices, right: Indices) -> None:
    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        one, other = _root(parents, one), _root(parents, other)
        parents[max(one, other)] = min(one, other)


def _root(parents: Indices, index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = int(parents[index])
    return index


def _roots(parents: Indices) -> Indices:
    while not np.array_equal(parents, parents[parents]):
        parents = parents[parents]
    return parents
