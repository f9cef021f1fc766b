"""A real server in a process of its own, on a free port, with the command that users type."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

SOURCE = Path(__file__).parents[1] / "service"
COMMAND = [sys.executable, "-W", "error", "-c", "from bladecheck.cli import main; main()", "serve"]


@dataclass
class Running:
    """A started server: its process, its URL, and its log so far."""

    process: subprocess.Popen[str]
    url: str = ""
    log: list[str] = field(default_factory=list)

    def client(self, **options: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, timeout=30, **options)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def wait_ready(self, seconds: float = 20, path: str = "/readyz") -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server stopped: {''.join(self.log)}")
            try:
                if httpx2.get(self.url + path, timeout=5).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.02)
        raise TimeoutError("".join(self.log))

    def stop(self, sig: int = signal.SIGTERM, seconds: float = 20) -> int:
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.process.wait(seconds)


def environment(**settings: Any) -> dict[str, str]:
    """The process's environment with only the given settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("BLADECHECK_")}
    kept["PYTHONPATH"] = str(SOURCE)
    return {**kept, **{f"BLADECHECK_{key.upper()}": str(value) for key, value in settings.items()}}


@contextmanager
def serve(bundle: Path | str, *options: str, wait: bool = True, **settings: Any) -> Iterator[Running]:
    """Start a server; `settings` go in by environment, `options` on the command line. Stopped at the end."""
    preexec = settings.pop("preexec", None)
    env = environment(**{"drain_seconds": 0.1, **settings})
    command = [*COMMAND, "--port", "0", "--bundle", str(bundle), *options]
    process = subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=preexec
    )
    running = Running(process)
    assert process.stdout is not None
    assert process.stderr is not None
    thread = threading.Thread(target=lambda: running.log.extend(process.stderr), daemon=True)
    thread.start()
    try:
        first = process.stdout.readline()
        if not first:
            process.wait(20)
            thread.join(5)
            raise RuntimeError(f"exit code {process.returncode}: {''.join(running.log)}")
        running.url = re.findall(r"http://\S+?:\d+", first)[0]
        if wait:
            running.wait_ready()
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        thread.join(5)
        process.stdout.close()
        process.stderr.close()
