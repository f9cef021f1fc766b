"""X's "your archive", whole, in parts, re-zipped, unpacked or of old; private members are never opened."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import replace
from posixpath import basename, dirname

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import values
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.names import ending, is_junk, is_video_name
from bladecheck.archives.post import Post, dated, https, plain_text, shares_another, x_post_url
from bladecheck.archives.readers.pictures import loose_item, loose_pictures, stem
from bladecheck.archives.readers.tweet_v1 import edit_ids
from bladecheck.archives.readers.x_layout import (
    HEADER,
    MEDIA_FOLDERS,
    POSTS,
    bases_of,
    identity,
    listed_files,
    media_folders,
    open_members,
    part_order,
)
from bladecheck.archives.values import JSON, dict_of, dig, first_id, id_of, list_of, text_of

PRIVATE_MARKS = frozenset(("direct-messages.js", "direct-message.js", "direct_messages_media", "direct_message_media"))
# An archive keeps a quote as a link to the quoted post.
QUOTED = re.compile(r"//(?:www\.|mobile\.)?(?:twitter|x)\.com/\w+/status/(\d{5,20})(?:\?|$)")
MEDIA_NAME = re.compile(r"^\d{2,20}-")


class XArchiveReader:
    """`data/tweets.js` with `data/tweets_media/`; only the account's public posts and their media are opened."""

    name = "x_archive"
    title = "X archive"
    rooted = True

    def detect(self, source: Source) -> float:
        if bases_of(source) or media_folders(source):
            return 1.0
        marks = {
            part for name in source.names() if ending(name) == ".js" or "_media/" in name for part in name.split("/")
        }
        return 1.0 if marks & PRIVATE_MARKS else 0.0

    def part_of(self, source: Source) -> str | None:
        keys = {identity(open_members(source), base)[1] for base in bases_of(source)}
        return keys.pop() or "" if len(keys) == 1 else None if keys else ""

    def posts_in(self, source: Source) -> list[str]:
        return [name for name in source.names() if POSTS.match(basename(name))]

    def read(self, source: Source) -> Iterator[Item]:
        public = open_members(source)
        bases = bases_of(public)
        for base in bases:
            yield from _Archive(public, base, self.name, alone=len(bases) == 1).items()
        if not bases:
            public.log.warn("no tweets.js is here, only media: is the first part of the archive missing?")
            for folder in sorted(media_folders(public)):
                yield from loose_pictures(public, self.name, within=folder + "/")
        yield from self._outside(source, public, bases)

    def _outside(self, source: Source, public: Source, bases: list[str]) -> Iterator[Item]:
        """Pictures in a folder beside the archives; nothing within an archive."""
        roots = [
            dirname(base.rstrip("/")) if basename(base.rstrip("/")) == "data" else base.rstrip("/") for base in bases
        ]
        roots += [dirname(dirname(folder)) for folder in media_folders(source)] if not bases else []
        for name in source.names():
            if any(not root or name.startswith(root + "/") for root in roots) or not roots:
                if name not in public:
                    source.log.leave()
            elif item := loose_item(source, self.name, name):
                yield item


