"""How fast and how light the console is: first load, series, fleet, incident, open pages.

A fleet of 1,000 sites (a week by the hour, trouble at every second one) and a site with a year by ten
minutes, behind a real server in a process of its own. Times are what a client on the same machine waits for
an answer. Beside it, where the extra `[bench]` is there, a plain Dash page with the same year of the site.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import httpx
import numpy as np

from benchmarks.common import MS_PER_S, Goal, child_environment, parse_options, publish, tell
from benchmarks.console_peer import DRAWN
from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.flows.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["main"]

NOW = datetime(2025, 6, 1, tzinfo=UTC)
SIGNALS = ("generation", "consumption", "self_consumption", "export", "import")
BIG = AssetKey("Gran planta", "Gran planta")
ZONE = "Europe/Madrid"
SEED = 0
SITES, QUICK_SITES = 1_000, 60
YEAR_DAYS, QUICK_DAYS = 365, 40
REPEATS, QUICK_REPEATS = 15, 3
BROWSED = 5
"""Times that a year is drawn in a browser."""
LISTENERS, LISTENED_S = 100, 10.0
QUICK_LISTENERS, QUICK_LISTENED_S = 20, 3.0
CHROMIUM = "/usr/bin/chromium"
OURS_DRAWN = "[data-chart] canvas"
"""What is in the page once the lines are."""
TRAVELLED = """() => ['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
  .reduce((sum, one) => sum + one.transferSize, 0)"""
"""Bytes of the page and of all that it loaded."""
SCREENS = {
    "assets": "/console/assets",
    "patterns": f"/console/patterns?site={quote(BIG.site)}&range=30d",
    "patterns_year": f"/console/patterns?site={quote(BIG.site)}&range=365d",
    "timeline": "/console/timeline?range=30d",
    "quality": "/console/quality?range=30d",
    "models": "/console/models",
    "jobs": "/console/jobs",
    "health": "/console/health?range=30d",
    "cost": "/console/cost?range=30d",
    "reports": "/console/reports?range=30d",
    "settings": "/console/settings",
    "wizard": "/console/wizard",
}
"""Screens whose time and own weight (what the others have loaded already left out) are told by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--serve"]:
        _serve(Path(words[1]), int(words[2]))
        return
    options = parse_options("console", str(__doc__), arguments)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "workspace")
        n_sites = QUICK_SITES if options.is_quick else SITES
        days = QUICK_DAYS if options.is_quick else YEAR_DAYS
        tell(f"building {n_sites} sites")
        n_incidents = _build(place, n_sites, days)
        with _served(place) as (address, pid), httpx.Client(base_url=address, timeout=60) as client:
            figures = _measured(client, address, pid, is_quick=options.is_quick)
            with _dash(days) as peer:
                figures |= _beside(address, peer, QUICK_REPEATS if options.is_quick else BROWSED)
    figures = {"sites": n_sites, "incidents": n_incidents, **figures}
    goals = {
        "first_load_kb": Goal(figures["first_load_kb"], 150.0),
        "first_load_ms": Goal(figures["first_load_ms"], 1_000.0),
        "series_ms": Goal(figures["series_ms"], 50.0),
        "sse_cpu_percent": Goal(figures["sse_cpu_percent"], 10.0),
    }
    publish(options, figures, goals)


def _measured(client: httpx.Client, address: str, pid: int, *, is_quick: bool) -> dict[str, float | None]:
    repeats = QUICK_REPEATS if is_quick else REPEATS
    site = {"site": BIG.site, "asset": BIG.asset, "profile": "solar", "range": "365d"}
    incident = client.get("/console/incidents.json").json()[0]["id"]

    def asked(path: str, **query: str) -> float:
        def ask() -> None:
            client.get(path, params=query).raise_for_status()

        return _median_ms(ask, repeats)

    listeners, seconds = (QUICK_LISTENERS, QUICK_LISTENED_S) if is_quick else (LISTENERS, LISTENED_S)
    tell("asking")
    return {
        "first_load_kb": _weight_kb(client, "/console/"),
        "first_load_ms": _first_load_ms(address, repeats),
        "site_page_kb": _weight_kb(client, f"/console/sites/{BIG.site}"),
        "series_ms": asked("/console/series", **site),
        "fleet_ms": asked("/console/"),
        "fleet_filtered_ms": asked("/console/", status="critical", sort="name"),
        "fleet_tiles_ms": asked("/console/", view="tiles"),
        "incidents_ms": asked("/console/incidents"),
        "incident_ms": asked(f"/console/incidents/{incident}"),
        "site_ms": asked(f"/console/sites/{BIG.site}", range="365d"),
        **_screens(client, repeats),
        "sse_listeners": float(listeners),
        "sse_cpu_percent": _sse_cpu_percent(address, pid, listeners, seconds),
    }


