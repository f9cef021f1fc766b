"""The options of `bladecheck score`, with their help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Archives = Annotated[
    list[Path], typer.Argument(metavar="ARCHIVE...", help="Folders, zips or files; parts of one archive together.")
]
RunPath = Annotated[
    Path, typer.Option("--output", "-o", metavar="RUN", help="Folder for the run; an interrupted run in it goes on.")
]
Server = Annotated[str | None, typer.Option(metavar="URL", help="Score on this Bladecheck server instead of here.")]
Key = Annotated[str | None, typer.Option("--api-key", envvar="BLADECHECK_API_KEY", help="The server's API key.")]
Bundle = Annotated[str | None, typer.Option(help="Model: a bundle's name or folder. Default: base.")]
Rules = Annotated[
    str | None,
    typer.Option("--policy", metavar="P", help="Policy: a name or a TOML file. With --server it must be the server's."),
]


class Engines(StrEnum):
    """What scores, where it is not a server."""

    LOCAL = "local"
    RAY = "ray"


def _workers(given: str | int) -> int:
    """A number, or 0 for "auto"."""
    if str(given) == "auto":
        return 0
    if not str(given).isdigit() or not 1 <= int(given) <= MOST_WORKERS:
        raise typer.BadParameter(f"{given} is neither auto nor a number from 1 to {MOST_WORKERS:,}.")
    return int(given)


MOST_WORKERS = 4096
Where = Annotated[
    Engines,
    typer.Option("--engine", help="Where to score: local, in this process; ray, on a Ray cluster (docs/clusters.md)."),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N|auto", parser=_workers, help="Pictures (with --server: requests; with --engine ray: worker "
        "processes) at once. Default: one a core; 4 requests; as many as the cluster has room for."
    ),
]  # fmt: skip
Address = Annotated[
    str | None,
    typer.Option(metavar="HOST:PORT|auto", help="The Ray cluster: its head, or auto for the one that runs here. "
                 "Default: RAY_ADDRESS, else one that is started for this run on this machine alone."),
]  # fmt: skip
WorkerCores = Annotated[
    int | None,
    typer.Option("--worker-cores", metavar="N", min=1, max=256, help="Cores of each worker of a Ray cluster, which "
                 "loads the model once. Default: 4, or what the machines have."),
]  # fmt: skip
SendBytes = Annotated[
    bool,
    typer.Option("--send-bytes", help="Read the pictures here and send them to the cluster's workers, which then need "
                 "not see the archive."),
]  # fmt: skip
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what was found and what would be done; write nothing.")]
Fetch = Annotated[
    bool, typer.Option("--fetch", help="Download pictures that are known by address only, into RUN/fetched.")
]
Hosts = Annotated[list[str] | None, typer.Option(metavar="HOST", help="One more host that --fetch may ask.")]
Retry = Annotated[bool, typer.Option("--retry-failed", help="Try failed pictures again.")]
Beside = Annotated[
    bool,
    typer.Option("--side-by-side", help="If RUN is another model's or policy's, put this one in a folder inside it."),
]
Format = Annotated[str | None, typer.Option(metavar="F", help="The archive's format, if it is not recognised.")]
Mapping = Annotated[
    list[str] | None,
    typer.Option(metavar="MEANING=COLUMN", help="For tables: which column means what, such as url=image_url."),
]
Part = Annotated[
    str | None,
    typer.Option(
        "--shard", metavar="I/N", help="Score part I of N only, into RUN/shard-I-of-N; then `bladecheck merge RUN`. "
        "auto: from a Slurm array; auto/N: from a Kubernetes indexed job."
    ),
]  # fmt: skip
HashInputs = Annotated[
    bool,
    typer.Option("--hash-inputs", help="Hash the inputs into RUN for all shards to take over, and stop."),
]
ExifDates = Annotated[
    bool,
    typer.Option("--exif-dates", help="Open loose pictures without a date in their name for the date taken in them."),
]
Videos = Annotated[
    bool | None,
    typer.Option("--videos/--no-videos", help="Look at frames of videos. Default: if bladecheck[video] is installed "
                 "(with --server: there). They are counted apart from pictures."),
]  # fmt: skip
Frames = Annotated[
    int | None,
    typer.Option(
        "--video-frames", metavar="N", min=1, max=500, help="Frames, at most, looked at in a video. Default: 24."
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(help="Whose months the counts go by, such as Europe/London. Default: the run's; at first UTC."),
]
Near = Annotated[
    bool | None,
    typer.Option("--near/--no-near", help="Look for near duplicates. Default: if bladecheck[dedupe] is installed."),
]
