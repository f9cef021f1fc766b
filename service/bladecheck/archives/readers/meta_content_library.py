"""Meta Content Library's CSV: posts without addresses of their pictures, which are rows all the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.tables import Table
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated, https
from bladecheck.archives.readers.table_presets import PresetTableReader
from bladecheck.archives.values import dict_of, first_text, handle_of, id_of, list_of, text_of

NO_ADDRESS = "Meta Content Library names no picture addresses; open the post's URL to see it"
PICTURES, FILMS = ("photo", "album", "image"), ("video", "reel", "igtv")


class MetaContentLibraryReader(PresetTableReader):
    """One row for each medium that a post is said to have."""

    name = "meta_content_library"
    title = "Meta Content Library table"
    required = (frozenset(("id", "creation_time", "mcl_url")),)

    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        moment, origin = dated(row["creation_time"])
        on_instagram = "instagram" in (row["surface.type"] + row["mcl_url"] + row["platform"]).lower()
        account = first_text(row, "post_owner.username", "post_owner.name", "owner.username", "owner.name")
        shared = text_of(row["shared_post_id"]) or text_of(row["shared_post.id"])
        post = Post(
            self.name,
            source.origin(table.member),
            platform="instagram" if on_instagram else "facebook",
            account=handle_of(account),
            post_id=text_of(row["id"]),
            post_url=https(row["mcl_url"]),
            posted_at=moment,
            posted_at_source=origin,
            text=text_of(row["text"]),
            is_repost=bool(shared),
            original_post_id=shared,
        )
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(post.account)
        kinds = [
            (str(dict_of(m).get("type", "")).lower(), id_of(dict_of(m).get("id"))) for m in _media(row["multimedia"])
        ]
        for index, (kind, medium) in enumerate(kinds or [(row["content_type"].lower(), None)]):
            extra = {"media_id": medium} if medium else {}
            if any(word in kind for word in FILMS):
                yield post.video(index, extra=extra)
            elif any(word in kind for word in PICTURES):
                yield post.missing(index, NO_ADDRESS, extra=extra)


def _media(cell: str) -> list[object]:
    return list_of(json.loads(cell)) if cell.strip() else []
