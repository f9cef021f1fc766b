"""TikTok's "download your data": the posts in `user_data_tiktok.json`; it names films and photo posts, not pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, account_in_url, dated, https
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import dict_of, dig, handle_of, list_of, text_of

DATA = re.compile(r"^user_data(?:_tiktok)?\.json$")
POST_ID = re.compile(r"/(?:video|photo)/(\d{4,25})")
# Where the list of posts lay over the years.
PLACES = (
    ("Post", "Posts", "VideoList"),
    ("Video", "Videos", "VideoList"),
    ("Activity", "Video", "Videos", "VideoList"),
)
NO_PICTURES = "TikTok's download names no pictures of photo posts; open the post's URL to see them"


class TikTokReader:
    """One row for each post; nothing but the posts is taken from the file."""

    name = "tiktok_dyi"
    title = "TikTok download"
    rooted = True

    def detect(self, source: Source) -> float:
        return 0.96 if any(DATA.match(basename(name)) for name in source.names()) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = [name for name in source.names() if DATA.match(basename(name))]
        for name in names:
            whole = document(source, name)
            profile = dig(whole, "Profile", "Profile Information", "ProfileMap", "userName")
            profile = profile or dig(whole, "Profile And Settings", "Profile Info", "ProfileMap", "userName")
            account = handle_of(profile)
            source.log.account(account)
            posts = next((found for place in PLACES if (found := list_of(dig(whole, *place)))), [])
            for number, entry in enumerate(map(dict_of, posts)):
                where = f"{name}, post {number + 1}"
                yield from source.log.guarded(where, self._items, source, name, entry, account)
        yield from loose_pictures(source, self.name, set(names))

    def _items(self, source: Source, name: str, entry: Mapping[str, object], account: str | None) -> list[Item]:
        link = https(entry.get("Link")) or https(entry.get("link"))
        found = POST_ID.search(link or "")
        moment, origin = dated(entry.get("Date") or entry.get("date"))
        post = Post(
            self.name,
            source.origin(name),
            platform="tiktok",
            account=account or account_in_url(link),
            post_id=found[1] if found else None,
            post_url=link if found else None,
            posted_at=moment,
            posted_at_source=origin,
            text=text_of(entry.get("Title")) or text_of(entry.get("title")),
        )
        source.log.post(post_id=post.post_id)
        if "/photo/" in (link or ""):
            return [post.missing(0, NO_PICTURES)]
        return [post.video(0)]
