"""Readiness tells the truth, also where Python leaves out assertions (`python -O`)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serving import environment

UNLOADED = """
import asyncio
from types import SimpleNamespace
from bladecheck.core.verdict import Policy
from bladecheck.web.health import ready
from bladecheck.web.http_errors import NotReady
from bladecheck.web.metrics import Metrics
from bladecheck.web.settings import Settings
from bladecheck.web.workers import Workers

async def ask():
    workers = Workers(lambda: None, Settings(), Policy(), Metrics())
    try:
        print(await ready(SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(workers=workers)))))
    except NotReady as refusal:
        print("503", refusal.headers["Retry-After"])
    workers.close()

asyncio.run(ask())
"""


@pytest.mark.parametrize("options", [[], ["-O"]])
def test_a_service_whose_model_is_not_loaded_is_not_ready(options: list[str]) -> None:
    command = [sys.executable, *options, "-c", UNLOADED]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("503 1\n", 0), done.stderr
