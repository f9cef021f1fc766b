"""Drives Debian's Firefox over its own Marionette protocol, which needs no driver beside the browser."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
PREFERENCES = {
    "browser.download.folderList": 2,
    "browser.download.useDownloadDir": True,
    "browser.helperApps.neverAsk.saveToDisk": "application/json,image/jpeg",
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.disable_beforeunload": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "app.update.enabled": False,
}


class Firefox:
    """One window. Messages are JSON behind their length: [0, number, command, arguments], answered by [1, ...]."""

    def __init__(self, port: int) -> None:
        self._socket = _connected(port)
        self._number = 0
        self._receive()  # it says who it is
        self.command("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": False}})

    def command(self, name: str, **arguments: Any) -> Any:
        """What Firefox answers.

        Raises:
            RuntimeError: if it refuses.
        """
        self._number += 1
        sent = json.dumps([0, self._number, name, arguments]).encode()
        self._socket.sendall(b"%d:%s" % (len(sent), sent))
        _, _, error, found = self._receive()
        if error:
            raise RuntimeError(f"{name}: {error['error']}: {error['message'][:300]}")
        return found.get("value", found) if isinstance(found, dict) else found

    def go(self, address: str) -> None:
        self.command("WebDriver:Navigate", url=address)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a script returns; `arguments[0]` and so on are what was given."""
        return self.command("WebDriver:ExecuteScript", script=script, args=list(arguments))

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until a JavaScript expression is true.

        Raises:
            AssertionError: if it never is.
        """
        ends = time.monotonic() + seconds
        while not self.run(f"return Boolean({condition})"):
            assert time.monotonic() < ends, f"never true: {condition}"
            time.sleep(0.05)

    def find(self, selector: str, text: str = "") -> dict[str, str]:
        """The first element that matches, shows and holds the text.

        Raises:
            AssertionError: if there is none.
        """
        found = self.run(
            "return [...document.querySelectorAll(arguments[0])]"
            ".find((one) => one.checkVisibility() && one.textContent.includes(arguments[1])) ?? null",
            selector,
            text,
        )
        assert found, f"nothing shows that is {selector} and says {text!r}"
        return dict(found)

    def click(self, selector: str, text: str = "") -> None:
        """As a person does: it must be in sight and not covered."""
        self.command("WebDriver:ElementClick", id=self.find(selector, text)[ELEMENT])

    def type(self, selector: str, text: str) -> None:
        self.command("WebDriver:ElementSendKeys", id=self.find(selector)[ELEMENT], text=text)

    def choose(self, selector: str, *files: Path) -> None:
        """Files for a file input, which need not show."""
        found = self.command("WebDriver:FindElement", using="css selector", value=selector)
        self.command("WebDriver:ElementSendKeys", id=found[ELEMENT], text="\n".join(map(str, files)))

    def back(self) -> None:
        self.command("WebDriver:Back")

    def reload(self) -> None:
        self.command("WebDriver:Refresh")

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> Any:
        length = b""
        while (digit := self._socket.recv(1)) != b":":
            assert digit, "Firefox has closed the connection"
            length += digit
        body = b""
        while len(body) < int(length):
            body += self._socket.recv(int(length) - len(body))
        return json.loads(body)


@contextmanager
def started(path: str, folder: Path) -> Iterator[Firefox]:
    """A Firefox that shows no window, with a profile of its own in `folder`; downloads go to `folder`/saved."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    profile, saved = folder / "profile", folder / "saved"
    profile.mkdir()
    saved.mkdir()
    wanted = {**PREFERENCES, "marionette.port": port, "browser.download.dir": str(saved)}
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
    (profile / "user.js").write_text("".join(lines))
    command = [path, "--headless", "--no-remote", "--marionette", "--profile", str(profile)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with closing(Firefox(port)) as firefox:
            yield firefox
    finally:
        process.terminate()
        process.wait(20)


def _connected(port: int, seconds: float = 60) -> socket.socket:
    ends = time.monotonic() + seconds
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except ConnectionRefusedError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
