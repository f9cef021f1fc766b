"""Tables as people save them: dialects, encodings, Excel's damage, mappings guessed and given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from bladecheck.archives import Item, Status, TableMapping, open_archive
from bladecheck.errors import ArchiveError

Make = Callable[..., Path]
URL = "https://pbs.twimg.com/media/GAbCdEfXYAAq1zz.jpg"
ID = "1746827059000246273"


def items_of(path: Path, **how: object) -> list[Item]:
    with open_archive(path, **how) as archive:  # type: ignore[arg-type]
        return list(archive.items())


def written(tmp_path: Path, content: str | bytes, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_dialects(tmp_path: Path, delimiter: str, encoding: str, ending: str) -> None:
    rows = [["Image URL", "Tweet ID", "Handle", "Text"], [URL, ID, "@anytown", "café, two; words"]]
    text = ending.join(delimiter.join(f'"{cell}"' for cell in row) for row in rows) + ending
    (item,) = items_of(written(tmp_path, text.encode(encoding)))
    assert (item.media_url, item.post_id, item.account, item.text) == (URL, ID, "anytown", "café, two; words")
    assert (str(item.posted_at)[:10], item.posted_at_source) == ("2024-01-15", "snowflake")


@pytest.mark.parametrize(
    "cell",
    [
        f"{URL}, {URL}?b",
        f"{URL} {URL}?b",
        f"{URL};{URL}?b",
        f"{URL}|{URL}?b",
        f"['{URL}', '{URL}?b']",
        f'["{URL}","{URL}?b"]',
        f"{URL}\n{URL}?b",
    ],
)
def test_several_addresses_in_a_cell(tmp_path: Path, cell: str) -> None:
    quoted = cell.replace('"', '""')
    items = items_of(written(tmp_path, f'id,images\n{ID},"{quoted}"\n'))
    assert [(item.media_index, item.media_url) for item in items] == [(0, URL), (1, URL + "?b")]


def test_lists_without_a_header(tmp_path: Path) -> None:
    assert len(items_of(written(tmp_path, f"{URL}\n\n{URL}?2\n", "list.txt"))) == 2
    assert len(items_of(written(tmp_path, f"{URL}\n", "list.csv"))) == 1
    (item,) = items_of(written(tmp_path, f"https://x.com/anytown/status/{ID};{URL}\n", "two.csv"))
    assert (item.post_id, item.account, item.platform) == (ID, "anytown", "x")


@pytest.mark.parametrize("ruined", ["1.74682E+18", "1,74682E+18", "1.746827059000246e+18", "1E+18"])
def test_ids_that_excel_ruined_are_refused(tmp_path: Path, ruined: str) -> None:
    path = written(tmp_path, f"tweet_id;image_url\n{ruined};{URL}\n{ID};{URL}\n")
    with open_archive(path) as archive:
        assert [item.post_id for item in archive.items()] == [None, ID]
        (warning,) = archive.warnings
        assert "tweet_id" in warning
        assert ruined in warning


def test_ids_that_excel_rounded_are_refused(tmp_path: Path) -> None:
    rounded = "tweet_id,image_url\n" + "".join(f"17468270590002{n}0000,{URL}\n" for n in range(1, 6))
    assert {item.post_id for item in items_of(written(tmp_path, rounded))} == {None}
    whole = f"tweet_id,image_url\n{ID},{URL}\n1746827059000240000,{URL}\n"
    assert [item.post_id for item in items_of(written(tmp_path, whole))] == [ID, None]
    many = "".join(f"17{n:017},{URL}\n" for n in range(46827059000240001, 46827059000260000, 7))
    by_chance = items_of(written(tmp_path, f"tweet_id,image_url\n{many}1746827059000240000,{URL}\n"))
    assert by_chance[-1].post_id == "1746827059000240000"


def test_ids_guarded_against_excel(tmp_path: Path) -> None:
    text = f'tweet_id,image_url\n"=""{ID}""",{URL}\n\'{ID},{URL}\n{ID}.0,{URL}\n'
    assert {item.post_id for item in items_of(written(tmp_path, text))} == {ID}


def test_dates_are_day_first_unless_the_column_says_otherwise(tmp_path: Path) -> None:
    british = f"date,image_url\n03/04/2024,{URL}\n25/12/2024,{URL}\n"
    american = f"date,image_url\n03/04/2024,{URL}\n12/25/2024,{URL}\n"
    assert [str(i.posted_at)[:10] for i in items_of(written(tmp_path, british))] == ["2024-04-03", "2024-12-25"]
    assert [str(i.posted_at)[:10] for i in items_of(written(tmp_path, american))] == ["2024-03-04", "2024-12-25"]
    mapping = TableMapping(url="image_url", date="date", month_first=True)
    assert str(items_of(written(tmp_path, british), mapping=mapping)[0].posted_at)[:10] == "2024-03-04"


