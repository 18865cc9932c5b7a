"""The faults of a gas client: what each does to its rows, and when it can be seen in them at all."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.faults.injecting import FAULTS, Change, Fault, Stretch, Targets
from benchmarks.faults.series import Series

__all__ = ["GAS_FAULTS", "TWIN_FAULTS", "sagged"]

DAY_ROWS, WEEK_ROWS = 24, 168
BEFORE_DAYS, BEFORE_WEEKS, LEAK_DAYS = 60, 52, 14
LEAK_SHARE = (0.10, 0.30)
"""Of the mean flow of the weeks before."""
SAG_SHARE = (0.05, 0.15)
SAG_HOURS = 6
"""Until a sag has its full depth."""
BYPASS_FALL = (0.03, 0.08)
"""What the pressure loses while gas passes beside the meter, of its value."""
LOSS_SHARE, LOSS_RAMP = (0.20, 0.30), 0.6
DRIFT, DRIFT_RAMP_ROWS = 0.03, 72
RARE, USUAL = 0.05, 0.95
RUNNING_SHARE = 0.5
"""Share of the rows of a bypass in which gas really flowed."""


def _one(name: str, *needed: str) -> Targets:
    """The targets of a fault of one signal."""

    def targets(series: Series) -> Sequence[tuple[str, ...]] | str:
        absent = [one for one in (name, *needed) if one not in series.signals]
        return f"it has no {absent[0]}" if absent else [(name, *needed)]

    return targets


def _drawn(stretch: Stretch, bounds: tuple[float, float]) -> float:
    return round(float(stretch.rng.uniform(*bounds)), 3)


def _before(stretch: Stretch, column: int, n_rows: int) -> np.ndarray:
    return stretch.series.values[max(0, stretch.start - n_rows) : stretch.start, column]


def _by(rows: np.ndarray, length: int) -> np.ndarray:
    """Whole stretches of so many rows, shape (stretches, length)."""
    n_whole = len(rows) // length
    return rows[: n_whole * length].reshape(n_whole, length)


def _leak(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Visible where the floor of its usual day rises by more than floors do of themselves in a year."""
    column = stretch.column(signals[0])
    year, values = _before(stretch, column, BEFORE_WEEKS * WEEK_ROWS), stretch.values
    share = _drawn(stretch, LEAK_SHARE)
    leak = share * float(np.nanmean(year[-BEFORE_DAYS * DAY_ROWS :])) if len(year) else 0.0
    values[:, column] += leak
    floors, raised = (np.nanmin(_by(rows, DAY_ROWS), axis=1) for rows in (year, values[:, column]))
    if not leak > 0 or len(floors) <= 2 * BEFORE_DAYS:
        return None
    natural = [_rise(floors, day) for day in range(BEFORE_DAYS, len(floors) - LEAK_DAYS)]
    if np.median(raised) - np.median(floors[-BEFORE_DAYS:]) <= np.quantile(natural, USUAL):
        return None
    return Change(values, signals, f"+{leak:.4g} m³/h, {share:.0%} of the mean")


def _rise(floors: np.ndarray, day: int) -> float:
    """How much higher the floors of two weeks are than those of two months before them."""
    return float(np.median(floors[day : day + LEAK_DAYS]) - np.median(floors[day - BEFORE_DAYS : day]))


def sagged(pressure: np.ndarray, share: float) -> np.ndarray:
    """Pressures that fall by a share within `SAG_HOURS` and stay there."""
    ramp = np.minimum(np.arange(1, len(pressure) + 1) / SAG_HOURS, 1.0)
    low: np.ndarray = pressure * (1.0 - share * ramp)
    return low


def _sag(stretch: Stretch, signals: tuple[str, ...]) -> Change:
    column, share, values = stretch.column(signals[0]), _drawn(stretch, SAG_SHARE), stretch.values
    values[:, column] = sagged(values[:, column], share)
    return Change(values, signals, f"-{share:.1%}")


