"""What holds for any input: an odd record changes no other's rows, dates are UTC or nothing, text can be written."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bladecheck.archives import Item, open_archive
from bladecheck.archives.data.mapping import urls_in
from bladecheck.archives.dates import parse_date, snowflake_date
from bladecheck.archives.names import date_in, normal, post_id_in, refusal
from bladecheck.archives.readers.meta_download import unmangled
from bladecheck.archives.values import clean, id_of

SAMPLES = Path(__file__).parent / "samples"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["https://[", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def damaged(value: object, draw: st.DrawFn, chance: int = 6) -> object:
    """A copy with some parts replaced by anything, or left out."""
    if draw(st.integers(0, chance)) == 0:
        return draw(JSON)
    if isinstance(value, dict):
        return {key: damaged(part, draw, chance * 2) for key, part in value.items() if draw(st.integers(0, 20))}
    if isinstance(value, list):
        return [damaged(part, draw, chance * 2) for part in value]
    return value


def first_line(path: str) -> dict[str, object]:
    return json.loads((SAMPLES / path).read_text().splitlines()[0])  # type: ignore[no-any-return]


def other_ids(record: object, step: int) -> object:
    """The record with other ids: one post told twice would be one row."""
    return json.loads(re.sub(r"\b\d{15,20}\b", lambda found: str(int(found[0]) + step), json.dumps(record)))


def rows(path: Path) -> list[Item]:
    with open_archive(path) as archive:
        items = list(archive.items())
        assert archive.describe().rows == len(items)
    for item in items:
        repr(item).encode()
        json.dumps(dict(item.extra)).encode()
        assert item.post_id is None or item.post_id.encode()
    return items


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("twitter_api_v1/statuses.jsonl", "t.jsonl"),
        ("twitter_api_v2/flat.jsonl", "t.jsonl"),
        ("twitter_api_v2/pages.jsonl", "t.jsonl"),
        ("snscrape/tweets.jsonl", "t.jsonl"),
        ("twscrape/tweets.jsonl", "t.jsonl"),
        ("4cat/zeeschuimer-export-x.ndjson", "t.ndjson"),
    ],
)
@QUICK
@given(data=st.data())
def test_an_odd_record_changes_no_other(path: str, name: str, data: st.DataObject) -> None:
    good = first_line(path)
    odd, last = other_ids(damaged(good, data.draw), 1), other_ids(good, 2)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(json.dumps(good) + "\n")
        first = rows(file)
        file.write_text(json.dumps(last) + "\n")
        third = rows(file)
        file.write_text("\n".join(json.dumps(record) for record in (good, odd, last)) + "\n")
        together = rows(file)
    assert together[: len(first)] == first
    assert together[len(together) - len(third) :] == third


def x_members(entries: list[object]) -> dict[str, object]:
    account = [{"account": {"username": "anytown_police", "accountId": "9"}}]
    return {
        "data/account.js": "window.YTD.account.part0 = " + json.dumps(account),
        "data/tweets.js": "window.YTD.tweets.part0 = " + json.dumps(entries),
    }


def x_tweet() -> object:
    text = (SAMPLES / "x_archive/unzipped/data/tweets-part1.js").read_text()
    return json.loads(text[text.index("[") :])[1]


def instagram_members(entries: list[object]) -> dict[str, object]:
    return {"your_instagram_activity/media/posts_1.json": json.dumps(entries)}


def instagram_post() -> object:
    return {
        "media": [{"uri": "media/posts/202403/1.jpg", "creation_timestamp": 1709294400, "title": "t"}],
        "title": "t",
    }


def mastodon_members(entries: list[object]) -> dict[str, object]:
    return {"outbox.json": json.dumps({"type": "OrderedCollection", "orderedItems": entries})}


def mastodon_entry() -> object:
    return json.loads((SAMPLES / "mastodon/unpacked/outbox.json").read_text())["orderedItems"][0]


@pytest.mark.parametrize(
    ("members", "entry"),
    [(x_members, x_tweet), (instagram_members, instagram_post), (mastodon_members, mastodon_entry)],
)
@QUICK
@given(data=st.data())
def test_an_odd_post_of_an_export_changes_no_other(
    members: Callable[[list[object]], dict[str, object]], entry: Callable[[], object], data: st.DataObject
) -> None:
    good = entry()
    odd = damaged(good, data.draw)  # type: ignore[arg-type]

    def read(entries: list[object]) -> list[Item]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in members(entries).items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(str(text))
            return [_placeless(item) for item in rows(Path(folder))]

    alone = read([good])
    assert read([good, odd])[: len(alone)] == alone


def _placeless(item: Item) -> Item:
    from dataclasses import replace

    return replace(item, source_path="", opener=None)


@settings(max_examples=100, deadline=None)
@given(
    st.text() | st.integers() | st.floats() | st.from_regex(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d\d:\d\d(:\d\d)?)?")
)
def test_dates_are_utc_or_nothing(value: object) -> None:
    moment = parse_date(value)
    assert moment is None or moment.utcoffset() == timedelta(0)


@settings(max_examples=100, deadline=None)
@given(st.datetimes().filter(lambda moment: 1971 < moment.year < 2099))
def test_dates_written_are_read(moment: object) -> None:
    from datetime import UTC, datetime

    assert isinstance(moment, datetime)
    whole = moment.replace(microsecond=0, tzinfo=UTC)
    twitter = (
        f"Mon {['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'][whole.month - 1]}"
    )
    twitter += f" {whole.day:02} {whole:%H:%M:%S} +0000 {whole.year}"
    for text in (whole.isoformat(), f"{whole:%Y-%m-%d %H:%M:%S}", f"{whole:%d/%m/%Y %H:%M:%S}", twitter):
        assert parse_date(text) == whole
    assert parse_date(int(whole.timestamp() * 1000)) == whole or whole.timestamp() * 1000 <= 20_000_000_000


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_names_and_texts_never_raise(text: str) -> None:
    clean(text).encode()
    normal(text).encode()
    refusal(text)
    post_id_in(text)
    date_in(text)
    urls_in(text)
    snowflake_date(text)
    id_of(text)


@settings(max_examples=100, deadline=None)
@given(st.text(min_size=1).filter(lambda text: text.strip() != ""))
@example("\x00")
def test_mangled_text_is_mended(text: str) -> None:
    try:
        mangled = text.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError:
        return
    if mangled.strip():
        assert (unmangled(mangled) or "") == clean(text)


def test_the_real_snowflake() -> None:
    assert str(snowflake_date("1541752634348019715")) == "2022-06-28 11:57:27.064000+00:00"
