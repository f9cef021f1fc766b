"""Drawn X archives for tests."""

from __future__ import annotations

import json
from pathlib import Path

from archives.conftest import picture

EPOCH_MS = 1_288_834_974_657


def snowflake(number: int) -> str:
    """The id of a post made on the given hour of June 2024, as X gives them."""
    return str(((1_717_200_000_000 + number * 3_600_000 + 123) - EPOCH_MS << 22) + 4097 * number + 77)


def tweet(number: int, text: str, *names: str, **more: object) -> dict[str, object]:
    """An entry of tweets.js; `more` goes to each medium."""
    media = [{"type": "photo", "media_url_https": f"https://pbs.twimg.com/media/{name}.jpg", **more} for name in names]
    day, hour = divmod(number, 24)
    created = f"Sat Jun {1 + day:02} {hour:02}:00:00 +0000 2024"
    return {"tweet": {"id_str": snowflake(number), "created_at": created, "full_text": text,
                      "entities": {}, "extended_entities": {"media": media}}}  # fmt: skip


def account_js(name: str = "AnytownPolice", number: str = "123") -> str:
    held = [{"account": {"username": name, "accountId": number}}]
    return "window.YTD.account.part0 = " + json.dumps(held)


def x_members(posts: list[dict[str, object]], lacking: tuple[str, ...] = (), name: str = "AnytownPolice",
              number: str = "123") -> dict[str, object]:  # fmt: skip
    """The members of an X archive with these posts and their pictures."""
    members: dict[str, object] = {
        "data/account.js": account_js(name, number),
        "data/tweets.js": "window.YTD.tweets.part0 = " + json.dumps(posts),
    }
    for entry in posts:
        post: dict[str, object] = entry["tweet"]  # type: ignore[assignment]
        for medium in post["extended_entities"]["media"]:  # type: ignore[index]
            base = medium["media_url_https"].rsplit("/", 1)[1]
            if base.split(".")[0] not in lacking:
                members[f"data/tweets_media/{post['id_str']}-{base}"] = picture(sum(map(ord, base)))
    return members


def write(folder: Path, members: dict[str, object]) -> Path:
    """Writes members as files; returns the folder."""
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else str(data).encode())
    return folder
