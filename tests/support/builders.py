"""Small windows, fleets, detections and workspaces for the tests of every stage."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.calendar import local_time, to_utc
from sereno.domain.incidents import EventKind, Incident, IncidentEvent, apply
from sereno.domain.judgement import Detection, Evidence, IncidentKind, Severity
from sereno.domain.readings import FloatArray, Quality, Readings, TimeArray, Window
from sereno.domain.signals import AssetKey, Identity, Profile, Signal, SignalKind
from sereno.domain.time import from_numpy
from sereno.flows.workspace import Workspace
from sereno.settings.profiles import load_profiles

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NAN = float("nan")
MADRID = "Europe/Madrid"
PLANT = AssetKey("Planta 1", "Planta 1")
PROFILES = load_profiles()
SOLAR = PROFILES["solar"]
SOLAR_SIGNALS = SOLAR.signal_names
GENERATION = SOLAR_SIGNALS.index("generation")
CONSUMPTION = SOLAR_SIGNALS.index("consumption")
IMPORT = SOLAR_SIGNALS.index("import")

Factors = Mapping[tuple[int, int | None], float]
"""Stretches of rows [start, stop) and what multiplies them."""

LINE = Profile(
    "line",
    (
        Signal("made", "energy", "kWh", SignalKind.INTERVAL, 0, 1000, is_ratio_scaled=True, is_vital=True),
        Signal("heat", "temperature", "°C", minimum=-20, maximum=200),
        Signal("draw", "power", "kW", minimum=0, maximum=1000),
    ),
)
METERS = Profile(
    "meters",
    tuple(Signal(name, "energy", "kWh", SignalKind.INTERVAL) for name in ("total", "a", "b")),
    identities=(Identity("total_balance", "total", ("a", "b")),),
)


def steps(rows: int, *, start: str = "2024-01-01T00", step: timedelta = HOUR, zone: str = "UTC") -> TimeArray:
    """UTC starts of a grid that begins at a wall-clock instant; days follow the zone's calendar."""
    first = np.datetime64(start, "us")
    if step % DAY == timedelta(0):
        return to_utc(first + np.arange(rows) * np.timedelta64(step.days, "D"), zone)
    micros = np.timedelta64(round(step / timedelta(microseconds=1)), "us")
    return to_utc(np.array([first]), zone)[0] + np.arange(rows) * micros


def a_window(
    values: object = None,
    *,
    rows: int = 96,
    gap_at: int | None = None,
    signals: Sequence[str] = ("made", "heat", "draw"),
    step: timedelta | None = HOUR,
    start: str = "2024-01-01T00",
    zone: str = "UTC",
    asset: AssetKey = PLANT,
    profile: str = "line",
    seed: int = 0,
) -> Window:
    """A window on a perfect grid; without values, seeded noise about 10 that never repeats."""
    if values is None:
        block = 10.0 + np.random.default_rng(seed).normal(size=(rows, len(signals)))
    else:
        block = np.array(values, dtype=float).reshape(-1, len(signals))
    if gap_at is not None:
        block[gap_at] = np.nan
    quality = np.where(np.isnan(block), int(Quality.MISSING), 0).astype(np.int32)
    time = steps(len(block), start=start, step=step or HOUR, zone=zone)
    return Window(asset, profile, tuple(signals), time, block, quality, step, zone)


def settled(generation: FloatArray, consumption: FloatArray) -> FloatArray:
    """The five meters of a rooftop in whole Wh, shape (rows, 5) [kWh]; they balance."""
    made, taken = np.round(generation * 1000), np.round(consumption * 1000)
    used = np.round(0.8 * np.minimum(made, taken))
    return np.stack([made, taken, used, made - used, taken - used], axis=1) / 1000


def a_roof(
    name: str = "Planta 1",
    *,
    rows: int = 240,
    step: timedelta = DAY,
    start: str = "2024-01-01T00",
    zone: str = MADRID,
    size: float = 20.0,
    seed: int = 0,
    generation: Factors | None = None,
    consumption: Factors | None = None,
    missing: Sequence[slice] = (),
) -> Window:
    """A rooftop with season, clouds, workdays and (for hours) night; factors disturb some of its rows."""
    rng = np.random.default_rng([seed, *name.encode()])
    time = steps(rows, start=start, step=step, zone=zone)
    local = local_time(time, zone)
    day = local.astype("datetime64[D]").astype(int)
    season = 1.0 - 0.4 * np.cos(2 * np.pi * ((day % 365) - 10) / 365)
    made = size * season * rng.uniform(0.75, 1.1, size=rows)
    is_weekend = (day + 3) % 7 >= 5
    taken = size * np.where(is_weekend, 0.8, 1.3) * rng.uniform(0.9, 1.1, size=rows)
    if step < DAY:
        hour = (local - local.astype("datetime64[D]")) / np.timedelta64(1, "h")
        sun = np.clip(np.sin(np.pi * (hour - 6.5) / 13), 0, None)
        made, taken = made * np.round(sun, 6) / 8, taken / 24
    for where, factor in (generation or {}).items():
        made[slice(*where)] *= factor
    for where, factor in (consumption or {}).items():
        taken[slice(*where)] *= factor
    values = settled(made, taken)
    for where in missing:
        values[where] = np.nan
    quality = np.where(np.isnan(values), int(Quality.MISSING), 0).astype(np.int32)
    return Window(AssetKey(name, name), "solar", SOLAR_SIGNALS, time, values, quality, step, zone)


def a_fleet(n_assets: int = 4, *, rows: int = 240, step: timedelta = DAY, seed: int = 0) -> list[Window]:
    """Rooftops of different sizes."""
    sizes = 5.0 * 4.0 ** np.arange(n_assets)
    return [
        a_roof(f"Planta {i + 1}", rows=rows, step=step, size=float(size), seed=seed)
        for i, size in enumerate(sizes)
    ]


