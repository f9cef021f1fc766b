"""A plain HTTP client for the page's tests: what a browser sends, without a browser."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from urllib.parse import urlsplit

BOUNDARY = "----bladecheck-tests"


def fetch(url: str, accept: str = "*/*", files: Sequence[tuple[str, bytes]] = ()) -> tuple[int, dict[str, str], bytes]:
    """GET, or POST the files as a form; status, headers in lower case, body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    headers = {"Accept": accept}
    if files:
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
        connection.request("POST", parts.path, _form(files), headers)
    else:
        connection.request("GET", parts.path, headers=headers)
    answer = connection.getresponse()
    found = {name.lower(): value for name, value in answer.getheaders()}
    body = answer.read()
    connection.close()
    return answer.status, found, body


def _form(files: Sequence[tuple[str, bytes]]) -> bytes:
    pieces = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: image/png\r\n\r\n".encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return b"".join(pieces) + f"--{BOUNDARY}--\r\n".encode()
