"""4CAT's CSV exports of posts: X, Instagram, Telegram and others, told by the columns they share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import YES, is_film_url, urls_in
from bladecheck.archives.data.tables import Table
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, account_in_url, dated, https, plain_text, platform_of, shares_another
from bladecheck.archives.readers.table_presets import PresetTableReader
from bladecheck.archives.values import first_text, handle_of, text_of

PICTURE_COLUMNS = ("images", "image_urls", "image_url", "media_urls", "media_url", "photo_url", "thumbnail_url")
VIDEO_COLUMNS = ("videos", "video_url", "video_urls")


def _told(row: Mapping[str, str], column: str) -> bool | None:
    """What a column of yes and no says; None where the table has no such column."""
    return row[column].lower() in YES if column in row else None


class FourCatTableReader(PresetTableReader):
    """One row for each post; several addresses in a cell are split by commas."""

    name = "4cat_csv"
    title = "4CAT table"
    required = (frozenset(("id", "thread_id", "timestamp", "body", "author")),)

    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        link = first_text(row, "link", "url", "post_url")
        post_id = text_of(row["id"])
        pictures = next((urls for column in PICTURE_COLUMNS if (urls := urls_in(row[column]))), [])
        films = next((urls for column in VIDEO_COLUMNS if (urls := urls_in(row[column]))), [])
        platform = platform_of(link) or platform_of(pictures[0] if pictures else None)
        moment, origin = dated(row["unix_timestamp"] or row["timestamp"], post_id if platform == "x" else None)
        account = handle_of(row["author"]) or account_in_url(link)
        post = Post(
            self.name,
            source.origin(table.member),
            platform=platform,
            account=account,
            post_id=post_id,
            post_url=link,
            posted_at=moment,
            posted_at_source=origin,
            text=plain_text(row["body"]),
            is_repost=row["is_retweet"].lower() in YES or (platform == "x" and shares_another(row["body"])),
            is_quote=_told(row, "is_quote_tweet"),
            is_reply=_told(row, "is_reply"),
        )
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(account if not pictures else None)
        for index, url in enumerate([*pictures, *(film for film in films if film not in pictures)]):
            address = https(url)
            if address is None or url in films or is_film_url(address):
                yield post.video(index, media_url=address)
            else:
                yield post.remote(index, address)
