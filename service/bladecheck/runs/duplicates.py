"""Near duplicates among perceptual hashes: clusters of pictures within 31 of 256 bits of each other.

Multi-index hashing (Norouzi, Punjani and Fleet 2012), by pigeonholes twice. Of two hashes that differ in at most 31
bits, one quarter of 64 bits differs in at most 7; and of the words that a quarter is cut into, one in no more bits than
its share. So only pictures are compared that share a word, or a word with so many bits flipped, and the quarter around
it decides almost every pair. The answer is exact.

Pairs to compare grow with the square of the number of pictures, divided by the number of values that a word can take:
long words suit many pictures, and more ways to flip their bits cost each picture the same. Thousands of near copies of
one picture share most words; they are found to be one cluster first, and pairs within a cluster are not compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

DISTANCE, QUALITY = 31, 50
"""PDQ's own advice: at most 31 bits apart is a match; a quality of 49 or less says too little."""

BLOCK = 1 << 19
"""Pairs that are compared in one go: about 20 MB of temporary arrays."""
MANY = 600_000
"""Distinct hashes from which long words take less time than short ones (benchmarks/near_duplicates.py)."""
CROWD, SAMPLE = 64, 4096
"""Hashes with the same word from which on copies of one picture are looked for first; and those that tell a centre."""

Hashes = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cut:
    """How each quarter is cut: of every word its length in bits, and how many of its bits may differ."""

    words: tuple[tuple[int, int], ...]

    @property
    def finds(self) -> int:
        """The largest distance of two quarters that is found without fail."""
        return sum(flips + 1 for _, flips in self.words) - 1


SHORT = Cut(((16, 1),) * 4)
LONG = Cut(((22, 2), (22, 2), (20, 1)))


def clusters(hashes: list[bytes], distance: int = DISTANCE, cut: Cut | None = None) -> list[int]:
    """For each 32-byte hash the index of the first hash of its cluster, itself if it stands alone.

    A cluster is everything connected by a chain of matches (single linkage), whatever the order of the hashes. `cut`
    changes the time it takes, never the answer.
    """
    whole = np.frombuffer(b"".join(hashes), np.uint8).reshape(len(hashes), 32)
    return [int(index) for index in grouped(whole, distance, cut)]


def grouped(hashes: npt.NDArray[np.uint8], distance: int = DISTANCE, cut: Cut | None = None) -> Places:
    """`clusters` for an array uint8 [N, 32].

    Raises:
        ValueError: the cut's words can't find all pairs so far apart.
    """
    if not len(hashes):
        return np.zeros(0, np.int64)
    distinct, first, inverse = _distinct(np.ascontiguousarray(hashes).view(">u8").astype(np.uint64))
    cut = cut or (LONG if len(distinct) > MANY else SHORT)
    if distance // 4 > cut.finds:
        raise ValueError(f"Words that find quarters {cut.finds} bits apart can't find all pairs {distance} bits apart.")
    roots = np.arange(len(distinct))
    for gather in (True, False):
        for quarter in range(4):
            start = 0
            for length, flips in cut.words:
                word = (distinct[:, quarter] >> np.uint64(64 - start - length)) & np.uint64((1 << length) - 1)
                counts = np.bincount(word.astype(np.int64), minlength=1 << length)
                if not gather or counts.max() >= CROWD:
                    ordered = _Ordered(distinct, roots, quarter, word, counts, distance)
                    roots = ordered.gathered() if gather else ordered.joined(masks(length, flips))
                start += length
    earliest = np.full(len(distinct), len(hashes))
    np.minimum.at(earliest, roots, first)
    found: Places = earliest[roots][inverse]
    return found


