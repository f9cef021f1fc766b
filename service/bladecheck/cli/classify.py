"""`bladecheck classify`: verdicts on files, folders or standard input."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from bladecheck.cli import exit_codes
from bladecheck.cli.sources import STDIN, expand, read
from bladecheck.core.classifier import Classifier
from bladecheck.core.evidence import overlay
from bladecheck.core.images import PictureLimits
from bladecheck.core.policy_file import find as find_policy
from bladecheck.core.result import Result, classify_bytes, failed
from bladecheck.core.verdict import Policy
from bladecheck.core.video_limits import VideoLimits
from bladecheck.core.videos.reading import clock
from bladecheck.errors import PictureError
from bladecheck.file_formats import PICTURE_ENDINGS
from bladecheck.machine import usable_cores

EVIDENCE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}


def classify(
    paths: Annotated[list[str], typer.Argument(help="Pictures or folders of pictures; - reads one from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON result a line instead of the table.")] = False,
    bundle: Annotated[str | None, typer.Option(help="Model: a bundle's name or folder. Default: base.")] = None,
    policy: Annotated[str | None, typer.Option(help="Rules: a shipped policy's name or a TOML file.")] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Save the picture with the evidence marked here (one picture only).")
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, show_default=False, help="Pictures worked on at once. Default: one a core.")
    ] = (usable_cores()),
    video_frames: Annotated[int, typer.Option(min=1, max=500, help="Frames looked at in a video, at most.")] = 24,
) -> int:
    """Say for each picture: hold, check, clear or cannot judge, with scores and reasons.

    Examples:

        bladecheck classify photo.jpg

        bladecheck classify pictures/ --json > results.jsonl

        cat photo.jpg | bladecheck classify -

        bladecheck classify clip.mp4   (with bladecheck[video])
    """
    missing = [path for path in paths if path != "-" and not Path(path).exists()]
    if missing:
        raise typer.BadParameter(f"No such file or folder: {', '.join(missing)}")
    sources = expand(paths)
    if not (files := sources.files):
        looked = ", ".join(sorted(PICTURE_ENDINGS))
        raise typer.BadParameter(f"No pictures in {', '.join(paths)} (looked for {looked}). {sources.remark}".strip())
    if evidence:
        _refuse_evidence(files, evidence)
    rules = find_policy(policy)
    classifier = Classifier.open(bundle)
    failures = 0
    show = _print_json if as_json else _table()
    limits = PictureLimits(video=VideoLimits(frames=video_frames))
    for path, result in _results(classifier, rules, files, threads, limits):
        failures += result["status"] == "failed"
        show({"path": path, **result})
    if evidence and not failures:
        _save_evidence(classifier, rules, files[0], evidence, limits)
    if not as_json and len(files) > 1:
        print(f"{len(files)} pictures, {failures} failed. Model {classifier.bundle.manifest.name} "
              f"{classifier.bundle.manifest.version}.")  # fmt: skip
    if sources.remark:
        print(f"bladecheck: {sources.remark}", file=sys.stderr)
    return exit_codes.SOME_FAILED if failures else exit_codes.OK


def _results(
    classifier: Classifier, policy: Policy, files: list[str], threads: int, limits: PictureLimits
) -> Iterator[tuple[str, Result]]:
    """Results in the order of `files`; a file that can't be read is a failed result."""

    def work(path: str) -> Result:
        try:
            data = read(path, limits)
        except PictureError as error:
            return failed(None, error, classifier.bundle.identity, policy)
        return classify_bytes(data, classifier, policy, limits)

    def start(path: str) -> tuple[str, Future[Result]]:
        if path != STDIN:
            return path, pool.submit(work, path)
        done: Future[Result] = Future()  # stdin is read here: Ctrl-C can't reach a thread that waits for input
        done.set_result(work(path))
        return path, done

    pool = ThreadPoolExecutor(threads)
    try:
        queue = iter(files)
        pending = [start(path) for path in islice(queue, 2 * threads)]
        while pending:
            path, future = pending.pop(0)
            pending += [start(following) for following in islice(queue, 1)]
            yield path, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _print_json(result: Result) -> None:
    # ASCII, so that names in any encoding survive any terminal: json.loads gives back the very same path.
    print(json.dumps(result), flush=True)


def _table() -> Callable[[Result], None]:
    """A printer of aligned lines; lines come as they are ready, so there is no waiting for the last."""
    header = f"{'decision':<13}{'knife':>6} {'gun':>6}  {'kind':<10} picture"
    print(header)

    def show(result: Result) -> None:
        decision, path = result["decision"].replace("_", " "), _printable(result["path"])
        if result["status"] == "failed":
            print(f"{decision:<13}{'-':>6} {'-':>6}  {'-':<10} {path}: {result['error']['detail']}")
            return
        scores = result["scores"]
        gun = f"{scores['gun']:.3f}" if "gun" in scores else "-"
        when = f" at {clock(result['video']['frame_at'])}" if "video" in result else ""
        print(f"{decision:<13}{scores['knife']:>6.3f} {gun:>6}  {result['kind'] or '-':<10} {path}{when}")

    return show


def _printable(text: str) -> str:
    """Escape what could break the table or steer the terminal: a file's name is not ours to trust."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _refuse_evidence(files: list[str], target: Path) -> None:
    if len(files) != 1 or files[0] == STDIN:
        raise typer.BadParameter(f"--evidence takes one picture file, not {'stdin' if STDIN in files else len(files)}.")
    if target.suffix.lower() not in EVIDENCE_SUFFIXES or not target.parent.is_dir():
        raise typer.BadParameter(
            f"--evidence {target}: give a file in an existing folder, ending in {', '.join(sorted(EVIDENCE_SUFFIXES))}."
        )


def _save_evidence(classifier: Classifier, policy: Policy, path: str, target: Path, limits: PictureLimits) -> None:
    picture = classifier.load(read(path, limits), limits)
    verdict = classifier.classify_one(picture, policy)
    overlay(picture.frames[verdict.frame], verdict.evidence).save(target)
