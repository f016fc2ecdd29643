"""Prometheus metrics of one service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The counters; a registry of their own lets several services live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lenswatch_http_requests",
            "Requests by method, route and status class.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "lenswatch_http_request_seconds",
            "Time until the response began, in seconds.",
            ("route",),
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.upload_bytes = Counter(
            "lenswatch_upload_bytes", "Bytes of evidence received.", registry=self.registry
        )
        self.audits = Counter(
            "lenswatch_audits", "Audits that ended, by state.", ("state",), registry=self.registry
        )
        self.running = Gauge(
            "lenswatch_audits_running", "Audits running now.", registry=self.registry
        )
        self.failed_logins = Counter(
            "lenswatch_failed_logins", "Requests with a wrong key.", registry=self.registry
        )
