"""What tables tell beside pictures: the platform, what is shared, quoted or answered, and several pictures a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from bladecheck.archives import Item, open_archive

X_ID = "1785446532510646272"
PICTURE = "https://pbs.twimg.com/media/A.jpg"
ELSEWHERE = "https://example.org/A.jpg"
SHARED = "RT @OtherForce: Knife seized"


def read(tmp_path: Path, *lines: str, **mapping: str) -> tuple[list[Item], tuple[str, ...]]:
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with open_archive(tmp_path / "t.csv", mapping=mapping or None) as archive:
        return list(archive.items()), archive.warnings


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("text,image_url", f"{SHARED},{PICTURE}"),
        ("text,image_url,link", f"{SHARED},{ELSEWHERE},https://twitter.com/a/status/{X_ID}"),
        ("TweetText,Filename", f"{SHARED},a.jpg"),
        ("tweet_id,text,file", f"{X_ID},{SHARED},a.jpg"),
        ("Platform,text,image_url", f"Twitter,{SHARED},{ELSEWHERE}"),
        ("source,text,image_url", f"x.com,{SHARED},{ELSEWHERE}"),
    ],
)
def test_shared_on_x_by_its_text(tmp_path: Path, header: str, line: str) -> None:
    (item,), warnings = read(tmp_path, header, line)
    assert item.platform == "x"
    assert item.is_repost
    assert warnings == ()
    ((own,), _) = read(tmp_path, header, line.replace(SHARED, "Thanks to RT @OtherForce"))
    assert not own.is_repost


def test_elsewhere_the_words_say_nothing(tmp_path: Path) -> None:
    (item,), warnings = read(tmp_path, "text,image_url", f"{SHARED},https://a.cdninstagram.com/A.jpg")
    assert (item.platform, item.is_repost) == ("instagram", False)
    assert warnings == ()


def test_where_no_platform_is_told_it_is_asked_for(tmp_path: Path) -> None:
    lines = ("text,image_url", f"{SHARED},{ELSEWHERE}", f"own,{ELSEWHERE}?b")
    items, (warning,) = read(tmp_path, *lines)
    assert not any(item.is_repost for item in items)
    assert "1 text" in warning
    assert "--mapping platform=x" in warning
    items, warnings = read(tmp_path, *lines, platform="x")
    assert [item.is_repost for item in items] == [True, False]
    assert warnings == ()


def test_a_platform_may_be_a_column_of_any_name(tmp_path: Path) -> None:
    lines = ("where,text,image_url", f"Twitter,{SHARED},{ELSEWHERE}", f"Facebook,{SHARED},{ELSEWHERE}?b")
    items, _ = read(tmp_path, *lines, platform="where")
    assert [(item.platform, item.is_repost) for item in items] == [("x", True), ("facebook", False)]


@pytest.mark.parametrize(
    ("header", "line", "told"),
    [
        ("is_retweet,is_quote,is_reply", "TRUE,FALSE,no", (True, False, False)),
        ("retweet,isQuote,reply_to_status_id", "False,1,NA", (False, True, False)),
        ("retweeted_status_id,quoted_status_id,in_reply_to_id", f"{X_ID},{X_ID}.0,", (True, True, False)),
        # How often it was shared, quoted and answered.
        ("retweet,quote,reply", "1,1,0", (False, None, None)),
    ],
)
def test_columns_of_yes_and_no_and_of_other_ids(
    tmp_path: Path, header: str, line: str, told: tuple[bool | None, ...]
) -> None:
    second = ",".join("" if cell == X_ID else cell for cell in line.split(","))
    items, _ = read(tmp_path, f"image_url,{header}", f"{PICTURE},{line}", f"{PICTURE}?b,{second}")
    assert (items[0].is_repost, items[0].is_quote, items[0].is_reply) == told
    ids = "retweeted_status_id" in header
    assert (items[0].original_post_id, items[0].quoted_id) == ((X_ID, X_ID) if ids else (None, None))


def test_a_table_of_rtweet(tmp_path: Path) -> None:
    """R's rtweet writes an x before ids, the first picture in one column and all in another."""
    (one, two), warnings = read(
        tmp_path,
        "status_id,created_at,screen_name,text,is_retweet,media_url,ext_media_url",
        f"x{X_ID},2024-04-30 23:10:00,A,w,FALSE,http://pbs.twimg.com/media/A.jpg,"
        "http://pbs.twimg.com/media/A.jpg http://pbs.twimg.com/media/B.jpg",
    )
    assert (one.post_id, one.media_index, two.post_id, two.media_index) == (X_ID, 0, X_ID, 1)
    assert warnings == ()


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("image_1_url,image_2_url", "https://e.org/a.jpg,https://e.org/b.jpg"),
        ("file1,file2", "a.jpg,b.jpg"),
        ("file,n", "a.jpg; b.jpg,1"),
        ("file,n", "\"['a.jpg', 'b.jpg']\",1"),
    ],
)
def test_several_pictures_of_a_line(tmp_path: Path, header: str, line: str) -> None:
    items, _ = read(tmp_path, header, line)
    names = [(item.media_url or item.detail or "").split(" ")[0].rpartition("/")[2] for item in items]
    assert (names, [item.media_index for item in items]) == (["a.jpg", "b.jpg"], [0, 1])


