"""CrowdTangle's CSV exports. Facebook's name no picture; Instagram's do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.tables import Table
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated, https, id_in_url
from bladecheck.archives.readers.table_presets import PresetTableReader
from bladecheck.archives.values import first_text, handle_of, text_of

FACEBOOK = frozenset(("page name", "facebook id", "post created", "type", "url"))
FACEBOOK_GROUP = frozenset(("group name", "facebook id", "post created", "type", "url"))
INSTAGRAM = frozenset(("account", "user name", "post created", "type", "url", "photo"))
NO_ADDRESS = "CrowdTangle's Facebook export names no picture addresses; open the post's URL to see it"
FILM_WORDS = ("video", "igtv", "reel")
PICTURE_WORDS = ("photo", "album")


class CrowdTangleReader(PresetTableReader):
    """One row for each post."""

    name = "crowdtangle"
    title = "CrowdTangle table"
    required = (FACEBOOK, FACEBOOK_GROUP, INSTAGRAM)

    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        on_facebook = "facebook id" in row
        moment, origin = dated(row["post created"])
        address = https(row["url"])
        account = first_text(row, "user name", "page name", "group name", "account")
        text = first_text(row, "message", "description", "title")
        post = Post(
            self.name,
            source.origin(table.member),
            platform="facebook" if on_facebook else "instagram",
            account=handle_of(account),
            post_id=id_in_url(address) or _last_part(address),
            post_url=address,
            posted_at=moment,
            posted_at_source=origin,
            text=text,
        )
        source.log.post()
        kind = row["type"].lower()
        alt = text_of(row["image text"])
        photo = https(row["photo"])
        if any(word in kind for word in FILM_WORDS):
            yield post.video(0, media_url=photo)
        elif photo:
            yield post.remote(0, photo, alt_text=alt)
        elif any(word in kind for word in PICTURE_WORDS):
            yield post.missing(0, NO_ADDRESS, alt_text=alt)
        else:
            source.log.account(post.account)


def _last_part(address: str | None) -> str | None:
    last = (address or "").split("?")[0].rstrip("/").rsplit("/", 1)[-1]
    return last if last.isdigit() else None
