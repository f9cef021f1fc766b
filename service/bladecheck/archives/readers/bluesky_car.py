"""A Bluesky repository (CAR): posts without pictures; those are blobs beside it, or on the network by their id."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from posixpath import basename, dirname
from typing import Any

from bladecheck.archives.containers.source import Source
from bladecheck.archives.item import Handle, Item
from bladecheck.archives.post import Post, dated
from bladecheck.archives.values import dict_of, dig, list_of, text_of
from bladecheck.errors import ArchiveError, DamagedArchive

BLOB = re.compile(r"^(bafkrei[a-z2-7]{52})(?:\.[A-Za-z0-9]+)?$")
POSTS, REPOSTS = "app.bsky.feed.post", "app.bsky.feed.repost"
ID_BYTES, SHA256 = 36, b"\x12\x20"
"""Of a content id (CID, version 1), and what stands before the hash, which is its last 32 bytes."""
FULL_SIZE = "https://cdn.bsky.app/img/feed_fullsize/plain/{did}/{cid}@jpeg"


def car_items(source: Source, name: str, source_format: str, used: set[str]) -> Iterator[Item]:
    """Rows for the pictures of a repository's posts; blobs found beside it are added to `used`.

    Raises:
        ArchiveError: not a CAR, or libipld is not installed.
    """
    roots, blocks = _decoded(source, name)
    commit = dict_of(blocks.get(roots[0])) if roots else {}
    did = text_of(commit.get("did"))
    blobs = {match[1]: n for n in source.names() if (match := BLOB.match(basename(n)))}
    account = _handle(blobs) or did
    source.log.account(account)
    keys = _record_keys(blocks)
    for cid, block in sorted(blocks.items(), key=lambda pair: keys.get(pair[0], "")):
        kind = dig(block, "$type")
        if kind == REPOSTS:
            source.log.reposts += 1
        elif kind == POSTS:
            key = keys.get(cid, "").rsplit("/", 1)[-1] or None
            where = f"{name}, post {key or _text(cid)[:16]}"
            post = _post(source_format, source.origin(name), dict_of(block), key, account, did)
            source.log.post(post_id=key)
            yield from source.log.guarded(where, _items, source, post, dict_of(block), did, blobs, used)


def _decoded(source: Source, name: str) -> tuple[list[bytes], Mapping[bytes, object]]:
    try:
        import libipld
    except ImportError as error:
        raise ArchiveError(f"{name} is a CAR file, which needs libipld: pip install 'bladecheck[archive]'") from error
    data = source.open(name, source.limits.data_bytes)
    try:
        header, blocks = libipld.decode_car(data)
    except ValueError as error:
        raise ArchiveError(f"{name} is not a whole CAR file: {error}") from error
    roots = [root for root in list_of(dig(header, "roots")) if isinstance(root, bytes)]
    changed = set(_changed(data))
    whole = {cid: block for cid, block in blocks.items() if cid not in changed}
    if lost := len(set(_named(whole.values(), roots)) - whole.keys()):
        source.log.broken(name, f"lacks {lost} blocks, or they are damaged: their hashes are not met")
    return roots, whole


def _changed(data: bytes) -> Iterator[bytes]:
    """Ids of the blocks whose bytes do not have the SHA-256 that is their id. libipld does not look at it."""
    position = 0
    for number in range(len(data)):
        size = shift = 0
        while position < len(data):
            byte = data[position]
            position, size, shift = position + 1, size | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        cid, block = data[position : position + ID_BYTES], data[position + ID_BYTES : position + size]
        position += size
        if position >= len(data) and not block:
            return
        if number and cid[2:4] == SHA256 and hashlib.sha256(block).digest() != cid[4:]:
            yield cid


def _named(blocks: Iterable[object], roots: list[bytes]) -> Iterator[bytes]:
    """Ids that a whole repository must hold: its roots, and what its commit and the nodes of its tree point to."""
    yield from roots
    for block in blocks:
        entries, commit = dig(block, "e"), isinstance(dig(block, "sig"), bytes)
        pointers = [dig(entry, key) for entry in list_of(entries) for key in ("v", "t")]
        pointers += [dig(block, "l")] if isinstance(entries, list) else [dig(block, "data")] if commit else []
        yield from (pointer for pointer in pointers if isinstance(pointer, bytes))


@dataclass(frozen=True, slots=True)
class Blob(Handle):
    """A blob's bytes, which must have the hash that its name states."""

    cid: str
    inner: Handle

    def __call__(self) -> bytes:
        return _blob(self.cid, self.inner)


