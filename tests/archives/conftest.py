"""Small real pictures and containers for the readers' tests."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

SAMPLES = Path(__file__).parent / "samples"


def picture(color: int = 0, kind: str = "PNG") -> bytes:
    """A tiny picture of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (color % 256, color // 256 % 256, 90)).save(stream, kind)
    return stream.getvalue()


@pytest.fixture(scope="session")
def samples() -> Path:
    return SAMPLES


@pytest.fixture(scope="session")
def png() -> bytes:
    return picture()


@pytest.fixture
def make_zip(tmp_path: Path) -> Callable[..., Path]:
    """Writes a zip from names to bytes, text or JSON."""

    def make(name: str, members: dict[str, object]) -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members.items():
                archive.writestr(member, as_bytes(content))
        return path

    return make


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a folder from names to bytes, text or JSON."""

    def make(members: dict[str, object], name: str = "folder") -> Path:
        root = tmp_path / name
        for member, content in members.items():
            path = root / member
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_bytes(content))
        return root

    return make


def as_bytes(content: object) -> bytes:
    if isinstance(content, bytes):
        return content
    return (content if isinstance(content, str) else json.dumps(content)).encode()
