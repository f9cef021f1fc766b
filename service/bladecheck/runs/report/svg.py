"""Small bar charts as SVG text: no script, no font, no network; hatched, so that a grey print tells bars apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 900, 260, 56, 46, 14
ROW, LABELS = 26, 190
FILLS = ("url(#solid)", "url(#hatched)", "url(#pale)")


@dataclass(frozen=True, slots=True)
class Bars:
    """A chart: what it shows in a sentence, and one label with one value per part for every bar."""

    title: str
    parts: tuple[str, ...]
    bars: Sequence[tuple[str, tuple[float, ...]]]


def columns(chart: Bars) -> str:
    """Upright stacked bars, for time and for score ranges."""
    top = nice(max((sum(values) for _, values in chart.bars), default=0))
    plot, step = HEIGHT - BOTTOM - TOP, (WIDTH - LEFT) / max(1, len(chart.bars))
    drawn = [_line(LEFT, WIDTH, TOP + plot * (1 - share), f"{top * share:,.0f}") for share in (0, 0.5, 1)]
    every = max(1, -(-len(chart.bars) // 12))
    for place, (label, values) in enumerate(chart.bars):
        left, base = LEFT + place * step, float(TOP + plot)
        for part, value in enumerate(values):
            height = plot * value / top
            base -= height
            drawn.append(
                _box(left + step * 0.12, base, step * 0.76, height, part, f"{label}: {value:,.0f} {chart.parts[part]}")
            )
        if place % every == 0:
            drawn.append(
                f'<text x="{left + step / 2:.1f}" y="{HEIGHT - BOTTOM + 18}" class="mid">{escape(label)}</text>'
            )
    return _picture(chart, WIDTH, HEIGHT, drawn)


def rows(chart: Bars) -> str:
    """Lying bars with the number at their end, for names."""
    top = max((sum(values) for _, values in chart.bars), default=0) or 1
    drawn, space = [], WIDTH - LABELS - 90
    for place, (label, values) in enumerate(chart.bars):
        left, middle = float(LABELS), place * ROW + ROW / 2
        drawn.append(f'<text x="{LABELS - 8}" y="{middle + 4:.0f}" class="end">{escape(_short(label))}</text>')
        for part, value in enumerate(values):
            drawn.append(
                _box(left, middle - 8, space * value / top, 16, part, f"{label}: {value:,.0f} {chart.parts[part]}")
            )
            left += space * value / top
        drawn.append(
            f'<text x="{left + 8:.1f}" y="{middle + 4:.0f}">{" + ".join(f"{value:,.0f}" for value in values)}</text>'
        )
    return _picture(chart, WIDTH, max(1, len(chart.bars)) * ROW + 4, drawn)


def nice(value: float) -> float:
    """The next round number, for the top of a scale."""
    size = 1.0
    while True:
        for factor in (1, 2, 4, 6, 8):
            if size * factor >= value:
                return max(2.0, size * factor)
        size *= 10


def _box(left: float, top: float, width: float, height: float, part: int, tip: str) -> str:
    if width <= 0 or height <= 0:
        return ""
    return (
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{FILLS[part]}" '
        f'stroke="#0b0c0c" stroke-width="0.6"><title>{escape(tip)}</title></rect>'
    )


def _line(left: float, right: float, y: float, label: str) -> str:
    return (
        f'<line x1="{left:.0f}" x2="{right:.0f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#b1b4b6" stroke-width="1"/>'
        f'<text x="{left - 8:.0f}" y="{y + 4:.1f}" class="end">{label}</text>'
    )


def _picture(chart: Bars, width: int, height: int, drawn: Sequence[str]) -> str:
    if not any(value for _, values in chart.bars for value in values):
        drawn = ['<text x="20" y="20">none</text>']  # an empty chart must not look like one that failed to draw
        height = ROW + 4
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(chart.title, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(drawn)}</svg>'
    )


def _short(label: str) -> str:
    return label if len(label) <= 26 else label[:25] + "…"
