"""Archives of posts and pictures, of whatever format: one row for each picture, nothing dropped, nothing extracted."""

from bladecheck.archives.archive import Archive, Volume, open_archive
from bladecheck.archives.fetch import DEFAULT_HOSTS, Fetcher, FetchError
from bladecheck.archives.found import Found
from bladecheck.archives.item import DateSource, Item, MediaType, Status
from bladecheck.archives.limits import Limits
from bladecheck.archives.mapping import TableMapping
from bladecheck.archives.readers.base import JoinsParts, Reader
from bladecheck.archives.registry import ReaderRegistry
from bladecheck.archives.source import Source

__all__ = [
    "DEFAULT_HOSTS",
    "Archive",
    "DateSource",
    "FetchError",
    "Fetcher",
    "Found",
    "Item",
    "JoinsParts",
    "Limits",
    "MediaType",
    "Reader",
    "ReaderRegistry",
    "Source",
    "Status",
    "TableMapping",
    "Volume",
    "open_archive",
]
