"""Which column of a table means what: guessed from names and contents, shown to the user, and settable."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from urllib.parse import parse_qs, urlsplit

from bladecheck.archives.data.tables import Table, cell_text, key
from bladecheck.archives.dates import parse_date
from bladecheck.archives.hosts import platform_called, serves_pictures
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import picture_name, platform_of, tells_post
from bladecheck.errors import ArchiveError

# Addresses that name a size, and the sizes from small to large.
SIZED = re.compile(r"[?&]name=\w|feed_(?:thumbnail|fullsize)|:(?:thumb|small|medium|large|orig)$", re.I)
SIZES = tuple(
    re.compile(words, re.I)
    for words in (
        r"name=thumb|feed_thumbnail|:thumb$",
        r"name=(?:tiny|small|\d)|:small$",
        r"name=medium|:medium$",
        r"(?!)",
        r"name=large|:large$",
        r"name=(?:orig|4096)|feed_fullsize|:orig$",
    )
)
# Rank of an address whose name tells no size, among SIZES.
MIDDLE = 3
TEXT_LIKE = re.compile(r"(?<!alt)(?<!image)(?:text|caption)$")
# Columns with pictures of accounts.
NO_POSTS = re.compile(r"profile|avatar|banner|icon|logo|header|background|author|user|cover", re.I)
PATH_SPLIT = re.compile(r"[;|,\n]")
# Columns with the date of something else than the post, and those that say that theirs is the post's.
OTHER_DATE = re.compile(
    r"user|author|account|profile|join|collect|retriev|download|scrap|archiv|updat|modif|edit|crawl|import|birth|expir",
    re.I,
)
WRITTEN_DATE = re.compile(
    rf"^(?!.*(?:{OTHER_DATE.pattern})).*(?:date|time|creat|post|publish|tweet|utc|universal)", re.I
)
URL_SPLIT = re.compile(r"[\s,;|]+(?=https?://)", re.I)
URL_IN_LIST = re.compile(r"https?://[^\s\"'\]]+?(?=[\"'\]\s]|,\s|,?$)", re.I)

# How snscrape's objects look where a data frame was saved: a preview's and the picture's own address.
FULL_URL = re.compile(r"fullUrl['\"]?\s*[=:]\s*['\"](https?://[^'\"]+)")
VIDEO_PREVIEW = re.compile(r"//[^/]+/(?:ext_tw_|amplify_|tweet_)video_thumb/")

# Names as exports use them, without blanks, underscores and dots; the first found is taken.
_NAMES = {
    "url": (
        "imageurl imageurls imagesurl extmediaurl mediaurl mediaurls mediaurlhttps photourl photourls pictureurl "
        "pictureurls fullpicture displayurl entitiesstr images photos pictures media image photo picture img "
        "thumbnailurl thumbnail fullurl url urls link links"
    ),
    "path": "path filepath localpath imagepath file filename files imagefile mediafile image picture photo media name",
    "post_id": "postid tweetid statusid messageid idstr itemid id shortcode",
    "account": (
        "account accountname username userscreenname screenname user handle author authorusername authorname fromuser "
        "pagename channel force profile"
    ),
    "date": (
        "postedat createdat publishedat date datetime timestamp time posted published postcreated postdate publishdate "
        "dateutc createdutc createduniversal createdatutc unixtimestamp created creationtime tweetdate tweetedat "
        "tweetcreatedat postdatetime uploaddate createddate datecreated"
    ),
    "text": (
        "text fulltext tweettext posttext messagetext body content postcontent tweetcontent message caption tweet "
        "posttextcontent description hitsentence snippet title"
    ),
    "alt_text": "alttext alt accessibilitycaption imagetext",
    "post_url": "posturl tweeturl statusurl permalink permalinkurl link url sourceurl pageurl",
    "is_repost": (
        "isrepost isretweet isshare retweet repost retweetedstatusid retweetstatusid retweetid retweetedid "
        "retweetedtweetid repostedid sharedpostid"
    ),
    "is_quote": "isquote isquotetweet isquotestatus isquotepost quotedstatusid quotedid quotedtweetid quotedpostid",
    "is_reply": (
        "isreply inreplytostatusid inreplytostatusidstr replytostatusid inreplytoid inreplytotweetid replytoid "
        "inreplyto"
    ),
    "platform": "platform socialplatform sourceplatform socialnetwork network site source",
}
NAMES: Mapping[str, tuple[str, ...]] = {meaning: tuple(names.split()) for meaning, names in _NAMES.items()}
# The last of the names for addresses may as well be those of posts.
VAGUE_URL_NAMES = 4
YES = frozenset(("yes", "true", "1", "y", "ja", "oui"))
NO = frozenset(("", "no", "false", "0", "n", "nein", "non", "none", "null", "nan", "na", "n/a"))
FLAGS = ("is_repost", "is_quote", "is_reply")
"""Meanings of columns that say yes or no, or that hold the id of the other post."""


@dataclass(frozen=True, slots=True)
class TableMapping:
    """Column names, by what they mean. At least one of `url` and `path` is needed; several columns with "+".

    Attributes:
        url: picture addresses; a cell may hold several.
        path: picture files, relative to the table.
        is_repost, is_quote, is_reply: yes or no, or the id of the post that is shared, quoted or answered.
        platform: a column that names it, or the platform of all rows, such as "x".
        month_first: True where 03/04/2024 is the 4th of March; None decides by the column's other dates.
    """

    url: str | None = None
    path: str | None = None
    post_id: str | None = None
    account: str | None = None
    date: str | None = None
    text: str | None = None
    alt_text: str | None = None
    post_url: str | None = None
    is_repost: str | None = None
    is_quote: str | None = None
    is_reply: str | None = None
    platform: str | None = None
    month_first: bool | None = None

    @classmethod
    def of(cls, given: Mapping[str, str | bool | None]) -> TableMapping:
        """From a plain mapping.

        Raises:
            ArchiveError: an unknown meaning.
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(given.keys() - known):
            raise ArchiveError(f"mapping names {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        return cls(**given)  # type: ignore[arg-type]

    def columns(self) -> dict[str, str]:
        """Meaning to column name, of those that are set."""
        no_columns = ("month_first", "platform") if self.of_all else ("month_first",)
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in no_columns}
        return {meaning: column for meaning, column in found.items() if column}

    @property
    def of_all(self) -> str | None:
        """The platform of all rows, where `platform` names one and no column."""
        return platform_called(self.platform or "")

    def check(self, table: Table) -> None:
        """Refuses a mapping that does not fit.

        Raises:
            ArchiveError: the table has no such column, or neither `url` nor `path` is set.
        """
        present = {key(column) for column in table.header}
        for meaning, column in self.columns().items():
            for part in column.split("+"):
                if key(part) not in present:
                    raise ArchiveError(
                        f"{table.name} has no column {part!r} for {meaning}; it has {', '.join(table.header)[:500]}"
                    )
        if not (self.url or self.path):
            raise ArchiveError(f"no column of {table.name} was named for picture addresses (url) or files (path)")


