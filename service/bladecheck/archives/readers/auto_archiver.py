"""Bellingcat's auto-archiver sheets: a link, and where its pictures were put."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import urls_in
from bladecheck.archives.data.tables import Table
from bladecheck.archives.dates import parse_date
from bladecheck.archives.item import Item
from bladecheck.archives.names import ending, is_picture_name, is_video_name
from bladecheck.archives.post import Post, account_in_url, dated, https, id_in_url, plain_text, platform_of
from bladecheck.archives.readers.table_presets import PresetTableReader
from bladecheck.archives.values import JSON, text_of

# Hex digits of a PDQ hash, 256 bits.
PDQ_DIGITS = 64
HEX = re.compile(r"\b[0-9a-fA-F]{40,64}\b")
NOT_PICTURES = frozenset((".html", ".htm", ".wacz", ".warc", ".json", ".txt", ".pdf", ".mp3", ".m4a", ".zip"))


class AutoArchiverReader(PresetTableReader):
    """One row for each archived link."""

    name = "auto_archiver"
    title = "auto-archiver sheet"
    required = (frozenset(("link", "archive status", "archive location")),)

    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        link = text_of(row["link"])
        if link is None:
            return
        post_id = id_in_url(link)
        platform = platform_of(link)
        moment, origin = dated(row["upload timestamp"], post_id if platform == "x" else None)
        extra: dict[str, JSON] = {}
        if hashes := perceptual_hashes(row["perceptual hashes"]):
            extra["perceptual_hashes"] = hashes
        post = Post(
            self.name,
            source.origin(table.member),
            platform=platform,
            account=account_in_url(link),
            post_id=post_id,
            post_url=link,
            posted_at=moment,
            posted_at_source=origin,
            text=plain_text(row["text content"]),
            collected_at=parse_date(row["archive date"]),
            extra=extra,
        )
        source.log.post()
        places = [url for cell in row["archive location"].split("\n") for url in urls_in(cell)]
        if not places:
            source.log.account(post.account)
            source.log.counts["links that were not archived"] += 1
        for index, place in enumerate(places):
            yield _item(post, index, https(place) or place)


def perceptual_hashes(cell: str) -> list[str]:
    """The PDQ hashes of a cell, 64 hex digits each; the sheet leaves leading zeros out."""
    return [found.lower().rjust(PDQ_DIGITS, "0") for found in HEX.findall(cell)]


def _item(post: Post, index: int, url: str) -> Item:
    if is_video_name(url):
        return post.video(index, media_url=url)
    if ending(url) in NOT_PICTURES and not is_picture_name(url):
        return post.not_image(index, f"a {ending(url)} file", media_url=url)
    return post.remote(index, url)