def test_a_mapping_may_be_given_and_is_checked(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b,c\nhttps://example.org/show?id=1,someone,7\n")
    (item,) = items_of(path, mapping={"url": "a", "account": "B", "post_id": "c"})
    assert (item.media_url, item.account, item.post_id) == ("https://example.org/show?id=1", "someone", "7")
    with pytest.raises(ArchiveError, match="no column 'nope' for account; it has a, b, c"):
        items_of(path, mapping={"url": "a", "account": "nope"})
    with pytest.raises(ArchiveError, match="mapping names colour"):
        open_archive(path, mapping={"colour": "a"})
    with pytest.raises(ArchiveError, match="addresses"):
        items_of(path, mapping={"account": "b"})


def test_files_beside_the_table(tmp_path: Path, png: bytes) -> None:
    (tmp_path / "secret.png").write_bytes(png)
    folder = tmp_path / "in"
    (folder / "pics").mkdir(parents=True)
    (folder / "pics" / "a.png").write_bytes(png)
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    paths = ["pics/a.png", "pics\\a.png", "../secret.png", str(tmp_path / "secret.png"), "out.png", "gone.png", "v.mp4"]
    path = written(folder, "file,who\n" + "".join(f"{name},x\n" for name in paths))
    items = items_of(path)
    present, missing = Status.PRESENT, Status.MISSING_MEDIA
    told = [present, present, missing, missing, missing, missing, Status.VIDEO_SKIPPED]
    assert [item.status for item in items] == told
    assert items[0].open() == png
    assert [item.extra.get("file") for item in items[:3]] == ["pics/a.png", "pics/a.png", None]
    assert "outside the folder" in str(items[2].detail)


def test_tables_within_a_container(make_zip: Make, png: bytes) -> None:
    members = {"export/t.csv": "image,id\npics/a.png,1\npics/b.png,2\n", "export/pics/a.png": png, "other.png": png}
    items = items_of(make_zip("t.zip", members))
    assert [(i.status, i.post_id, i.member) for i in items] == [
        (Status.PRESENT, "1", "export/pics/a.png"),
        (Status.MISSING_MEDIA, "2", None),
        (Status.PRESENT, None, "other.png"),
    ]


def test_odd_rows_lose_no_other(tmp_path: Path) -> None:
    long = "x" * 200_000
    text = (
        f"id,image_url,text\n1,{URL},a\n2\n\n,,\n3,{URL},{long}\n4,{URL},b,extra,cells\n5,not a url,c\n6,{URL},\x00d\n"
    )
    with open_archive(written(tmp_path, text)) as archive:
        assert [item.post_id for item in archive.items()] == ["1", "3", "4", "6"]
        assert archive.describe().posts == 6


def test_workbooks(tmp_path: Path) -> None:
    import xlsxwriter

    path = tmp_path / "t.xlsx"
    book = xlsxwriter.Workbook(path)
    book.add_worksheet("Empty")
    sheet = book.add_worksheet("Posts")
    day = book.add_format({"num_format": "dd/mm/yyyy"})
    sheet.write_row(0, 0, ["Tweet ID", "Date", "Image URL"])
    sheet.write_string(1, 0, ID)
    sheet.write_datetime(1, 1, datetime(2024, 3, 4), day)
    sheet.write_string(1, 2, URL)
    sheet.write_number(2, 0, float(ID))
    sheet.write_string(2, 2, URL)
    book.close()
    with open_archive(path) as archive:
        items = list(archive.items())
        assert [item.post_id for item in items] == [ID, None]
        assert str(items[0].posted_at) == "2024-03-04 00:00:00+00:00"
        assert "lost digits" in archive.warnings[0]


def test_a_workbook_that_is_none(tmp_path: Path) -> None:
    path = written(tmp_path, b"PK\x03\x04 nothing", "t.xlsx")
    with pytest.raises(ArchiveError, match="not a whole workbook"):
        open_archive(path)


def test_addresses_of_posts_are_not_taken_for_pictures(tmp_path: Path) -> None:
    text = f"url,media,date\nhttps://x.com/anytown/status/{ID},{URL},2024-01-15\n"
    with open_archive(written(tmp_path, text)) as archive:
        assert archive.describe().mapping == {"url": "media", "post_url": "url", "date": "date"}
    with pytest.raises(ArchiveError, match="no column with picture addresses or files; columns: url"):
        items_of(written(tmp_path, f"url\nhttps://x.com/anytown/status/{ID}\n"))


def test_numbered_columns_belong_together(tmp_path: Path) -> None:
    items = items_of(written(tmp_path, f"id,image_url_1,image_url_2\n1,{URL},{URL}?2\n2,{URL},\n"))
    assert [(item.post_id, item.media_index) for item in items] == [("1", 0), ("1", 1), ("2", 0)]


def test_lines_above_the_header_are_left_out(tmp_path: Path) -> None:
    head = 'Report:,Anytown\nBrand:,"Anytown, Police"\nFrom:,01/01/2024\n\n'
    rows = "".join(f"{day}/01/2024,anytown,words,{URL}?{day}\n" for day in range(10, 20))
    items = items_of(written(tmp_path, f"{head}Date,Author,Snippet,Media URLs\n{rows}"))
    assert len(items) == 10
    assert (items[0].account, str(items[0].posted_at)[:10]) == ("anytown", "2024-01-10")


def test_cells_that_are_objects(tmp_path: Path) -> None:
    entities = '{""media"":[{""media_url"":""http://pbs.twimg.com/media/A.jpg"",""media_url_https"":'
    entities += '""https://pbs.twimg.com/media/A.jpg"",""expanded_url"":""https://x.com/a/status/1/photo/1""}]}'
    (item,) = items_of(written(tmp_path, f'id_str,from_user,entities_str\n{ID},a,"{entities}"\n'))
    assert item.media_url == "https://pbs.twimg.com/media/A.jpg"
    photo = f"[Photo(previewUrl='{URL}?name=small', fullUrl='{URL}?name=orig')]"
    film = "['https://pbs.twimg.com/ext_tw_video_thumb/1/pu/img/V.jpg']"
    items = items_of(written(tmp_path, f'id,media\n{ID},"{photo}"\n{ID},"{film}"\n'))
    assert (items[0].media_url, items[0].status) == (f"{URL}?name=orig", Status.REMOTE)
    assert items[1].status == Status.VIDEO_SKIPPED


@pytest.mark.parametrize("name", ["t.xls", "t.ods"])
def test_other_spreadsheets_are_refused_with_advice(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match=r"save it as \.xlsx or \.csv"):
        open_archive(written(tmp_path, b"\xd0\xcf\x11\xe0", name))


def test_a_row_with_address_and_file_counts_once(make_folder: Make, png: bytes) -> None:
    header = "Created,CreatedUniversal,MediaUrl,TweetId,Username,TweetUrl,TweetText,Filename"
    rows = "".join(
        f"05/0{day}/2024 21:30:00,2024-05-0{day} 21:30:00Z,{URL}?{day},178500000000000012{day},anytown,"
        f"https://twitter.com/anytown/status/178500000000000012{day},Knife seized,2024-05-0{day} a.png\n"
        for day in (1, 2, 3)
    )
    members = {"t.csv": f"{header}\n{rows}", "2024-05/2024-05-01 a.png": png, "2024-05/2024-05-02 a.png": png}
    with open_archive(make_folder(members)) as archive:
        items = list(archive.items())
        assert archive.describe().mapping["date"] == "CreatedUniversal"
    assert [item.status for item in items] == [Status.PRESENT, Status.PRESENT, Status.REMOTE]
    assert [str(item.posted_at)[:10] for item in items] == ["2024-05-01", "2024-05-02", "2024-05-03"]
    assert {item.text for item in items} == {"Knife seized"}
    assert items[0].media_url == f"{URL}?1"


def test_a_mapping_changes_one_column_and_keeps_the_other_guesses(tmp_path: Path) -> None:
    path = written(tmp_path, f"tweet_id,image_url,account,force,date\n{ID},{URL},wrong,right,2024-01-15\n")
    (item,) = items_of(path, mapping={"account": "force"})
    assert (item.account, item.media_url, item.post_id, str(item.posted_at)[:10]) == ("right", URL, ID, "2024-01-15")


def test_a_mapping_is_for_tables_only(tmp_path: Path, make_folder: Make, png: bytes) -> None:
    path = written(tmp_path, f"a,b\n{URL},right\n")
    folder = make_folder({"pics/a.png": png})
    with open_archive([folder, path], mapping={"account": "b"}) as archive:
        assert [(item.source_format, item.account) for item in archive.items()] == [
            ("plain_folder", None),
            ("table", "right"),
        ]


def test_thumbnail_and_original_are_one_picture(tmp_path: Path) -> None:
    bare = URL.removesuffix(".jpg")
    cell = f'[{{""thumbnail"": ""{bare}?format=jpg&name=thumb"", ""original"": ""{bare}?format=jpg&name=orig""}}]'
    (item,) = items_of(written(tmp_path, f'tweet_id,media\n{ID},"{cell}"\n'))
    assert str(item.media_url).endswith("name=orig")
    (item,) = items_of(written(tmp_path, f"tweet_id,image_url\n{ID},{URL}:thumb {URL}:large\n"))
    assert str(item.media_url).endswith(":large")


def months(path: Path, **how: object) -> tuple[dict[str, int], dict[str, str]]:
    with open_archive(path, **how) as archive:  # type: ignore[arg-type]
        found = archive.describe()
        return dict(found.months), dict(found.order)


def test_the_whole_column_decides_the_order_of_dates(tmp_path: Path) -> None:
    rows = "".join(f"t{i},{1 + i % 12}/{1 + i * 5 % 12}/2023,{URL}?{i}\n" for i in range(200))
    found, order = months(written(tmp_path, f"tweet_id,date,media_url\n{rows}t999,12/31/2023,{URL}?999\n"))
    assert len(found) == 12
    assert "month first: 1 of" in order["date in t.csv"]


def test_post_ids_and_clear_columns_decide_the_order_of_dates(tmp_path: Path) -> None:
    ids = f"tweet_id,date,media_url\n1785446532510646272,05/01/2024,{URL}\n1786002697221046272,05/02/2024,{URL}?2\n"
    # The first is of 23:10 on the 30th in UTC: the id tells the time to a day that is some zone's.
    assert months(written(tmp_path, ids))[0] == {"2024-04": 1, "2024-05": 1}
    found, order = months(written(tmp_path, ids.replace("05/01", "01/05").replace("05/02", "02/05")))
    assert found == {"2024-04": 1, "2024-05": 1}
    assert "day first: 2 of 2 dates agree" in order["date in t.csv"]
    clear = f"date,seen,media_url\n05/02/2024,2024-05-02T10:00:00Z,{URL}\n"
    assert months(written(tmp_path, clear))[0] == {"2024-05": 1}


def test_an_order_of_dates_that_nothing_tells_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, f"name,date,media_url\nx,04/05/2024,{URL}\ny,05/06/2024,{URL}?2\n")
    with pytest.raises(ArchiveError, match="--mapping month_first=true"):
        items_of(path)
    assert months(path, mapping={"month_first": True})[0] == {"2024-04": 1, "2024-05": 1}
    assert months(path, mapping={"month_first": False})[0] == {"2024-05": 1, "2024-06": 1}
    either = written(tmp_path, f"name,date,media_url\nx,05/05/2024,{URL}\ny,05.06.2024,{URL}?2\n", "e.csv")
    assert months(either) == ({"2024-05": 1, "2024-06": 1}, {})