def _beside(address: str, peer: str | None, repeats: int) -> dict[str, float | None]:
    """Until a year of a site is drawn, in a browser that is new to it, and what travels for that."""
    tell("a year in a browser, beside Dash")
    ours = _drawn(f"{address}/console/sites/{quote(BIG.site)}?range=365d", OURS_DRAWN, repeats)
    theirs = _drawn(peer, DRAWN, repeats) if peer else None
    figures: dict[str, float | None] = {}
    for name, one in (("year", ours), ("dash", theirs)):
        figures |= {f"{name}_drawn_ms": one and one[0], f"{name}_drawn_kb": one and one[1]}
    return figures


def _drawn(url: str, is_drawn: str, repeats: int) -> tuple[float, float] | None:
    """Median time [ms] and what travelled [kB]; None without a browser."""
    with _browser() as browser:
        if browser is None:
            return None
        durations, weights = [], []
        for _ in range(repeats):
            page = browser.new_page()
            began = time.perf_counter()
            page.goto(url, wait_until="load")
            page.wait_for_selector(is_drawn, state="attached")
            durations.append((time.perf_counter() - began) * MS_PER_S)
            weights.append(page.evaluate(TRAVELLED) / 1_000)
            page.close()
        return round(median(durations), 1), round(median(weights), 1)


def _screens(client: httpx.Client, repeats: int) -> dict[str, float | None]:
    """Time and weight of each screen, the worst last."""
    times: dict[str, float] = {}
    weights: dict[str, float] = {}
    for name, path in SCREENS.items():
        tell(name)
        times[name] = _median_ms(lambda path=path: client.get(path).raise_for_status(), max(3, repeats // 3))
        weights[name] = round(len(_raw(client, path)) / 1_000, 1)
    return {
        **{f"{name}_ms": one for name, one in times.items()},
        **{f"{name}_kb": one for name, one in weights.items()},
        "slowest_screen_ms": max(times.values()),
        "heaviest_screen_kb": max(weights.values()),
    }


def _median_ms(action: Callable[[], object], repeats: int) -> float:
    action()
    durations = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        durations.append(time.perf_counter() - began)
    return round(median(durations) * MS_PER_S, 1)


def _weight_kb(client: httpx.Client, path: str) -> float:
    """The page and the files that it names, as they travel."""
    page = client.get(path)
    files = set(re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page.text))
    sizes = [len(_raw(client, one)) for one in (path, *files)]
    return round(sum(sizes) / 1_000, 1)


def _raw(client: httpx.Client, path: str) -> bytes:
    with client.stream("GET", path) as answer:
        return b"".join(answer.iter_raw())


def _first_load_ms(address: str, repeats: int) -> float | None:
    """Until everything of the first page is there, in a browser that is new to it; null without one."""
    with _browser() as browser:
        if browser is None:
            return None
        durations = []
        for _ in range(repeats):
            page = browser.new_page()
            page.goto(f"{address}/console/", wait_until="load")
            durations.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            page.close()
    return round(median(durations), 1)


@contextmanager
def _browser() -> "Iterator[Browser | None]":
    """Chromium; None where it or Playwright is missing."""
    place = shutil.which("chromium") or CHROMIUM
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        yield None
        return
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=place, args=["--no-sandbox"])
        except Error:
            yield None
            return
        yield browser
        browser.close()


def _sse_cpu_percent(address: str, pid: int, listeners: int, seconds: float) -> float | None:
    """Of one core, while so many pages listen and nothing happens."""
    if not Path("/proc/self/stat").exists():
        return None
    parts = urlsplit(address)
    request = f"GET /console/live HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/event-stream\r\n\r\n"
    opened = []
    try:
        for _ in range(listeners):
            one = socket.create_connection((parts.hostname or "", parts.port or 80))
            one.sendall(request.encode())
            opened.append(one)
        time.sleep(1.0)
        before, began = _cpu_s(pid), time.monotonic()
        time.sleep(seconds)
        return round(100 * (_cpu_s(pid) - before) / (time.monotonic() - began), 2)
    finally:
        for one in opened:
            one.close()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, int]]:
    port = _free_port()
    with _process(["benchmarks.console", "--serve", str(folder), str(port)]) as pid:
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/console/static/console.css")
        yield address, pid