def with_cells(window: Window, rows: slice | int, signal: str | slice, value: object) -> Window:
    """The window with some cells of a signal, or of all, replaced."""
    values = window.values.copy()
    values[rows, window.signals.index(signal) if isinstance(signal, str) else signal] = value
    return replace(window, values=values)


def readings_of(*windows: Window) -> Readings:
    """The rows of windows that hold anything, as a batch."""
    present = [~np.isnan(window.values).all(axis=1) for window in windows]
    counts = [int(rows.sum()) for rows in present]
    return Readings(
        profile=windows[0].profile,
        assets=tuple(window.asset for window in windows),
        asset_index=np.repeat(np.arange(len(windows), dtype=np.int32), counts),
        time=np.concatenate([w.time[rows] for w, rows in zip(windows, present, strict=True)]),
        signals=windows[0].signals,
        values=np.concatenate([w.values[rows] for w, rows in zip(windows, present, strict=True)]),
        quality=np.zeros((sum(counts), len(windows[0].signals)), dtype=np.int32),
    )


def between(readings: Readings, first: object, stop: object) -> Readings:
    """The rows of a batch in [first, stop)."""
    keep = (readings.time >= first) & (readings.time < stop)
    return Readings(
        profile=readings.profile,
        assets=readings.assets,
        asset_index=readings.asset_index[keep],
        time=readings.time[keep],
        signals=readings.signals,
        values=readings.values[keep],
        quality=readings.quality[keep],
    )


def an_evidence(
    exceedance: Sequence[float],
    n_signals: int = 1,
    *,
    kind: IncidentKind = IncidentKind.BEHAVIOUR,
    expected: object = NAN,
    **changes: object,
) -> Evidence:
    """What a check says of rows: its exceedance, all signals equally guilty."""
    rows = np.array(exceedance, dtype=float)
    shape = (len(rows), n_signals)
    evidence = Evidence(
        check=str(kind),
        kind=kind,
        exceedance=rows,
        threshold=2.0,
        contributions=np.full(shape, 1.0 / n_signals),
        expected=np.broadcast_to(np.asarray(expected, dtype=float), shape).copy(),
    )
    return replace(evidence, **changes)  # type: ignore[arg-type]


def a_detection(day: int = 0, days: int | None = 3, **changes: object) -> Detection:
    """A roof that makes too little from some day of 2025 on; `days` None while it goes on."""
    start = datetime(2025, 1, 1, tzinfo=UTC) + day * DAY
    n_rows = 1 if days is None else days
    found = Detection(
        asset=PLANT,
        check="behaviour",
        kind=IncidentKind.BEHAVIOUR,
        cause="behaviour.low",
        severity=Severity.MEDIUM,
        started_at=start,
        ended_at=None if days is None else start + days * DAY,
        last_at=start + (n_rows - 1) * DAY,
        peak_at=start,
        signals=("generation", "import"),
        score=3.2,
        threshold=2.0,
        observed=1.25,
        expected=12.5,
        unit="kWh",
        impact=-33.75,
        impact_unit="kWh",
        n_rows=n_rows,
        contributions={"generation": 0.8, "import": 0.2},
        model="solar-1",
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def an_incident(*detections: Detection, key: str = "key", at: datetime = NOW) -> Incident:
    """An incident whose evidence these detections are."""
    first, *others = detections or (a_detection(),)
    incident = apply(
        None,
        IncidentEvent(EventKind.OPENED, at, first.started_at, detection=first),
        incident_id="i1",
        group_key=key,
    )
    for other in others:
        incident = apply(incident, IncidentEvent(EventKind.REOPENED, at, other.started_at, detection=other))
    return incident


def a_workspace(folder: Path, *, settings: str = "", now: datetime = NOW, language: str = "en") -> Workspace:
    """A workspace in Madrid whose forests are small and whose clock stands still."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "sereno.yaml").exists():
        text = f"timezone: {MADRID}\ndetector: {{trees: 10}}\n{settings}"
        (folder / "sereno.yaml").write_text(text, "utf-8")
    return Workspace.open(folder, clock=lambda: now, language=language)


def a_solar_workspace(
    folder: Path, windows: Sequence[Window], *, trained_on: int | None = None, settings: str = ""
) -> Workspace:
    """A workspace that holds and has learnt the first rows of some roofs; all rows without `trained_on`."""
    workspace = a_workspace(folder, settings=settings)
    history = [window.rows(0, trained_on or len(window)) for window in windows]
    workspace.add(readings_of(*history), zone=windows[0].zone)
    workspace.train()
    return workspace


_SUMMARY = "Generación total,Consumo total,Autoconsumo"
_HEADER = f"Fecha,{_SUMMARY},Energía suministrada a la red,Energía obtenida de la red"
_UNITS = "[dd.MM.yyyy],[Wh],[Wh],[Wh],[Wh],[Wh]"


def write_solar_csv(folder: Path, window: Window) -> Path:
    """The window in one file, laid out as rooftop exports of the field are; empty rows are absent."""
    folder.mkdir(parents=True, exist_ok=True)
    days = [from_numpy(day) for day in local_time(window.time, window.zone)]
    lines = [
        ",".join([f"{day:%d.%m.%Y}", *(f"{1000 * cell:.4f}" for cell in row)])
        for day, row in zip(days, window.values.tolist(), strict=True)
        if not np.isnan(row).all()
    ]
    path = folder / f"22_10_{window.asset.site.replace(' ', '_')}_{days[0]:%d%m%Y}-{days[-1]:%d%m%Y}.csv"
    path.write_text("\n".join([_HEADER, _UNITS, *lines, ""]), "utf-8")
    return path
