"""yt-dlp's `.info.json` files: films are counted and not scored, their thumbnails are pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import Post, dated, https
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import JSON, dict_of, dig, first_id, first_text, handle_of, id_of, list_of, text_of

SIDECAR = ".info.json"
PLATFORMS = {"twitter": "x", "facebookreel": "facebook"}


class YtDlpReader:
    """One film for each `.info.json`, and its thumbnail: the file beside it, else its URL."""

    name = "yt_dlp"
    title = "yt-dlp download"

    def detect(self, source: Source) -> float:
        return 0.96 if any(name.endswith(SIDECAR) for name in source.names()) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        used: set[str] = set()
        beside = _media_by_stem(source)
        for name in source.names():
            if name.endswith(SIDECAR):
                used.add(name)
                yield from source.log.guarded(name, self._items, source, name, beside, used)
        yield from loose_pictures(source, self.name, used)

    def _items(self, source: Source, name: str, beside: Mapping[str, list[str]], used: set[str]) -> list[Item]:
        record = dict_of(document(source, name))
        if not record or record.get("_type", "video") != "video":
            source.log.counts["playlists and channels"] += 1
            return []
        stem = name.removesuffix(SIDECAR)
        files = beside.get(stem, [])
        used.update(files)
        post = _post(self.name, source.origin(name), record)
        source.log.post(post_id=post.post_id)
        film = next((file for file in files if is_video_name(file)), None)
        items = [post.video(0, member=film)]
        pictures = [file for file in files if is_picture_name(file)]
        url = https(record.get("thumbnail")) or https(dig(list_of(record.get("thumbnails")), -1, "url"))
        for index, picture in enumerate(pictures):
            more = {"media_type": MediaType.THUMBNAIL, "media_url": url}
            items.append(post.stored(index + 1, source, picture, **more))
        if not pictures and url:
            items.append(post.remote(1, url, media_type=MediaType.THUMBNAIL))
        return items


def _media_by_stem(source: Source) -> Mapping[str, list[str]]:
    """Films and pictures by the stem they share with an `.info.json`: `X.mp4`, `X.webp`, `X.0.jpg`, `X.f137.mp4`."""
    stems = {name.removesuffix(SIDECAR) for name in source.names() if name.endswith(SIDECAR)}
    found: dict[str, list[str]] = {}
    for name in source.names():
        if not (is_picture_name(name) or is_video_name(name)):
            continue
        stem = name.rsplit(".", 1)[0]
        if stem not in stems:
            stem = stem.rsplit(".", 1)[0]
        if stem in stems:
            found.setdefault(stem, []).append(name)
    return found


def _post(source_format: str, path: str, record: Mapping[str, object]) -> Post:
    site = (first_text(record, "extractor_key", "extractor") or "").lower().split(":")[0]
    moment, origin = dated(record.get("timestamp"))
    if moment is None:
        moment, origin = dated(record.get("upload_date"))
    extra: dict[str, JSON] = {}
    if title := text_of(record.get("title")):
        extra["title"] = title
    return Post(
        source_format,
        path,
        platform=PLATFORMS.get(site, site) or None,
        account=handle_of(id_of(record.get("uploader_id"))) or first_text(record, "uploader", "channel"),
        post_id=first_id(record, "display_id" if site == "twitter" else "id", "id"),
        post_url=text_of(record.get("webpage_url")),
        posted_at=moment,
        posted_at_source=origin,
        text=first_text(record, "description", "title"),
        extra=extra,
    )