class _Archive:
    """One account's archive: the folder `base` of its data files."""

    def __init__(self, source: Source, base: str, source_format: str, alone: bool) -> None:
        self.source, self.base, self.format = source, base, source_format
        self.account, self.account_id = identity(source, base)
        self.media = sorted(
            (basename(name), name)
            for name in source.names()
            if basename(dirname(name)) in MEDIA_FOLDERS and (alone or name.startswith(base)) and not is_junk(name)
        )
        self.used: set[str] = set()
        self.told: set[str] = set()

    def items(self) -> Iterator[Item]:
        self.source.log.account(self.account)
        files = self._files()
        for name in files:
            self.source.log.parts += not basename(name).startswith("community")
            yield from self._file(name)
        yield from self._unclaimed()

    def _files(self) -> list[str]:
        here = (name for name in self.source.names() if dirname(name) == self.base.rstrip("/"))
        found = sorted((name for name in here if POSTS.match(basename(name))), key=part_order)
        listed = listed_files(self.source, self.base)
        if not listed:
            return found
        for name in sorted(listed - {basename(name) for name in found}):
            self.source.log.warn(f"the manifest lists {name}, which is not here; is a part missing?")
        chosen = [name for name in found if basename(name) in listed]
        for name in found:
            if name not in chosen and chosen:
                self.source.log.warn(f"{name} is not in the archive's manifest and is passed over.")
        return chosen or found

    def _file(self, name: str) -> Iterator[Item]:
        for where, value in values(self.source, name, HEADER):
            yield from self.source.log.guarded(where, self._post, value)

    def _post(self, value: object) -> list[Item]:
        tweet = dict_of(dig(value, "tweet")) or dict_of(value)
        post_id = first_id(tweet, "id_str", "id")
        if not tweet or (post_id is None and "full_text" not in tweet and "text" not in tweet):
            raise ValueError("not a post")
        media = list_of(dig(tweet, "extended_entities", "media")) or list_of(dig(tweet, "entities", "media"))
        post = self._describe(tweet, post_id, media)
        self.source.log.post(repost=post.is_repost, post_id=post_id)
        return [self._medium(post, index, dict_of(medium), len(media) == 1) for index, medium in enumerate(media)]

    def _describe(self, tweet: Mapping[str, object], post_id: str | None, media: list[object]) -> Post:
        text = plain_text(tweet.get("full_text")) or plain_text(tweet.get("text"))
        others = [id_of(dig(m, "source_status_id_str")) or id_of(dig(m, "source_status_id")) for m in media]
        owners = {id_of(dig(m, "source_user_id_str")) or id_of(dig(m, "source_user_id")) for m in media} - {None}
        original = next((other for other in others if other and other != post_id), None)
        not_own = bool(original) and owners != {self.account_id}
        moment, origin = dated(tweet.get("created_at"), post_id)
        extra: dict[str, JSON] = {}
        if language := text_of(tweet.get("lang")):
            extra["lang"] = language
        if tweet.get("possibly_sensitive") is True:
            extra["possibly_sensitive"] = True
        links = (text_of(dig(url, "expanded_url")) for url in list_of(dig(tweet, "entities", "urls")))
        quoted = next((found[1] for link in links if link and (found := QUOTED.search(link))), None)
        repost = shares_another(text) or not_own
        return Post(
            self.format,
            str(self.source.path),
            platform="x",
            account=self.account,
            post_id=post_id,
            post_url=x_post_url(self.account, post_id),
            posted_at=moment,
            posted_at_source=origin,
            text=text,
            is_repost=repost,
            original_post_id=original if repost else None,
            is_quote=bool(quoted) and not repost,
            quoted_id=None if repost else quoted,
            is_reply=bool(first_id(tweet, "in_reply_to_status_id_str", "in_reply_to_status_id")),
            edits=edit_ids(tweet.get("edit_info")),
            extra=extra,
        )

    def _medium(self, post: Post, index: int, medium: Mapping[str, object], alone: bool) -> Item:
        kind = text_of(medium.get("type")) or "photo"
        url = https(medium.get("media_url_https")) or https(medium.get("media_url"))
        alt = text_of(medium.get("ext_alt_text")) or text_of(medium.get("alt_text"))
        film = kind in (MediaType.VIDEO, MediaType.ANIMATED_GIF)
        name = self._film(post.post_id) if film else self._photo(post.post_id, url, alone)
        if name:
            self.used.add(name)
        self.told.add(post.post_id or "")
        if film:
            return post.video(index, media_type=MediaType(kind), member=name, media_url=url, alt_text=alt)
        if name:
            return post.stored(index, self.source, name, media_url=url, alt_text=alt)
        detail = "not in the archive; a part may be missing, or X left it out"
        return post.missing(index, detail, media_url=url, alt_text=alt)

    def _files_of(self, post_id: str | None) -> list[str]:
        """The media whose name begins with the post's id, and that no post has claimed yet."""
        prefix = f"{post_id}-"
        at = bisect_left(self.media, (prefix, ""))
        found = []
        while post_id and at < len(self.media) and self.media[at][0].startswith(prefix):
            found.append(self.media[at][1])
            at += 1
        return [name for name in found if name not in self.used]

    def _film(self, post_id: str | None) -> str | None:
        """`media_url` is the film's preview, so any film of the post's is taken."""
        return next((name for name in self._files_of(post_id) if is_video_name(name)), None)

    def _photo(self, post_id: str | None, url: str | None, alone: bool) -> str | None:
        files = [name for name in self._files_of(post_id) if not is_video_name(name)]
        wanted = f"{post_id}-{basename((url or '').split('?')[0])}"
        for same in (lambda name: basename(name) == wanted, lambda name: stem(basename(name)) == stem(wanted)):
            if found := next((name for name in files if same(name)), None):
                return found
        return files[0] if alone and len(files) == 1 else None

    def _unclaimed(self) -> Iterator[Item]:
        """Media that no post names: still pictures of this account, with post and date in their name."""
        for base, name in self.media:
            post_id = base.split("-")[0] if MEDIA_NAME.match(base) else None
            if name in self.used or (is_video_name(name) and post_id in self.told):
                continue
            if item := loose_item(self.source, self.format, name):
                self.source.log.counts["media that no post names"] += 1
                moment, origin = dated(None, post_id)
                yield replace(
                    item,
                    platform="x",
                    account=self.account,
                    post_id=post_id,
                    post_url=x_post_url(self.account, post_id),
                    posted_at=moment,
                    posted_at_source=origin,
                )
