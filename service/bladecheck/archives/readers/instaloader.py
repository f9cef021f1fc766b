"""Instaloader's folders: pictures named by time, one JSON file (often .json.xz) for each post."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import whole_text
from bladecheck.archives.found import ODD_SHAPES
from bladecheck.archives.item import DateSource, Item, MediaType
from bladecheck.archives.names import date_in, is_junk, is_picture_name, is_video_name
from bladecheck.archives.post import Post, dated
from bladecheck.archives.readers.pictures import loose_item
from bladecheck.archives.values import dict_of, dig, first_id, handle_of, text_of
from bladecheck.errors import ArchiveError

NUMBER = re.compile(r"_(\d{1,3})$")
STAMPED = re.compile(r"^\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d_UTC(?:_\d+)?$")
SIDECARS = (".json.xz", ".json")


class InstaloaderReader:
    """One post for each JSON file; without it, the caption beside and the stamp in the name are used."""

    name = "instaloader"
    title = "Instaloader download"

    def detect(self, source: Source) -> float:
        sidecars = [name for name in source.names() if name.endswith(".json.xz")][:3]
        plain = [name for name in source.names() if name.endswith(".json") and STAMPED.match(basename(name)[:-5])][:3]
        if any("instaloader" in dict_of(_document(source.reading(), name)) for name in (*sidecars, *plain)):
            return 0.97
        stamped = any(STAMPED.match(_stem(name)) for name in source.names() if is_picture_name(name))
        captioned = any(STAMPED.match(basename(name)[:-4]) for name in source.names() if name.endswith(".txt"))
        return 0.9 if stamped and captioned else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        posts: set[str] = set()
        latest: tuple[str, Post] | None = None
        for name in source.names():
            if is_junk(name):
                source.log.ignore(name)
            elif is_picture_name(name) or is_video_name(name):
                stem, index = _split(source, name)
                if latest is None or latest[0] != stem:
                    latest = (stem, self._post(source, stem, name))
                if stem not in posts and (STAMPED.match(basename(stem)) or _sidecar(source, stem)):
                    posts.add(stem)
                    source.log.post(post_id=latest[1].post_id)
                yield _item(source, latest[1], index, name)
            elif not name.endswith((*SIDECARS, ".txt")) and (item := loose_item(source, self.name, name)):
                yield item
        yield from self._textual(source, posts)

    def _textual(self, source: Source, posts: set[str]) -> Iterator[Item]:
        """Posts with a JSON file and no picture: a row for what should be there."""
        for name in source.names():
            stem = next((name.removesuffix(end) for end in SIDECARS if name.endswith(end)), None)
            if stem and stem not in posts and "shortcode" in _node(source.reading(), stem):
                posts.add(stem)
                post = self._post(source, stem, name)
                source.log.post(post_id=post.post_id)
                yield post.missing(0, "its JSON file is here, the picture is not")

    def _post(self, source: Source, stem: str, name: str) -> Post:
        path, node = source.origin(name), _node(source, stem)
        moment, origin = dated(node.get("taken_at_timestamp") or node.get("taken_at") or node.get("date"))
        if moment is None:
            moment, origin = date_in(stem)
        code = text_of(node.get("shortcode")) or text_of(node.get("code"))
        folder = basename(dirname(name))
        caption = text_of(dig(node, "edge_media_to_caption", "edges", 0, "node", "text"))
        return Post(
            self.name,
            path,
            platform="instagram",
            account=handle_of(dig(node, "owner", "username"))
            or handle_of(dig(node, "user", "username"))
            or folder
            or None,
            post_id=code or first_id(node, "id"),
            post_url=f"https://www.instagram.com/p/{code}/" if code else None,
            posted_at=moment,
            posted_at_source=origin if moment else DateSource.NONE,
            text=caption or text_of(dig(node, "caption", "text")) or _caption(source, stem),
        )


def _item(source: Source, post: Post, index: int, name: str) -> Item:
    if is_video_name(name):
        return post.video(index, member=name)
    whole = name[: -len(basename(name))] + _stem(name)
    film = any(whole + ending in source for ending in (".mp4", ".webm", ".mov"))
    return post.stored(index, source, name, media_type=MediaType.THUMBNAIL if film else MediaType.PHOTO)


def _split(source: Source, name: str) -> tuple[str, int]:
    """The stem that names the post, and the picture's index from 0."""
    whole = name[: -len(basename(name))] + _stem(name)
    match = NUMBER.search(whole)
    if match is None or _sidecar(source, whole):
        return whole, 0
    stem = whole[: match.start()]
    if _sidecar(source, stem) or stem + ".txt" in source or STAMPED.match(basename(stem)):
        return stem, max(int(match[1]) - 1, 0)
    return whole, 0


def _stem(name: str) -> str:
    return re.sub(r"\.[^.]*$", "", basename(name))


def _sidecar(source: Source, stem: str) -> str | None:
    return next((stem + ending for ending in SIDECARS if stem + ending in source), None)


def _node(source: Source, stem: str) -> Mapping[str, object]:
    sidecar = _sidecar(source, stem)
    record = dict_of(_document(source, sidecar)) if sidecar else {}
    return dict_of(record.get("node")) or record


def _document(source: Source, name: str) -> object:
    try:
        return json.loads(whole_text(source, name))
    except (ArchiveError, *ODD_SHAPES) as error:
        source.log.unreadable(name, f"{str(error)[:120]}; its pictures keep what their names say")
        return None


def _caption(source: Source, stem: str) -> str | None:
    if stem + ".txt" not in source:
        return None
    try:
        return text_of(whole_text(source, stem + ".txt").strip())
    except ArchiveError as error:
        source.log.unreadable(stem + ".txt", error.detail)
        return None
