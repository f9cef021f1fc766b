"""What the readers of one tool's tables share: rows by column name, and the walk over a source's tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.tables import Table, cell_text, first_headers, is_ruined, key, open_tables, table_names
from bladecheck.archives.item import Item
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import clean

ADVICE = "it went through Excel, which lost its digits; use the export as it was downloaded"


class PresetTableReader(ABC):
    """A reader of tables known by their columns.

    Attributes:
        required: sets of column names in lower case, any one of which marks the format.
        confidence: what `detect` gives where they are all there.
    """

    name: str
    title: str
    required: tuple[frozenset[str], ...]
    confidence = 0.94
    mixes = True

    def detect(self, source: Source) -> float:
        fits = [any(wanted <= columns for wanted in self.required) for columns in first_headers(source)]
        return self.confidence if any(fits) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = table_names(source)
        for name in names:
            for table in open_tables(source, name):
                if any(wanted <= {key(column) for column in table.header} for wanted in self.required):
                    yield from self._table(source, table)
                else:
                    source.log.warn(f"{table.name} is not a {self.title} table; it is passed over.")
        if source.is_container:
            yield from loose_pictures(source, self.name, set(names))

    @abstractmethod
    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        """The rows for one post; `row` gives cells by column name in lower case, "" where empty."""

    def _table(self, source: Source, table: Table) -> Iterator[Item]:
        source.log.parts += 1
        columns = [key(column) for column in table.header]
        ruined = 0
        for line, cells in table.rows:
            row = {column: clean(cell_text(cell)) for column, cell in zip(columns, cells, strict=False)}
            if is_ruined(row.get("id", "")):
                ruined += 1
                row["id"] = ""
            where = f"{table.name}, line {line}"
            yield from source.log.guarded(where, self.items, source, table, _Cells(row))
        if ruined:
            source.log.warn(f"{table.name}: {ruined} ids lost digits: {ADVICE}.")


class _Cells(dict[str, str]):
    """Cells by column; an absent column is an empty cell."""

    def __missing__(self, column: str) -> str:
        return ""
