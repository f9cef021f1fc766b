"""What /metrics shows: counts and times, never anything of a picture. One registry per app, so tests never clash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Seconds: from a small model's decoding to a request of many large pictures that waits.
STAGE_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The service's measurements, in Prometheus' terms."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "bladecheck_requests", "Requests answered.", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "bladecheck_request_seconds", "Time to answer.", ("route",), buckets=STAGE_BUCKETS, registry=registry
        )
        self._decisions = Counter("bladecheck_decisions", "Pictures by decision.", ("decision",), registry=registry)
        self._failures = Counter("bladecheck_failures", "Pictures that failed, by code.", ("code",), registry=registry)
        self._problems = Counter("bladecheck_problems", "Requests refused, by code.", ("code",), registry=registry)
        self._cut = Counter(
            "bladecheck_connections_cut",
            "Connections closed, or not taken, for want of room: slow, idle, or full.",
            ("why",),
            registry=registry,
        )
        self._stages = Histogram(
            "bladecheck_stage_seconds",
            "Time per picture and stage: wait (for a thread), decode, judge (prepare and inference), redact.",
            ("stage",),
            buckets=STAGE_BUCKETS,
            registry=registry,
        )
        self._model = Gauge(
            "bladecheck_model_info", "The loaded model; always 1.", ("name", "version", "sha256"), registry=registry
        )

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Show the present value of `read` as the gauge bladecheck_`name`."""
        Gauge(f"bladecheck_{name}", text, registry=self.registry).set_function(read)

    def loaded(self, identity: Mapping[str, str]) -> None:
        """Record which model answers."""
        self._model.labels(identity["name"], identity["version"], identity["sha256"]).set(1)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def refused(self, code: str) -> None:
        """Count one problem answer by its code."""
        self._problems.labels(code).inc()

    def cut(self, why: str) -> None:
        """Count one connection that had to make room, or for which there was none."""
        self._cut.labels(why).inc()

    def judged(self, result: Mapping[str, Any]) -> None:
        """Count one picture's decision, and its failure if it is one."""
        self._decisions.labels(result["decision"]).inc()
        if result["status"] == "failed":
            self._failures.labels(result["error"]["code"]).inc()

    def stage(self, name: str, seconds: float) -> None:
        """Record the time of one stage of one picture."""
        self._stages.labels(name).observe(seconds)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
