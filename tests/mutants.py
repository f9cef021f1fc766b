"""`make mutants`: put small faults into a module, one at a time, and see whether its tests notice (cosmic-ray).

Works on a copy of the tree, so that a killed run leaves no fault behind. Not part of `make test`: it takes minutes to
hours. A survivor is a line that a test lacks, or a fault that changes nothing; a person has to tell which.
"""

from __future__ import annotations

import argparse
import ast
import json
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
TESTS: dict[str, str] = {
    "core/verdict": "tests/core/test_verdict.py",
    "core/policy_file": "tests/web/test_policy.py -k 'not server and not command_line'",
    "core/redact": "tests/core/test_covering.py tests/core/test_redact_again.py tests/web/test_redact.py -k 'not http'",
    "runs/journal": "tests/runs/test_journal.py -k 'not full_disk and not torn_within and not lost_at_the_end'",
    "runs/resume": "tests/runs/test_resume.py tests/runs/test_run.py",
    "runs/rows": "tests/runs/test_pinned_rows.py tests/runs/test_columns.py tests/runs/test_run.py",
    "runs/summary": "tests/runs/test_summary.py",
    "runs/table": "tests/runs/test_pinned_rows.py tests/runs/test_run.py",
    "runs/exports/cells": "tests/runs/test_pinned_rows.py tests/runs/test_exports.py -k 'pinned or safe_to_open'",
}
"""Modules whose every line is a promise, and the tests that hold them: those that take seconds, without servers."""
COPIED = ("service", "tests", "docs", "training", "pyproject.toml", "README.md", "CHANGELOG.md", "Makefile")
# The mutated copy goes before the installed package; hypothesis repeats itself, so that a survivor is one for good.
COMMAND = "env PYTHONPATH=service:tests {python} -m pytest -x -q -p no:cacheprovider -p no:randomly {tests}"
SECONDS = 60.0
"""A mutant that runs longer counts as noticed: it hangs."""


def mutate(module: str, tests: str, sample: int | None, minutes: float) -> tuple[Counter[str], list[str]]:
    """Outcomes of a module's mutants by name, and the survivors as differences; annotations are left as they are.

    Args:
        module: a key of TESTS.
        tests: what to run, as pytest takes it.
        sample: so many mutants, drawn at random; None takes all.
        minutes: then it stops; what did not run by then is counted as such.
    """
    with tempfile.TemporaryDirectory(prefix="mutants") as place:
        copy, session = Path(place) / "tree", Path(place) / "session.sqlite"
        copy.mkdir()
        for name in COPIED:
            source = REPOSITORY / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, copy / name)
        for bundle in ("base", "small"):
            (copy / "models").mkdir(exist_ok=True)
            (copy / "models" / bundle).symlink_to(REPOSITORY / "models" / bundle)
        config = copy / "cosmic-ray.toml"
        command = COMMAND.format(python=sys.executable, tests=tests)
        config.write_text(
            f'[cosmic-ray]\nmodule-path = "service/bladecheck/{module}.py"\ntimeout = {SECONDS}\n'
            f"excluded-modules = []\ntest-command = {json.dumps(command)}\n"
            '[cosmic-ray.distributor]\nname = "local"\n'
        )
        if subprocess.run(shlex.split(command), cwd=copy, stdout=subprocess.DEVNULL).returncode:
            raise SystemExit(f"{module}: its tests fail before anything is changed: {command}")
        ray = [str(Path(sys.executable).parent / "cosmic-ray")]
        subprocess.run([*ray, "init", str(config), str(session)], cwd=copy, check=True)
        _skip_all_but(session, sample, _annotations(copy / "service/bladecheck" / f"{module}.py"))
        running = subprocess.Popen([*ray, "exec", str(config), str(session)], cwd=copy)
        try:
            running.wait(minutes * 60)
        except subprocess.TimeoutExpired:
            running.terminate()
            running.wait()
        return _read(ray, session, copy)


def _annotations(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where (line, column) annotations go: mypy holds them, and a program runs the same without them."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        notes = [getattr(node, name, None) for name in ("annotation", "returns")]
        found += [(_start(note), _end(note)) for note in notes if isinstance(note, ast.expr)]
    return found


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _skip_all_but(session: Path, sample: int | None, inert: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
    from cosmic_ray.work_db import WorkDB, use_db
    from cosmic_ray.work_item import WorkerOutcome, WorkResult

    with use_db(str(session), WorkDB.Mode.open) as database:
        items = {item.job_id: item.mutations[0] for item in database.pending_work_items}
        jobs = [job for job, one in items.items() if not any(a <= one.start_pos < b for a, b in inert)]
        jobs.sort(key=lambda job: str(items[job]))  # ids differ from run to run, mutations don't
        kept = set(random.Random(0).sample(jobs, min(sample or len(jobs), len(jobs))))
        for job in items.keys() - kept:
            database.set_result(job, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))


def _read(ray: list[str], session: Path, copy: Path) -> tuple[Counter[str], list[str]]:
    done = subprocess.run([*ray, "dump", str(session)], cwd=copy, capture_output=True, text=True, check=True)
    outcomes, survivors = Counter[str](), []
    for line in done.stdout.splitlines():
        _, result = json.loads(line)
        outcome = (result or {}).get("test_outcome") or "not run"
        outcomes[outcome] += 1
        if outcome == "survived":
            survivors.append(result["diff"])
    return outcomes, survivors


def main() -> None:
    """Mutate the modules named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", default=list(TESTS), help=f"of {', '.join(TESTS)}")
    parser.add_argument("--minutes", type=float, default=30, help="at most so long per module (default: 30)")
    parser.add_argument("--sample", type=int, help="only so many mutants per module, drawn at random")
    parser.add_argument("--tests", help="other tests than the usual ones")
    given = parser.parse_args()
    for module in given.modules:
        outcomes, survivors = mutate(module, given.tests or TESTS[module], given.sample, given.minutes)
        for diff in survivors:
            print(diff, end="\n\n")
        run = outcomes["killed"] + outcomes["survived"]
        total = outcomes.total()
        print(f"{module}: {outcomes['killed']} of {run} noticed, {total - run} of {total} not run", flush=True)


if __name__ == "__main__":
    main()