def test_the_choice_of_an_order_is_for_tables_that_do_not_tell(make_folder: Make) -> None:
    """A British and an American table, and one that may be either."""

    def table(*dates: str) -> str:
        return "date,media_url\n" + "".join(f"{date},{URL}?{date}\n" for date in dates)

    folder = make_folder({
        "uk.csv": table(*(f"{day}/05/2024" for day in range(12, 20))),
        "us.csv": "when posted,media_url\n" + table(*(f"05/{day}/2024" for day in range(12, 20))).partition("\n")[2],
        "either.csv": "created at,media_url\n" + table("06/05/2024", "07/05/2024").partition("\n")[2],
    })  # fmt: skip
    assert months(folder, mapping={"month_first": False})[0] == {"2024-05": 18}
    found, order = months(folder, mapping={"month_first": True})
    assert found == {"2024-05": 16, "2024-06": 1, "2024-07": 1}
    assert "your choice is for tables that do not tell" in order["date in uk.csv"]


def test_dates_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    dates = ("2024-05-01", "13.04.24 10:00", "last week", "", "NaN")
    lines = [f"{date},force,https://i.example.org/{k}.jpg" for k, date in enumerate(dates)]
    table.write_text("date,account,image_url\n" + "\n".join(lines) + "\n")
    with open_archive(table) as archive:
        assert [bool(item.posted_at) for item in archive.items()] == [True, False, False, False, False]
        (warning,) = archive.warnings
    assert "2 of the dates in column 'date' can't be read (such as '13.04.24 10:00' in line 3)" in warning


def test_tables_of_one_make_decide_together(make_folder: Make, png: bytes) -> None:
    first = "id,date,file\n1,1/25/2024 9:00 PM,a.png\n"
    members = {"a.csv": first, "b.csv": "id,date,file\n1,4/5/24 9:00 PM,b.png\n"}
    found, _ = months(make_folder({**members, "a.png": png, "b.png": png}))
    assert found == {"2024-01": 1, "2024-04": 1}
