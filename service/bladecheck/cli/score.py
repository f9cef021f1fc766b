"""`bladecheck score`: one row for every picture of an archive."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import typer

from bladecheck import archives
from bladecheck.archives import Archive, Found
from bladecheck.archives.containers.remote import RemotePath, path_of
from bladecheck.cli import exit_codes
from bladecheck.cli.progress import Watch, watch
from bladecheck.cli.quiet import hush
from bladecheck.cli.score_options import (
    Address,
    Archives,
    Beside,
    Bundle,
    DryRun,
    Engines,
    ExifDates,
    Fetch,
    Format,
    Frames,
    HashInputs,
    Hosts,
    Key,
    Mapping,
    Near,
    Part,
    Retry,
    Rules,
    RunPath,
    SendBytes,
    Server,
    Videos,
    Where,
    WorkerCores,
    Workers,
    Zone,
)
from bladecheck.core import policy_file
from bladecheck.core.images import PictureLimits
from bladecheck.core.video_limits import VideoLimits
from bladecheck.core.videos.reading import available as videos_available
from bladecheck.errors import RunError, ServerError
from bladecheck.machine import usable_cores
from bladecheck.runs import fingerprint, shards
from bladecheck.runs import run as scoring
from bladecheck.runs.counts.unlike import sentence
from bladecheck.runs.engines import Engine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.resume import Again, look_back
from bladecheck.runs.summary import zone

UNREAD = frozenset(("failed", "missing_media", "not_an_image"))
"""Statuses of which the last lines give an example: without one nobody knows where to look."""
SHOW_CURSOR = b"\x1b[?25h\n"
CACHE = "fetched"
MOST_THREADS = 256
VIDEO_EXTRA = "bladecheck[video]"
# Notes in the last lines, so that a screen still shows what was found.
LAST_NOTES = 10


def score(
    archive: Archives,
    output: RunPath,
    server: Server = None,
    key: Key = None,
    bundle: Bundle = None,
    rules: Rules = None,
    engine: Where = Engines.LOCAL,
    address: Address = None,
    workers: Workers = None,
    worker_cores: WorkerCores = None,
    send_bytes: SendBytes = False,
    dry_run: DryRun = False,
    fetch: Fetch = False,
    fetch_host: Hosts = None,
    retry_failed: Retry = False,
    side_by_side: Beside = False,
    format: Format = None,
    mapping: Mapping = None,
    exif_dates: ExifDates = False,
    timezone: Zone = None,
    near: Near = None,
    videos: Videos = None,
    video_frames: Frames = None,
    shard: Part = None,
    hash_inputs: HashInputs = False,
) -> int:
    """Score every picture of an archive: complete, resumable, one row per picture.

    Running the same command again goes on where it stopped. Exit code 2 means that some pictures failed.

    Examples:

        bladecheck score twitter-2024-05-01.zip -o run --dry-run

        bladecheck score twitter-2024-05-01.zip -o run

        bladecheck report run

        bladecheck score huge.zip -o run --shard 3/64

        bladecheck score huge.zip -o run --engine ray --address auto
    """
    hush()
    cluster = _cluster(engine, server, address, workers, worker_cores, send_bytes)
    if cluster:
        archive = [_everywhere(path) for path in archive]
    if timezone:
        zone(timezone)
    part = _shard(shard)
    if hash_inputs:
        entries = shards.hash_inputs(archive, RunFolder(output))
        print(f"{len(entries):,} inputs hashed into {output / shards.INPUTS}; shards of {output} take them over.")
        return 0
    hosts = (*archives.DEFAULT_HOSTS, *(fetch_host or ()))
    if server and (bundle or video_frames):
        option, what = ("--bundle", "the model") if bundle else ("--video-frames", "that")
        raise typer.BadParameter(f"{option} and --server don't go together: the server decides on {what}.")
    with archives.open_archive(archive, format=format, mapping=_mapping(mapping), exif_dates=exif_dates) as opened:
        opened.videos = looked_at = _videos(videos, server, key, dry_run)
        found = opened.describe()
        _announce(opened, found)
        if found.videos and videos is None and not looked_at:
            where = f"at {server}" if server else "here"
            print(f"Videos are not looked at: pip install '{VIDEO_EXTRA}' {where}.", file=sys.stderr)
        folder = RunFolder(output / part.name if part else output)
        if dry_run:
            return _plan(folder, found, Again(retry_failed, fetch))
        fetcher = archives.Fetcher(folder.path / CACHE, allow_hosts=hosts) if fetch else None
        stop = threading.Event()
        options = scoring.Options(
            retry_failed=retry_failed, fetch=fetcher.fetch if fetcher else None, side_by_side=side_by_side,
            timezone=timezone, shard=part,
            provenance=_provenance(found, engine, server, workers, opened, format, mapping)
            | {"videos": looked_at, "video_frames": video_frames},
        )  # fmt: skip
        shown = watch(found.rows // part.count if part else found.rows)
        limits, near_too = _limits(video_frames), _near(near)
        with closing(
            cluster.engine(archive, bundle, rules, near_too, stop, limits, shown.say) if cluster
            else _engine(server, key, bundle, rules, workers or None, near_too, stop, limits)
        ) as scorer:  # fmt: skip
            return _run(archive, opened, scorer, folder, options, stop, shown)


def _run(
    paths: list[Path], opened: Archive, engine: Engine, folder: RunFolder,
    options: scoring.Options, stop: threading.Event, watched: Watch,
) -> int:  # fmt: skip
    with watched as shown, _gentle(stop, shown.say):
        shown.say(f"Model {engine.model['name']} {engine.model['version']} ({engine.model['sha256'][:12]}), "
                  f"policy {engine.policy['name']}.")  # fmt: skip
        try:
            finished = scoring.Run(paths, opened.items(), engine, folder, options, shown.tick, stop).go()
        except ServerError as error:
            if not stop.is_set():
                raise
            shown.say(error.detail)
            return exit_codes.INTERRUPTED
    counts = finished.summary.counts()
    print(f"{counts['rows']:,} rows in {finished.folder.path}: {_words(counts['status'])}. "
          f"Decisions: {_words(counts['decision'])}.")  # fmt: skip
    for status in sorted(UNREAD & finished.summary.examples.keys()):
        print(f"  {status.replace('_', ' ')}, such as: {finished.summary.examples[status]}")
    if counts.get("videos"):
        print(f"Videos, counted apart: {_words(counts['videos'])}.")
    print(f"{counts['distinct_pictures']:,} distinct pictures ({counts['exact_duplicates']:,} exact and "
          f"{counts['near_duplicates']:,} near duplicates).")  # fmt: skip
    if unlike := sentence(counts, engine.card):
        print(unlike)
    _notes(opened)
    if options.shard:
        print(f"This is shard {options.shard}: `bladecheck merge {folder.path.parent}` when all are done.")
    if finished.stopped:
        print("Stopped before the end; run the same command again to go on.")
        return exit_codes.INTERRUPTED
    print(
        f"Next: bladecheck report {finished.folder.path}\n      bladecheck export {finished.folder.path} --format csv"
    )
    return exit_codes.SOME_FAILED if counts["status"].get("failed") else exit_codes.OK


def _announce(opened: Archive, found: Found) -> None:
    print(f"Found: {found.sentence}.", flush=True)
    borrowed = f" (of remote ones, {found.remote_reposts:,} of reposts)" if found.remote_reposts else ""
    print(f"  {found.rows:,} row{'' if found.rows == 1 else 's'}: {_words(dict(found.by_status))}{borrowed}.")
    for meaning, column in found.mapping.items():
        columns = " and ".join(map(repr, column.split(", ")))
        print(f"  {meaning} is taken from column {columns} (--mapping {meaning}=COLUMN to change)")
    for column, why in found.order.items():
        print(f"  Dates of column {column} are taken {why} (--mapping month_first=true or false to change)")
    for warning in opened.warnings:
        print(f"  Note: {warning}", file=sys.stderr)


def _notes(opened: Archive) -> None:
    """Once more at the end, where they are seen: what the archive has that the rows lack."""
    warnings = opened.warnings
    for warning in warnings[:LAST_NOTES]:
        print(f"Note: {warning}")
    if len(warnings) > LAST_NOTES:
        print(f"Note: {len(warnings) - LAST_NOTES:,} more notes stand in run.json.")


def _plan(folder: RunFolder, found: Found, again: Again) -> int:
    """What a run would do, from what the folder has; nothing is written."""
    done = len(look_back(folder.journal, again).rows) if folder.exists else 0
    print(f"Rows by status: {_words(dict(found.by_status))}.")
    print(f"{folder.path} has {done:,} rows done already." if folder.exists else f"{folder.path} would be a new run.")
    print("Dry run: nothing was written and nothing scored.")
    return 0


@dataclass(frozen=True, slots=True)
class _Cluster:
    """The options of a run on a Ray cluster."""

    address: str | None
    workers: int | None
    cores: int | None
    send_bytes: bool

    def engine(
        self, archive: list[Path], bundle: str | None, rules: str | None, near: bool, stop: threading.Event,
        limits: PictureLimits, say: Callable[[str], None],
    ) -> Engine:  # fmt: skip
        from bladecheck.core.bundle import find
        from bladecheck.runs.engines.cluster import RayEngine

        return RayEngine(
            find(bundle), policy_file.find(rules), archive, address=self.address, workers=self.workers,
            cores=self.cores, near=near, limits=limits, send_bytes=self.send_bytes, stop=stop, say=say,
        )  # fmt: skip


def _cluster(
    engine: Engines, server: str | None, address: str | None, workers: int | None, cores: int | None, send_bytes: bool
) -> _Cluster | None:
    """The options of a cluster, if one is asked for.

    Raises:
        typer.BadParameter: options that don't go together.
    """
    if engine is Engines.RAY:
        if server:
            raise typer.BadParameter("--engine ray and --server don't go together.")
        return _Cluster(address, workers or None, cores, send_bytes)
    given = {"--address": address, "--worker-cores": cores, "--send-bytes": send_bytes}
    if stray := [option for option, value in given.items() if value]:
        raise typer.BadParameter(f"{stray[0]} is for --engine ray.")
    if workers and workers > MOST_THREADS:
        raise typer.BadParameter(f"--workers {workers}: at most {MOST_THREADS} without --engine ray.")
    return None


def _engine(
    server: str | None, key: str | None, bundle: str | None, rules: str | None, workers: int | None, near: bool,
    stop: threading.Event, limits: PictureLimits,
) -> Engine:  # fmt: skip
    if server is None:
        from bladecheck.core.classifier import Classifier
        from bladecheck.runs.engines.local import LocalEngine

        return LocalEngine(Classifier.open(bundle), policy_file.find(rules), workers, near, limits)
    from bladecheck.runs.engines.http import HttpEngine

    engine = HttpEngine(server, key, workers, near, stop=stop)
    if rules and policy_file.find(rules).sha256 != engine.policy["sha256"]:
        raise RunError(
            f"{server} judges by policy {engine.policy['name']!r}, not by {rules!r}: start it with that one."
        )
    return engine


def _videos(wanted: bool | None, server: str | None, key: str | None, dry_run: bool) -> bool:
    """Whether frames of videos are looked at, where pictures are scored."""
    if wanted is False or (server and dry_run):
        return bool(wanted)
    if server:
        from bladecheck.runs.engines.client import FIRST_PATIENCE, Client

        with closing(Client(server, key, 1, FIRST_PATIENCE)) as client:
            there = bool(client.card().get("videos"))
    else:
        there = videos_available()
    if wanted and not there:
        where = f"at {server}" if server else "here"
        raise RunError(f"--videos needs an optional library {where}: pip install '{VIDEO_EXTRA}'.")
    return there


def _limits(frames: int | None) -> PictureLimits:
    return PictureLimits(video=VideoLimits(frames=frames)) if frames else PictureLimits()


def _near(wanted: bool | None) -> bool:
    if wanted and not fingerprint.available():
        raise RunError("--near needs an optional library: pip install 'bladecheck[dedupe]'.")
    if wanted is None and not fingerprint.available():
        print("Near duplicates are not looked for: pip install 'bladecheck[dedupe]'.", file=sys.stderr)
    return fingerprint.available() if wanted is None else wanted


def _everywhere(path: Path) -> Path:
    """The path as workers with other working folders find it."""
    found = path_of(path)
    return found if isinstance(found, RemotePath) else found.absolute()


def _shard(given: str | None) -> shards.Shard | None:
    try:
        return shards.Shard.parse(given, os.environ) if given else None
    except ValueError as error:
        raise typer.BadParameter(f"--shard: {error}") from error


def _mapping(given: list[str] | None) -> dict[str, str | bool | None] | None:
    if not given:
        return None
    pairs = [entry.partition("=") for entry in given]
    if wrong := [before for before, sign, _ in pairs if not sign]:
        raise typer.BadParameter(f"--mapping takes MEANING=COLUMN, such as url=image_url, not {wrong[0]!r}.")
    return {meaning: column.lower() == "true" if meaning == "month_first" else column for meaning, _, column in pairs}


def _provenance(
    found: Found,
    engine: Engines,
    server: str | None,
    workers: int | None,
    opened: Archive,
    format: str | None,
    mapping: list[str] | None,
) -> dict[str, Any]:
    return {
        "reading": {"format": format, "mapping": _mapping(mapping), "columns": dict(found.mapping)},
        "command": shlex.join(["bladecheck", *_without_key(sys.argv[1:])]),
        "found": found.sentence,
        "engine": "http" if server else str(engine),
        "server": server,
        "workers": workers,
        "cores": usable_cores(),
        "warnings": list(opened.warnings),
        "columns": dict(found.mapping),
        "date_order": dict(found.order),
        "merged": found.merged,
    }


def _without_key(arguments: list[str]) -> Iterator[str]:
    hide = False
    for argument in arguments:
        name, sign, _ = argument.partition("=")
        yield "***" if hide else f"{name}=***" if sign and name == "--api-key" else argument
        hide = argument == "--api-key"


@contextmanager
def _gentle(stop: threading.Event, say: Callable[[str], None]) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM ends the session in good order, the second at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            # The journal is whole at any moment and the lock ends with the process: nothing has to be waited for.
            os.write(2, SHOW_CURSOR if sys.stderr.isatty() else b"")
            os._exit(exit_codes.INTERRUPTED)
        stop.set()
        say("Stopping: the pictures under way are finished first. Once more to stop at once.")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items()) or "none"
