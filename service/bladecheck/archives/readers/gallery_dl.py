"""gallery-dl's folders: pictures with a JSON file each, from any of the sites it knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from posixpath import basename

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.names import is_junk, is_picture_name, is_video_name
from bladecheck.archives.post import Post, dated, x_post_url
from bladecheck.archives.readers.pictures import loose_item, stem
from bladecheck.archives.values import JSON, dict_of, dig, first_id, first_text, handle_of, text_of

PLATFORMS = {"twitter": "x", "nitter": "x"}
NOT_SIDECARS = frozenset(("info.json",))
ACCOUNTS: tuple[tuple[str, ...], ...] = (
    ("author", "handle"),
    ("author", "name"),
    ("author", "username"),
    ("account", "acct"),
    ("account", "username"),
    ("user", "username"),
    ("user", "name"),
    ("username",),
    ("uploader",),
    ("author",),
    ("user",),
)


class GalleryDlReader:
    """`<category>/<user>/<id>_<num>.<ext>` with `<file>.json`; without that, what the name says is kept."""

    name = "gallery_dl"
    title = "gallery-dl download"

    def detect(self, source: Source) -> float:
        sidecars = islice((name for name in source.names() if _medium_of(source, name)), 3)
        if any(_is_sidecar(document(source.reading(), name)) for name in sidecars):
            return 0.96
        parts = {part for name in source.names() for part in name.split("/")[:-1]}
        return 0.6 if "gallery-dl" in parts else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        posts: set[tuple[str | None, str]] = set()
        for name in source.names():
            if medium := _sidecar_target(source, name):
                if medium not in source:
                    yield from source.log.guarded(name, self._gone, source, name, medium)
                continue
            sidecar = _sidecar_of(source, name)
            if sidecar is None:
                if item := loose_item(source, self.name, name):
                    yield _placed(item, name)
                continue
            for item in source.log.guarded(sidecar, self._item, source, name, sidecar):
                if item.post_id and (item.platform, item.post_id) not in posts:
                    posts.add((item.platform, item.post_id))
                    source.log.post(repost=item.is_repost, post_id=item.post_id)
                yield item

    def _item(self, source: Source, name: str, sidecar: str) -> list[Item]:
        record = dict_of(document(source, sidecar))
        post, index, alt = _post(self.name, source.origin(name), record)
        url = first_text(record, "media_url", "url", "file_url")
        if is_video_name(name):
            return [post.video(index, member=name, media_url=url, alt_text=alt)]
        return [post.stored(index, source, name, media_url=url, alt_text=alt)]

    def _gone(self, source: Source, sidecar: str, medium: str) -> list[Item]:
        post, index, alt = _post(self.name, source.origin(sidecar), dict_of(document(source, sidecar)))
        if is_video_name(medium):
            return [post.video(index, alt_text=alt)]
        return [post.missing(index, f"its JSON file is here, {basename(medium)} is not", alt_text=alt)]


def _medium_of(source: Source, name: str) -> str | None:
    """The medium that this JSON file describes, where both are here."""
    target = _sidecar_target(source, name)
    return target if target and target in source else None


def _sidecar_target(source: Source, name: str) -> str | None:
    if not name.lower().endswith(".json") or basename(name).lower() in NOT_SIDECARS or is_junk(name):
        return None
    target = name[:-5]
    if is_picture_name(target) or is_video_name(target):
        return target
    # With `extension-format` the picture's own ending is not in the name.
    for ending in (".jpg", ".png", ".webp", ".gif", ".jpeg", ".mp4", ".webm"):
        if target + ending in source:
            return target + ending
    return None


def _sidecar_of(source: Source, name: str) -> str | None:
    if name.lower().endswith(".json"):
        return None
    return next((found for found in (name + ".json", stem(name) + ".json") if found in source), None)


def _is_sidecar(record: object) -> bool:
    return "category" in dict_of(record) and "extension" in dict_of(record)


def _post(source_format: str, path: str, record: Mapping[str, object]) -> tuple[Post, int, str | None]:
    category = text_of(record.get("category"))
    on_x = category in PLATFORMS
    post_id = first_id(record, "tweet_id", "post_shortcode", "shortcode", "post_id", "id")
    original = first_id(record, "retweet_id", "reblog_id")
    account = _account(record, bool(original))
    moment, origin = dated(record.get("date") or record.get("created_at"), post_id if on_x else None)
    # For X, `description` is the alt text; elsewhere it is the caption.
    alt = text_of(record.get("description")) if on_x else first_text(record, "alt", "alt_text")
    text = first_text(record, "content", "text", "caption", "title", *(() if on_x else ("description",)))
    extra: dict[str, JSON] = {"category": category} if category else {}
    post = Post(
        source_format,
        path,
        platform=PLATFORMS.get(category or "", category),
        account=account,
        post_id=post_id,
        post_url=x_post_url(account, post_id) if on_x else first_text(record, "post_url"),
        posted_at=moment,
        posted_at_source=origin,
        text=text,
        is_repost=bool(original),
        is_reply=bool(first_id(record, "reply_id")) if on_x and "reply_id" in record else None,
        original_post_id=original,
        extra=extra,
    )
    number = record.get("num")
    return post, max(number - 1, 0) if isinstance(number, int) else 0, alt


def _account(record: Mapping[str, object], repost: bool) -> str | None:
    """Who posted it; for a repost whose folder it is, not who wrote the original."""
    first: list[tuple[str, ...]] = [("user", "name")] if repost else []
    found = (handle_of(dig(record, *steps)) for steps in (*first, *ACCOUNTS))
    return next((name for name in found if name), None)


def _placed(item: Item, name: str) -> Item:
    """What the folders say of a picture without a JSON file: `gallery-dl/<category>/<user>/…`."""
    parts = name.split("/")
    at = parts.index("gallery-dl") if "gallery-dl" in parts else -1
    if at < 0 or len(parts) < at + 4:
        return item
    category, account = parts[at + 1], parts[at + 2]
    platform = PLATFORMS.get(category, category)
    url = x_post_url(account, item.post_id) if platform == "x" else None
    kind = item.media_type if item.media_type != MediaType.UNKNOWN else MediaType.PHOTO
    return replace(item, platform=platform, account=account, post_url=url, media_type=kind)