def _blob(cid: str, inner: Callable[[], bytes]) -> bytes:
    data = inner()
    stated = base64.b32decode(cid[1:].upper() + "=" * (-(len(cid) - 1) % 8))
    if hashlib.sha256(data).digest() != stated[4:]:
        raise DamagedArchive(f"blob {cid} is damaged: its bytes do not have the hash that is its name")
    return data


def _record_keys(blocks: Mapping[bytes, object]) -> dict[bytes, str]:
    """Content id to `collection/key`, from the tree's nodes; an entry leaves out what it shares with the one before."""
    keys: dict[bytes, str] = {}
    for block in blocks.values():
        before = b""
        for entry in list_of(dig(block, "e")):
            suffix, shared, value = dig(entry, "k"), dig(entry, "p"), dig(entry, "v")
            if not isinstance(suffix, bytes) or not isinstance(shared, int) or not isinstance(value, bytes):
                continue
            before = before[:shared] + suffix
            keys[value] = before.decode("utf-8", "replace")
    return keys


def _post(
    source_format: str, path: str, record: Mapping[str, object], key: str | None, account: str | None, did: str | None
) -> Post:
    moment, origin = dated(record.get("createdAt"))
    who = account or did
    embed = record.get("embed")
    quoted = text_of(dig(embed, "record", "uri")) or text_of(dig(embed, "record", "record", "uri"))
    return Post(
        source_format,
        path,
        platform="bluesky",
        account=account,
        post_id=key,
        post_url=f"https://bsky.app/profile/{who}/post/{key}" if who and key else None,
        posted_at=moment,
        posted_at_source=origin,
        text=text_of(record.get("text")),
        extra={"did": did} if did else {},
        is_reply=bool(record.get("reply")),
        is_quote=bool(quoted),
        quoted_id=quoted.rsplit("/", 1)[-1] if quoted else None,
    )


def _items(
    source: Source, post: Post, record: Mapping[str, object], did: str | None, blobs: Mapping[str, str], used: set[str]
) -> Iterator[Item]:
    embed = dict_of(record.get("embed"))
    embed = dict_of(embed.get("media")) or embed
    kind = str(embed.get("$type", ""))
    if kind.endswith("embed.video"):
        yield post.video(0, alt_text=text_of(embed.get("alt")))
    if kind.endswith("embed.external"):
        source.log.counts["link cards"] += 1
    for index, picture in enumerate(list_of(embed.get("images"))):
        cid = _text(dig(picture, "image", "ref"))
        alt = text_of(dig(picture, "alt"))
        url = FULL_SIZE.format(did=did, cid=cid) if did and cid else None
        if name := blobs.get(cid):
            used.add(name)
            inner = source.opener(name)
            opener = Blob(cid, inner) if isinstance(inner, Handle) else partial(_blob, cid, inner)
            yield post.stored(index, source, name, media_url=url, alt_text=alt, opener=opener)
        elif url:
            yield post.remote(index, url, alt_text=alt, detail="a CAR holds no pictures, and its blob is not beside it")
        else:
            yield post.missing(index, "the post names no blob", alt_text=alt)


def _text(reference: Any) -> str:
    """A content id as text: base32, multibase "b". Ids may come as bytes, as text, or as a link."""
    if isinstance(reference, dict):
        reference = reference.get("$link")
    if isinstance(reference, bytes):
        return "b" + base64.b32encode(reference).decode().lower().rstrip("=")
    return reference if isinstance(reference, str) else ""


def _handle(blobs: Mapping[str, str]) -> str | None:
    """The handle in the blob folder's name, `<handle>_blobs`."""
    folders = {basename(dirname(name)) for name in blobs.values()}
    handles = {folder.removesuffix("_blobs") for folder in folders if folder.endswith("_blobs")}
    return handles.pop() if len(handles) == 1 else None