@contextmanager
def _dash(days: int) -> Iterator[str | None]:
    """The address of the peer; None where Dash is not installed."""
    if find_spec("dash") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        series, port = Path(folder, "series.npz"), _free_port()
        same = _big_plant(days, np.random.default_rng(SEED))
        np.savez(series, time=same.time, values=same.values, signals=np.array(SIGNALS))
        with _process(["benchmarks.console_peer", str(series), str(port)]):
            address = f"http://127.0.0.1:{port}/"
            _wait_for(address)
            yield address


@contextmanager
def _process(module: Sequence[str]) -> Iterator[int]:
    """A module in a process of its own, ended with the block; gives its pid."""
    command = [sys.executable, "-m", *module]
    process = subprocess.Popen(
        command, env=child_environment(), cwd=Path(__file__).parents[1], stdout=subprocess.DEVNULL
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            httpx.get(url)
            return
        time.sleep(0.1)


def _serve(folder: Path, port: int) -> None:
    import uvicorn

    from sereno.api.app import create_app
    from sereno.console import mount_static, router
    from sereno.flows.service import Service

    with Service(folder, clock=lambda: NOW, language="es") as service:
        app = create_app(service)
        if not any(getattr(route, "path", "").startswith("/console") for route in app.routes):
            app.include_router(router)
            mount_static(app)
        uvicorn.run(app, host="127.0.0.1", port=port, log_config=None, timeout_graceful_shutdown=1)


def _build(folder: Path, n_sites: int, days: int) -> int:
    folder.mkdir(parents=True)
    (folder / "sereno.yaml").write_text(
        f"timezone: {ZONE}\nservice: {{auth: false}}\ntariff: {{currency: EUR, prices: {{kWh: 0.16}}}}\n",
        "utf-8",
    )
    rng = np.random.default_rng(SEED)
    with Workspace.open(folder, clock=lambda: NOW, language="es") as workspace:
        workspace.add(_big_plant(days, rng), zone=ZONE)
        for first in range(0, n_sites - 1, 100):
            names = [f"Planta {n:04d}" for n in range(first, min(first + 100, n_sites - 1))]
            batch = _plant([AssetKey(one, one) for one in names], timedelta(hours=1), 7, rng)
            workspace.add(batch, zone=ZONE, judge=True)
        return len(workspace.incidents())


def _big_plant(days: int, rng: np.random.Generator) -> Readings:
    return _plant((BIG,), timedelta(minutes=10), days, rng)


def _plant(keys: Sequence[AssetKey], step: timedelta, days: int, rng: np.random.Generator) -> Readings:
    """Plants by the clock; every second one has readings that cannot be, every fifth to the end."""
    n_rows = timedelta(days=days) // step
    end = np.datetime64(NOW.replace(tzinfo=None), "us")
    time_ = end - np.arange(n_rows, 0, -1) * np.timedelta64(step)
    hour = (time_.astype("datetime64[m]").astype(np.int64) / 60) % 24
    parts = []
    for place, _ in enumerate(keys):
        made = np.clip(np.sin((hour - 6) / 12 * np.pi), 0, None) * 5 * rng.uniform(0.6, 1, n_rows)
        used = 1 + 0.5 * np.sin(hour / 24 * 2 * np.pi) + rng.normal(0, 0.05, n_rows)
        own = np.minimum(made, used)
        values = np.stack([made, used, own, made - own, used - own], axis=1).round(3)
        if place % 2 and len(keys) > 1:
            begin = int(rng.integers(0, n_rows - 24))
            values[begin : None if place % 5 == 0 else begin + 12, 1] += 4.0
        parts.append(values)
    return Readings(
        profile="solar",
        assets=tuple(keys),
        asset_index=np.repeat(np.arange(len(keys), dtype=np.int32), n_rows),
        time=np.tile(time_, len(keys)),
        signals=SIGNALS,
        values=np.concatenate(parts),
        quality=np.zeros((n_rows * len(keys), len(SIGNALS)), dtype=np.int32),
    )


if __name__ == "__main__":
    main()
