"""Near duplicates among perceptual hashes: clusters of pictures within 31 of 256 bits of each other.

Multi-index hashing (Norouzi, Punjani and Fleet 2012): the 256 bits are cut into 16 words of 16 bits. Two hashes that
differ in at most 31 bits have a word that differs in at most one, so it is enough to compare pictures that share a
word, or a word with one bit flipped. Time grows about linearly with the number of pictures as long as words spread.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

DISTANCE, QUALITY = 31, 50
"""PDQ's own advice: at most 31 bits apart is a match; a quality of 49 or less says too little."""

WORDS, BITS, BLOCK = 16, 16, 1 << 20
Words = npt.NDArray[np.uint16]
Indices = npt.NDArray[np.int64]


def clusters(hashes: list[bytes], distance: int = DISTANCE) -> list[int]:
    """For each 32-byte hash the index of the first hash of its cluster, itself if it stands alone.

    A cluster is everything connected by a chain of matches (single linkage), whatever the order of the hashes.
    """
    if not hashes:
        return []
    words = np.frombuffer(b"".join(hashes), np.uint16).reshape(len(hashes), WORDS)
    distinct, first, inverse = np.unique(words, axis=0, return_index=True, return_inverse=True)
    parents = np.arange(len(distinct))
    for left, right in _candidates(distinct):
        apart = parents[left] != parents[right]
        left, right = left[apart], right[apart]
        near = _distances(distinct[left], distinct[right]) <= distance
        _join(parents, left[near], right[near])
    roots = _roots(parents)
    earliest = np.full(len(distinct), len(hashes))
    np.minimum.at(earliest, roots, first)
    return [int(index) for index in earliest[roots][inverse.reshape(-1)]]


def _candidates(words: Words) -> Iterator[tuple[Indices, Indices]]:
    """Pairs worth comparing, in blocks of bounded size; a pair may come more than once."""
    flips = np.concatenate([[0], 1 << np.arange(BITS)]).astype(np.uint16)
    for column in range(WORDS):
        order = np.argsort(words[:, column], kind="stable")
        ordered = words[order, column]
        for flip in flips:
            wanted = ordered ^ flip
            # Each pair once: with itself unflipped only what follows; flipped only from the smaller word.
            start = np.searchsorted(ordered, wanted, "left") if flip else np.arange(1, len(ordered) + 1)
            stop = np.searchsorted(ordered, wanted, "right")
            counts = np.where((ordered < wanted) | (flip == 0), np.maximum(stop - start, 0), 0)
            yield from _expand(order, start, counts)


def _expand(order: Indices, start: Indices, counts: Indices) -> Iterator[tuple[Indices, Indices]]:
    begin = 0
    ends = np.cumsum(counts)
    while begin < len(counts):
        done = int(ends[begin - 1]) if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
        size = counts[begin:end]
        total = int(size.sum())
        if total:
            offsets = np.arange(total) - np.repeat(np.cumsum(size) - size, size)
            left = np.repeat(np.arange(begin, end), size)
            yield order[left], order[np.repeat(start[begin:end], size) + offsets]
        begin = end


def _distances(left: Words, right: Words) -> npt.NDArray[np.int64]:
    distances: npt.NDArray[np.int64] = POPULATION[left ^ right].sum(axis=1, dtype=np.int64)
    return distances


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


POPULATION = np.array([bin(value).count("1") for value in range(1 << BITS)], np.uint8)
"""Set bits of every 16-bit word; numpy before 2.0 can't count them itself."""
