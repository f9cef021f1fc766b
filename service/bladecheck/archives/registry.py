"""The readers there are: those built in, and those that other packages add under `bladecheck.readers`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import TableMapping
from bladecheck.archives.readers.auto_archiver import AutoArchiverReader
from bladecheck.archives.readers.base import Reader
from bladecheck.archives.readers.bluesky import BlueskyReader
from bladecheck.archives.readers.crowdtangle import CrowdTangleReader
from bladecheck.archives.readers.facebook_dyi import FacebookReader
from bladecheck.archives.readers.fourcat_table import FourCatTableReader
from bladecheck.archives.readers.fourcat_zip import FourCatZipReader
from bladecheck.archives.readers.gallery_dl import GalleryDlReader
from bladecheck.archives.readers.grailbird import GrailbirdReader
from bladecheck.archives.readers.instagram_dyi import InstagramReader
from bladecheck.archives.readers.instaloader import InstaloaderReader
from bladecheck.archives.readers.mastodon import MastodonReader
from bladecheck.archives.readers.meta_content_library import MetaContentLibraryReader
from bladecheck.archives.readers.pictures import PictureReader
from bladecheck.archives.readers.reddit import RedditReader
from bladecheck.archives.readers.sidecars import Img2DatasetReader, TakeoutReader
from bladecheck.archives.readers.table import TableReader
from bladecheck.archives.readers.telegram import TelegramReader
from bladecheck.archives.readers.threads import ThreadsReader
from bladecheck.archives.readers.tiktok_dyi import TikTokReader
from bladecheck.archives.readers.twarc_csv import TwarcCsvReader
from bladecheck.archives.readers.tweet_exporter import TwitterWebExporterTableReader
from bladecheck.archives.readers.tweets import TweetReader
from bladecheck.archives.readers.warc import WarcReader
from bladecheck.archives.readers.x_archive import XArchiveReader
from bladecheck.archives.readers.yt_dlp import YtDlpReader
from bladecheck.archives.readers.zeeschuimer import ZeeschuimerReader
from bladecheck.errors import ArchiveError

ENTRY_POINTS = "bladecheck.readers"
# Score from which no further reader is asked.
CERTAIN = 0.95


class ReaderRegistry:
    """Readers in the order in which they are asked: those told by names alone first, so that no private file is opened.

    Attributes:
        readers: all of them, by name.
    """

    def __init__(self, *, mapping: TableMapping | None = None, exif_dates: bool = False) -> None:
        self.readers: dict[str, Reader] = {}
        for reader in (*_built_in(mapping, exif_dates), *_added()):
            self.add(reader)

    def add(self, reader: Reader) -> None:
        """Adds a reader, asked after those already there.

        Raises:
            ArchiveError: its name is taken, or it is no reader.
        """
        if not isinstance(reader, Reader):
            raise ArchiveError(f"{reader!r} is no archive reader: it needs name, title, detect and read")
        if reader.name in self.readers:
            raise ArchiveError(f"two archive readers are called {reader.name!r}")
        self.readers[reader.name] = reader

    def named(self, name: str) -> Reader:
        """The reader of that name.

        Raises:
            ArchiveError: there is none.
        """
        if name not in self.readers:
            raise ArchiveError(f"no archive format {name!r}; known are {', '.join(sorted(self.readers))}")
        return self.readers[name]

    def choose(self, source: Source) -> Reader:
        """The reader that knows this source best.

        Raises:
            ArchiveError: none does, or one knows that it can't be read.
        """
        best, _ = self.best(source)
        if best is None:
            raise ArchiveError(f"{source.path.name} holds nothing that is known here; {seen(source)}")
        return best

    def best(self, source: Source) -> tuple[Reader | None, float]:
        """The reader that knows this source best, and how sure it is; None and 0 where none does.

        Raises:
            ArchiveError: one knows that it can't be read.
        """
        best: Reader | None = None
        best_score = 0.0
        for reader in self.readers.values():
            score = reader.detect(source)
            if score > best_score:
                best, best_score = reader, score
            if best_score >= CERTAIN:
                break
        return best, best_score


def _built_in(mapping: TableMapping | None, exif_dates: bool) -> tuple[Reader, ...]:
    return (
        XArchiveReader(),
        FacebookReader(),
        InstagramReader(),
        MastodonReader(),
        GrailbirdReader(),
        FourCatZipReader(),
        TelegramReader(),
        TikTokReader(),
        WarcReader(),
        InstaloaderReader(),
        GalleryDlReader(),
        YtDlpReader(),
        TakeoutReader(),
        Img2DatasetReader(),
        ZeeschuimerReader(),
        BlueskyReader(),
        ThreadsReader(),
        RedditReader(),
        TwarcCsvReader(),
        FourCatTableReader(),
        CrowdTangleReader(),
        MetaContentLibraryReader(),
        TwitterWebExporterTableReader(),
        AutoArchiverReader(),
        TweetReader(),
        TableReader(mapping),
        PictureReader(exif_dates),
    )


def _added() -> Iterator[Reader]:
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            made = point.load()
            yield made() if isinstance(made, type) else made
        except Exception as error:  # other people's code: whatever it raises, the reader is named
            raise ArchiveError(f"the archive reader {point.name!r} ({point.value}) can't be loaded: {error}") from error


def seen(source: Source) -> str:
    """What a source holds, for an error."""
    names = source.names()
    if not names:
        return "it is empty"
    shown = ", ".join(names[:5])
    return f"it holds {len(names)} files ({shown}{', …' if len(names) > 5 else ''})"
