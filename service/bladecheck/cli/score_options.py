"""The options of `bladecheck score`, with their help."""

from __future__ import annotations

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
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=256, help="Pictures (with --server: requests) at once. Default: one a core; 4 requests."),
]
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
