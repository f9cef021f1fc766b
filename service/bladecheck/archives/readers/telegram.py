"""Telegram Desktop's exports of channels and groups: `result.json` with photos beside; personal chats are not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import basename, dirname

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.item import Item, Place
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import Post, dated
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import JSON, dict_of, id_of, list_of, text_of

DATA = "result.json"
READ = frozenset(("public_channel", "private_channel", "public_supergroup", "private_supergroup", "private_group"))
NOT_INCLUDED = "("
FILMS = frozenset(("video_file", "video_message", "animation"))


class TelegramReader:
    """One row for each photo, film, or picture sent as a file; forwarded messages are reposts."""

    name = "telegram"
    title = "Telegram export"
    rooted = True

    def detect(self, source: Source) -> float:
        for name in _data(source)[:3]:
            head = source.head(name, 4096)
            if (b'"messages"' in head and b'"type"' in head) or b'"chats"' in head:
                return 0.97
        return 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = _data(source)
        used: set[str] = set(names)
        for name in names:
            whole = dict_of(document(source, name))
            chats = list_of(dict_of(whole.get("chats")).get("list")) or [whole]
            for chat in map(dict_of, chats):
                if chat.get("type") not in READ:
                    source.log.counts["personal chats, left unread"] += 1
                    used.update(n for n in source.names() if len(chats) > 1 and n.startswith(_folder(name) + "chats/"))
                    continue
                source.log.account(text_of(chat.get("name")))
                for message in map(dict_of, list_of(chat.get("messages"))):
                    where = f"{name}, message {message.get('id')}"
                    yield from source.log.guarded(where, self._message, source, name, chat, message, used)
        if not any(name for name in names) or not source.log.counts["personal chats, left unread"]:
            yield from loose_pictures(source, self.name, used)

    def _message(
        self, source: Source, name: str, chat: Mapping[str, object], message: Mapping[str, object], used: set[str]
    ) -> list[Item]:
        if message.get("type") != "message":
            source.log.counts["service messages"] += 1
            return []
        number, chat_id = id_of(message.get("id")), id_of(chat.get("id"))
        forwarded = message.get("forwarded_from") or message.get("forwarded_from_id")
        moment, origin = dated(message.get("date_unixtime") or message.get("date"))
        extra: dict[str, JSON] = {"forwarded_from": text_of(forwarded)} if text_of(forwarded) else {}
        if message.get("edited_unixtime") or message.get("edited"):
            extra["edited"] = True
        in_channel = "channel" in str(chat.get("type"))
        post = Post(
            self.name,
            source.origin(name),
            platform="telegram",
            account=text_of(chat.get("name")) if in_channel else text_of(message.get("from")),
            post_id=f"{chat_id}/{number}",
            post_url=f"https://t.me/c/{chat_id}/{number}",
            posted_at=moment,
            posted_at_source=origin,
            text=_words(message.get("text")),
            is_repost=bool(forwarded),
            is_reply=bool(message.get("reply_to_message_id")),
            extra=extra,
        )
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        for key in ("thumbnail", "contact_vcard"):
            if (path := text_of(message.get(key))) and (found := source.find(_folder(name) + path)):
                used.add(found)
        return list(_media(source, post, _folder(name), message, used))


def _media(source: Source, post: Post, folder: str, message: Mapping[str, object], used: set[str]) -> Iterator[Item]:
    photo, file = text_of(message.get("photo")), text_of(message.get("file"))
    kind, mime = text_of(message.get("media_type")) or "", text_of(message.get("mime_type")) or ""
    path = photo or file
    if path is None:
        return
    member = None if path.startswith(NOT_INCLUDED) else source.find(folder + path)
    if member:
        used.add(member)
    if photo is None and (kind in FILMS or mime.startswith("video/") or is_video_name(path)):
        yield post.video(0, member=member)
    elif photo is None and (kind == "sticker" or not (mime.startswith("image/") or is_picture_name(path))):
        source.log.counts["stickers, sounds and other files"] += 1
    elif member:
        # These rows were known by their file alone once; their ids stay as they were.
        identity = Place(source.origin(member), member, "", 0)
        yield post.stored(0, source, member, identity=identity)
    else:
        why = "not included in the export; ask for photos when exporting" if path.startswith(NOT_INCLUDED) else path
        yield post.missing(0, why if path.startswith(NOT_INCLUDED) else f"{path} is not in the export")


def _data(source: Source) -> list[str]:
    return [name for name in source.names() if basename(name) == DATA]


def _folder(name: str) -> str:
    return f"{dirname(name)}/" if dirname(name) else ""


def _words(text: object) -> str | None:
    """The text of a message: a string, or a list of strings and formatted parts."""
    parts = text if isinstance(text, list) else [text]
    return text_of("".join(str(dict_of(p).get("text", "")) if isinstance(p, dict) else str(p or "") for p in parts))