class _Ordered:
    """The hashes in the order of one of their words.

    Args:
        distinct: uint64 [N, 4], sorted.
        roots: int64 [N], for every hash one of its cluster as far as that is known, the same for all of a cluster.
        quarter: which of the four the word lies in.
        word: uint64 [N].
        counts: int64 [values of a word], how many hashes have each.
        distance: of a match.
    """

    def __init__(
        self, distinct: Hashes, roots: Places, quarter: int, word: Hashes, counts: Places, distance: int
    ) -> None:
        self._distinct, self._roots, self._distance = distinct, roots, distance
        self._order = np.argsort(word, kind="stable")
        self._word = word[self._order].astype(np.int64)
        self._begins = np.concatenate(([0], np.cumsum(counts)))
        self._crowded = counts >= CROWD
        within = np.flatnonzero(self._crowded[self._word])
        crowd = self._order[within]
        self._order[within] = crowd[np.lexsort((roots[crowd], self._word[within]))]
        self._quarter = distinct[:, quarter][self._order]

    def gathered(self) -> Places:
        """The roots once, in crowds, all are joined that lie near their neighbour or near the middle."""
        values = np.flatnonzero(self._crowded)
        for begin, end in zip(self._begins[values], self._begins[values + 1], strict=True):
            self._gather(self._order[begin:end])
        return self._roots

    def joined(self, flipped: list[int]) -> Places:
        """The roots once all pairs are joined whose words are the same but for the bits of one of these masks."""
        found, some = list[Places](), 0
        for left, begin, count in self._candidates(flipped):
            for pairs in self._close(left, begin, count):
                found.append(pairs)
                some += pairs.shape[1]
                if some > BLOCK:
                    self._roots, found, some = _join(self._roots, *np.concatenate(found, axis=1)), [], 0
        return _join(self._roots, *np.concatenate(found, axis=1)) if found else self._roots

    def _gather(self, members: Places) -> None:
        pairs = [np.stack((members[:-1], members[1:]))]
        rest = members
        while len(rest) >= CROWD:
            centre = rest[_middle(self._distinct[rest])]
            near = self._apart(rest, np.full_like(rest, centre)) <= self._distance
            pairs.append(np.stack((rest[near], np.full(near.sum(), centre))))
            if 4 * near.sum() < len(rest):
                break
            rest = rest[~near]
        left, right = np.concatenate(pairs, axis=1)
        near = self._apart(left, right) <= self._distance
        self._roots = _join(self._roots, left[near], right[near])

    def _candidates(self, flipped: list[int]) -> Iterator[tuple[Places, Places, Places]]:
        """Places in this order, and for each the first and the number of those to compare it with; each pair once.

        Of a crowd, hashes of one cluster are looked up together, and not compared with their own cluster in a crowd.
        """
        keys = (self._word << 32) | self._roots[self._order]
        own = np.ones(len(keys), np.bool_)
        own[1:] = (keys[1:] != keys[:-1]) | ~self._crowded[self._word[1:]]
        first = np.flatnonzero(own)
        size = np.diff(first, append=len(keys))
        word, after = self._word[first], first + size
        yield _spread(first, size, after, self._begins[word + 1] - after)
        narrow, taken = word.astype(np.int32), np.diff(self._begins) > 0  # small tables, read at random
        for mask in flipped[1:]:
            one = np.flatnonzero((narrow & np.int32(1 << (mask.bit_length() - 1))) == 0)  # of two, one has this bit off
            one = one[taken[narrow[one] ^ np.int32(mask)]]
            wanted = word[one] ^ mask
            begin, end = self._begins[wanted], self._begins[wanted + 1]
            crowded = np.flatnonzero(self._crowded[wanted])
            if len(crowded):
                # Other words' runs need not be in the order of their clusters for this: their words decide.
                key = (wanted[crowded] << 32) | (keys[first[one[crowded]]] & 0xFFFFFFFF)
                rest = np.searchsorted(keys, key, "right")
                yield _spread(first[one[crowded]], size[one[crowded]], rest, end[crowded] - rest)
                end[crowded] = np.searchsorted(keys, key, "left")
            yield _spread(first[one], size[one], begin, end - begin)

    def _close(self, left: Places, begin: Places, count: Places) -> Iterator[Places]:
        """Pairs within the distance of two clusters, int64 [2, n]: of each left and its `count` from `begin`."""
        ends, low = np.cumsum(count), 0
        while low < len(count):
            done = int(ends[low - 1]) if low else 0
            high = max(low + 1, int(np.searchsorted(ends, done + BLOCK, "right")))
            size = count[low:high]
            right = np.arange(int(ends[high - 1]) - done) + np.repeat(
                begin[low:high] - (ends[low:high] - size - done), size
            )
            differing = np.repeat(self._quarter[left[low:high]], size) ^ self._quarter[right]
            near = np.flatnonzero(np.bitwise_count(differing) <= self._distance // 4)
            if len(near):
                of = left[low:high][np.searchsorted(ends[low:high] - done, near, "right")]
                pair = self._order[np.stack((of, right[near]))]
                pair = pair[:, self._roots[pair[0]] != self._roots[pair[1]]]
                yield pair[:, self._apart(*pair) <= self._distance]
            low = high

    def _apart(self, left: Places, right: Places) -> Places:
        """How many bits differ between hashes, by their places among all."""
        apart: Places = np.bitwise_count(self._distinct[left] ^ self._distinct[right]).sum(axis=1, dtype=np.int64)
        return apart


def masks(length: int, flips: int) -> list[int]:
    """Every way to flip at most `flips` of `length` bits; no flip at all comes first."""
    return [sum(1 << bit for bit in bits) for count in range(flips + 1) for bits in combinations(range(length), count)]


def _distinct(hashes: Hashes) -> tuple[Hashes, Places, Places]:
    """Each different hash once, in order; where it comes first; and for every hash its place among them."""
    order = np.lexsort(hashes.T[::-1])
    ordered = hashes[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    inverse = np.empty(len(order), np.int64)
    inverse[order] = np.cumsum(new) - 1
    return ordered[new], order[new], inverse


def _middle(hashes: Hashes) -> int:
    """Which of them lies nearest to what most of them have in each bit."""
    some = hashes[:: max(1, len(hashes) // SAMPLE)]
    bits = np.unpackbits(some.view(np.uint8), axis=1)
    middle = np.packbits(2 * bits.sum(axis=0) > len(bits)).view(np.uint64)
    return int(np.bitwise_count(hashes ^ middle).sum(axis=1).argmin())


def _spread(first: Places, size: Places, begin: Places, count: Places) -> tuple[Places, Places, Places]:
    """Without those that have nothing to be compared with, and each of several looked up together by itself."""
    some = np.flatnonzero(count > 0)
    first, size, begin, count = first[some], size[some], begin[some], count[some]
    total = int(size.sum())
    if total == len(some):
        return first, begin, count
    within = np.arange(total) - np.repeat(np.cumsum(size) - size, size)
    return np.repeat(first, size) + within, np.repeat(begin, size), np.repeat(count, size)


def _join(roots: Places, left: Places, right: Places) -> Places:
    """The roots once every left is in one cluster with its right; of a cluster the lowest place is the root."""
    while len(left):
        one, other = roots[left], roots[right]
        apart = one != other
        left, right, one, other = left[apart], right[apart], one[apart], other[apart]
        if len(left):
            roots = roots.copy()
            np.minimum.at(roots, np.maximum(one, other), np.minimum(one, other))
            while not np.array_equal(roots, further := roots[roots]):
                roots = further
    return roots
