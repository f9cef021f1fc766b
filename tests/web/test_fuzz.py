"""Damaged pictures over HTTP: each a result, never a 500, in bounded memory. benchmarks/fuzz.py does many more."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from mutations import mutated, seeds
from serving import serve

PICTURES, AT_ONCE, MEBIBYTE = 400, 20, 2**20


def resident(process: int) -> int:
    """Resident memory in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * 4096


def test_damaged_pictures_are_results(tiny_path: Path) -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("memory is read from /proc")
    outcomes: Counter[str] = Counter()
    with serve(tiny_path, log_level="warning") as running, running.client() as http:
        seed_answer = http.post("/v1/classify", files=[("file", ("seed", data)) for data in seeds()]).json()
        assert [item["status"] for item in seed_answer["results"]] == ["ok"] * len(seeds())
        source, before = mutated(seed=1), resident(running.process.pid)
        for _ in range(PICTURES // AT_ONCE):
            batch = list(islice(source, AT_ONCE))
            answer = http.post("/v1/classify?evidence=map", files=[("file", ("x", data)) for data in batch])
            assert answer.status_code == 200
            results = answer.json()["results"]
            assert len(results) == AT_ONCE
            outcomes.update(item["error"]["code"] if item["status"] == "failed" else "ok" for item in results)
        for data in islice(source, 30):
            assert http.post("/v1/redact", files=[("file", ("x", data))]).status_code in (200, 422)
        assert resident(running.process.pid) - before < 400 * MEBIBYTE
        assert running.process.poll() is None
        assert not [line for line in running.log if "Traceback" in line]
    assert outcomes["ok"] > 20
    assert outcomes["broken"] > 20
    assert outcomes["internal"] == 0, outcomes
