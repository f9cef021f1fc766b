"""Drawn archives of any size in the formats that people hold; used by the benchmarks and for looking at reports."""

from __future__ import annotations

import csv
import io
import json
import random
import tarfile
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image, ImageDraw

BEGIN, DAYS = datetime(2019, 1, 1, tzinfo=UTC), 5 * 365
ACCOUNTS = ("anytown_police", "othertown_police", "thirdtown_cops", "MPS_Example_Ward", "hill_road_snt")
SNOWFLAKE_EPOCH_MS = 1_288_834_974_657


def picture(number: int, size: tuple[int, int] = (120, 90)) -> bytes:
    """A JPEG that no other number gives; one in fifty is a copy of another, one in five hundred is cut off."""
    chance = random.Random(number if number % 50 else number // 500)
    colour = chance.choices(((220, 30, 30), (40, 160, 60), (40, 60, 200), (150, 150, 150)), (1, 8, 2, 9))[0]
    image = Image.new("RGB", size, tuple(max(0, min(255, value + chance.randrange(-30, 31))) for value in colour))
    pen = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        box = (x, y, x + chance.randrange(2, 50), y + chance.randrange(2, 40))
        pen.ellipse(box, tuple(chance.randrange(256) for _ in range(3)))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=chance.randrange(60, 95))
    data = buffer.getvalue()
    return data[: len(data) // 2] if number % 500 == 499 else data


def moment(number: int) -> datetime:
    """When post `number` was made: more in later years, none at night."""
    chance = random.Random(number + 10**9)
    day = int(DAYS * chance.random() ** 0.6)
    return BEGIN + timedelta(days=day, hours=chance.randrange(7, 22), minutes=chance.randrange(60))


def post_id(number: int) -> str:
    """An X post id that holds its date."""
    return str((int(moment(number).timestamp() * 1000) - SNOWFLAKE_EPOCH_MS << 22) + number % 4096)


def archives(folder: Path, count: int) -> list[Path]:
    """Write a quarter of the pictures each as an X archive, a table with a folder, a tar and a gallery-dl folder."""
    folder.mkdir(parents=True)
    quarter = -(-count // 4)
    parts = [range(start, min(count, start + quarter)) for start in range(0, count, quarter)]
    makers = (x_archive, table, tar, gallery)
    return [make(folder, numbers) for make, numbers in zip(makers, parts, strict=False)]


def x_archive(folder: Path, numbers: range) -> Path:
    """The zip that X hands out, with two pictures a post."""
    path, tweets = folder / "twitter-2024-01-01.zip", []
    with zipfile.ZipFile(path, "w") as archive:
        for first in numbers[::2]:
            media = []
            for number in range(first, min(first + 2, numbers.stop)):
                name = f"G{number:014d}"
                archive.writestr(f"data/tweets_media/{post_id(first)}-{name}.jpg", picture(number))
                address = f"https://pbs.twimg.com/media/{name}.jpg"
                media.append({"id_str": str(number), "type": "photo", "media_url_https": address})
            posted = moment(first).strftime("%a %b %d %H:%M:%S +0000 %Y")
            tweets.append({"tweet": {"id_str": post_id(first), "created_at": posted, "full_text": "Off the streets.",
                                     "extended_entities": {"media": media}}})  # fmt: skip
        archive.writestr("data/tweets.js", "window.YTD.tweets.part0 = " + json.dumps(tweets))
        account = [{"account": {"username": ACCOUNTS[0], "accountId": "1", "accountDisplayName": "Anytown Police"}}]
        archive.writestr("data/account.js", "window.YTD.account.part0 = " + json.dumps(account))
        archive.writestr("Your archive.html", "<html></html>")
    return path


def table(folder: Path, numbers: range) -> Path:
    """A CSV beside a folder of pictures."""
    place = folder / "table"
    (place / "pictures").mkdir(parents=True)
    with (place / "posts.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(("post_id", "account", "created_at", "text", "file"))
        for number in numbers:
            (place / "pictures" / f"{number}.jpg").write_bytes(picture(number))
            account = ACCOUNTS[1 + number % 4]
            out.writerow((post_id(number), account, moment(number).isoformat(), "Found", f"pictures/{number}.jpg"))
    return place


def tar(folder: Path, numbers: range) -> Path:
    """A tar of pictures named by post."""
    path = folder / "pictures.tar"
    with tarfile.open(path, "w") as archive:
        for number in numbers:
            data = picture(number)
            info = tarfile.TarInfo(f"{post_id(number)}-G{number:014d}.jpg")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def gallery(folder: Path, numbers: range) -> Path:
    """What gallery-dl leaves: a picture and its sidecar."""
    place = folder / "gallery-dl" / "twitter" / ACCOUNTS[2]
    place.mkdir(parents=True)
    for number in numbers:
        name = f"{post_id(number)}_1.jpg"
        (place / name).write_bytes(picture(number))
        author = {"id": 3, "name": ACCOUNTS[2], "nick": "Thirdtown"}
        about = {"tweet_id": int(post_id(number)), "date": f"{moment(number):%Y-%m-%d %H:%M:%S}", "author": author,
                 "num": 1, "category": "twitter", "content": "Knife bin", "extension": "jpg"}  # fmt: skip
        (place / f"{name}.json").write_text(json.dumps(about))
    return folder / "gallery-dl"


def photographs(count: int, size: tuple[int, int] = (1200, 900)) -> Iterator[bytes]:
    """Large JPEGs with detail, about as costly to decode as photographs."""
    for number in range(count):
        chance = random.Random(number)
        noise = Image.effect_noise((size[0] // 4, size[1] // 4), 60).resize(size, Image.Resampling.BICUBIC)
        image = Image.merge("RGB", (noise, noise.transpose(Image.Transpose.ROTATE_180), noise))
        pen = ImageDraw.Draw(image)
        for _ in range(40):
            x, y = chance.randrange(size[0]), chance.randrange(size[1])
            pen.ellipse((x, y, x + 150, y + 90), tuple(chance.randrange(256) for _ in range(3)))
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=85)
        yield buffer.getvalue()
