"""Mastodon's own export (zip, tar.gz, unpacked) and mastodon-archive's JSON; posts that are not public stay unread."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname

from bladecheck.archives.containers.source import Narrowed, Source
from bladecheck.archives.data.records import document, peek
from bladecheck.archives.item import Item
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import Post, dated, https
from bladecheck.archives.values import JSON, dict_of, dig, first_text, handle_of, list_of, text_of

ACTIVITY = "activitystreams"
PUBLIC = ("https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public")
TOOL_FILE = re.compile(r"\.user\.[^/]+\.json$")
AUDIO = "audio/"


class MastodonReader:
    """`outbox.json` with `media_attachments/…`; boosts are counted, they hold no picture."""

    name = "mastodon"
    title = "Mastodon export"
    rooted = True

    def detect(self, source: Source) -> float:
        for name in source.names():
            if basename(name) == "outbox.json":
                start = source.head(name, 400)
                if b"OrderedCollection" in start or ACTIVITY.encode() in start or b"orderedItems" in start:
                    return 0.98
            elif TOOL_FILE.search(name) and "statuses" in dict_of((peek(source, name, 1) or [None])[0]):
                return 0.97
        return 0.0

    def read(self, source: Source) -> Iterator[Item]:
        public = Narrowed(source, _may_open)
        for name in public.names():
            if basename(name) == "outbox.json":
                yield from self._outbox(public, name)
            elif TOOL_FILE.search(name):
                yield from self._statuses(public, name)
        for name in source.names():
            if name not in public:
                source.log.leave()

    def _outbox(self, source: Source, name: str) -> Iterator[Item]:
        folder = dirname(name)
        account = _account(source, f"{folder}/actor.json" if folder else "actor.json")
        source.log.account(account)
        for number, entry in enumerate(list_of(dig(document(source, name), "orderedItems"))):
            where = f"{name}, entry {number + 1}"
            yield from source.log.guarded(where, self._activity, source, name, dict_of(entry), account)

    def _activity(
        self, source: Source, name: str, activity: Mapping[str, object], account: str | None
    ) -> Iterator[Item]:
        kind, note = activity.get("type"), dict_of(activity.get("object"))
        if kind == "Announce":
            source.log.shared(text_of(activity.get("id")))
            return
        if not note:
            source.log.counts["activities without a post"] += 1
            return
        if not _is_public(activity, note):
            source.log.counts["posts that are not public, left unread"] += 1
            return
        identifier = text_of(note.get("id"))
        source.log.post(post_id=identifier)
        moment, origin = dated(note.get("published") or activity.get("published"))
        post = Post(
            self.name,
            source.origin(name),
            platform="mastodon",
            account=account,
            post_id=identifier.rstrip("/").rsplit("/", 1)[-1] if identifier else None,
            post_url=https(note.get("url")) or https(identifier),
            posted_at=moment,
            posted_at_source=origin,
            text=plain(note.get("content")),
            is_reply=bool(note.get("inReplyTo")),
            is_quote=bool(quoted := first_text(note, "quote", "quoteUrl", "quoteUri")),
            quoted_id=quoted.rstrip("/").rsplit("/", 1)[-1] if quoted else None,
            extra=_warnings(note),
        )
        index = 0
        attached = note.get("attachment")
        for attachment in attached if isinstance(attached, list) else [attached] if attached else []:
            if item := self._attachment(source, post, index, dict_of(attachment)):
                index += 1
                yield item

    def _attachment(self, source: Source, post: Post, index: int, attachment: Mapping[str, object]) -> Item | None:
        url = text_of(attachment.get("url"))
        kind = text_of(attachment.get("mediaType")) or ""
        if attachment.get("type") == "Link" or (url is None and "href" in attachment):
            source.log.counts["link cards"] += 1
            return None
        if kind.startswith(AUDIO):
            source.log.counts["sound files"] += 1
            return None
        return _medium(source, post, index, url, kind.startswith("video/"), text_of(attachment.get("name")))

    def _statuses(self, source: Source, name: str) -> Iterator[Item]:
        data = dict_of(document(source, name))
        account = handle_of(dig(data, "account", "acct")) or handle_of(dig(data, "account", "username"))
        source.log.account(account)
        for number, status in enumerate(list_of(data.get("statuses"))):
            where = f"{name}, status {number + 1}"
            yield from source.log.guarded(where, self._status, source, name, dict_of(status), account)

    def _status(self, source: Source, name: str, status: Mapping[str, object], account: str | None) -> Iterator[Item]:
        if status.get("reblog"):
            source.log.shared(text_of(status.get("id")))
            return
        if status.get("visibility", "public") not in ("public", "unlisted"):
            source.log.counts["posts that are not public, left unread"] += 1
            return
        source.log.post(post_id=text_of(status.get("id")))
        moment, origin = dated(status.get("created_at"))
        post = Post(
            self.name,
            source.origin(name),
            platform="mastodon",
            account=account,
            post_id=text_of(status.get("id")),
            post_url=first_text(status, "url", "uri"),
            posted_at=moment,
            posted_at_source=origin,
            text=plain(status.get("content")),
            is_reply=bool(status.get("in_reply_to_id")),
        )
        for index, medium in enumerate(list_of(status.get("media_attachments"))):
            film = dig(medium, "type") in ("video", "gifv")
            yield _medium(source, post, index, text_of(dig(medium, "url")), film, text_of(dig(medium, "description")))


def plain(content: object) -> str | None:
    """The words of a post written in HTML."""
    text = text_of(content)
    if text is None:
        return None
    text = re.sub(r"<br\s*/?>|</p>\s*<p[^>]*>", "\n", text)
    return text_of(html.unescape(re.sub(r"<[^>]{0,2000}>", "", text)).strip())


def _may_open(name: str) -> bool:
    """Not bookmarks, likes or lists; the avatar and header are no posts."""
    base = basename(name)
    if base in ("outbox.json", "actor.json") or TOOL_FILE.search(name):
        return True
    profile = base.startswith(("avatar.", "header."))
    return not profile and (is_picture_name(name) or is_video_name(name))


def _account(source: Source, actor: str) -> str | None:
    record = dict_of(document(source, actor)) if actor in source else {}
    return handle_of(record.get("preferredUsername"))


def _is_public(*records: Mapping[str, object]) -> bool:
    """Public or unlisted. A post whose audience is not told counts as public: old exports leave it out."""
    audience: list[object] = []
    for record in records:
        for key in ("to", "cc"):
            value = record.get(key)
            audience += value if isinstance(value, list) else [value] if value else []
    return not audience or any(one in PUBLIC for one in audience)


def _medium(source: Source, post: Post, index: int, url: str | None, film: bool, alt: str | None) -> Item:
    name = source.find(re.sub(r"^https?://[^/]+/", "", url)) if url else None
    if film or is_video_name(url or ""):
        return post.video(index, member=name, media_url=https(url), alt_text=alt)
    if name:
        return post.stored(index, source, name, media_url=https(url), alt_text=alt)
    if remote := https(url):
        return post.remote(index, remote, alt_text=alt)
    return post.missing(index, f"{url or 'the file'} is not in the export", alt_text=alt)


def _warnings(note: Mapping[str, object]) -> dict[str, JSON]:
    extra: dict[str, JSON] = {}
    if summary := text_of(note.get("summary")):
        extra["content_warning"] = summary
    if note.get("sensitive") is True:
        extra["sensitive"] = True
    return extra
