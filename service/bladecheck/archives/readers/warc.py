"""Web archives: WARC, ARC and WACZ. A picture is what begins like one, whatever the server called it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from posixpath import basename
from typing import IO, Any, BinaryIO, cast

from bladecheck.archives.containers.gzip_stream import SeekableGzip
from bladecheck.archives.containers.handles import Lost, Span
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import DAMAGE
from bladecheck.archives.dates import parse_date
from bladecheck.archives.item import Handle, Item, Place, Status
from bladecheck.archives.names import is_picture_name
from bladecheck.archives.post import Post, platform_of
from bladecheck.archives.readers.warc_records import Opened, iterated, read_up_to, record_bytes
from bladecheck.archives.values import clean
from bladecheck.errors import ArchiveError, DamagedArchive
from bladecheck.file_formats import HEAD_BYTES, is_video, picture_kind

FILES = re.compile(r"\.w?arc(?:\.gz)?$", re.I)
# What crawlers add of their own: pictures of whole pages, page texts.
CRAWLER_RECORDS = re.compile(r"^urn:")
WHOLE_GZIP = "non-chunked gzip file detected"
"""What warcio says at the second record of a file that was gzipped as one, and not record by record."""
STATUS = re.compile(r"\d{3}")
KINDS = frozenset({"warcinfo", "arc_header", "request", "metadata", "conversion", "continuation"})
"""Records that hold no answer of a server, by WARC 1.1; `response`, `resource` and `revisit` do."""


class WarcReader:
    """Each answer of a server is a row: a picture, or why it is none; `revisit` records point at theirs."""

    name = "warc"
    title = "web archive"
    mixes = True

    def detect(self, source: Source) -> float:
        return 0.97 if _files(source) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        """Raises ArchiveError where warcio is not installed, or a file given alone is no web archive."""
        names = _files(source)
        seen = _Seen()
        for name in names:
            source.log.parts += 1
            yield from self._records(source, name, _Within(source, name, source.span(name)), seen)
        yield from self._revisits(source, seen)
        for name in source.names():
            if name not in names:
                source.log.leave()

    def _revisits(self, source: Source, seen: _Seen) -> Iterator[Item]:
        """Rows for answers that a crawler did not store again, as it had the same bytes already."""
        for revisit in seen.revisits:
            held = seen.pictures.get(revisit.digest)
            post = Post(
                self.name,
                source.origin(revisit.member),
                platform=platform_of(revisit.url) or "web",
                collected_at=parse_date(revisit.date),
                extra={"revisit_of": revisit.original} if revisit.original else {},
            )
            # A place of its own: the other rows of a web archive are told apart by their order.
            place = Place(source.origin(revisit.member), f"revisit {revisit.date} {revisit.url}", "", 0)
            more = {"media_url": revisit.url, "identity": place, "same_as": f"warc/{revisit.url}/{revisit.date}"}
            if held:
                yield post.stored(0, source, held[0], opener=held[1], **more)
            elif revisit.picture and revisit.digest not in seen.others:
                yield post.missing(0, "the same bytes as an earlier answer, which is not in this archive", **more)

    def _records(self, source: Source, name: str, opened: Opened, seen: _Seen) -> Iterator[Item]:
        """Rows of a file. One that was gzipped as a whole is known by its second record: until then none is given."""
        try:
            stream = opened(0)
        except DamagedArchive as error:
            source.log.broken(name, f"can't be opened ({error.detail})")
            return
        with iterated(stream, name) as records:
            count, held, found = 0, None, _Seen()
            try:
                for record in records:
                    count += 1
                    item = self._item(source, name, record, opened, records, found)
                    if held:
                        yield held
                    held = item
            except Exception as error:  # warcio raises almost anything on damaged data
                if WHOLE_GZIP in str(error):
                    yield from self._unpacked(source, name, seen)
                    return
                if not count and not source.is_container:
                    raise ArchiveError(f"{basename(name)} is no web archive, or its beginning is damaged.") from error
                source.log.broken(name, f"breaks off after record {count} ({str(error).strip()[:120]})")
            else:
                if not count:
                    source.log.broken(name, "holds no record")
                if odd := found.odd + records.err_count:
                    source.log.broken(name, f"has damaged headers, or bytes between its records ({odd} places)")
            if held:
                yield held
            seen.add(found)

    def _unpacked(self, source: Source, name: str, seen: _Seen) -> Iterator[Item]:
        """Rows of a file that was gzipped as a whole. If its checksum is not met, any record may be the damaged one."""
        whole = SeekableGzip(source.open_stream(name), source.limits, source.size(name), basename(name))
        source.keep(cast(IO[bytes], whole))
        why = whole.damage()
        found = _Seen()
        for item in self._records(source, name, whole.view, found):
            yield replace(item, opener=_refused(why)) if why and item.opener else item
        if why:
            found.pictures = {digest: (name, _refused(why)) for digest in found.pictures}
        seen.add(found)
        if why and name not in source.log.breaks:
            source.log.broken(name, f"is damaged ({why})")

    def _item(self, source: Source, name: str, record: Any, opened: Opened, records: Any, known: _Seen) -> Item | None:
        kind = record.rec_type
        if kind == "revisit":
            source.log.counts["revisits"] += 1
            known.revisits.append(_revisit(name, record))
            return None
        url = clean(record.rec_headers.get_header("WARC-Target-URI") or record.rec_headers.get_header("uri") or "")
        if kind not in ("response", "resource") or not url:
            known.odd += kind not in KINDS
            return None
        if CRAWLER_RECORDS.match(url):
            source.log.counts["pages as pictures or text, by the crawler"] += 1
            return None
        seen = record.rec_headers.get_header("WARC-Date") or record.rec_headers.get_header("archive-date")
        post = Post(
            self.name,
            source.origin(name),
            platform=platform_of(url) or "web",
            collected_at=parse_date(seen),
        )
        same = f"warc/{url}/{seen}" if seen else None
        status = _status(record)
        if status not in (None, "200"):
            known.odd += not STATUS.fullmatch(status)
            return post.not_image(0, f"the server answered {status}", member=name, media_url=url, same_as=same)
        try:
            head = read_up_to(record.content_stream(), HEAD_BYTES)
        except DAMAGE as error:
            detail = f"its record is damaged: {error}"
            return post.stored(0, source, name, media_url=url, opener=Lost(detail), same_as=same)
        # Only after reading: asking for the place moves warcio past the record.
        item = self._judged(source, post, name, url, head, opened, records.get_record_offset(), _claim(record))
        digest = record.rec_headers.get_header("WARC-Payload-Digest")
        if digest and item.opener and item.status == Status.PRESENT:
            known.pictures.setdefault(digest, (name, item.opener))
        elif digest:
            known.others.add(digest)
        return replace(item, same_as=same)

    def _judged(
        self, source: Source, post: Post, name: str, url: str, head: bytes, opened: Opened, offset: int, claim: str
    ) -> Item:
        opener = _opener(opened, name, offset, source.limits.member_bytes)
        if picture_kind(head):
            return post.stored(0, source, name, media_url=url, opener=opener, extra={"record_offset": offset})
        if is_video(head) or claim.startswith("video/"):
            return post.video(0, member=name, media_url=url, opener=opener)
        if claim.startswith("image/") or is_picture_name(url):
            if why := _damage(opener):  # it may have begun like a picture before
                return post.stored(0, source, name, media_url=url, opener=Lost(why))
            if not head:
                return post.missing(0, "the record is empty", member=name, media_url=url)
        what = f"said to be {claim}" if claim else "of no stated type"
        return post.not_image(0, f"{what}, but does not begin like a picture", member=name, media_url=url)


@dataclass(frozen=True, slots=True)
class _Revisit:
    member: str
    url: str
    date: str
    digest: str
    original: str | None
    picture: bool


@dataclass(slots=True)
class _Seen:
    """What one pass has come by: pictures by the digest of their bytes, digests of all else, revisits to be joined, and
    how many records in the file make no sense: of no known kind, or an answer from nowhere."""

    pictures: dict[str, tuple[str, Callable[[], bytes]]] = field(default_factory=dict)
    others: set[str] = field(default_factory=set)
    revisits: list[_Revisit] = field(default_factory=list)
    odd: int = 0

    def add(self, other: _Seen) -> None:
        """Takes in what one file held."""
        self.pictures = {**other.pictures, **self.pictures}
        self.others |= other.others
        self.revisits += other.revisits


def _revisit(member: str, record: Any) -> _Revisit:
    get = record.rec_headers.get_header
    url, original = clean(get("WARC-Target-URI") or ""), clean(get("WARC-Refers-To-Target-URI") or "")
    picture = _claim(record).startswith("image/") or is_picture_name(url)
    return _Revisit(
        member, url, clean(get("WARC-Date") or ""), get("WARC-Payload-Digest") or "", original or None, picture
    )


def _files(source: Source) -> list[str]:
    """Web archives among the members; the indexes and page lists of a WACZ are not looked at."""
    return [name for name in source.names() if FILES.search(name)]


@dataclass(frozen=True, slots=True)
class _Within:
    """A web archive among the members of a source, to be opened at an offset; `span` says where it lies, if it does."""

    source: Source
    name: str
    span: Span | None

    def __call__(self, offset: int) -> BinaryIO:
        stream = self.source.open_stream(self.name)
        if offset:
            stream.seek(offset)
        return stream


@dataclass(frozen=True, slots=True)
class Record(Handle):
    """The picture in a record that begins `offset` bytes into a web archive."""

    file: Span
    name: str
    offset: int
    limit: int

    def __call__(self) -> bytes:
        return record_bytes(self.file.stream, self.name, self.offset, self.limit)


def _opener(opened: Opened, name: str, offset: int, cap: int) -> Callable[[], bytes]:
    """The record's handle, or, where its file does not lie in one piece, what reads it through the source."""
    if isinstance(opened, _Within) and opened.span:
        return Record(opened.span, name, offset, cap)
    return partial(record_bytes, opened, name, offset, cap)


def _damage(opener: Callable[[], bytes]) -> str | None:
    """What is damaged about a record, if that shows."""
    try:
        opener()
    except DamagedArchive as error:
        return error.detail
    except ArchiveError:  # it is too large, and so no picture
        pass
    return None


def _refused(why: str) -> Handle:
    return Lost(f"{why}; any of its records may be what is damaged")


def _status(record: Any) -> str | None:
    return record.http_headers.get_statuscode() if record.http_headers else None


def _claim(record: Any) -> str:
    headers = record.http_headers or record.rec_headers
    return clean((headers.get_header("Content-Type") or "").split(";")[0].strip().lower())[:100]