def guess(table: Table) -> TableMapping:
    """What the columns seem to mean; `url` and `path` stay None where no column holds pictures."""
    taken: dict[str, str] = {}
    if urls := [c for c in _ranked(table, "url") if _holds_picture_urls(table, c)]:
        family = [column for column in urls if _family(column) == _family(urls[0])]
        taken["url"] = "+".join(sorted(family, key=table.header.index))
    addresses = taken.get("url", "").split("+")
    if paths := [
        column for column in _ranked(table, "path") if column not in addresses and _holds_paths(table, column)
    ]:
        family = [column for column in paths if _family(column) == _family(paths[0])]
        taken["path"] = "+".join(sorted(family, key=table.header.index))
    for meaning in ("post_url", "post_id", "account", "date", "text", "alt_text", *FLAGS, "platform"):
        used = {part for column in taken.values() for part in column.split("+")}
        for column in _ranked(table, meaning):
            if column not in used and (table.has_header or meaning == "post_url") and _fits(table, column, meaning):
                taken[meaning] = column
                break
    if "date" not in taken and table.has_header:
        # None can be read: the likeliest is taken, so that it can be named.
        used = {part for column in taken.values() for part in column.split("+")}
        likely = next((column for column in _ranked(table, "date") if column not in used), None)
        taken |= {"date": likely} if likely else {}
    return TableMapping.of(taken)


