"""Archives in object stores and on web servers: the rows of the local copy, by ranged reads, with plain errors."""

from __future__ import annotations

import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bladecheck.archives import open_archive
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.opening import open_sources
from bladecheck.archives.containers.remote import RemotePath, path_of
from bladecheck.archives.item import Handle
from bladecheck.errors import ArchiveError, RunError, StoreUnreachable
from object_store import SECRET, Shelf, pointed_at
from score_helpers import Score, exported, scored

obstore = pytest.importorskip("obstore", reason="needs bladecheck[cloud]")
pytest.importorskip("moto.server", reason="needs moto")
FORMS = ("pictures", "x.zip", "deflated.zip", "x.tar", "x.tar.gz", "exports")


@pytest.fixture(scope="module")
def local(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures as a folder, two zips, two tars, and a folder with a zip in it."""
    folder = tmp_path_factory.mktemp("local")
    shutil.copytree(pictures, folder / "pictures")
    for name, packing in (("x.zip", zipfile.ZIP_STORED), ("deflated.zip", zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(folder / name, "w", packing) as archive:
            for file in sorted(pictures.iterdir()):
                archive.write(file, f"media/{file.name}")
    for name, mode in (("x.tar", "w"), ("x.tar.gz", "w:gz")):
        with tarfile.open(folder / name, mode) as packed:  # type: ignore[call-overload]
            packed.add(pictures, "media")
    (folder / "exports" / "more").mkdir(parents=True)
    shutil.copy(folder / "x.zip", folder / "exports")
    shutil.copy(sorted(pictures.iterdir())[0], folder / "exports" / "more" / "a b ü.jpg")
    return folder


@pytest.fixture(scope="module")
def bucket(local: Path) -> Iterator[str]:
    """The same in a bucket of moto's S3."""
    from moto.server import ThreadedMotoServer
    from obstore.store import S3Store

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pointed_at(f"http://{host}:{port}"):
        import boto3

        boto3.client("s3").create_bucket(Bucket="police")
        store = S3Store("police", client_options={"allow_http": True})
        for file in sorted(local.rglob("*")):
            if file.is_file():
                obstore.put(store, f"held/{file.relative_to(local).as_posix()}", file.read_bytes())
        yield "s3://police/held"
    server.stop()


@pytest.fixture
def shelf(local: Path) -> Iterator[Shelf]:
    found = Shelf(local)
    with pointed_at("http://127.0.0.1:9"):
        yield found
    found.close()


@pytest.mark.parametrize("form", FORMS)
def test_every_item_is_that_of_the_local_copy(form: str, bucket: str, local: Path) -> None:
    with open_archive(local / form) as here, open_archive(Path(f"{bucket}/{form}")) as there:
        mine, theirs = list(here.items()), list(there.items())
        assert [item.member for item in theirs] == [item.member for item in mine]
        assert len(theirs) >= 30
        assert [item.open() for item in theirs] == [item.open() for item in mine]
        handles = pickle.loads(pickle.dumps([item.opener for item in theirs if isinstance(item.opener, Handle)]))
        assert [handle() for handle in handles] == ([] if "gz" in form else [item.open() for item in mine])


def test_rows_are_those_of_the_local_copy_and_no_secret_is_written(
    bucket: str, local: Path, score: Score, tmp_path: Path
) -> None:
    score(local / "x.zip", tmp_path / "here")
    score(Path(f"{bucket}/x.zip"), tmp_path / "there")
    assert exported(tmp_path / "there") == exported(tmp_path / "here")
    written = b"".join(file.read_bytes() for file in (tmp_path / "there").iterdir())
    assert b"s3://police/held/x.zip" in written
    assert SECRET.encode() not in written
    assert b"somebody" not in written


def test_a_run_goes_on_and_scores_nothing_twice(bucket: str, score: Score, tmp_path: Path) -> None:
    archive, run = Path(f"{bucket}/x.zip"), tmp_path / "run"
    score(archive, tmp_path / "whole")
    score(archive, run)
    journal = run / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[: journal.stat().st_size // 2])  # as kill -9 leaves it
    score(archive, run)
    assert exported(run) == exported(tmp_path / "whole")
    assert len(scored(run)) == len(set(scored(run)))


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://police/held/none.zip", "nothing has this address"),
        ("s3://nobody/x.zip", "no 'nobody' at this store"),
        ("s3://police/held//x.zip", "two slashes"),
        ("http://example.org/x.zip", "use https://"),
    ],
)
def test_what_is_not_there_is_said(address: str, said: str, bucket: str) -> None:
    with pytest.raises(ArchiveError, match=said):
        open_sources(path_of(address), ArchiveLimits())


def test_without_credentials_the_variables_are_named(bucket: str) -> None:
    with pointed_at(os.environ["AWS_ENDPOINT_URL"], keys=False), pytest.raises(ArchiveError, match="AWS_ACCESS_KEY_ID"):
        open_archive(Path(f"{bucket}/x.zip"))


@pytest.mark.parametrize("address", ["https://me:hush@example.org/x.zip", "https://example.org/x.zip?sig=hush"])
def test_addresses_with_keys_are_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ArchiveError, match=r"https://example\.org/x\.zip") as caught:
        path_of(address)
    assert "hush" not in str(caught.value)


def test_a_picture_takes_one_request(shelf: Shelf) -> None:
    for form in ("x.zip", "deflated.zip", "x.tar"):
        with open_archive(path_of(f"{shelf.address}/{form}")) as archive:
            items = list(archive.items())
            for item in items[:5]:
                before = len(shelf.asked)
                item.open()
                assert len(shelf.asked) == before + 1, (form, shelf.asked[before:])
    assert all(part for method, _, part in shelf.asked if method == "GET")


def test_a_short_failure_is_waited_out(shelf: Shelf, local: Path) -> None:
    with open_archive(path_of(f"{shelf.address}/x.zip")) as archive:
        item = next(iter(archive.items()))
        shelf.failing = 2
        data = item.open()
    with open_archive(local / "x.zip") as archive:
        assert next(iter(archive.items())).open() == data


def test_a_store_that_is_gone_ends_the_session_and_keeps_what_was_scored(
    shelf: Shelf, score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bladecheck.archives.containers import remote

    address, run = path_of(f"{shelf.address}/x.zip"), tmp_path / "run"
    fetch, fetched = remote.RemoteFile._fetch, list[int]()

    def failing(file: Any, start: int, count: int) -> bytes:
        fetched.append(start)
        if len(fetched) > 20:
            raise StoreUnreachable(f"{address} can't be reached (500)")
        return fetch(file, start, count)

    monkeypatch.setattr(remote.RemoteFile, "_fetch", failing)
    with pytest.raises(RunError, match="run the same command again"):
        score(address, run)
    monkeypatch.undo()
    before = scored(run)
    assert before
    score(address, run)
    assert scored(run)[: len(before)] == before
    assert len(exported(run)) == 30


def test_an_address_is_a_path() -> None:
    address = path_of("s3:/police/held/x.zip")
    assert isinstance(address, RemotePath)
    assert str(address) == str(pickle.loads(pickle.dumps(address))) == "s3://police/held/x.zip"
    assert (address.name, address.key, str(address.parent)) == ("x.zip", "held/x.zip", "s3://police/held")
    assert path_of("folder/x.zip") == Path("folder/x.zip")
