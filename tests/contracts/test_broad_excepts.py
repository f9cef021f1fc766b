"""A guard that catches everything hides faults and damage: each says why it is there, or raises on."""

from __future__ import annotations

import re
from pathlib import Path

SERVICE = Path(__file__).parents[2] / "service" / "bladecheck"
BROAD = re.compile(r"^\s*except( \(?(Base)?Exception\b.*)?:|suppress\((Base)?Exception\)")


def test_every_broad_except_says_why_or_raises_on() -> None:
    found, silent = 0, []
    for path in sorted(SERVICE.rglob("*.py")):
        lines = path.read_text("utf-8").splitlines()
        for number, line in enumerate(lines):
            if not BROAD.search(line):
                continue
            found += 1
            after = lines[number + 1 : number + 5]
            raises = any(re.match(r"\s+raise\b", one) for one in after)
            if "#" not in line and not after[0].strip().startswith("#") and not raises:
                silent.append(f"{path.relative_to(SERVICE)}:{number + 1}")
    assert silent == []
    assert found > 10, "the pattern still finds them"
