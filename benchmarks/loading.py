"""What the serving benchmarks share: pictures, a lean load generator, and the cost of a process with its children."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from dataclasses import dataclass, field

import numpy as np
import psutil
from PIL import Image, ImageFilter

BOUNDARY = "benchmark-boundary"
HEADERS = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def drawn(count: int, seed: int = 0) -> list[bytes]:
    """JPEGs of the sizes of social media photographs, with as much detail as they have; drawn, so anyone can run it."""
    pick, pictures = np.random.default_rng(seed), []
    for _ in range(count):
        width, height = [(1200, 900), (1600, 1200), (2048, 1536), (1080, 1350)][pick.integers(4)]
        coarse = pick.integers(0, 255, (height // 8, width // 8, 3), np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        fine = Image.fromarray(pick.integers(0, 255, (height, width, 3), np.uint8)).filter(ImageFilter.GaussianBlur(1))
        buffer = io.BytesIO()
        Image.blend(image, fine, 0.15).save(buffer, "JPEG", quality=85)
        pictures.append(buffer.getvalue())
    return pictures


def body(picture: bytes) -> bytes:
    """A form with one `file` part."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="p.jpg"\r\n'
    return f"{head}Content-Type: image/jpeg\r\n\r\n".encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and all its living children."""
    total = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def resident(process: psutil.Process) -> float:
    """Resident memory of a process and all its children, in MiB; shared pages count once per process."""
    total = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            total += one.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 2**20


@dataclass
class Outcome:
    """Latencies in seconds, and how many answers were not 200."""

    seconds: list[float] = field(default_factory=list)
    failures: int = 0
    wall: float = 0.0

    def percentile(self, share: float) -> float:
        """Latency in milliseconds that `share` percent of the requests stay below."""
        return float(np.percentile(self.seconds, share)) * 1000 if self.seconds else float("nan")


def load(port: int, path: str, bodies: list[bytes], clients: int, requests: int) -> Outcome:
    """Send `requests` in all from `clients` threads, each on one kept-alive connection, without pause."""
    outcome, lock, counter = Outcome(), threading.Lock(), iter(range(requests))

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        seconds: list[float] = []
        failures = 0
        while True:
            with lock:
                index = next(counter, None)
            if index is None:
                break
            started = time.perf_counter()
            try:
                connection.request("POST", path, bodies[index % len(bodies)], HEADERS)
                answer = connection.getresponse()
                answer.read()
                failures += answer.status != 200
            except (OSError, http.client.HTTPException):
                failures += 1
                connection.close()
            seconds.append(time.perf_counter() - started)
        connection.close()
        with lock:
            outcome.seconds += seconds
            outcome.failures += failures

    started = time.perf_counter()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.wall = time.perf_counter() - started
    return outcome


def wait_for(port: int, path: str, content: bytes, process: psutil.Popen, seconds: float = 120) -> float:
    """Seconds until the first good answer.

    Raises:
        RuntimeError: if the server stops or never answers.
    """
    started = time.perf_counter()
    while time.perf_counter() - started < seconds:
        if process.poll() is not None:
            raise RuntimeError(f"the server stopped with {process.returncode}")
        if not load(port, path, [content], 1, 1).failures:
            return time.perf_counter() - started
        time.sleep(0.05)
    raise RuntimeError("the server never answered")
