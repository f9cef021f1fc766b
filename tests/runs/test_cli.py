"""The commands as typed: what they say first, what they refuse, which exit code they give."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from score_helpers import exported, fill
from serving import environment
from tiny import RED

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_from_archive_to_report(bladecheck: Command, tiny_path: Path, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 9), tmp_path / "run"
    done = bladecheck("score", archive, "-o", run, "--bundle", tiny_path, "--timezone", "Europe/London")
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first.startswith("Found: ")
    assert "9 pictures" in first
    assert "9 rows" in rest[0]
    assert "9 of 9" in done.stderr
    again = bladecheck("score", archive, "-o", run, "--bundle", tiny_path)
    assert "9 done before" in again.stderr
    assert bladecheck("report", run).stdout.strip() == str(run / "report.html")
    assert bladecheck("export", run, "--format", "csv").stdout.strip() == str(run / "predictions.csv")
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["counts"]["status"] == {"ok": 9}
    assert manifest["sessions"][0]["command"].startswith("bladecheck score ")
    assert [(one["name"], one["files"]) for one in manifest["inputs"]] == [("archive", 9)]


def test_dry_run_writes_nothing(bladecheck: Command, tiny_path: Path, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 3), tmp_path / "run"
    done = bladecheck("score", archive, "-o", run, "--bundle", tiny_path, "--dry-run")
    assert done.returncode == 0
    assert "3 present" in done.stdout
    assert not run.exists()
    bladecheck("score", archive, "-o", run, "--bundle", tiny_path)
    before = sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir())
    assert "3 rows done already" in bladecheck("score", archive, "-o", run, "--dry-run").stdout
    assert sorted((path.name, path.stat().st_mtime_ns) for path in run.iterdir()) == before


def test_exit_code_2_when_pictures_failed(bladecheck: Command, tiny_path: Path, tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", 10)
    assert bladecheck("score", archive, "-o", tmp_path / "run", "--bundle", tiny_path).returncode == 2


def test_last_lines_say_why_and_a_sample_names_its_pictures(
    bladecheck: Command, tiny_path: Path, tmp_path: Path
) -> None:
    fill(tmp_path / "in/pics", 3)
    (tmp_path / "in/pics/c.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    names = [*sorted(path.name for path in (tmp_path / "in/pics").iterdir()), "gone.jpg"]
    (tmp_path / "in/t.csv").write_text("file,who\n" + "".join(f"pics/{name},x\n" for name in names))
    done = bladecheck("score", tmp_path / "in/t.csv", "-o", tmp_path / "run", "--bundle", tiny_path)
    assert "failed, such as: " in done.stdout
    assert "missing media, such as: pics/gone.jpg is not beside the table" in done.stdout
    bladecheck("review", tmp_path / "run", "--labels", "3", "--export", tmp_path / "s.csv")
    lines = (tmp_path / "s.csv").read_text().splitlines()[1:]
    assert len(lines) == 3
    assert all(Path(line.split(",")[1]).is_file() for line in lines)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["score", "{archive}", "-o", "{run}", "--bundle", "nowhere"], 3, "No bundle"),
        (["score", "{archive}/none", "-o", "{run}"], 1, "does not exist"),
        (["score", "{archive}", "-o", "{run}", "--timezone", "Londres"], 1, "Europe/London"),
        (["score", "{archive}", "-o", "{run}", "--mapping", "url"], 1, "MEANING=COLUMN"),
        (["score", "{archive}", "-o", "{run}", "--server", "http://127.0.0.1:1", "--bundle", "x"], 1, "don't go"),
        (["score", "{archive}", "-o", "{run}", "--server", "http://127.0.0.1:1", "--engine", "ray"], 1, "don't go"),
        (["score", "{archive}", "-o", "{run}", "--address", "auto"], 1, "--address is for --engine ray"),
        (["score", "{archive}", "-o", "{run}", "--worker-cores", "2"], 1, "--worker-cores is for --engine ray"),
        (["score", "{archive}", "-o", "{run}", "--send-bytes"], 1, "--send-bytes is for --engine ray"),
        (["score", "{archive}", "-o", "{run}", "--workers", "none"], 1, "none is neither auto nor a number from 1 to"),
        (["score", "{archive}", "-o", "{run}", "--workers", "0"], 1, "0 is neither auto nor a number from 1 to"),
        (["score", "{archive}", "-o", "{run}", "--workers", "257"], 1, "--workers 257: at most 256 without"),
        (["score", "{archive}", "-o", "{archive}"], 1, "choose a new or empty folder"),
        (["score", "{archive}"], 1, "output"),
        (["export", "{run}", "--format", "csv"], 1, "holds no run"),
        (["export", "{run}", "--format", "word"], 1, "known: jsonl"),
        (["report", "{run}"], 1, "holds no run"),
    ],
)
def test_what_is_refused(
    bladecheck: Command, tiny_path: Path, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    places = {"archive": str(fill(tmp_path / "archive", 2)), "run": str(tmp_path / "run")}
    given = [argument.format(**places) for argument in arguments]
    if given[0] == "score" and "--bundle" not in given and "--server" not in given:
        given += ["--bundle", str(tiny_path)]
    done = bladecheck(*given)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(bladecheck: Command, tiny_path: Path, tmp_path: Path) -> None:
    bladecheck("score", fill(tmp_path / "archive", 3), "-o", tmp_path / "run", "--bundle", tiny_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for command in (["wall"], ["review", "--labels", "3"]):
            done = bladecheck(*command, tmp_path / "run", "--port", str(port))
            assert done.returncode == 1, done.stderr
            assert f"port {port}" in done.stderr
            assert "--port" in done.stderr


def test_a_cluster_without_ray_says_what_to_install(tiny_path: Path, tmp_path: Path) -> None:
    code = "import sys; sys.modules['ray'] = None; from bladecheck.cli import main; main()"
    arguments = ["score", str(fill(tmp_path / "archive", 2)), "-o", str(tmp_path / "run"), "--bundle", str(tiny_path)]
    command = [sys.executable, "-W", "error", "-c", code, *arguments, "--engine", "ray"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.endswith(
        "bladecheck: --engine ray needs an optional library: pip install 'bladecheck[ray]'. [bad_run]\n"
    )
    assert not (tmp_path / "run").exists()


def test_a_read_only_disk_is_said(bladecheck: Command, tiny_path: Path, tmp_path: Path) -> None:
    done = bladecheck("score", fill(tmp_path / "archive", 2), "-o", "/proc/run", "--bundle", tiny_path)
    assert done.returncode == 1
    assert "/proc/run" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_api_key_is_not_kept(bladecheck: Command, tmp_path: Path) -> None:
    from bladecheck.cli.score import _without_key

    hidden = [*_without_key(["score", "a", "--api-key", "sesame", "--api-key=sesame", "-o", "run"])]
    assert hidden == ["score", "a", "--api-key", "***", "--api-key=***", "-o", "run"]


def test_x_archive_of_the_shared_samples(bladecheck: Command, shared: Path, tiny_path: Path, tmp_path: Path) -> None:
    samples = shared / "archive-samples"
    expected = json.loads((samples / "expected.json").read_text())["x_archive/unzipped"]
    done = bladecheck("score", samples / "x_archive/rezipped_with_top_folder.zip", "-o", tmp_path / "run",
                      "--bundle", tiny_path, "--no-videos")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = exported(tmp_path / "run")
    assert sum(row["status"] == "ok" for row in rows) == expected["images_local"]
    assert sum(row["status"] == "video_skipped" for row in rows) == expected["videos"]
    assert {row["account"] for row in rows if not row["is_repost"]} == {expected["account"]}


def test_the_date_taken_is_read_when_asked(bladecheck: Command, tiny_path: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2024:03:01 10:11:12"
    (tmp_path / "p").mkdir()
    Image.new("RGB", (40, 40), RED).save(tmp_path / "p" / "a.jpg", exif=exif)
    found = []
    for name, options in (("without", []), ("with", ["--exif-dates"])):
        done = bladecheck("score", tmp_path / "p", "-o", tmp_path / name, "--bundle", tiny_path, *options)
        assert done.returncode == 0, done.stderr
        (row,) = exported(tmp_path / name)
        found.append((row["posted_at"], row["posted_at_source"], row["row_id"]))
    assert found[0][:2] == (None, "none")
    assert found[1][:2] == ("2024-03-01T10:11:12Z", "exif")
    assert found[0][2] == found[1][2], "a row is the same row, dated or not"
