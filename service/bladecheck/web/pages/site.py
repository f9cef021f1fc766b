"""What every page shares: templates, versioned static files, and the key that results are sealed with."""

from __future__ import annotations

import hashlib
import hmac
import multiprocessing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from bladecheck import __version__
from bladecheck.core import record
from bladecheck.web import prefixes
from bladecheck.web.pages import languages
from bladecheck.web.pages.error_pages import FriendlyErrors
from bladecheck.web.pages.languages import Language, Translated
from bladecheck.web.pages.wording import SERVICE

FOLDER = Path(__file__).parents[1] / "static"
NAVIGATION = (("/", "Check pictures"), ("/help", "Help"), ("/model", "The model"))
FOOTER = (("/privacy", "Privacy"), ("/accessibility", "Accessibility statement"), ("/docs", "For programs: the API"))
PRIVATE = {"Cache-Control": "no-store"}
PIECE = {"Cache-Control": "private, no-cache"}
"""For answers to the page's own script. One that says no-store would keep browsers from holding the page they belong to
in their back/forward cache, and Back would lose every answer. Answers to POST are not stored without leave anyway."""
PUBLIC = {"Cache-Control": "no-cache"}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class PageProblem:
    """One line of an error summary; `field` is the id of the input that it links to, if there is one."""

    text: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """Templates, the folder under /static that changes with its files, the sealing key of this run, the force's key."""

    templates: Environment
    static: str
    key: bytes
    record_key: bytes | None = None
    language: Language = languages.ENGLISH

    def render(self, template: str, base: str, values: Mapping[str, Any]) -> str:
        """The page as text; `base` is the path that a proxy serves the application under."""
        shared = {
            "asset": lambda name: f"{base}{self.static}/{name}",
            "base": base,
            "errors": (),
            "footer": FOOTER,
            "foreign": self.language.code != "en" and template not in languages.TRANSLATED,
            "here": None,
            "language": self.language.code,
            "navigation": NAVIGATION,
            "piece": False,
            "script_words": self.language.script,
            "service": SERVICE,
            "version": __version__,
        }
        return self.templates.get_template(template).render({**shared, **values})


class VersionedFiles(StaticFiles):
    """Static files under a name that changes with their content, so browsers may keep them for good."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = FOREVER
        return response


def mount_static(app: FastAPI) -> None:
    """Give the application its static files, its friendly error pages and `app.state.site`."""
    static = f"/static/{_digest(FOLDER)}"
    language = languages.find(app.state.policy.language)
    kept = app.state.settings.record_key
    record_key = record.read_key(kept) if kept else None
    app.state.site = Site(_templates(language), static, sealing_key(), record_key, language)
    app.mount(static, VersionedFiles(directory=FOLDER), name="static")
    app.add_middleware(FriendlyErrors, page=_error_page)


def _templates(language: Language) -> Environment:
    made = Environment(
        loader=PackageLoader("bladecheck.web.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        auto_reload=False,
        extensions=[Translated],
    )
    made.extend(language=language)
    made.filters["t"] = language.say
    made.filters["lower_first"] = lambda text: f"{text[:1].lower()}{text[1:]}"
    return made


def sealing_key() -> bytes:
    """The key that results are sealed with: drawn anew for each run, and the same in all processes of one run."""
    return hmac.digest(multiprocessing.current_process().authkey, b"bladecheck record", "sha256")


def respond(
    request: Request,
    template: str,
    *,
    status: int = 200,
    private: bool = False,
    piece: bool = False,
    **values: Any,
) -> HTMLResponse:
    """A page as the answer to a request; `private` pages must not be stored by browsers or proxies.

    A `piece` of a page is asked for, and held, by the page's own script.
    """
    headers = PIECE if piece else PRIVATE if private else PUBLIC
    return HTMLResponse(
        text(request.scope, template, {"here": prefixes.route(request.scope), "piece": piece, **values}),
        status,
        headers,
    )


def text(scope: Scope, template: str, values: Mapping[str, Any]) -> str:
    """Render a template for the application and path prefix that a request came in by."""
    site: Site = scope["app"].state.site
    return site.render(template, prefixes.base(scope), values)


def _error_page(scope: Scope, values: Mapping[str, Any]) -> str:
    return text(scope, "error.html", values)


def _digest(folder: Path) -> str:
    """Twelve hex digits over the names and contents of all static files."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]
