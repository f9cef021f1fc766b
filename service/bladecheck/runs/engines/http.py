"""Scoring against a Bladecheck server: the same rows as in-process, for pictures sent in small batches."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

from bladecheck.core import images
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.preprocess import Spec
from bladecheck.core.result import Result, failed
from bladecheck.core.verdict import Policy
from bladecheck.core.videos.reading import load as load_video
from bladecheck.errors import PictureError, ServerError
from bladecheck.file_formats import HEAD_BYTES, video_kind
from bladecheck.runs import fingerprint
from bladecheck.runs.engines import Claims, Failure, Outcome, Task, fetch_bytes
from bladecheck.runs.engines.client import Client, Refused
from bladecheck.runs.engines.window import unordered

BATCH, BATCH_BYTES = 8, 8 * 2**20
"""Pictures and bytes of one request: few enough for the server's default limits, enough that requests cost little."""
CONNECTIONS = 4
"""Requests under way at once: more than that only wait in the server's queue, unless it has many cores."""


class RefusedPicture(PictureError):
    """The server would not judge this picture; which code depends on its answer."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Loaded:
    task: Task
    data: bytes
    sha256: str


class HttpEngine:
    """Scores against a server, which decides on the model and the policy.

    Args:
        url: of the server, such as http://127.0.0.1:8000.
        key: API key, if it wants one.
        connections: requests under way at once.
        near: compute perceptual hashes here, which needs `bladecheck[dedupe]`.
        patience: seconds to wait for a server that does not answer or is busy.
        stop: when set, waiting ends.

    Raises:
        ServerError: it can't be reached, or is no Bladecheck server.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        connections: int | None = None,
        near: bool = False,
        patience: float = 600,
        stop: threading.Event | None = None,
        limits: PictureLimits | None = None,
    ) -> None:
        self._connections, self._limits = connections or CONNECTIONS, limits or PictureLimits()
        self._client = Client(url, key, self._connections, patience, stop)
        self._pdq: Callable[[Picture], fingerprint.Fingerprint] | None = fingerprint.maker() if near else None
        try:
            self._introduce(url)
        except BaseException:
            self._client.close()
            raise
        self._policy = Policy(name=self.policy["name"], sha256=self.policy["sha256"])

    def _introduce(self, url: str) -> None:
        try:
            answer = self._client.card()
            self.model = {name: str(answer[name]) for name in ("name", "version", "sha256")}
            self.policy = {name: str(answer["policy"][name]) for name in ("name", "sha256")}
            self.card: dict[str, Any] = answer["card"]
            self._videos = bool(answer.get("videos"))
            known = {field.name for field in fields(Spec)}
            self._at_least = Spec(**{k: v for k, v in self.card["preprocess"].items() if k in known}).at_least
        except Refused as error:
            raise ServerError(f"{url} is no Bladecheck server: {error.detail}") from error
        except (KeyError, TypeError) as error:
            raise ServerError(f"{url} does not answer as this version of Bladecheck expects: no {error}.") from error

    def score(self, tasks: Iterable[Task], claims: Claims) -> Generator[Outcome]:
        """See `Engine.score`.

        Raises:
            ServerError: no answer for too long, or the server now has another model or policy.
        """
        source = iter(tasks)
        batches = iter(lambda: list(islice(source, BATCH)), [])
        work = unordered(lambda batch: self._work(batch, claims), batches, self._connections, self._connections + 1)
        with closing(work):
            for outcomes in work:
                yield from outcomes

    @property
    def notes(self) -> Mapping[str, Any]:
        """Nothing: what the server runs on is its own affair."""
        return {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _work(self, batch: list[Task], claims: Claims) -> list[Outcome]:
        outcomes: list[Outcome] = []
        waiting: list[_Loaded] = []
        for task in batch:
            data = fetch_bytes(task.read)
            if isinstance(data, Failure):
                outcomes.append(Outcome(task, failure=data))
                continue
            digest = hashlib.sha256(data)
            if not claims.take(digest.digest()):
                outcomes.append(Outcome(task, digest.hexdigest(), len(data)))
                continue
            waiting.append(_Loaded(task, data, digest.hexdigest()))
            if sum(len(one.data) for one in waiting) >= BATCH_BYTES:
                outcomes += self._judge(waiting)
                waiting = []
        return outcomes + self._judge(waiting)

    def _judge(self, loaded: list[_Loaded]) -> list[Outcome]:
        outcomes, sent = [], []
        for one in loaded:
            # What can't be a picture is refused here, by the very rule of the server, and not sent.
            if refusal := self._refusal(one.data):
                outcomes.append(self._outcome(one, refusal))
            else:
                sent.append(one)
        return outcomes + [self._outcome(one, result) for one, result in zip(sent, self._ask(sent), strict=True)]

    def _refusal(self, data: bytes) -> Result | None:
        film, videos = video_kind(data[:HEAD_BYTES]), self._limits.video
        if film and self._videos and videos and len(data) <= videos.max_bytes:
            return None
        if data and len(data) <= self._limits.max_bytes and images.sniff(data):
            return None
        try:
            (load_video if film and self._videos else images.load)(data, self._limits)
        except PictureError as error:
            return failed(data, error, self.model, self._policy)
        return None

    def _outcome(self, one: _Loaded, result: Result) -> Outcome:
        return Outcome(one.task, one.sha256, len(one.data), result, self._fingerprint(one.data, result))

    def _fingerprint(self, data: bytes, result: Result) -> fingerprint.Fingerprint | None:
        """Decoded as the server does, so that the hash is that of in-process scoring."""
        if self._pdq is None or result["status"] != "ok":
            return None
        try:
            return self._pdq(images.load(data, self._limits, at_least=self._at_least))
        except PictureError:  # a decoder that only the server has
            return None

    def _ask(self, sent: list[_Loaded]) -> list[Result]:
        """The server's results in order; a batch that is refused is asked again picture by picture."""
        if not sent:
            return []
        try:
            answer = self._client.classify([one.data for one in sent])
        except Refused as error:
            if len(sent) > 1:
                return [result for one in sent for result in self._ask([one])]
            code = "too_large" if error.status == 413 else "server_error"
            detail = f"The server refused it: {error.detail} [{error.code}]"
            return [failed(sent[0].data, RefusedPicture(code, detail), self.model, self._policy)]
        return self._checked(answer, sent)

    def _checked(self, answer: dict[str, Any], sent: list[_Loaded]) -> list[Result]:
        if answer.get("model") != self.model or answer.get("policy") != self.policy:
            raise ServerError(
                f"{self._client.url} now answers with another model or policy than when this run began "
                f"({answer.get('model')}, {answer.get('policy')}). What was scored before is kept."
            )
        results: list[Result] = answer.get("results", [])
        if [result["image"].get("sha256") for result in results] != [one.sha256 for one in sent]:
            raise ServerError(f"{self._client.url} gave results that do not match the pictures sent.")
        return results