def test_a_comma_in_a_file_name_is_part_of_it(tmp_path: Path) -> None:
    (item,), _ = read(tmp_path, "file,n", '"Smith, J.jpg",1')
    assert item.detail == "Smith, J.jpg is not beside the table"


def test_columns_with_other_pictures_are_named(tmp_path: Path) -> None:
    """Not those that show the same once more, nor faces of accounts."""
    header = "image_url,thumbnail,profile_image_url,second"
    same, face = f"{PICTURE}?name=thumb", "https://pbs.twimg.com/profile_images/1/a.jpg"
    items, (warning,) = read(tmp_path, header, f"{PICTURE},{same},{face},https://pbs.twimg.com/media/Z.jpg")
    assert len(items) == 1
    assert "are in second," in warning
    items, warnings = read(tmp_path, header, f"{PICTURE},{same},{face},https://pbs.twimg.com/media/Z.jpg",
                           url="image_url+second")  # fmt: skip
    assert (len(items), warnings) == (2, ())


def test_a_table_of_4cat_tells_what_is_shared_quoted_and_answered(tmp_path: Path) -> None:
    head = "id,thread_id,timestamp,body,author,link,images,is_retweet,is_quote_tweet,is_reply"
    start, link = "2024-04-30 23:10:00", f"https://twitter.com/a/status/{X_ID}"
    (item,), _ = read(tmp_path, head, f"{X_ID},1,{start},{SHARED},a,{link},{PICTURE},no,yes,no")
    assert item.source_format == "4cat_csv"
    assert (item.is_repost, item.is_quote, item.is_reply) == (True, True, False)


def test_a_table_of_twarc_tells_what_is_quoted_answered_and_edited(tmp_path: Path) -> None:
    head = "id,text,author_id,attachments.media_keys,referenced_tweets.quoted.id,referenced_tweets.replied_to.id,"
    later = str(int(X_ID) + 5)
    (item,), _ = read(tmp_path, f"{head}edit_history_tweet_ids", f'{later},w,1,3_1,17.0,18,"[""{X_ID}"", ""{later}""]"')
    assert (item.is_repost, item.is_quote, item.quoted_id, item.is_reply) == (False, True, "17", True)
    assert item.edits == (X_ID, later)


def test_the_columns_of_several_tables_are_all_shown(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"date,image_url\n2024-05-01,{PICTURE}\n")
    (tmp_path / "b.csv").write_text(f"date,photo\n2024-05-02,{PICTURE}?b\n")
    with open_archive(tmp_path) as archive:
        assert archive.describe().mapping == {"date": "date", "url": "image_url, photo"}
