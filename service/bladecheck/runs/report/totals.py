"""The report's section on totals: estimate.json as a table to recompute and a chart; and what is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from bladecheck.runs.summary import ALL, Summary

WIDTH, ROW, LABELS, RIGHT = 900, 26, 230, 90
MOST = 60
"""Lines of a chart: two accounts over two and a half years; more would push the tables out of sight."""
INTERVALS = "Estimates with their intervals; a dashed line without a dot has too few labels for an estimate"
RANGES = "Ranges that hold if the model errs alike everywhere, by domain"
LEFT_OUT = ("failed", "not_available", "not_pictures")


def estimated(found: Mapping[str, Any] | None, alike: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """What the template says of an estimate; nothing where there is none."""
    if found is None:
        return {"estimate": None, "estimate_charts": (), "alike": (), "ranges": ""}
    sides = {one[side]["name"]: one[side] for one in found["comparisons"] for side in ("before", "after")}
    windows = [{"domain": name, **one} for name, one in sides.items()]
    # Each on a scale of its own: years beside months would press the months into a corner.
    charts = [(intervals(lines[:MOST]), _undrawn(lines)) for lines in (found["domains"], windows) if lines]
    return {
        "estimate": found,
        "estimate_charts": charts,
        "alike": alike,
        "ranges": ranges(alike[:MOST]) + _undrawn(alike),
    }


def _undrawn(lines: Sequence[Any]) -> str:
    return f'<p class="small">The first {MOST} of {len(lines):,} are drawn.</p>' if len(lines) > MOST else ""


def intervals(lines: Sequence[Mapping[str, Any]]) -> str:
    """A chart with a line from limit to limit each, and a dot only where there is an estimate."""
    top = max((line["high"] for line in lines), default=0)
    if not top:
        return _picture(ROW + 4, '<text x="20" y="20">none</text>')
    space, drawn = WIDTH - LABELS - RIGHT, []
    for place, line in enumerate(lines):
        middle = place * ROW + ROW / 2
        left, right = (LABELS + space * line[name] / top for name in ("low", "high"))
        firm = line["state"] == "estimate"
        label = escape(line["domain"] if len(line["domain"]) <= 30 else line["domain"][:29] + "…")
        dash = "" if firm else ' stroke-dasharray="4 3"'
        drawn.append(f'<text x="{LABELS - 8}" y="{middle + 4:.0f}" class="end">{label}</text>')
        drawn.append(
            f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" stroke="#1d3c63" '
            f'stroke-width="3"{dash}><title>{line["at_least"]:,} to {line["at_most"]:,}</title></line>'
        )
        if firm:
            dot = LABELS + space * line["estimate"] / top
            drawn.append(f'<circle cx="{dot:.1f}" cy="{middle:.1f}" r="5" fill="#1d3c63"/>')
        drawn.append(f'<text x="{right + 8:.1f}" y="{middle + 4:.0f}">{line["at_most"]:,}</text>')
    return _picture(len(lines) * ROW + 4, "".join(drawn))


def ranges(lines: Sequence[Mapping[str, Any]]) -> str:
    """Hatched bars from the fewest to the most of each domain: they must not look like intervals."""
    top, drawn = max((line["range_high"] for line in lines), default=0), []
    if not top:
        return _picture(ROW + 4, '<text x="20" y="20">none</text>', RANGES)
    for place, line in enumerate(lines):
        middle, scale = place * ROW + ROW / 2, (WIDTH - LABELS - RIGHT) / top
        left, width = LABELS + scale * line["range_low"], scale * (line["range_high"] - line["range_low"])
        label = line["domain"] if len(line["domain"]) <= 30 else line["domain"][:29] + "…"
        drawn.append(f'<text x="{LABELS - 8}" y="{middle + 4:.0f}" class="end">{escape(label)}</text>')
        drawn.append(
            f'<rect x="{left:.1f}" y="{middle - 8:.1f}" width="{max(width, 1):.1f}" height="16" fill="url(#hatched)" '
            f'stroke="#0b0c0c" stroke-width="0.6"/>'
        )
        words = f"{line['range_low']:,} to {line['range_high']:,}"
        drawn.append(f'<text x="{left + max(width, 1) + 6:.1f}" y="{middle + 4:.0f}">{words}</text>')
    return _picture(len(lines) * ROW + 4, "".join(drawn), RANGES)


def _picture(height: int, drawn: str, title: str = INTERVALS) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}" '
        f'xmlns="http://www.w3.org/2000/svg">{drawn}</svg>'
    )


def left_out(summary: Summary) -> list[dict[str, Any]]:
    """Rows by account and year that no count of scored pictures covers; only where there are any."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for line in summary.lines():
        if line["month"] != ALL and any(line[name] for name in LEFT_OUT):
            cell = found.setdefault((line["account"], line["month"][:4]), dict.fromkeys(LEFT_OUT, 0))
            for name in LEFT_OUT:
                cell[name] += line[name]
    return [
        {"account": account, "year": "unknown" if year == "unkn" else year, **cell}
        for (account, year), cell in sorted(found.items())
    ]
