"""Where things lie in an X archive, and which of them may be opened."""

from __future__ import annotations

import re
from posixpath import basename, dirname

from bladecheck.archives.containers.source import Narrowed, Source
from bladecheck.archives.data.records import values
from bladecheck.archives.values import dict_of, dig, handle_of, id_of, list_of, text_of
from bladecheck.errors import ArchiveError

POSTS = re.compile(r"^(tweets?|posts?|community-tweets?)(-part\d+)?\.js$")
IDENTITY = frozenset(("manifest.js", "account.js"))
MEDIA_FOLDERS = frozenset(("tweets_media", "tweet_media", "posts_media", "post_media", "community_tweet_media"))
# The data files open with an assignment; the JSON follows.
HEADER = re.compile(r"^\ufeff?\s*window\.(?:YTD\.[\w.]+|__THAR_CONFIG)\s*=\s*")


def open_members(source: Source) -> Source:
    """Only what may be opened: the posts, who they are by, and their media."""

    def allowed(name: str) -> bool:
        base = basename(name)
        return base in IDENTITY or bool(POSTS.match(base)) or basename(dirname(name)) in MEDIA_FOLDERS

    return source if isinstance(source, Narrowed) else Narrowed(source, allowed)


def bases_of(source: Source) -> list[str]:
    """Folders ("" or ending in "/") that hold X's data files, told by their first bytes."""
    found: set[str] = set()
    for name in source.names():
        base = basename(name)
        if base in IDENTITY or POSTS.match(base):
            folder = name[: len(name) - len(base)]
            if folder not in found and HEADER.match(source.head(name, 200).decode("utf-8", "replace")):
                found.add(folder)
    return sorted(found)


def media_folders(source: Source) -> set[str]:
    folders = {dirname(name) for name in source.names()}
    return {folder for folder in folders if basename(folder) in MEDIA_FOLDERS}


def identity(source: Source, base: str) -> tuple[str | None, str | None]:
    """Account name and id, from account.js, else from the manifest; the e-mail address beside them is not kept."""
    for name, part in (("account.js", "account"), ("manifest.js", "userInfo")):
        if base + name not in source:
            continue
        record = dict_of(dig(_assigned(source, base + name), part))
        account = handle_of(record.get("username")) or handle_of(record.get("userName"))
        if account:
            return account, id_of(record.get("accountId"))
    return None, None


def listed_files(source: Source, base: str) -> set[str]:
    """The posts files that the manifest names, by base name; whatever else it names is not looked at."""
    if base + "manifest.js" not in source:
        return set()
    kinds = dict_of(dig(_assigned(source, base + "manifest.js"), "dataTypes"))
    names = (text_of(dig(file, "fileName")) for kind in kinds.values() for file in list_of(dig(kind, "files")))
    return {basename(name) for name in names if name and POSTS.match(basename(name))}


def _assigned(source: Source, name: str) -> object:
    """What a small data file assigns, of an array the first element; None, and a failed row, where it can't be read."""
    quiet, why = source.reading(), "it holds nothing, or is damaged"
    try:
        if first := next(values(quiet, name, HEADER), None):
            return first[1]
    except ArchiveError as error:
        why = error.detail
    source.log.unreadable(name, why)
    return None


def part_order(name: str) -> tuple[str, int]:
    match = re.search(r"-part(\d+)\.js$", name)
    return (name[: match.start()] if match else name[:-3], int(match[1]) if match else 0)
