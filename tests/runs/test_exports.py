"""Exports: every format opens with what people use, ids intact, nothing that runs, whole or not at all."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import openpyxl
import pytest
from rocrate.rocrate import ROCrate

from bladecheck.cli.export import export, opened
from bladecheck.errors import RunError
from bladecheck.runs.columns import COLUMNS, NAMES, Column
from bladecheck.runs.exports.cells import guarded
from bladecheck.runs.exports.registry import FORMATS, save
from score_helpers import Score, exported, fill
from serving import environment
from tiny import RED, draw, encode

NASTY = [
    "=cmd|' /C calc'!A0", "+1+1", "-2", "@anytown_police", "\t=1", "\r=1", " =1", "'quoted", "1e5", "007",
    "1746827059000246273", "plain, with \"quotes\"\nand a break", "é 🔪 \u2028 \x07", "＝1", "2024",
]  # fmt: skip
TEXT = Column("text", "text", "")


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table whose texts, accounts and ids are what a spreadsheet must not be trusted with."""
    folder = tmp_path_factory.mktemp("nasty")
    (folder / "a.png").write_bytes(encode(draw(RED)))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    with (folder / "posts.csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(("post_id", "account", "text", "created_at", "file"))
        for number, text in enumerate(NASTY):
            moment = f"2024-03-{number + 1:02d}T23:30:00+00:00"
            out.writerow((1746827059000246273 + number, f"@who{number}", text, moment, "a.png"))
        out.writerow((1746827059000249999, "x", "broken one", "", "broken.jpg"))
    return folder


@pytest.fixture
def run(score: Score, nasty: Path, tmp_path: Path) -> Path:
    score(nasty, tmp_path / "run")
    return tmp_path / "run"


def unguarded(cell: str) -> str:
    return cell.removeprefix("'")


def test_csv_is_safe_to_open_and_loses_nothing(run: Path) -> None:
    export(run, "csv")
    data = (run / "predictions.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    with (run / "predictions.csv").open(encoding="utf-8-sig", newline="") as stream:
        table = [*csv.DictReader(stream)]
    rows = exported(run)
    assert len(table) == len(rows) == len(NASTY) + 1
    for cells, row in zip(table, rows, strict=True):
        for column in COLUMNS:
            if column.kind == "text":
                assert unguarded(cells[column.name]) == (row[column.name] or "")
                assert not re.match(r"\s*[=+\-@＝＋－＠]", cells[column.name]), "would run as a formula"
                assert not re.fullmatch(r"\d{16,}|0\d+|\d+[eE]\d+", cells[column.name]), "would lose digits"
        assert cells["score_knife"] == ("" if row["score_knife"] is None else repr(row["score_knife"]))
        assert cells["raw_gun"] == ("" if row["raw_gun"] is None else repr(row["raw_gun"])), "a number may be negative"


@pytest.mark.parametrize("text", NASTY)
def test_the_guard_can_be_undone(text: str) -> None:
    assert unguarded(guarded(TEXT, text)) == text


@pytest.mark.parametrize("text", ["plain", "2024", "12.5", "a=b", "C3xYz-1", "e5", "", "knife;in_hand"])
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert guarded(TEXT, text) == text


def test_xlsx_keeps_text_as_text(run: Path) -> None:
    export(run, "xlsx")
    book = openpyxl.load_workbook(run / "predictions.xlsx")
    header, *found = book["predictions"].iter_rows()
    assert tuple(cell.value for cell in header) == NAMES
    for cells, row in zip(found, exported(run), strict=True):
        by_name = dict(zip(NAMES, cells, strict=True))
        assert by_name["post_id"].value == row["post_id"]
        assert {cell.data_type for cell in cells} <= {"s", "n"}, "no formulas"
        assert by_name["post_id"].data_type == "s"
    assert {row[0].value for row in book["columns"].iter_rows(min_row=2)} == set(NAMES)
    assert dict(book["provenance"].iter_rows(min_row=2, values_only=True))["bladecheck_model"] == "tiny 1.0.0"


def test_parquet_has_types_ids_and_provenance(run: Path) -> None:
    export(run, "parquet")
    path = str(run / "predictions.parquet")
    with duckdb.connect() as database:
        types = dict(database.execute("SELECT name, column_type FROM (SELECT column_name AS name, column_type FROM "
                                      "(DESCRIBE SELECT * FROM read_parquet(?)))", [path]).fetchall())  # fmt: skip
        database.execute("SET TimeZone = 'UTC'")
        found = database.execute("SELECT post_id, posted_at, reasons, is_repost, score_knife FROM read_parquet(?)",
                                 [path]).fetchall()  # fmt: skip
        labels = {bytes(key).decode(): bytes(value).decode() for key, value in
                  database.execute("SELECT key, value FROM parquet_kv_metadata(?)", [path]).fetchall()}  # fmt: skip
    assert tuple(types) == NAMES
    assert (types["post_id"], types["posted_at"], types["bytes"]) == ("VARCHAR", "TIMESTAMP WITH TIME ZONE", "BIGINT")
    rows = exported(run)
    assert [one[0] for one in found] == [row["post_id"] for row in rows]
    assert [one[1] and f"{one[1]:%Y-%m-%dT%H:%M:%SZ}" for one in found] == [row["posted_at"] for row in rows]
    assert [one[2:] for one in found] == [(row["reasons"], row["is_repost"], row["score_knife"]) for row in rows]
    assert labels["bladecheck_model_sha256"] == rows[0]["model_sha256"]
    assert json.loads(labels["bladecheck_json_schema"])["required"] == list(NAMES)


def test_duckdb_file(run: Path) -> None:
    export(run, "duckdb")
    with duckdb.connect(str(run / "predictions.duckdb"), read_only=True) as database:
        assert database.execute("SELECT count(*), count(post_id) FROM predictions").fetchone() == (16, 16)
        total = database.execute("SELECT scored, hold, failed FROM summary WHERE month = 'all'").fetchone()
        assert total == (15, 15, 1)
        manifest = database.execute("SELECT value FROM provenance WHERE what = 'run_json'").fetchone()
        assert manifest is not None
        assert json.loads(manifest[0])["counts"]["rows"] == 16


def test_camtrap_package_describes_its_tables(run: Path) -> None:
    export(run, "camtrap-dp")
    package = json.loads((run / "camtrap-dp/datapackage.json").read_text())
    keys: dict[str, set[str]] = {}
    for resource_ in package["resources"]:
        with (run / "camtrap-dp" / resource_["path"]).open(newline="") as stream:
            reader = csv.DictReader(stream)
            assert reader.fieldnames == [field["name"] for field in resource_["schema"]["fields"]]
            table = [*reader]
        keys[resource_["name"]] = {row["mediaID"] for row in table}
        assert len({row[resource_["schema"]["primaryKey"]] for row in table}) == len(table) == 16
    assert keys["media"] == keys["observations"] == {guarded(TEXT, row["row_id"]) for row in exported(run)}
    assert {row["classificationMethod"] for row in table} == {"machine"}


def test_ro_crate_opens_with_its_own_library(run: Path) -> None:
    export(run, "ro-crate")
    crate = ROCrate(run / "ro-crate")
    action = next(entity for entity in crate.get_entities() if entity.type == "CreateAction")
    assert {entity.id for entity in action["result"]} == {"predictions.jsonl", "predictions.csv"}
    assert all((run / "ro-crate" / entity["@id"]).exists() for entity in crate.root_dataset["hasPart"])


@pytest.mark.parametrize("format", FORMATS)
def test_repeating_an_export_replaces_it(run: Path, format: str) -> None:
    for _ in range(2):
        export(run, format)
    name = FORMATS[format][0]
    assert (run / name).exists()
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")], "no drafts are left"


def test_a_full_disk_leaves_the_older_export_as_it_was(score: Score, tmp_path: Path) -> None:
    """Each format with room for half of its largest file; one process for all, since starting it costs seconds."""
    run = tmp_path / "run"
    score(fill(tmp_path / "archive", 120), run)
    before, limits = {}, {}
    for format, (name, _) in FORMATS.items():
        export(run, format)
        files = [run / name] if (run / name).is_file() else sorted((run / name).iterdir())
        before[format] = {path: path.read_bytes() for path in files}
        limits[format] = max(len(data) for data in before[format].values()) // 2
    program = (
        "import json, resource, signal, sys\n"
        "from bladecheck.cli import main\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "for format, limit in json.loads(sys.argv[2]).items():\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))\n"
        "    given, sys.argv[1:] = sys.argv[1:], ['export', sys.argv[1], '--format', format]\n"
        "    try: main()\n"
        "    except SystemExit as end: print(format, end.code)\n"
        "    sys.argv[1:] = given\n"
    )
    command = [sys.executable, "-c", program, str(run), json.dumps(limits)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{format} 1" for format in FORMATS], done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("can't be written: the file would be larger than is allowed") == len(FORMATS), done.stderr
    assert "/." not in done.stderr, "no drafts are named"
    for files in before.values():
        assert {path: path.read_bytes() for path in files} == files
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_a_pipe_is_not_replaced_by_a_file(run: Path, tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("needs named pipes")
    os.mkfifo(tmp_path / "pipe")
    with opened(run, None) as (found, _), pytest.raises(RunError, match="a device or a pipe"):
        save(found, "csv", tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_no_traceback_in_the_end_of_an_xlsx(run: Path) -> None:
    """zipfile writes on from its destructor, where an error goes to stderr and to nobody else."""
    program = (
        "import sys; from pathlib import Path\n"
        "from bladecheck.cli.export import opened\n"
        "from bladecheck.runs.exports import xlsx\n"
        "with opened(Path(sys.argv[1]), None) as (found, _):\n"
        "    try: xlsx.write(found, Path('/dev/full'))\n"
        "    except OSError as error: print(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(run)], env=environment(), capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("28", "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder_as_a_user(run: Path) -> None:
    run.chmod(0o500)
    with pytest.raises(RunError, match="may not write"):
        export(run, "csv")


def test_a_place_that_cannot_be_written_is_named(run: Path) -> None:
    (run / "file").write_text("")
    with pytest.raises(RunError, match="can't be written"):
        export(run, "csv", run / "file" / "rows.csv")
