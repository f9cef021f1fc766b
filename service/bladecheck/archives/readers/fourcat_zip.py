"""4CAT's downloaded pictures: a zip with `.metadata.json`, which ties each URL to a file and to posts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import basename, dirname

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import Post, dated, platform_of, x_post_url
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import JSON, dict_of, id_of, list_of, text_of

METADATA = ".metadata.json"


class FourCatZipReader:
    """One row for each picture; a picture on several posts has the others in `extra["post_ids"]`."""

    name = "4cat"
    title = "4CAT picture download"
    rooted = True

    def detect(self, source: Source) -> float:
        return 0.98 if _metadata(source) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        used: set[str] = set(_metadata(source))
        posts: set[str] = set()
        for metadata in sorted(used):
            folder = dirname(metadata)
            for url, entry in dict_of(document(source, metadata)).items():
                where = f"{metadata}, {url[:80]}"
                yield from source.log.guarded(where, self._items, source, folder, url, dict_of(entry), used, posts)
        source.log.posts = len(posts)
        yield from loose_pictures(source, self.name, used)

    def _items(
        self, source: Source, folder: str, url: str, entry: Mapping[str, object], used: set[str], posts: set[str]
    ) -> list[Item]:
        ids = [found for value in list_of(entry.get("post_ids")) if (found := id_of(value))]
        posts.update(ids)
        url = text_of(entry.get("url")) or url
        post = _post(self.name, source, url, ids, entry)
        # Newer versions list several files for a URL.
        files: list[Mapping[str, object]] = [dict_of(file) for file in list_of(entry.get("files"))]
        return [
            _item(source, folder, post, index, url, {**entry, **file}, used)
            for index, file in enumerate(files or [entry])
        ]


def _metadata(source: Source) -> list[str]:
    return [name for name in source.names() if basename(name) == METADATA]


def _post(source_format: str, source: Source, url: str, ids: list[str], entry: Mapping[str, object]) -> Post:
    platform = platform_of(url)
    first = ids[0] if ids else None
    is_x = platform == "x"
    moment, origin = dated(None, first if is_x else None)
    extra: dict[str, JSON] = {"post_ids": ids} if len(ids) > 1 else {}
    if dataset := text_of(entry.get("from_dataset")):
        extra["from_dataset"] = dataset
    return Post(
        source_format,
        str(source.path),
        platform=platform,
        post_id=first,
        post_url=x_post_url(None, first) if is_x else None,
        posted_at=moment,
        posted_at_source=origin,
        extra=extra,
    )


def _item(
    source: Source, folder: str, post: Post, index: int, url: str, file: Mapping[str, object], used: set[str]
) -> Item:
    filename = text_of(file.get("filename")) or ""
    path = f"{folder}/{filename}" if folder else filename
    name = path if path in source else source.find(filename) if filename else None
    if name:
        used.add(name)
    if is_video_name(filename):
        return post.video(index, member=name, media_url=url)
    if name and (file.get("success") is not False or is_picture_name(name)):
        return post.stored(index, source, name, media_url=url, media_type=MediaType.PHOTO)
    why = "4CAT could not download it" if file.get("success") is False else "4CAT lists it, but the file is not here"
    return post.missing(index, why, media_url=url)
