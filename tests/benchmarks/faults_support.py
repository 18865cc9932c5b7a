"""Series to inject faults into."""

import numpy as np

from benchmarks.faults.injecting import FAULTS, Stretch
from benchmarks.faults.series import Dialect, Series
from sereno.domain.signals import AssetKey
from sereno.settings.profiles import load_profiles

SOLAR = ("generation", "consumption", "self_consumption", "export", "import")
PROFILES = load_profiles()
DIALECT = Dialect("a.csv", "Fecha", tuple((name, "Wh") for name in SOLAR), ",", ".", "dmy", True)


def a_site(*, n_days=200, step_hours=24, signals=SOLAR, seed=1, name="solar_daily/A"):
    """A solar series whose balances hold: bells of sunshine, a house, and what follows from both."""
    rng = np.random.default_rng(seed)
    n_rows = n_days * 24 // step_hours
    hour = np.arange(n_rows) * step_hours % 24
    sun = np.where((hour > 6) & (hour < 19), np.sin((hour - 6) / 13 * np.pi), 0.0) if step_hours < 24 else 1.0
    generation = 40.0 * sun * rng.uniform(0.3, 1.0, n_rows)
    consumption = rng.uniform(5.0, 30.0, n_rows)
    own = np.minimum(generation, consumption) * rng.uniform(0.5, 0.9, n_rows)
    columns = dict(
        zip(SOLAR, (generation, consumption, own, generation - own, consumption - own), strict=True)
    )
    folder, site = name.split("/")
    start = np.datetime64("2023-01-01", "us")
    return Series(
        folder=folder,
        key=AssetKey(site, site),
        profile="solar",
        zone="Etc/UTC",
        time=start + np.arange(n_rows) * np.timedelta64(step_hours, "h"),
        signals=signals,
        values=np.column_stack([columns[one] for one in signals]),
        dialect=DIALECT,
    )


def disturbed(fault, series, signals, *, start=100, length=10, seed=1):
    """The stretch before, and what the fault makes of it."""
    typical = np.nanmedian(np.where(series.values > 0, series.values, np.nan), axis=0)
    rng = np.random.default_rng(seed)
    stretch = Stretch(series, start, start + length, typical, np.nanmax(series.values, axis=0), rng)
    return stretch, FAULTS[fault].disturb(stretch, signals)
