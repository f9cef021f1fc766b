"""Reading uploads without touching the disk.

Starlette spools every file part above 1 MiB to a temporary file. A `max_size` of 0 tells SpooledTemporaryFile never to
do that, so bodies stay in memory; the byte limits of `bladecheck.web.body_limits` bound how much that can be.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from email.message import Message

from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from bladecheck.web.http_errors import BadInput, BadMultipart, TooManyPictures, UnsupportedMedia


class MemoryParser(MultiPartParser):
    """Starlette's parser, with file parts that never roll over to disk, and that knows whether the body was whole."""

    spool_max_size = 0
    ended = False

    def on_end(self) -> None:
        self.ended = True


def media_type(request: Request) -> str:
    """The request's content type without parameters, in lower case; empty if there is none."""
    message = Message()
    message["content-type"] = request.headers.get("content-type", "")
    return message.get_content_type() if request.headers.get("content-type") else ""


def refuse_compressed(request: Request) -> None:
    """Take bodies only as they are: a compressed one would have to be unpacked before its size is known.

    Raises:
        UnsupportedMedia: if the request names any Content-Encoding but identity.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMedia(
            f"The body has Content-Encoding {encoding[:40]!r}; send it as it is: pictures are compressed already."
        )


@asynccontextmanager
async def form(request: Request, max_files: int, max_fields: int = 100) -> AsyncGenerator[FormData]:
    """The parsed multipart form, held in memory and freed at the end. Use this, never `request.form()`.

    Raises:
        BadMultipart, TooManyPictures, UnsupportedMedia: all are `RequestError`.
    """
    refuse_compressed(request)
    try:
        async with aclosing(request.stream()) as stream:
            parser = MemoryParser(request.headers, stream, max_files=max_files, max_fields=max_fields)
            parsed = await parser.parse()
            if not parser.ended:  # its last part would silently be missing
                await parsed.close()
                raise BadMultipart("The body ends before its closing boundary.")
    except MultiPartException as error:
        if error.message.startswith("Too many files"):
            raise TooManyPictures(f"A request may hold {max_files} pictures; send more in several requests.") from error
        raise BadMultipart(error.message) from error
    try:
        yield parsed
    finally:
        await parsed.close()


async def pictures(request: Request, max_files: int) -> list[bytes]:
    """The bytes of each picture or video of a request, in order: its `file` parts, or the one that is its body.

    Raises:
        UnsupportedMedia: if the body is neither multipart/form-data nor image/* nor video/*, or compressed once more.
        BadInput: if there is no `file` part, or a part that is no file.
        BadMultipart, TooManyPictures: see `form`.
    """
    refuse_compressed(request)
    kind = media_type(request)
    if kind == "multipart/form-data":
        async with form(request, max_files) as parts:
            return [await part.read() for part in _files(parts)]
    if kind.startswith(("image/", "video/")):
        return [await request.body()]
    raise UnsupportedMedia(
        f"The body is {kind or 'of no stated type'}; send multipart/form-data with 'file' parts, or one image/* body."
    )


def _files(parts: FormData) -> list[UploadFile]:
    found = []
    for name, value in parts.multi_items():
        if name != "file":
            raise BadInput(f"There is a part named {name[:60]!r}; every picture is a part named 'file'.")
        if not isinstance(value, UploadFile):
            raise BadInput("A 'file' part has no file name, so it is text and not a file; with curl use -F file=@PATH.")
        found.append(value)
    if not found:
        raise BadInput("There is no 'file' part.")
    return found
