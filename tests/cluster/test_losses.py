"""Whatever becomes of workers, machines and the driver, no row is lost and no picture scored twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from bladecheck.errors import RunError
from bladecheck.runs.folder import RunFolder
from cluster.conftest import Machines, Score, deadly, rows, told
from score_helpers import COMMAND, exported, fill, scored


def test_a_picture_that_kills_its_worker_becomes_a_row(on_cluster: Score, local: Score, tmp_path: Path) -> None:
    folder = fill(tmp_path / "pictures", 60)
    deadly(folder / "1746827059000246273-deadly.png")
    deadly(folder / "1746827059000246274-copy.png")
    finished = on_cluster(folder, run := tmp_path / "run")
    assert told(finished)["workers_died"] == 3
    found = {row["member"]: row for row in exported(run)}
    local(folder, tmp_path / "here")
    right = {row["member"]: row for row in exported(tmp_path / "here")}
    killed = [name for name in right if name.endswith(".png")]
    assert [(found.pop(name)["status"], right.pop(name)["status"]) for name in killed] == [("failed", "ok")] * 2
    assert found == right
    assert len(scored(run)) == len(set(scored(run)))
    local(folder, run, retry_failed=True)
    assert exported(run) == exported(tmp_path / "here")


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_machine_goes(
    on_cluster: Score, machines: Machines, archive: Path, wanted: Path, tmp_path: Path, comes_back: bool
) -> None:
    chance, count = random.Random(comes_back), 0
    when = chance.randrange(20, 200)

    def tick(status: str) -> None:
        nonlocal count
        count += 1
        if count == when:
            machines.lose()
            if comes_back:
                machines.add()

    finished = on_cluster(archive, tmp_path / "run", tick)
    assert rows(tmp_path / "run") == rows(wanted)
    assert sorted(scored(tmp_path / "run")) == sorted(scored(wanted)), "no picture was scored twice"
    assert told(finished).get("workers_died", 0) == 0, "a machine's loss is no worker's death"


def test_all_machines_go_and_one_comes(
    on_cluster: Score, machines: Machines, archive: Path, wanted: Path, tmp_path: Path
) -> None:
    count = 0

    def tick(status: str) -> None:
        nonlocal count
        count += 1
        if count == 60:
            machines.lose()
            machines.lose()

    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        machines.add()

    finished = on_cluster(archive, tmp_path / "run", tick, settings={"say": say, "patience": 120})
    assert said == ["Waiting for workers: no machine of the cluster lends any cores."]
    assert rows(tmp_path / "run") == rows(wanted)
    assert sorted(scored(tmp_path / "run")) == sorted(scored(wanted)), "no picture was scored twice"
    assert told(finished)["workers_gone"] >= 1


def test_without_any_machine_it_gives_up(on_cluster: Score, machines: Machines, archive: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"No worker for 3 s: each asks for 2 cores, and .* has 1: try --worker-cores 1\."
    ):
        on_cluster(archive, tmp_path / "run", settings={"cores": 2, "patience": 3})


def test_a_cluster_of_its_own_ends_with_the_run(
    machines: Machines, archive: Path, wanted: Path, tiny_path: Path, tmp_path: Path
) -> None:
    arguments = ["score", str(archive), "-o", str(tmp_path / "run"), "--bundle", str(tiny_path), "--engine", "ray"]
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=200)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("250 of 250")
    assert rows(tmp_path / "run") == rows(wanted)


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def test_the_driver_is_killed_and_asked_to_stop(
    machines: Machines, archive: Path, wanted: Path, tiny_path: Path, tmp_path: Path
) -> None:
    run, chance = tmp_path / "run", random.Random(20261127)
    journal, whole = run / "journal.jsonl", size(wanted / "journal.jsonl")
    arguments = ["score", str(archive), "-o", str(run), "--bundle", str(tiny_path), "--engine", "ray",
                 "--address", machines.address, "--worker-cores", "1"]  # fmt: skip

    def start() -> subprocess.Popen[str]:
        # In a group of its own, as a shell starts it: Ctrl-C reaches all of the group.
        return subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    for kill in range(5):
        process, target = start(), size(journal) + chance.randrange(whole // 8)
        while size(journal) <= target and process.poll() is None:
            time.sleep(0.001)
        if kill < 4:
            process.kill()
            process.communicate()
            assert process.returncode == -signal.SIGKILL
        else:
            os.killpg(process.pid, signal.SIGINT)
            out, err = process.communicate(timeout=60)
            assert process.returncode == 130, err
            assert "run the same command again" in out
            assert "Traceback" not in err
            assert RunFolder(run).manifest()["sessions"][-1]["ended"] == "stopped"
    assert 0 < len(exported(run)) < 250
    process = start()
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert rows(run) == rows(wanted)
    assert sorted(scored(run)) == sorted(scored(wanted)), "no picture was scored twice"
