"""What a run can be turned into: one small file per format, each a function from rows to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bladecheck.runs.columns import Row


@dataclass(frozen=True, slots=True)
class Export:
    """Everything that a format may draw on.

    Attributes:
        rows: starts a pass over the published rows; any number of passes.
        manifest: run.json.
        timezone: whose months the summary uses.
    """

    rows: Callable[[], Iterator[Row]]
    manifest: Mapping[str, Any]
    timezone: str

    @property
    def labels(self) -> dict[str, str]:
        """What a file carries along to say what it is: run, model, policy and versions, as text."""
        model, policy = self.manifest["model"], self.manifest["policy"]
        return {
            "bladecheck_run": self.manifest["run_id"],
            "bladecheck_model": f"{model['name']} {model['version']}",
            "bladecheck_model_sha256": model["sha256"],
            "bladecheck_policy": policy["name"],
            "bladecheck_policy_sha256": policy["sha256"],
            "bladecheck_counts": "raw counts of one model, not corrected for its errors",
        }


Writer = Callable[[Export, Path], None]
"""Writes an export to a path that does not exist yet: a file, or a folder where the format is one."""