def _bypass(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Gas flows beside the meter: it counts nothing, and the pressure falls as when much is taken."""
    volume, pressure = (stretch.column(name) for name in signals)
    values, share = stretch.values, _drawn(stretch, BYPASS_FALL)
    if np.mean(values[:, volume] > 0) < RUNNING_SHARE:
        return None
    values[:, volume] = 0.0
    values[:, pressure] = sagged(values[:, pressure], share)
    return Change(values, signals, f"volume 0, pressure -{share:.1%}")


def _lose(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Visible where its last weeks are lower than nearly all running weeks of the year before."""
    column, share, values = stretch.column(signals[0]), _drawn(stretch, LOSS_SHARE), stretch.values
    ramp = np.minimum(np.arange(len(values)) / (LOSS_RAMP * len(values)), 1.0)
    values[:, column] *= 1.0 - share * ramp
    before = _by(_before(stretch, column, BEFORE_WEEKS * WEEK_ROWS), WEEK_ROWS)
    usual = np.median(before, axis=1)
    lost = np.median(values[int(LOSS_RAMP * len(values)) :, column])
    if len(usual) < BEFORE_WEEKS // 2 or not 0 < lost < np.quantile(usual, RARE):
        return None
    return Change(values, signals, f"-{share:.0%} within {LOSS_RAMP * len(values) / DAY_ROWS:.0f} days")


def _drift(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    column, values = stretch.column(signals[0]), stretch.values
    sign = float(stretch.rng.choice([-1.0, 1.0]))
    if np.mean(values[:, column] > 0) < RUNNING_SHARE:
        return None
    values[:, column] *= 1.0 + sign * DRIFT * np.minimum(np.arange(len(values)) / DRIFT_RAMP_ROWS, 1.0)
    return Change(values, signals, f"{100 * sign * DRIFT:+.0f} %")


def _ten_times(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    column, values = stretch.column(signals[0]), stretch.values
    if np.mean(values[:, column] > 0) < RUNNING_SHARE:
        return None
    values[:, column] *= 10.0
    return Change(values, signals, "x 10")


_STUCK = FAULTS["stuck"].disturb
_FROZEN = ("quality.frozen",)

GAS_FAULTS: Mapping[str, Fault] = {
    "leak_floor": Fault(
        "10 to 30 % of the mean flow more in every hour; floors rise by more than they do in a usual year",
        ("physics.night_flow", "behaviour.leak", "behaviour.high", "behaviour.excess*"),
        ("physics.night_flow", "behaviour.leak"),
        None,
        (14 * 24, 30 * 24),
        _one("volume"),
        _leak,
        may_have_gaps=True,
    ),
    "pressure_sag": Fault(
        "the pressure falls by 5 to 15 % within 6 hours and stays there",
        ("behaviour.low", "behaviour.pressure*", "quality.step"),
        ("behaviour.low", "behaviour.pressure*"),
        None,
        (12, 72),
        _one("pressure"),
        _sag,
    ),
    "stuck_volume": Fault(
        "the volume holds its last value, not zero", _FROZEN, _FROZEN, None, (24, 72), _one("volume"), _STUCK
    ),
    "stuck_temperature": Fault(
        "the temperature holds its last value", _FROZEN, _FROZEN, None, (24, 72), _one("temperature"), _STUCK
    ),
    "register_times_10": Fault(
        "the volume x 10",
        ("quality.unit_change", "quality.step", "quality.spike"),
        ("quality.unit_change",),
        None,
        (24, 120),
        _one("volume"),
        _ten_times,
    ),
    "bypass": Fault(
        "gas passes beside the meter: volume 0 where it flowed, and a pressure 3 to 8 % lower",
        ("physics.bypass", "behaviour.bypass", "behaviour.low", "behaviour.standstill"),
        ("physics.bypass", "behaviour.bypass"),
        None,
        (12, 72),
        _one("volume", "pressure"),
        _bypass,
    ),
    "gradual_loss": Fault(
        "the volume loses 20 to 30 % within weeks; its last weeks are below nearly all of a year before",
        ("behaviour.low", "behaviour.loss*", "behaviour.drift*"),
        ("behaviour.loss*", "behaviour.drift*"),
        None,
        (60 * 24, 75 * 24),
        _one("volume"),
        _lose,
        may_have_gaps=True,
    ),
}
"""Faults of one client, by name."""

TWIN_FAULTS: Mapping[str, Fault] = {
    "twin_drift_3_percent": Fault(
        "a meter drifts 3 % away from its declared twin within three days",
        ("physics.twin_meter",),
        ("physics.twin_meter",),
        None,
        (14 * 24, 30 * 24),
        _one("volume"),
        _drift,
        may_have_gaps=True,
    )
}
"""Faults that only a declared twin shows."""
