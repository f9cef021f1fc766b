"""Large sets of hashes in little memory: 16 bytes each, where a Python set takes a hundred."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

WIDTH = 16
"""Bytes of a hash that are kept: 128 bits, which nobody makes two pictures agree in."""
Keys = npt.NDArray[np.bytes_]
"""Array of S16, in which every value fills its sixteen bytes."""


class Hashes:
    """A set of hashes of 16 bytes or more, known by their first 16. Not safe to change from several threads.

    Args:
        known: what it holds to begin with.
        loose: as many may be added before they are sorted in among the others.
    """

    def __init__(self, known: Keys | Iterable[bytes] = (), loose: int = 200_000) -> None:
        given = known if isinstance(known, np.ndarray) else keys(b"".join(one[:WIDTH] for one in known))
        self._loose: set[bytes] = set()
        self._most = loose
        self._sort(given)

    def __contains__(self, value: bytes) -> bool:
        value = value[:WIDTH]
        if value in self._loose:
            return True
        left, right = int.from_bytes(value[:8], "big"), int.from_bytes(value[8:], "big")
        at = bisect_left(self._left, left)
        while at < len(self._left) and self._left[at] == left:
            if self._right[at] == right:
                return True
            at += 1
        return False

    def __iter__(self) -> Iterator[bytes]:
        for left, right in zip(self._left, self._right, strict=True):
            yield left.to_bytes(8, "big") + right.to_bytes(8, "big")
        yield from self._loose

    def __len__(self) -> int:
        return len(self._left) + len(self._loose)

    def add(self, value: bytes) -> None:
        """Take one in."""
        if value not in self:
            self._loose.add(value[:WIDTH])
            if len(self._loose) > self._most:
                self._sort(np.concatenate((self._keys(), keys(b"".join(self._loose)))))
                self._loose = set()

    def _sort(self, given: Keys) -> None:
        halves = np.frombuffer(np.unique(given).tobytes(), ">u8").astype(np.uint64).reshape(-1, 2)
        self._left, self._right = (array("Q", half.tobytes()) for half in (halves[:, 0], halves[:, 1]))

    def _keys(self) -> Keys:
        return keys(np.stack((self._left, self._right), axis=1).astype(">u8").tobytes())


def keys(data: bytes | bytearray) -> Keys:
    """Hashes of 16 bytes, one after another, as an array that can be sorted and compared."""
    return np.frombuffer(bytes(data), f"S{WIDTH}")


def latest(given: Keys) -> npt.NDArray[np.int64]:
    """Where each different value stands last."""
    order = np.argsort(given, kind="stable")
    ordered = given[order]
    last = np.ones(len(given), np.bool_)
    last[:-1] = ordered[1:] != ordered[:-1]
    found: npt.NDArray[np.int64] = order[last]
    return found