def overlay(given: TableMapping, guessed: TableMapping) -> TableMapping:
    """What was given, and the guess for all else; a column that was given a meaning loses the one guessed for it."""
    said = given.columns()
    taken = {key(part) for column in said.values() for part in column.split("+")}
    kept = {meaning: column for meaning, column in guessed.columns().items()
            if not taken & {key(part) for part in column.split("+")}}  # fmt: skip
    platform = {"platform": given.platform} if given.platform else {}
    return TableMapping.of({**kept, **said, **platform, "month_first": given.month_first})


def urls_in(cell: str) -> list[str]:
    """The web addresses of a cell: one, several with commas, blanks or bars between, or a JSON-like list.

    Of addresses that differ in the picture's size alone (a thumbnail and its original), the largest is kept.
    """
    return largest(_urls_in(cell))


def paths_in(cell: str) -> list[str]:
    """The files of a cell: one, or several with semicolons, bars, commas or line breaks between, or a list."""
    cell = cell_text(cell)
    parts = [part.strip(" \t\"'[]") for part in PATH_SPLIT.split(cell)]
    listed = len(parts) > 1 or cell.startswith("[")
    return parts if listed and all(map(_is_medium, parts)) else [cell] if cell else []


def overlooked(table: Table, mapping: TableMapping) -> list[str]:
    """Columns with picture addresses that the mapping leaves out and that show other pictures than those it takes."""
    taken = (mapping.url or "").split("+")
    found = []
    for column in table.header:
        if column in mapping.columns().values() or column in taken or NO_POSTS.search(_plain(column)):
            continue
        if _holds_picture_urls(table, column) and _shows_others(table, column, taken):
            found.append(column)
    return found


def _shows_others(table: Table, column: str, taken: list[str]) -> bool:
    at, others = table.header.index(column), [table.header.index(c) for c in taken if c in table.header]
    for cells in table.sample:
        row = [cells[place] if place < len(cells) else "" for place in (at, *others)]
        mine, *rest = ({picture_name(url) or url for url in urls_in(cell)} for cell in row)
        if mine - set().union(*rest):
            return True
    return False


def _is_medium(name: str) -> bool:
    return is_picture_name(name) or is_video_name(name)


def largest(urls: list[str]) -> list[str]:
    """Each picture once, by the address of its largest form, in the place of the first."""
    best: dict[str, str] = {}
    for url in urls:
        name = picture_name(url) if SIZED.search(url) else None
        same = f"{_site(url)}/{name}" if name else url
        if same not in best or _size(url) > _size(best[same]):
            best[same] = url
    return list(best.values())


def _site(url: str) -> str:
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


def _size(url: str) -> int:
    """How large a form of a picture this is, as its address says; those that say nothing are in the middle."""
    return next((rank for rank, words in enumerate(SIZES) if words.search(url)), MIDDLE)


def _urls_in(cell: str) -> list[str]:
    cell = cell_text(cell)
    if full := FULL_URL.findall(cell):
        return list(dict.fromkeys(full))
    if "{" in cell[:3]:
        found = (re.sub(r"^http:", "https:", url) for url in URL_IN_LIST.findall(cell.replace("\\/", "/")))
        return list(dict.fromkeys(url for url in found if is_picture_url(url)))
    if cell.startswith(("[", "(", '"')):
        return URL_IN_LIST.findall(cell)
    return [part.strip(" ,;|\t\n") for part in URL_SPLIT.split(cell) if re.match(r"^https?://", part, re.I)]


def is_film_url(url: str) -> bool:
    """Whether an address is one of a film, or of the preview of one on X."""
    return is_video_name(url) or bool(VIDEO_PREVIEW.search(url))


