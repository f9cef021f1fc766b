"""Archives of posts and pictures, of whatever format: one row for each picture, nothing dropped, nothing extracted."""

from bladecheck.archives.archive import Archive, Volume, open_archive
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import TableMapping
from bladecheck.archives.fetch.fetcher import DEFAULT_HOSTS, Fetcher, FetchError
from bladecheck.archives.found import Found
from bladecheck.archives.item import DateSource, Item, MediaType, Status
from bladecheck.archives.readers.base import JoinsParts, Reader
from bladecheck.archives.registry import ReaderRegistry

__all__ = [
    "DEFAULT_HOSTS",
    "Archive",
    "ArchiveLimits",
    "DateSource",
    "FetchError",
    "Fetcher",
    "Found",
    "Item",
    "JoinsParts",
    "MediaType",
    "Reader",
    "ReaderRegistry",
    "Source",
    "Status",
    "TableMapping",
    "Volume",
    "open_archive",
]
