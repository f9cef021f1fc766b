"""`bladecheck classify`: verdicts on files, folders or standard input."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from bladecheck.classifier import Classifier
from bladecheck.evidence import overlay
from bladecheck.policy import find as find_policy
from bladecheck.results import check
from bladecheck.verdict import Policy

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff", ".heic", ".heif"}


def classify(
    paths: Annotated[list[str], typer.Argument(help="Pictures or folders of pictures; - reads one from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON result a line instead of the table.")] = False,
    bundle: Annotated[str | None, typer.Option(help="Model: a bundle's name or folder. Default: base.")] = None,
    policy: Annotated[str | None, typer.Option(help="Rules: a shipped policy's name or a TOML file.")] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Save the picture with the evidence marked here (one picture only).")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Pictures worked on at once. Default: one a core.")] = (
        os.cpu_count() or 1
    ),
) -> int:
    """Say for each picture: hold, check, clear or cannot judge, with scores and reasons.

    Examples:

        bladecheck classify photo.jpg

        bladecheck classify pictures/ --json > results.jsonl

        cat photo.jpg | bladecheck classify -
    """
    missing = [path for path in paths if path != "-" and not Path(path).exists()]
    if missing:
        raise typer.BadParameter(f"No such file or folder: {', '.join(missing)}")
    files = list(_expand(paths))
    if not files:
        raise typer.BadParameter(f"No pictures in {', '.join(paths)} (looked for {', '.join(sorted(SUFFIXES))}).")
    if evidence and len(files) != 1:
        raise typer.BadParameter(f"--evidence takes one picture, not {len(files)}.")
    rules = find_policy(policy)
    classifier = Classifier.open(bundle)
    if evidence:
        _save_evidence(classifier, files[0], evidence)
    failures = 0
    show = _print_json if as_json else _table()
    for path, result in _results(classifier, rules, files, threads):
        failures += result["status"] == "failed"
        show({"path": path, **result})
    if not as_json and len(files) > 1:
        print(f"{len(files)} pictures, {failures} failed. Model {classifier.bundle.manifest.name} "
              f"{classifier.bundle.manifest.version}.")  # fmt: skip
    return 2 if failures else 0


def _expand(paths: Iterable[str]) -> Iterator[str]:
    """Folders become the pictures in them, in order; a file is taken whatever its name."""
    for path in paths:
        if path != "-" and Path(path).is_dir():
            found = sorted(p for p in Path(path).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            yield from (str(p) for p in found if not p.name.startswith("._"))
        else:
            yield path


def _read(path: str) -> bytes:
    return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()


def _results(
    classifier: Classifier, policy: Policy, files: list[str], threads: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    def work(path: str) -> dict[str, Any]:
        try:
            data = _read(path)
        except OSError as error:
            problem = {"code": "unreadable_file", "detail": f"{path} can't be read: {error.strerror}."}
            return {"status": "failed", "decision": "cannot_judge", "reasons": [], "error": problem}
        return check(data, classifier, policy)

    with ThreadPoolExecutor(threads) as pool:
        queue = iter(files)
        pending = [(path, pool.submit(work, path)) for path in islice(queue, 2 * threads)]
        while pending:
            path, future = pending.pop(0)
            pending += [(following, pool.submit(work, following)) for following in islice(queue, 1)]
            yield path, future.result()


def _print_json(result: dict[str, Any]) -> None:
    print(json.dumps(result, ensure_ascii=False), flush=True)


def _table() -> Any:
    """A printer of aligned lines; lines come as they are ready, so there is no waiting for the last."""
    header = f"{'decision':<13}{'knife':>6} {'gun':>6}  {'kind':<10} picture"
    print(header)

    def show(result: dict[str, Any]) -> None:
        decision = result["decision"].replace("_", " ")
        if result["status"] == "failed":
            print(f"{decision:<13}{'-':>6} {'-':>6}  {'-':<10} {result['path']}: {result['error']['detail']}")
            return
        scores = result["scores"]
        gun = f"{scores['gun']:.3f}" if "gun" in scores else "-"
        print(f"{decision:<13}{scores['knife']:>6.3f} {gun:>6}  {result['kind'] or '-':<10} {result['path']}")

    return show


def _save_evidence(classifier: Classifier, path: str, target: Path) -> None:
    if path == "-":
        raise typer.BadParameter("--evidence needs a file, not stdin.")
    data = Path(path).read_bytes()
    picture = classifier.load(data)
    overlay(picture.frames[0], classifier.judge(picture).evidence).save(target)