def is_picture_url(url: str) -> bool:
    """Whether an address is one of a picture by its ending, its `format=` or its host."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.hostname or ""
    if serves_pictures(host) or is_picture_name(parts.path):
        return True
    return parse_qs(parts.query).get("format", [""])[0] in ("jpg", "png", "webp")


def _plain(column: str) -> str:
    return re.sub(r"[\s_.\-/()]+", "", column).lower()


def _family(column: str) -> str:
    """What numbered columns share, such as image1_url and image2_url, or photo 1 and photo 2."""
    return re.sub(r"\d+", "", _plain(column))


def _ranked(table: Table, meaning: str) -> list[str]:
    """Columns in the order in which their names suit a meaning; for addresses and files, then all others."""
    order = NAMES[meaning]
    named = [column for column in table.header if _family(column) in order]
    named.sort(key=lambda column: order.index(_family(column)))
    if meaning == "text":
        # Names such as LinkText, where there is none of the usual ones.
        named += [c for c in table.header if c not in named and TEXT_LIKE.search(_plain(c))]
    if meaning == "date":
        named += [c for c in table.header if c not in named and not OTHER_DATE.search(c) and _holds_dates(table, c)]
    if meaning in ("url", "path", "post_url"):
        named += [column for column in table.header if column not in named]
    return named


def _cells(table: Table, column: str) -> list[str]:
    at = table.header.index(column)
    return [cells[at].strip() for cells in table.sample if at < len(cells) and cells[at].strip()]


def _holds_picture_urls(table: Table, column: str) -> bool:
    found = [urls for cell in _cells(table, column) if (urls := urls_in(cell))]
    if not found:
        return False
    pictures = sum(any(is_picture_url(url) for url in urls) for urls in found)
    # A column that says it holds pictures is believed unless its addresses are those of posts.
    telling = _family(column) in NAMES["url"][:-VAGUE_URL_NAMES]
    posts = sum(any(platform_of(url) and not is_picture_url(url) for url in urls) for urls in found)
    return pictures * 2 >= len(found) or (telling and posts * 2 < len(found))


def _holds_paths(table: Table, column: str) -> bool:
    cells = _cells(table, column)
    found = sum(all(map(_is_medium, paths_in(cell))) and not urls_in(cell) for cell in cells)
    return bool(cells) and found * 2 >= len(cells)


def _holds_dates(table: Table, column: str) -> bool:
    """Whether every cell is a date, written as one: numbers alone may be anything."""
    cells = [cell_text(cell) for cell in _cells(table, column)]
    return bool(cells) and all(parse_date(cell) and not cell.replace(".", "").isdigit() for cell in cells)


def _fits(table: Table, column: str, meaning: str) -> bool:
    cells = _cells(table, column)
    if meaning == "post_url":
        return any(urls_in(cell) for cell in cells) and not _holds_picture_urls(table, column)
    if meaning == "date":
        return any(parse_date(cell_text(cell)) for cell in cells)
    if meaning in FLAGS:
        # The first rows may well be of own posts; but an empty `retweet` may hold counts further down.
        named = _plain(column).startswith("is") or "id" in _plain(column)
        return (named or bool(cells)) and all(_is_flag(cell.lower(), column) for cell in cells)
    if meaning == "platform":
        return sum(platform_called(cell) is not None for cell in cells) * 2 > len(cells)
    if meaning == "post_id":
        return not any(" " in cell or urls_in(cell) for cell in cells)
    return True


def _is_flag(cell: str, column: str) -> bool:
    """Whether a cell says yes or no, or is the id of another post; bare numbers under `retweet` count something."""
    if _plain(column).startswith("is"):
        return cell in YES or cell in NO
    return (cell in YES or cell in NO or _is_id(cell)) and cell not in ("0", "1")


def flag(cell: str) -> tuple[bool, str | None]:
    """What such a cell says, and the id of the other post where it holds one."""
    word = cell.removesuffix(".0")
    if _is_id(word):
        return True, word
    return cell.lower() in YES, None


def _is_id(cell: str) -> bool:
    return tells_post(None, cell) and " " not in cell and any(map(str.isdigit, cell))
