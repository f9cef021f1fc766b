"""The report's page: facts into one HTML file that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.core.taxonomy import BLADE_WORDS
from bladecheck.errors import RunError
from bladecheck.runs import folder, journal
from bladecheck.runs.counts.unlike import sentence
from bladecheck.runs.exports import Export
from bladecheck.runs.report import svg
from bladecheck.runs.report.facts import BINS, Facts, accounts, gather, months, years
from bladecheck.runs.report.svg import Bars
from bladecheck.runs.report.totals import estimated, left_out
from bladecheck.runs.summary import UNKNOWN

TEMPLATE = "report.html.j2"
MOST_ACCOUNTS, MOST_WARNINGS = 30, 10
ABOUT_ERRORS = {
    "remote": "Known by its address only: run again with --fetch to download it.",
    "missing_media": "The archive speaks of it and does not hold it.",
    "video_skipped": "A video, which was not looked at.",
    "not_an_image": "The archive has a file in its place that is no picture.",
}


def render(
    export: Export, caveats: list[str], title: str | None = None, estimate: Mapping[str, Any] | None = None,
    alike: Sequence[Mapping[str, Any]] = (),
) -> str:  # fmt: skip
    """The HTML of the report.

    Args:
        export: the run's rows and provenance.
        caveats: what is not whole about the run, in sentences.
        title: of the report; None makes one of the accounts.
        estimate: estimate.json, where a sample was labelled.
        alike: ranges of domains that hold if the model errs alike everywhere.

    Raises:
        RunError: the template library is missing.
    """
    try:
        import jinja2
    except ImportError as error:
        raise RunError("The report needs an optional library: pip install 'bladecheck[archive]'.") from error
    facts = gather(export.rows(), export.timezone)
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["number"] = lambda value: f"{value:,}" if isinstance(value, int) else "–"
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f} %"
    return environment.get_template(TEMPLATE).render(
        {**_context(export, facts, caveats, title), **estimated(estimate, alike)}
    )


def save(html: str, target: Path) -> None:
    """Write the page in one step.

    Raises:
        RunError: the place can't be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise journal.failure(target, error) from error
    folder.replace(target, html.encode("utf-8", "replace"))


def _context(export: Export, facts: Facts, caveats: list[str], title: str | None) -> dict[str, Any]:
    lines, manifest = facts.summary.lines(), export.manifest
    people = accounts(lines)
    return {
        "title": title or "Pictures of " + _whom([name for name, _ in people]),
        "caveats": caveats,
        "found": next((one["found"] for one in reversed(manifest["sessions"]) if one.get("found")), None),
        "notes": _notes(manifest["sessions"]),
        "manifest": manifest,
        "card": manifest.get("model_card") or {},
        "timezone": export.timezone,
        "version": __version__,
        "total": lines[-1],
        "lines": lines[:-1],
        "counts": (counts := facts.summary.counts()),
        "unlike": sentence(counts, manifest.get("model_card") or {}),
        "months": (by_month := months(lines)),
        "years": years(by_month),
        "accounts": people[:MOST_ACCOUNTS],
        "more_accounts": len(people) - MOST_ACCOUNTS,
        "kinds": [(BLADE_WORDS.get(kind, kind), count) for kind, count in facts.summary.kinds.most_common()],
        "failures": _failures(facts),
        "copies": sorted(facts.copies.items(), key=lambda pair: (-pair[1], pair[0])),
        "readers": _warnings(manifest["sessions"]),
        "columns": _columns(manifest["sessions"]),
        "not_covered": left_out(facts.summary),
        "dates": facts.dates.most_common(),
        "formats": facts.formats.most_common(),
        "charts": _charts(facts, by_month, people),
    }


def _notes(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    """How dates of tables were read, in every session that read one, in sentences."""
    found = {
        f"Dates of column {column} were taken {why}."
        for session in sessions
        for column, why in (session.get("date_order") or {}).items()
    }
    return sorted(found)


def _warnings(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    """What readers had to say in any session, each once: what was not read, and the like."""
    found = list(dict.fromkeys(text for session in sessions for text in session.get("warnings") or ()))
    more = [f"{len(found) - MOST_WARNINGS:,} more remarks stand in run.json."] if len(found) > MOST_WARNINGS else []
    return found[:MOST_WARNINGS] + more


def _charts(facts: Facts, by_month: list[Any], people: list[Any]) -> dict[str, str]:
    parts = ("hold", "check")
    monthly = [(name, (cell.get("hold", 0), cell.get("check", 0))) for name, cell in by_month if name != UNKNOWN]
    accounted = [(name, (cell["hold"], cell["check"])) for name, cell in people[:MOST_ACCOUNTS]]
    spread = [(f"{place / BINS:.2f}", (count,)) for place, count in enumerate(facts.scores)]
    kinds = [(BLADE_WORDS.get(kind, kind), (count,)) for kind, count in facts.summary.kinds.most_common()]
    return {
        "months": svg.columns(Bars("Pictures marked hold and check, by month", parts, monthly)),
        "accounts": svg.rows(Bars("Pictures marked hold and check, by account", parts, accounted)),
        "scores": svg.columns(Bars("How many pictures got which knife score, from 0 to 1", ("pictures",), spread)),
        "kinds": svg.rows(Bars("Pictures marked hold, by kind of blade", ("pictures",), kinds)),
    }


def _failures(facts: Facts) -> list[dict[str, Any]]:
    found = []
    for (status, code), count in facts.summary.errors.most_common():
        row = facts.examples.get((status, code), {})
        where = row.get("member") or row.get("media_url") or row.get("source")
        detail = row.get("error_detail") or ABOUT_ERRORS.get(status, "")
        found.append({"status": status, "code": code, "count": count, "detail": detail, "where": where})
    return found


def _columns(sessions: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Which column of a table was taken for what, in every session that read one."""
    found = {
        (meaning, str(column))
        for session in sessions
        for meaning, column in (session.get("reading", {}).get("columns") or session.get("columns") or {}).items()
    }
    return sorted(found)


def _whom(names: list[str]) -> str:
    known = [f"@{name}" for name in names if name != UNKNOWN]
    if not known:
        return "an archive"
    return " and ".join(known) if len(known) <= 2 else f"{len(known)} accounts"
