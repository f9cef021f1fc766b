"""How much of a run is unlike what its model was measured on, in a sentence that anybody can weigh."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bladecheck.runs.counts.agreement import wilson

MUCH = 3.0
"""So many times the share that is expected, beyond chance, is worth a warning."""


def sentence(counts: Mapping[str, Any], card: Mapping[str, Any]) -> str | None:
    """What to say of the pictures outside the measured range; None if the model does not say which they are.

    Args:
        counts: of the run, with `unlike` as run.json has it.
        card: the model's bundle.json, with `embedding_range` if it states one.
    """
    found = counts.get("unlike")
    if not found:
        return None
    pictures, scored = found["pictures"], found["of"]
    low, high = wilson(pictures, scored)
    expected = 1 - ((card.get("embedding_range") or {}).get("share") or 0.99)
    said = (f"{pictures:,} of {scored:,} pictures ({pictures / scored:.1%}; 95 % interval {low:.1%} to {high:.1%}) are "
            f"unlike those that the model was measured on, of which {expected:.0%} are")  # fmt: skip
    if low > MUCH * expected:
        return (f"{said}: its stated error rates may not hold here. Label a random sample and see how the model does "
                "on it (bladecheck evaluate RUN) before you rely on these counts.")  # fmt: skip
    return f"{said}."
