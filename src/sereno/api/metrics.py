"""What Prometheus asks: requests as they pass, and the condition of the service when somebody asks."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sereno.domain.version import VERSION
from sereno.flows.condition import ServiceFigures, figures_of
from sereno.flows.service import Service

__all__ = ["CountRequests", "RequestFigures", "figures_as_metrics", "registry_of"]

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_OTHER = "other"
"""Paths that no route has: names that clients invent never become labels."""


class RequestFigures:
    """Requests and how long they took, by route."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "sereno_http_requests",
            "Requests that were answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "sereno_http_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=registry,
        )


class CountRequests:
    """Middleware that counts, by the pattern of the route and not by what was asked for."""

    def __init__(self, app: ASGIApp, figures: RequestFigures) -> None:
        self._app = app
        self._figures = figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            route = _pattern(scope)
            self._figures.requests.labels(scope["method"], route, str(status)).inc()
            self._figures.seconds.labels(route).observe(time.perf_counter() - began)


def _pattern(scope: Scope) -> str:
    """The pattern of the route that was taken, with the prefix of the router that it belongs to."""
    own = getattr(scope.get("route"), "path", None)
    if own is None:
        return _OTHER
    asked, n_own = scope["path"].split("/"), own.count("/")
    # A parameter that spans segments would put what was asked for into the prefix.
    prefix = [] if ":path}" in own else asked[: len(asked) - n_own]
    return "/".join(prefix) + str(own)


def registry_of(service: Service) -> CollectorRegistry:
    """A registry of its own, so that several services in a process do not mix."""
    registry = CollectorRegistry()
    registry.register(_Condition(service))
    return registry


class _Condition(Collector):
    """The figures of a service, read when somebody asks."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def describe(self) -> Iterator[Metric]:
        """Nothing: to register asks no store."""
        yield from ()

    def collect(self) -> Iterator[Metric]:
        """The figures of this moment."""
        figures = figures_of(self._service)
        info = {"version": VERSION, "role": self._service.role.value}
        yield InfoMetricFamily("sereno_build", "What runs.", value=info)
        yield from figures_as_metrics(figures)
        up = GaugeMetricFamily("sereno_part_up", "Whether a part beside the requests works.", labels=["part"])
        failures = CounterMetricFamily("sereno_part_failures", "How often a part failed.", labels=["part"])
        for part in self._service.parts:
            up.add_metric([part.name], float(part.is_well))
            failures.add_metric([part.name], part.n_failures)
        yield up
        yield failures


def figures_as_metrics(figures: ServiceFigures) -> Iterator[Metric]:
    """What is counted, as metrics; what is not known at the moment is left out."""
    yield from _lanes(figures)
    yield from _stored(figures)


def _lanes(figures: ServiceFigures) -> Iterator[Metric]:
    yield _gauge("sereno_intake_waiting_records", "Records that wait to be stored.", figures.n_waiting)
    for name, text, count in (
        ("commits", "Transactions that stored what requests brought.", figures.n_commits),
        ("submissions", "Requests that those transactions stored.", figures.n_submissions),
        ("records", "Records that those transactions stored.", figures.n_records),
        ("refused", "Requests refused because too much waited.", figures.n_refused),
        ("failed", "Requests that failed when they were stored.", figures.n_failed),
        (
            "judged_again",
            "Assets judged after the answers, or once more.",
            figures.n_judged_again,
        ),
    ):
        yield CounterMetricFamily(f"sereno_intake_{name}", text, value=count)
    yield _gauge("sereno_asking_waiting_records", "Records that wait to be judged unstored.", figures.n_asked)
    refused = "Questions refused because too much waited."
    yield CounterMetricFamily("sereno_asking_refused", refused, value=figures.n_questions_refused)


def _stored(figures: ServiceFigures) -> Iterator[Metric]:
    active = GaugeMetricFamily("sereno_incidents_active", "Active incidents.", labels=["severity"])
    for severity in ("low", "medium", "high", "critical"):
        active.add_metric([severity], figures.incidents[severity])
    yield active
    notices = GaugeMetricFamily("sereno_notifications", "Notifications.", labels=["status"])
    for status, count in sorted(figures.notifications.items()):
        notices.add_metric([status], count)
    yield notices
    yield _gauge("sereno_sites", "Sites that have been judged.", figures.sites)
    yield _gauge("sereno_disk_free_bytes", "Room on the disk of the workspace.", figures.free_bytes)
    for name, text, value in (
        ("sereno_last_reading_age_seconds", "Age of the newest judged reading.", figures.last_reading_age_s),
        ("sereno_store_bytes", "Size of the embedded store.", figures.store_bytes),
        ("sereno_resident_bytes", "Memory that the service holds.", figures.resident_bytes),
    ):
        if value is not None:
            yield _gauge(name, text, value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)
