"""twarc-csv's tables: API v2 tweets, 84 columns, media as JSON in a cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.tables import Table
from bladecheck.archives.dates import parse_date
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated, plain_text, shares_another, x_post_url
from bladecheck.archives.readers.table_presets import PresetTableReader
from bladecheck.archives.readers.tweet_v2 import media_items
from bladecheck.archives.readers.tweets import media_cell
from bladecheck.archives.values import handle_of, text_of


class TwarcCsvReader(PresetTableReader):
    """One row for each tweet."""

    name = "twarc_csv"
    title = "twarc-csv table"
    required = (
        frozenset(("id", "text", "author_id", "attachments.media_keys")),
        frozenset(("id", "attachments.media")),
    )
    confidence = 0.95

    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        post_id = text_of(row["id"])
        account = handle_of(row["author.username"])
        original = _whole(row["referenced_tweets.retweeted.id"])
        quoted = _whole(row["referenced_tweets.quoted.id"])
        edits = tuple(_keys(row["edit_history_tweet_ids"]))
        moment, origin = dated(row["created_at"], post_id)
        text = plain_text(row["text"])
        language = text_of(row["lang"])
        post = Post(
            self.name,
            source.origin(table.member),
            platform="x",
            account=account,
            post_id=post_id,
            post_url=x_post_url(account, post_id),
            posted_at=moment,
            posted_at_source=origin,
            text=text,
            is_repost=bool(original) or shares_another(text),
            original_post_id=original,
            is_quote=bool(quoted),
            quoted_id=quoted,
            is_reply=bool(text_of(row["referenced_tweets.replied_to.id"])),
            edits=edits if len(edits) > 1 else (),
            collected_at=parse_date(row["__twarc.retrieved_at"]),
            extra={"lang": language} if language else {},
        )
        media = media_cell(row["attachments.media"]) or [{"media_key": k} for k in _keys(row["attachments.media_keys"])]
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(account if not media else None)
        yield from media_items(post, media)


def _whole(cell: str) -> str | None:
    """An id, also where a data frame with gaps made it a fraction."""
    found = text_of(cell)
    return found.removesuffix(".0") if found else None


def _keys(cell: str) -> list[str]:
    return [part.strip(" \"'[]") for part in cell.split(",") if part.strip(" \"'[]")]
