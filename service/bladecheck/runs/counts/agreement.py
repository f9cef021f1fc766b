"""How far two labellers agree, on the part that both saw whatever the first had said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from bladecheck.runs.counts.draw import second_share
from bladecheck.runs.counts.frame import Unit
from bladecheck.runs.counts.labels import ANSWERS, Answer, Labels

Z95 = 1.959963984540054


def wilson(yes: int, count: int) -> tuple[float, float]:
    """95 % score interval of a share (Wilson 1927)."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = yes / count, Z95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def agreement(units: dict[str, Unit], drawn: Sequence[str], labels: Labels) -> dict[str, Any] | None:
    """Raw agreement with its interval, the table of answers, kappa and alpha; None without second answers."""
    pairs = _pairs(units, drawn, labels)
    if not pairs:
        return None
    table = Counter(pairs)
    same = sum(count for (one, other), count in table.items() if one == other)
    low, high = wilson(same, len(pairs))
    return {
        "pictures": len(pairs),
        "agree": same,
        "share": same / len(pairs),
        "low": low,
        "high": high,
        "table": [{"first": one, "second": other, "pictures": count} for (one, other), count in sorted(table.items())],
        **_chance(pairs),
        "note": "Kappa and alpha fall when knives are rare, however well two people agree.",
    }


def _pairs(units: dict[str, Unit], drawn: Sequence[str], labels: Labels) -> list[tuple[Answer, Answer]]:
    found = {}
    for name in second_share(drawn):
        for row in units[name].rows if name in units else ():
            first, second = labels.given("first", *row), labels.given("second", *row)
            if first and second:
                found[row[1]] = (first.answer, second.answer)
    return list(found.values())


def _chance(pairs: Sequence[tuple[Answer, Answer]]) -> dict[str, float | None]:
    """Cohen's kappa and Krippendorff's alpha; None where one answer was all there was, which leaves them undefined."""
    if len({answer for pair in pairs for answer in pair}) < 2:
        return {"kappa": None, "alpha": None}
    import krippendorff
    from statsmodels.stats.inter_rater import cohens_kappa

    codes = [(ANSWERS.index(one), ANSWERS.index(other)) for one, other in pairs]
    table = [[codes.count((one, other)) for other in range(len(ANSWERS))] for one in range(len(ANSWERS))]
    kappa = float(cohens_kappa(table, return_results=False))
    alpha = float(krippendorff.alpha(list(zip(*codes, strict=True)), level_of_measurement="nominal"))
    return {"kappa": kappa, "alpha": alpha}
