"""Under a path: whose word on it is believed, what it can be, and that everything else holds there as well."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx2
import pytest

from bladecheck.core.classifier import Classifier
from bladecheck.web import prefixes
from bladecheck.web.app import create_app
from bladecheck.web.settings import Settings


@pytest.mark.parametrize("proxies", ["127.0.0.1", ""])
@pytest.mark.parametrize(
    ("said", "used"),
    [
        ("/bladecheck", "/bladecheck"),
        ("/tools/knives/", "/tools/knives"),
        ("/outer, /inner", "/inner"),
        ("//evil.example", ""),
        ("/a/../b", ""),
        ("https://evil.example", ""),
        ('/x"><script>', ""),
        ("/check", ""),
        ("/", ""),
    ],
)
def test_whose_word_on_the_path_is_believed(classifier: Classifier, proxies: str, said: str, used: str) -> None:
    app = create_app(classifier, Settings(trusted_proxies=proxies))  # type: ignore[arg-type]
    status, body = ask(app, "/help", {"X-Forwarded-Prefix": said})
    assert status == 200
    expected = used if proxies else ""
    assert f'href="{expected}/privacy"' in body
    assert "evil" not in body


@pytest.mark.parametrize("path", ["/help", "/bladecheck/help"])
def test_the_setting_goes_before_the_header(classifier: Classifier, path: str) -> None:
    app = create_app(classifier, Settings(trusted_proxies="127.0.0.1", root_path="/bladecheck"))  # type: ignore[arg-type]
    status, body = ask(app, path, {"X-Forwarded-Prefix": "/other"})
    assert status == 200
    assert "/other" not in body
    assert set(re.findall(r'(?:href|src|action)="(/[a-z]+)', body)) == {"/bladecheck"}


def test_the_api_under_a_path(classifier: Classifier) -> None:
    app = create_app(classifier, Settings(root_path="/bladecheck", api_key_hashes="0" * 64))  # type: ignore[arg-type]
    assert ask(app, "/bladecheck/healthz")[0] == ask(app, "/healthz")[0] == 200  # open to probes, by either way
    status, body = ask(app, "/bladecheck/v1/model")
    assert (status, json.loads(body)["code"]) == (401, "key_required")
    assert "key_required]" in json.loads(ask(app, "/bladecheck/v2/models/base")[1])["error"]  # in that protocol's shape
    for way in ("/healthz/../v1/model", "/bladecheck/bladecheck/healthz", "/bladecheck/healthz/bladecheck/v1/model"):
        assert ask(app, way)[0] == 401
    opened = create_app(classifier, Settings(root_path="/bladecheck"))
    document = json.loads(ask(opened, "/bladecheck/openapi.json")[1])
    assert document["servers"] == [{"url": "/bladecheck"}]
    assert "/v1/classify" in document["paths"]


@pytest.mark.parametrize("path", ["bladecheck", "//a", "/v1/a", "/a b", "/a/../b", "/.."])
def test_a_path_that_can_not_be_is_refused_at_the_start(path: str) -> None:
    with pytest.raises(ValueError, match="is no path such as /bladecheck"):
        Settings(root_path=path)


def test_every_path_of_our_own_is_known(classifier: Classifier) -> None:
    routes: list[Any] = list(create_app(classifier, Settings()).routes)
    firsts = {route.path.split("/")[1] for route in routes if getattr(route, "path", "/") != "/"}
    assert firsts - {""} <= prefixes.OWN


def ask(app: Any, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """GET without a server, as from 127.0.0.1."""

    async def asked() -> tuple[int, str]:
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as client,
        ):
            answer = await client.get(path, headers={"Accept": "text/html", **(headers or {})})
            return answer.status_code, answer.text

    return asyncio.run(asked())
