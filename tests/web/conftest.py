"""One server for all tests that don't need settings of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from serving import Running, serve


@pytest.fixture(scope="session")
def server(tiny_path: Path) -> Iterator[Running]:
    with serve(tiny_path) as running:
        yield running


@pytest.fixture
def http(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client
