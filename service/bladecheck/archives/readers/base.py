"""What a reader is: it tells whether it knows a source, and gives a row for each picture in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from bladecheck.archives.containers.source import Source
from bladecheck.archives.item import Item


@runtime_checkable
class Reader(Protocol):
    """One family of archive formats.

    Attributes:
        name: short and stable, as in `--format`.
        title: how it is called in a sentence, such as "X archive".

    Two more may be set: `rooted = True`, where one export has one root, so that several in a folder are read apart;
    `mixes = True`, where its data files may lie in one folder with those of other formats.
    """

    name: str
    title: str

    def detect(self, source: Source) -> float:
        """How sure it is, 0 to 1, that the source is of its format; cheap, and opens nothing private.

        Raises:
            ArchiveError: it knows the format and knows that it can't be read; the text explains.
        """
        ...

    def read(self, source: Source) -> Iterator[Item]:
        """A row for each picture, streaming; posts, warnings and ignored files go to `source.log`.

        Raises:
            ArchiveError: the archive as a whole can't be read.
        """
        ...


@runtime_checkable
class JoinsParts(Protocol):
    """A reader whose exports may come in several containers."""

    def part_of(self, source: Source) -> str | None:
        """A key shared by the parts of one export; "" joins whatever export there is; None stands alone."""
        ...

    def posts_in(self, source: Source) -> Sequence[str]:
        """The members that tell of posts: two exports of one account differ in these."""
        ...
