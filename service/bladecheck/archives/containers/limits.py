"""How much of an archive is read before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """Caps on what one archive may hold; beyond them it, or the member, is refused with a reason.

    Attributes:
        members: entries in one zip or packed tar, whose directories can claim more than there is.
        files: files in one folder, below one address or in one plain tar, which take up room of their own.
        member_bytes: bytes of one picture, unpacked.
        data_bytes: bytes of one data file that must be read whole (tweets.js, outbox.json), unpacked.
        total_bytes: bytes of all members together, unpacked.
        ratio: unpacked to packed, for anything that unpacks to more than `ratio_floor` bytes.
        line_chars: length of one line of a JSON-lines file or table.
    """

    members: int = 2_000_000
    files: int = 20_000_000
    member_bytes: int = 256 * MIB
    data_bytes: int = 2048 * MIB
    total_bytes: int = 4 * 1024 * 1024 * MIB
    ratio: int = 200
    ratio_floor: int = 64 * MIB
    line_chars: int = 64 * MIB
