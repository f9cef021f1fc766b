"""What this computer offers."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Processor cores that this process may use; in a container that pins its processes, fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
