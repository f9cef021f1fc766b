"""Killed with SIGKILL at random moments and started again: the rows are those of a run that was left alone."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import subprocess
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import pytest

from bladecheck.errors import RunError
from bladecheck.runs.engines.http import HttpEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.resume import Again, look_back
from bladecheck.runs.table import Ledger
from command_line import command
from score_helpers import COMMAND, NEAR, Score, exported, fill, scored
from serving import environment, serve

KILLS, PICTURES = 50, 250


@pytest.fixture(scope="module")
def warm() -> ForkServerContext:
    """Starts processes that have the libraries loaded already, so that fifty of them take seconds and not minutes."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["bladecheck.cli", "bladecheck.runs.engines.local", "command_line", "pdqhash", "sqlite3"]
    )
    return context


def start(warm: ForkServerContext, arguments: list[str]) -> ForkServerProcess:
    process = warm.Process(target=command, args=(arguments,))
    process.start()
    return process


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_killed_fifty_times(warm: ForkServerContext, tiny_path: Path, tmp_path: Path) -> None:
    archive, chance = fill(tmp_path / "archive", PICTURES), random.Random(20261123)
    options = ["--bundle", str(tiny_path), "--workers", "2"]
    whole = start(warm, ["score", str(archive), "-o", str(tmp_path / "whole"), *options])
    whole.join(120)
    assert whole.exitcode == 2, "some pictures are damaged"
    wanted, each = exported(tmp_path / "whole"), size(tmp_path / "whole/journal.jsonl") // 6
    kills = rounds = 0
    while kills < KILLS:
        rounds += 1
        run = tmp_path / f"run{rounds}"
        arguments = ["score", str(archive), "-o", str(run), *options]
        while True:
            process = start(warm, arguments)
            target = size(run / "journal.jsonl") + chance.randrange(-each // 4, each)
            while process.is_alive() and size(run / "journal.jsonl") <= target:
                time.sleep(0.0005)
            time.sleep(chance.random() * 0.004)
            if process.is_alive() and kills < KILLS:
                os.kill(process.pid or 0, signal.SIGKILL)
                process.join(60)
                kills += process.exitcode == -signal.SIGKILL
                readable(run)
                continue
            process.join(120)
            assert process.exitcode in (2, -signal.SIGKILL)
            if process.exitcode == 2:
                break
        assert exported(run) == wanted
        assert sorted(scored(run)) == sorted(scored(tmp_path / "whole")), "no picture was scored twice"
    assert rounds >= 3, "kills fell into several runs, not into one that was done"


def readable(run: Path) -> None:
    """A killed run can be looked at right away."""
    if size(run / "journal.jsonl") == 0:
        return
    with Ledger(RunFolder(run)) as ledger:
        assert ledger.damaged == 0
        assert len([*ledger.rows()]) == len(look_back(run / "journal.jsonl", Again()).rows)


def test_the_lock_dies_with_its_process(tiny_path: Path, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 400), tmp_path / "run"
    arguments = [*COMMAND, "score", str(archive), "-o", str(run), "--bundle", str(tiny_path)]
    process = subprocess.Popen(arguments, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while size(run / "journal.jsonl") < 2000 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(RunError, match=f"process {process.pid} on"), RunFolder(run).locked():
        pass
    process.kill()
    process.wait(60)
    with RunFolder(run).locked():
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop_it_stops_in_good_order(tiny_path: Path, tmp_path: Path, number: int) -> None:
    archive, run = fill(tmp_path / "archive", 400), tmp_path / "run"
    arguments = [*COMMAND, "score", str(archive), "-o", str(run), "--bundle", str(tiny_path)]
    process = subprocess.Popen(arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while size(run / "journal.jsonl") < 2000 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "run the same command again" in out
    assert "Stopping" in err
    assert "Traceback" not in err
    assert RunFolder(run).manifest()["sessions"][-1]["ended"] == "stopped"
    assert 0 < len(exported(run)) < 400


def test_a_second_ctrl_c_ends_it_at_once_and_loses_nothing(score: Score, tiny_path: Path, tmp_path: Path) -> None:
    """The server hangs, so that the first Ctrl-C waits for the pictures under way."""
    archive, run = fill(tmp_path / "archive", 120), tmp_path / "run"
    with serve(tiny_path) as server:
        arguments = [*COMMAND, "score", str(archive), "-o", str(run), "--server", server.url]
        with subprocess.Popen(
            arguments, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            while size(run / "journal.jsonl") < 2000 and process.poll() is None:
                time.sleep(0.001)
            server.process.send_signal(signal.SIGSTOP)
            process.send_signal(signal.SIGINT)
            said = ""
            while "Once more to stop at once" not in said:
                said += process.stderr.read(1)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            process.send_signal(signal.SIGINT)
            assert process.wait(10) == 130
            assert "Traceback" not in said + process.stderr.read()
        server.process.send_signal(signal.SIGCONT)
        readable(run)
        done = exported(run)
        assert 0 < len(done) < 120
        with RunFolder(run).locked():
            pass
        engine = HttpEngine(server.url, near=NEAR)
        score(archive, run, engine)
        engine.close()
    after = {row["row_id"]: row for row in exported(run)}
    assert len(after) == 120
    assert len(scored(run)) == len(set(scored(run))), "no picture was scored twice"
    assert all(after[row["row_id"]]["score_knife"] == row["score_knife"] for row in done)
