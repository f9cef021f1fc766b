"""Honest clients beside slow ones: success and times of ordinary requests and probes, without and with N slow sockets.

    python benchmarks/slow_clients.py --bundle models/small --slow 2000 --seconds 20
    python benchmarks/slow_clients.py --bundle models/small --leave 1000

All on loopback and from one address, which is the hard case: the service can't tell them apart by address. A third of
the slow ones sends headers, a third a body, at a byte a second, a third nothing; whoever is cut off connects again
after five seconds. `--leave` counts what becomes of clients that close in the middle of an upload instead.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter

from PIL import Image

HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
BEGINNINGS = (HEAD, HEAD + b"Content-Length: 1000000\r\n\r\n", b"")
MOST_SECONDS = 120


def picture() -> bytes:
    """A drawn picture of 640 x 480 pixels."""
    image = Image.radial_gradient("L").resize((640, 480)).convert("RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


async def slow_client(port: int, beginning: bytes, until: float, seen: Counter[str]) -> None:
    """Hold a connection with a byte a second; connect again when it is cut."""
    while time.monotonic() < until:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            seen[type(error).__name__] += 1
            await asyncio.sleep(5)
            continue
        seen["connected"] += 1
        try:
            writer.write(beginning)
            while time.monotonic() < until:
                await asyncio.sleep(1)
                if beginning:
                    writer.write(b"x")
                    await writer.drain()
                elif reader.at_eof():
                    break
                if writer.is_closing():
                    break
        except OSError:
            seen["cut"] += 1
        writer.close()
        await asyncio.sleep(5)


def attack(port: int, count: int, seconds: float) -> None:
    """`count` slow clients, in a process of their own."""

    async def all_of_them() -> None:
        seen: Counter[str] = Counter()
        until = time.monotonic() + seconds
        await asyncio.gather(*(slow_client(port, BEGINNINGS[i % 3], until, seen) for i in range(count)))
        print(f"  slow sockets: {dict(seen)}", flush=True)

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(all_of_them())


async def ask(port: int, request: bytes, seconds: float) -> str:
    """Status of one request on a connection of its own, or what went wrong."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request)
                answer = await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        return type(error).__name__
    return answer[9:12].decode() or "closed"


async def honest(port: int, request: bytes, pause: float, until: float) -> list[tuple[str, float]]:
    """Ask again and again; what came and how long each took."""
    found = []
    while time.monotonic() < until:
        before = time.perf_counter()
        found.append((await ask(port, request, 30), time.perf_counter() - before))
        await asyncio.sleep(pause)
    return found


async def measure(port: int, seconds: float) -> dict[str, list[tuple[str, float]]]:
    """Two clients with pictures and two probes, for so long."""
    data, until = picture(), time.monotonic() + seconds
    post = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(data) + data
    probe = b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    tasks = [honest(port, post, 0.05, until) for _ in range(2)]
    tasks += [honest(port, probe % path, 0.1, until) for path in (b"/healthz", b"/readyz")]
    first, second, alive, ready = await asyncio.gather(*tasks)
    return {"POST /v1/classify": first + second, "GET /healthz": alive, "GET /readyz": ready}


def show(title: str, found: dict[str, list[tuple[str, float]]]) -> None:
    """A line for each kind of request."""
    print(title)
    for name, answers in found.items():
        times = sorted(seconds for _, seconds in answers)
        counts = dict(Counter(status for status, _ in answers))
        p50, p99 = times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)]
        good = counts.get("200", 0) / len(answers)
        print(f"  {name}: n={len(answers)} success={good:.1%} p50={p50:.3f}s p99={p99:.3f}s {counts}", flush=True)


async def leave(port: int, count: int) -> None:
    """`count` clients that close in the middle of an upload, fifty at a time."""
    form = b"multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 5000
    kinds = [("/v1/classify", b"image/png"), ("/v1/classify", form), ("/v1/redact", b"image/png"), ("/check", form)]
    kinds += [("/check/picture", form), ("/record", form), ("/record/finished", form)]
    gate = asyncio.Semaphore(50)

    async def one(index: int) -> None:
        path, kind = kinds[index % len(kinds)]
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\nContent-Type: ".encode()
        async with gate:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head + kind + b"\r\n\r\n" + part)
            await asyncio.sleep(0.05)
            writer.close()

    await asyncio.gather(*(one(index) for index in range(count)))
    await asyncio.sleep(2)


def metrics(port: int, beginnings: tuple[str, ...]) -> list[str]:
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30).read().decode()
    return [line for line in text.splitlines() if line.startswith(beginnings)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="models/small")
    parser.add_argument("--slow", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--leave", type=int, default=0)
    given = parser.parse_args()
    seconds = min(given.seconds, MOST_SECONDS)
    command = [sys.executable, "-m", "bladecheck", "serve", "--port", "0", "--bundle", given.bundle]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)
    log: list[str] = []
    assert server.stdout is not None
    try:
        threading.Thread(target=lambda: log.extend(server.stderr or ()), daemon=True).start()
        port = int(re.findall(r"http://\S+?:(\d+)", server.stdout.readline())[0])
        while asyncio.run(ask(port, b"GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", 30)) != "200":
            time.sleep(0.2)
        if given.leave:
            before = len(log)
            asyncio.run(leave(port, min(given.leave, 10_000)))
            until = time.monotonic() + 30
            while len(log) - before < given.leave and time.monotonic() < until:
                time.sleep(0.2)
            levels = Counter(json.loads(line)["level"] for line in log[before:])
            print(f"{given.leave} left in the middle: {len(log) - before} log lines, {dict(levels)}")
            print("\n".join(metrics(port, ("bladecheck_problems_total", "bladecheck_requests_total"))))
            return
        show("without slow clients", asyncio.run(measure(port, seconds)))
        slow = multiprocessing.get_context("spawn").Process(target=attack, args=(port, given.slow, seconds + 15))
        slow.start()
        time.sleep(10)  # until they are connected
        show(f"with {given.slow} slow clients", asyncio.run(measure(port, seconds)))
        print("\n".join(metrics(port, ("bladecheck_connections", "bladecheck_problems_total"))))
        slow.join(60)
        slow.kill()
    finally:
        server.terminate()
        server.wait(30)


if __name__ == "__main__":
    main()
