"""`bladecheck classify` as users run it: files, folders, stdin, tables, JSON lines, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bladecheck import __version__
from bladecheck.cli.sources import expand
from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes
from bladecheck.file_formats import PICTURE_ENDINGS
from odd import animation
from tiny import GREEN, RED, draw, encode

linux = pytest.mark.skipif(sys.platform != "linux", reason="uses /proc, /dev or raw file names")


def rows(done: subprocess.CompletedProcess[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_json_is_one_result_a_line_in_the_documented_shape(run: Any, pictures: Path, tiny_path: Path) -> None:
    done = run("classify", pictures, "--json", "--bundle", tiny_path)
    found = rows(done)
    assert done.returncode == 0
    assert [Path(row["path"]).name for row in found] == ["a red.png", "b.JPG", "c.webp"]
    assert [row["decision"] for row in found] == ["hold", "check", "clear"]
    for row in found:
        assert {"path", "status", "decision", "reasons", "scores", "blade", "image", "model"} <= set(row)
        assert row["status"] == "ok"
        assert set(row["scores"]) == {"knife", "gun", "other_weapon"}
        assert sum(row["blade"].values()) == pytest.approx(1)
        assert {"sha256", "width", "height", "format"} <= set(row["image"])
        assert set(row["model"]) == {"name", "version", "sha256"}
        assert all(set(reason) == {"code", "text"} for reason in row["reasons"])
    assert (found[1]["image"]["width"], found[1]["image"]["height"], found[1]["image"]["format"]) == (320, 240, "JPEG")


def test_the_numbers_are_those_of_the_library(
    run: Any, pictures: Path, tiny_path: Path, classifier: Classifier
) -> None:
    for row in rows(run("classify", pictures, "--json", "--bundle", tiny_path)):
        assert row == {"path": row["path"], **classify_bytes(Path(row["path"]).read_bytes(), classifier)} | {
            "policy": row["policy"]
        }


def test_failures_are_rows_and_exit_code_2(run: Any, pictures: Path, tiny_path: Path) -> None:
    (pictures / "b.JPG").write_text("<html>404</html>")
    (pictures / "empty.png").write_bytes(b"")
    done = run("classify", pictures, "--json", "--bundle", tiny_path)
    found = {Path(row["path"]).name: row for row in rows(done)}
    assert done.returncode == 2
    assert len(found) == 4
    for name, code in (("b.JPG", "not_an_image"), ("empty.png", "empty")):
        assert (found[name]["status"], found[name]["decision"]) == ("failed", "cannot_judge")
        assert set(found[name]["error"]) == {"code", "detail"}
        assert found[name]["error"]["code"] == code
        assert set(found[name]["model"]) == {"name", "version", "sha256"}
        assert "scores" not in found[name], "a failure has no score that could be taken for a low one"


@pytest.mark.parametrize("ending", sorted(PICTURE_ENDINGS))
def test_a_folder_is_searched_for_every_ending_that_archives_know(ending: str, tmp_path: Path) -> None:
    for name in (f"a{ending}", f"B{ending.upper()}"):
        (tmp_path / name).write_bytes(b"")
    assert [Path(path).name for path in expand([str(tmp_path)]).files] == [f"B{ending.upper()}", f"a{ending}"]


def test_what_is_passed_over_in_a_folder_is_said(run: Any, pictures: Path, tiny_path: Path) -> None:
    (pictures / "saved by a browser.jfif").write_bytes(encode(draw(RED), "JPEG"))
    (pictures / "README").write_text("")
    done = run("classify", pictures, "--json", "--bundle", tiny_path)
    assert [Path(row["path"]).name for row in rows(done)][-2:] == ["saved by a browser.jfif", "c.webp"]
    said = done.stderr.decode()
    assert "2 files were passed over, having no picture's ending: 1 without an ending, 1 .txt." in said
    (pictures / "README").unlink()
    assert b"1 file was passed over" in run("classify", pictures, "--bundle", tiny_path).stderr
    (pictures / "notes.txt").unlink()
    assert run("classify", pictures, "--bundle", tiny_path).stderr == b""


def test_the_module_is_the_command(tmp_path: Path, tiny_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(draw(RED)))
    command = [sys.executable, "-m", "bladecheck", "classify", tmp_path / "a.png", "--json", "--bundle", tiny_path]
    done = subprocess.run(command, capture_output=True, timeout=60)
    assert (done.returncode, rows(done)[0]["decision"]) == (0, "hold")
    assert subprocess.run([sys.executable, "-m", "bladecheck", "classify", "nothing.jpg"]).returncode == 1


def test_stdin_is_a_picture(run: Any, tiny_path: Path) -> None:
    done = run("classify", "-", "--json", "--bundle", tiny_path, input=encode(draw(RED)))
    assert (done.returncode, rows(done)[0]["path"], rows(done)[0]["decision"]) == (0, "-", "hold")
    assert run("classify", "-", "--bundle", tiny_path, input=b"").returncode == 2


def test_the_table_reads_well(run: Any, pictures: Path, tiny_path: Path) -> None:
    (pictures / "broken.png").write_bytes(encode(draw(RED))[:60])
    done = run("classify", pictures, "--bundle", tiny_path)
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 2
    assert lines[0].split() == ["decision", "knife", "gun", "kind", "picture"]
    assert re.fullmatch(r"hold +1\.000 +0\.000 +zombie +\S+/a red\.png", lines[1])
    assert re.fullmatch(
        r"cannot judge +- +- +- +\S+/broken\.png: The PNG data is truncated or corrupt \(\w+\)\.", lines[3]
    )
    assert lines[-1] == "4 pictures, 1 failed. Model tiny 1.0.0."
    assert len({line.index(name) for line, name in zip(lines[:3], ("picture", "/", "/"), strict=False)}) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Usage"),
        (["nothing"], "No such command"),
        (["classify"], "Missing argument"),
        (["classify", "no-such-file.jpg"], "No such file or folder: no-such-file.jpg"),
        (["classify", ".", "--no-such-option"], "No such option"),
        (["classify", ".", "--threads", "0"], "--threads"),
        (["classify", "."], "No pictures in ."),
        (["model", "nothing"], "No such command"),
    ],
)
def test_wrong_usage_is_exit_code_1_and_says_what(
    arguments: list[str], said: str, quick: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, shown = quick(*arguments)
    assert code == 1
    assert said in shown


def test_wrong_usage_shows_no_traceback(run: Any, tmp_path: Path) -> None:
    done = run("classify", "no-such-file.jpg", cwd=tmp_path)
    assert done.returncode == 1
    assert b"no-such-file.jpg" in done.stderr


def test_no_usable_model_is_exit_code_3(run: Any, pictures: Path, folder: Path) -> None:
    for bundle in ("no-such-model", pictures):
        done = run("classify", pictures, "--bundle", bundle)
        assert (done.returncode, done.stdout) == (3, b"")
        assert b"[bad_bundle]" in done.stderr
    (folder / "model.onnx").write_bytes(b"tampered")
    done = run("classify", pictures, "--bundle", folder)
    assert done.returncode == 3
    assert b"has sha256" in done.stderr


@pytest.mark.parametrize("command", ["classify", "serve", "doctor", "model", "model show", "model verify"])
def test_help_teaches(command: str, quick: Any) -> None:
    code, text = quick(*command.split(), "--help")
    assert code == 0
    assert "Usage" in text
    if command == "classify":
        for example in (
            "bladecheck classify photo.jpg",
            "--json > results.jsonl",
            "cat photo.jpg | bladecheck classify -",
        ):
            assert example in text


def test_the_top_says_exit_codes_and_version(quick: Any) -> None:
    for option in ("-h", "--help"):
        code, text = quick(option)
        assert code == 0
        assert "Exit codes: 0 ran, 1 wrong usage, 2 some pictures failed, 3 no usable model." in " ".join(text.split())
    assert quick("--version") == (0, f"bladecheck {__version__}\n")


def test_evidence_is_a_picture_of_the_same_shape(run: Any, pictures: Path, tiny_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "evidence.png"
    done = run("classify", pictures / "a red.png", "--evidence", target, "--bundle", tiny_path)
    assert done.returncode == 0
    with Image.open(target) as marked:
        assert marked.size == (61, 47)
        assert not marked.getexif()


def test_evidence_of_an_animation_shows_the_frame_that_decided(run: Any, tiny_path: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "moving.gif", tmp_path / "evidence.png"
    source.write_bytes(animation([GREEN, RED], "GIF"))
    assert run("classify", source, "--evidence", target, "--bundle", tiny_path).returncode == 0
    with Image.open(target) as marked:
        red, green, _ = marked.getpixel((50, 40))
    assert red > 150 > green


def test_evidence_asked_for_wrongly(run: Any, pictures: Path, tiny_path: Path, tmp_path: Path) -> None:
    red = pictures / "a red.png"
    for arguments in (
        (pictures, "--evidence", tmp_path / "e.png"),
        ("-", "--evidence", tmp_path / "e.png"),
        (red, "--evidence", tmp_path / "no-folder" / "e.png"),
        (red, "--evidence", tmp_path / "e.docx"),
    ):
        done = run("classify", *arguments, "--bundle", tiny_path, input=b"")
        assert done.returncode == 1
        assert b"--evidence" in done.stderr
    (tmp_path / "bad.png").write_bytes(b"text")
    done = run("classify", tmp_path / "bad.png", "--evidence", tmp_path / "e.png", "--bundle", tiny_path)
    assert done.returncode == 2
    assert not (tmp_path / "e.png").exists()


def test_names_in_any_language_and_control_characters(run: Any, tiny_path: Path, tmp_path: Path) -> None:
    names = ["messer größe.png", "нож.png", "刀.png", "two\nlines.png", "\x1b[31mred.png"]
    for name in names:
        (tmp_path / name).write_bytes(encode(draw(RED)))
    for environment in (os.environ, {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}):
        done = run("classify", tmp_path, "--json", "--bundle", tiny_path, env=environment)
        # A terminal without UTF-8 gets the same bytes of the name, not the same characters.
        found = {Path(os.fsdecode(os.fsencode(row["path"]))).name for row in rows(done)}
        assert found == set(names)
        table = run("classify", tmp_path, "--bundle", tiny_path, env=environment).stdout
        assert len(table.splitlines()) == len(names) + 2
        assert b"\x1b" not in table


@linux
def test_names_that_are_no_text_survive(run: Any, tiny_path: Path, tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/caf\xe9\xff.png"
    Path(os.fsdecode(name)).write_bytes(encode(draw(RED)))
    for argument in (name, os.fsencode(tmp_path)):
        done = run("classify", argument, "--json", "--bundle", tiny_path)
        assert done.returncode == 0
        assert os.fsencode(rows(done)[0]["path"]) == name
    assert b"caf\\xe9\\xff.png" in run("classify", name, "--bundle", tiny_path).stdout.replace(b"\\udc", b"\\x")


@linux
def test_what_the_system_will_not_read_is_a_failed_row(run: Any, tiny_path: Path, pictures: Path) -> None:
    done = run("classify", "/proc/self/mem", "/dev/zero", pictures, "--json", "--bundle", tiny_path)
    found = rows(done)
    assert done.returncode == 2
    assert [row["status"] for row in found] == ["failed", "failed", "ok", "ok", "ok"]
    assert [row["error"]["code"] for row in found[:2]] == ["unreadable_file", "too_large"]
    assert all(row["image"] == {} and row["decision"] == "cannot_judge" for row in found[:2])


@linux
def test_a_folder_that_cannot_be_listed_is_reported(tiny_path: Path, tmp_path: Path) -> None:
    from bladecheck.cli.sources import expand, read
    from bladecheck.errors import UnreadableFile

    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    if os.access(closed, os.R_OK):
        pytest.skip("root can list any folder")
    assert list(expand([str(tmp_path)])) == [str(closed)]
    with pytest.raises(UnreadableFile):
        read(str(closed), 100)


@linux
def test_a_reader_that_has_seen_enough_is_no_error(script: str, tiny_path: Path, pictures: Path) -> None:
    for index in range(60):
        (pictures / f"{index}.png").write_bytes(encode(draw(RED)))
    for mode in ("--json", "--threads=1"):
        line = f"'{script}' classify '{pictures}' '{pictures}' '{pictures}' {mode} --bundle '{tiny_path}' | head -n 1"
        done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.count(b"\n") == 1


@linux
def test_a_full_disk_is_one_line(run: Any, script: str, tiny_path: Path, pictures: Path) -> None:
    line = f"'{script}' classify '{pictures}' --json --bundle '{tiny_path}' > /dev/full"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, b"bladecheck: No space left on device.\n")


@linux
@pytest.mark.parametrize("waiting", [True, False])
def test_ctrl_c_stops_at_once_without_a_traceback(waiting: bool, script: str, tiny_path: Path, tmp_path: Path) -> None:
    big = tmp_path / "big.png"
    big.write_bytes(encode(Image.linear_gradient("L").resize((3000, 3000)).convert("RGBA"), compress_level=1))
    arguments = ["-"] if waiting else [str(big)] * 500
    with subprocess.Popen(
        [script, "classify", *arguments, "--threads", "2", "--bundle", str(tiny_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the table's header: the work has begun
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors in (b"", b"bladecheck: Interrupted.\n")


WHILE_LOADING = """
import os, signal, sys
from bladecheck.cli import main
class Press:
    def find_spec(name, *rest):
        if name == "bladecheck.cli.classify":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Press)
sys.argv = ["bladecheck", "--version"]
main()
"""


@linux
@pytest.mark.parametrize("ignored", [False, True])
def test_ctrl_c_while_the_commands_are_loaded_leaves_no_traceback(ignored: bool) -> None:
    """Where it is ignored, as in the background of a script, it stays so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)
    try:
        done = subprocess.run([sys.executable, "-c", WHILE_LOADING], capture_output=True, timeout=60)
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert (done.returncode, done.stderr) == (0 if ignored else -signal.SIGINT, b"")
