"""The named faults: what each does to the rows of one asset, how strongly, and how long."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from benchmarks.faults.series import Series

__all__ = ["FAULTS", "Change", "Fault", "Stretch", "Targets"]

MIN_STUCK_SHARE = 0.1
MIN_ACTIVE_SHARE = 0.2
VISIBLE_IMBALANCE = 0.05
"""Imbalance over the largest term of a row that shows a gain error: class B meters explain 0.02."""
VISIBLE_DIFFERENCE = 0.2
SPIKE_OVER_MAXIMUM = 3.0
NIGHT_SHARE = 0.1
"""Generation that a faulty meter shows at night, over the 99 % quantile of generation."""
SHIFT_HOURS = (1, 2, 3)
LOSS, FADE_SHARE = 0.20, 2 / 3
USES = ("consumption", "import", "volume")
"""What a house takes, the one that says most first."""
EXCESS = (1.0, 2.0)
"""What is taken more in every step, over the usual of a step."""
LEAK, RESTS = (0.15, 0.40), 0.25
"""A leak over the mean flow, and what may flow at rest, over the leak."""
MOST, LEAST_DAYS = 0.9, 14
DRIFT, DRIFT_DAYS, DRIFT_VISIBLE = 0.03, 3, 0.024
"""3 % within three days; of the largest term of a row it must be more than meters of class B explain."""
_NIGHT_WINDOW_DAYS = 15


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some rows of a series about to be disturbed.

    Attributes:
        typical: Median of each signal's values that are not zero, shape (signals,).
        largest: Largest value of each signal, shape (signals,).
    """

    series: Series
    start: int
    stop: int
    typical: np.ndarray
    largest: np.ndarray
    rng: np.random.Generator

    @property
    def values(self) -> np.ndarray:
        """A copy of the rows, shape (stop - start, signals)."""
        return self.series.values[self.start : self.stop].copy()

    def column(self, signal: str) -> int:
        """Where a signal stands."""
        return self.series.signals.index(signal)


@dataclass(frozen=True, slots=True)
class Change:
    """What a fault made of a stretch.

    Attributes:
        values: Shape (stop - start, signals); rows of NaN are not in the file.
        altered: The signals that are faulty.
        magnitude: In words.
    """

    values: np.ndarray
    altered: tuple[str, ...]
    magnitude: str


Disturb = Callable[[Stretch, tuple[str, ...]], Change | None]
Targets = Callable[[Series], Sequence[tuple[str, ...]] | str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A named fault.

    Attributes:
        causes: Patterns of the causes that name it rightly.
        exact: The one cause among them that says precisely what it is.
        days: Shortest and longest length in daily series; None where those cannot carry it.
        hours: The same in finer ones.
        targets: The signals that it can strike together, or why it can strike none.
        disturb: The faulty values; None where the fault would not be visible there.
        may_have_gaps: Whether rows may be missing in it: a fault of months.
    """

    about: str
    causes: tuple[str, ...]
    exact: tuple[str, ...]
    days: tuple[int, int] | None
    hours: tuple[int, int]
    targets: Targets
    disturb: Disturb
    may_have_gaps: bool = False

    def to_json(self) -> dict[str, object]:
        """Magnitude, length and accepted causes."""
        return {"about": self.about, "days": self.days, "hours": self.hours, "causes": self.causes}


def _each(series: Series) -> Sequence[tuple[str, ...]]:
    return [(name,) for name in series.signals]


def _all(series: Series) -> Sequence[tuple[str, ...]]:
    return [series.signals]


def _one_or_all(series: Series) -> Sequence[tuple[str, ...]]:
    """The whole export changes its unit, or one register does."""
    single = [(name,) for name in series.signals]
    return single if len(single) == 1 else [*single, *[series.signals] * len(single)]


def _pairs(series: Series) -> Sequence[tuple[str, ...]] | str:
    return list(combinations(series.signals, 2)) or "it has one signal only"


def _generation(series: Series) -> Sequence[tuple[str, ...]] | str:
    return [("generation",)] if "generation" in series.signals else "it has no generation"


def _plant(series: Series) -> Sequence[tuple[str, ...]] | str:
    if "generation" not in series.signals:
        return "it has no generation"
    return [tuple(n for n in ("generation", "self_consumption", "export", "import") if n in series.signals)]


def _house(series: Series) -> Sequence[tuple[str, ...]] | str:
    taken = tuple(name for name in ("consumption", "import", "volume") if name in series.signals)
    return [taken] if taken else "it has no consumption"


def _gas(series: Series) -> Sequence[tuple[str, ...]] | str:
    return [("volume",)] if "volume" in series.signals else "it has no gas"


def _clock(series: Series) -> Sequence[tuple[str, ...]] | str:
    return [series.signals] if "generation" in series.signals else "it has no sun to read the clock by"


def _hold(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    (name,) = signals
    column = stretch.column(name)
    last = stretch.series.values[stretch.start - 1, column]
    values = stretch.values
    true = values[:, column].copy()
    typical = stretch.typical[column]
    moves = np.abs(true - last) > VISIBLE_IMBALANCE * typical
    if not last >= MIN_STUCK_SHARE * typical > 0 or moves.mean() < 0.5 or np.isnan(true).any():
        return None
    values[:, column] = last
    return Change(values, signals, f"holds {last:.6g}")


def _spike(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    (name,) = signals
    column = stretch.column(name)
    factor = round(float(stretch.rng.uniform(20, 100)), 1)
    values = stretch.values
    spiked = values[0, column] * factor
    if not spiked > 0 or spiked < SPIKE_OVER_MAXIMUM * stretch.largest[column]:
        return None
    values[0, column] = spiked
    return Change(values, signals, f"x {factor:g}")


def _scale(factor: float) -> Disturb:
    def disturb(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
        columns = [stretch.column(name) for name in signals]
        if not any(_is_active(stretch, column) for column in columns):
            return None
        values = stretch.values
        values[:, columns] *= factor
        return Change(values, signals, f"x {factor:g}")

    return disturb


def _negate(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    column = stretch.column(signals[0])
    if not _is_active(stretch, column):
        return None
    values = stretch.values
    values[:, column] *= -1.0
    return Change(values, signals, "x -1")


def _swap(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    one, other = (stretch.column(name) for name in signals)
    values = stretch.values
    larger = np.maximum(values[:, one], values[:, other])
    differs = np.abs(values[:, one] - values[:, other]) > VISIBLE_DIFFERENCE * larger
    if not (_is_active(stretch, one) or _is_active(stretch, other)) or differs.mean() < 0.5:
        return None
    values[:, [one, other]] = values[:, [other, one]]
    return Change(values, signals, "exchanged")


def _misread(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Visibility is asked of the rows whose balance has a term at work; the nights of a plant have few."""
    column = stretch.column(signals[0])
    gain = round(float(stretch.rng.uniform(0.10, 0.40)) * float(stretch.rng.choice([-1, 1])), 3)
    values = stretch.values
    error = np.abs(gain * values[:, column])
    largest = np.nanmax(np.abs(values), axis=1, initial=0.0)
    is_visible = (error > VISIBLE_IMBALANCE * largest) & (error > VISIBLE_IMBALANCE * stretch.typical[column])
    if is_visible.mean() < (0.5 if stretch.series.is_daily else 0.15):
        return None
    values[:, column] *= 1.0 + gain
    return Change(values, signals, f"{100 * gain:+.1f} %")


def _shine_at_night(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    column = stretch.column(signals[0])
    dark = _is_always_zero_at_that_hour(stretch, column)
    bright = float(np.nanquantile(stretch.series.values[:, column], 0.99))
    if dark.mean() < MIN_ACTIVE_SHARE or not bright > 0:
        return None
    values = stretch.values
    values[dark, column] += round(NIGHT_SHARE * bright, 3)
    return Change(values, signals, f"+{NIGHT_SHARE * bright:.3g} in {int(dark.sum())} dark steps")


def _is_always_zero_at_that_hour(stretch: Stretch, column: int) -> np.ndarray:
    """Rows at whose hour, and the hours beside it, nothing was generated for weeks around, shape (rows,)."""
    series, per_day = stretch.series, stretch.series.rows_per_day
    around = _NIGHT_WINDOW_DAYS * per_day
    first, last = max(0, stretch.start - around), min(len(series.time), stretch.stop + around)
    since_start = series.time[first:last] - series.time[0]
    slot = np.round(since_start / series.step).astype(int) % per_day
    made = np.bincount(slot, np.nan_to_num(series.values[first:last, column]), minlength=per_day)
    hour = max(1, per_day // 24)
    dark = np.array(
        [sum(made[(s + d) % per_day] for d in range(-hour, hour + 1)) == 0 for s in range(per_day)]
    )
    is_dark: np.ndarray = dark[slot[stretch.start - first : stretch.stop - first]]
    return is_dark


def _shift(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    hours = int(stretch.rng.choice(SHIFT_HOURS)) * int(stretch.rng.choice([-1, 1]))
    rows = hours * stretch.series.rows_per_day // 24
    begin, end = stretch.start - rows, stretch.stop - rows
    if not _is_active(stretch, stretch.column("generation")) or begin < 0 or end > len(stretch.series.time):
        return None
    values = stretch.series.values[begin:end].copy()
    return Change(values, signals, f"{hours:+d} h")


def _drop(stretch: Stretch, signals: tuple[str, ...]) -> Change:
    return Change(np.full_like(stretch.values, np.nan), signals, f"{stretch.stop - stretch.start} rows")


def _kill(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """No generation; the house goes on and takes from the grid what the plant gave it."""
    if not _is_active(stretch, stretch.column("generation")):
        return None
    values, names = stretch.values, stretch.series.signals
    given = np.zeros(len(values))
    if "self_consumption" in names:
        given = values[:, stretch.column("self_consumption")].copy()
    elif "export" in names:
        given = values[:, stretch.column("generation")] - values[:, stretch.column("export")]
    for name in ("generation", "self_consumption", "export"):
        if name in names:
            values[:, stretch.column(name)] = 0.0
    if "import" in names:
        values[:, stretch.column("import")] += given
    return Change(values, signals, "generation 0")


def _kill_half(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Half of the plant is out; the house goes on and takes from the grid what is lacking."""
    if not _is_active(stretch, stretch.column("generation")):
        return None
    return Change(_with_generation(stretch, np.full(len(stretch.values), 0.5)), signals, "generation x 0.5")


def _fade(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Generation falls by a fifth, evenly, over the first two thirds of the stretch, and stays there."""
    if not _is_active(stretch, stretch.column("generation")):
        return None
    ramp = np.minimum(np.arange(len(stretch.values)) / (FADE_SHARE * len(stretch.values)), 1.0)
    return Change(_with_generation(stretch, 1.0 - LOSS * ramp), signals, f"generation -{LOSS:.0%}")


def _with_generation(stretch: Stretch, kept: np.ndarray) -> np.ndarray:
    """The rows with a share of their generation: what was used from it comes from the grid, balances hold."""
    values, names = stretch.values, stretch.series.signals
    made = values[:, stretch.column("generation")].copy()
    if "self_consumption" in names:
        own = values[:, stretch.column("self_consumption")].copy()
    elif "export" in names:
        own = made - values[:, stretch.column("export")]
    else:
        own = np.zeros(len(values))
    used = np.minimum(own, kept * made)
    values[:, stretch.column("generation")] = kept * made
    changed = {"self_consumption": used, "export": kept * made - used}
    for name, column in changed.items():
        if name in names:
            values[:, stretch.column(name)] = column
    if "import" in names:
        values[:, stretch.column("import")] += own - used
    return values


def _use_more(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """The house takes more all day, from the grid; visible where its days are above nearly all before."""
    names = stretch.series.signals
    lead = next(name for name in USES if name in names)
    column = stretch.column(lead)
    more = round(float(stretch.rng.uniform(*EXCESS)), 2) * stretch.typical[column]
    values = stretch.values
    for name in signals:
        values[:, stretch.column(name)] += more
    if not more > 0 or not _is_above_before(stretch, values, column):
        return None
    return Change(values, signals, f"+{more:.3g} in every step")


def _leak(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """Gas flows evenly in every hour; visible where the house usually rests at night."""
    column, values = stretch.column(signals[0]), stretch.values
    before = stretch.series.values[max(0, stretch.start - 28 * stretch.series.rows_per_day) : stretch.start]
    share = round(float(stretch.rng.uniform(*LEAK)), 2)
    leak = share * float(np.nanmean(before[:, column])) if len(before) else 0.0
    floors = _daily(before[:, column], stretch.series, np.min)
    if not leak > 0 or not len(floors) or np.mean(floors <= RESTS * leak) < MOST:
        return None
    values[:, column] += leak
    return Change(values, signals, f"+{leak:.3g} in every step")


def _drift(stretch: Stretch, signals: tuple[str, ...]) -> Change | None:
    """A meter of a balance drifts by 3 % within three days."""
    column = stretch.column(signals[0])
    sign = float(stretch.rng.choice([-1, 1]))
    values = stretch.values
    days = np.arange(len(values)) / stretch.series.rows_per_day
    error = sign * DRIFT * np.minimum((days + 1) / DRIFT_DAYS, 1.0) * values[:, column]
    largest = np.nanmax(np.abs(values), axis=1, initial=0.0)
    is_visible = (np.abs(error) > DRIFT_VISIBLE * largest) & (values[:, column] > stretch.typical[column] / 2)
    if is_visible.mean() < (0.5 if stretch.series.is_daily else 0.15):
        return None
    values[:, column] += error
    return Change(values, signals, f"{100 * sign * DRIFT:+.0f} %")


def _is_above_before(stretch: Stretch, values: np.ndarray, column: int) -> bool:
    """Whether a usual day of the stretch is above nearly all days of the two months before."""
    series = stretch.series
    before = series.values[max(0, stretch.start - 60 * series.rows_per_day) : stretch.start, column]
    days = _daily(before, series, np.sum)
    return len(days) > 14 and bool(
        np.median(_daily(values[:, column], series, np.sum)) > np.quantile(days, MOST)
    )


def _daily(rows: np.ndarray, series: Series, of: Callable[..., np.ndarray]) -> np.ndarray:
    """A figure of each whole day of rows."""
    n_days = len(rows) // series.rows_per_day
    return np.asarray(of(np.nan_to_num(rows[: n_days * series.rows_per_day]).reshape(n_days, -1), axis=1))


def _is_active(stretch: Stretch, column: int) -> bool:
    """Whether the signal is at work in the stretch: on most days, at least a fifth of its usual height."""
    values = stretch.values[:, column]
    n_days = max(1, len(values) // stretch.series.rows_per_day)
    heights = [np.nanmax(day, initial=0.0) for day in np.array_split(values, n_days)]
    is_at_work = np.array(heights) >= MIN_ACTIVE_SHARE * stretch.typical[column]
    return bool(stretch.typical[column] > 0 and is_at_work.mean() > 0.5)


FAULTS: Mapping[str, Fault] = {
    "stuck": Fault(
        "a signal holds its last value, not zero, while it really moves",
        ("quality.frozen",),
        ("quality.frozen",),
        (7, 14),
        (24, 72),
        _each,
        _hold,
    ),
    "spike": Fault(
        "one row x 20 to 100, at least 3 times the largest value of the series",
        ("quality.spike", "quality.out_of_range"),
        ("quality.spike",),
        (1, 1),
        (0, 0),
        _each,
        _spike,
    ),
    "scale_times_1000": Fault(
        "one signal or the whole export x 1000",
        ("quality.unit_change", "quality.step", "quality.out_of_range"),
        ("quality.unit_change",),
        (5, 14),
        (24, 120),
        _one_or_all,
        _scale(1000.0),
    ),
    "scale_divided_by_1000": Fault(
        "one signal or the whole export / 1000",
        ("quality.unit_change", "quality.step"),
        ("quality.unit_change",),
        (5, 14),
        (24, 120),
        _one_or_all,
        _scale(0.001),
    ),
    "swapped_sign": Fault(
        "a signal x -1",
        ("quality.swapped_sign", "quality.out_of_range"),
        ("quality.swapped_sign",),
        (3, 10),
        (24, 120),
        _each,
        _negate,
    ),
    "swapped_channels": Fault(
        "two signals exchanged that differ by more than 20 % in most rows",
        ("quality.swapped_channels", "physics.*balance*"),
        ("quality.swapped_channels",),
        (5, 14),
        (48, 168),
        _pairs,
        _swap,
    ),
    "broken_balance": Fault(
        "one meter of a balance reads 10 to 40 % off, over 5 % of the largest term",
        ("physics.*balance*",),
        ("physics.*balance*",),
        (5, 14),
        (72, 240),
        _each,
        _misread,
    ),
    "night_generation": Fault(
        "the generation meter shows 10 % of its 99 % quantile in all dark steps",
        ("physics.night_generation",),
        ("physics.night_generation",),
        None,
        (72, 168),
        _generation,
        _shine_at_night,
    ),
    "clock_shift": Fault(
        "all readings 1 to 3 h too early or too late",
        ("quality.clock_shift",),
        ("quality.clock_shift",),
        None,
        (240, 480),
        _clock,
        _shift,
    ),
    "missing_stretch": Fault(
        "rows that are not in the file",
        ("quality.missing",),
        ("quality.missing",),
        (3, 10),
        (12, 72),
        _all,
        _drop,
    ),
    "dead_plant": Fault(
        "no generation, the house lives from the grid, balances hold",
        ("behaviour.low", "behaviour.standstill", "physics.standstill"),
        ("behaviour.low", "behaviour.standstill", "physics.standstill"),
        (7, 21),
        (72, 168),
        _plant,
        _kill,
    ),
    "half_generation": Fault(
        "half of the plant is out, the house lives from the grid, balances hold",
        ("behaviour.low", "behaviour.drift_low"),
        ("behaviour.low",),
        (10, 30),
        (120, 360),
        _plant,
        _kill_half,
    ),
    "gradual_loss_20_percent": Fault(
        "generation falls by 20 % over weeks and stays there, balances hold",
        ("behaviour.low", "behaviour.drift_low"),
        ("behaviour.drift_low",),
        (60, 90),
        (60 * 24, 90 * 24),
        _plant,
        _fade,
        may_have_gaps=True,
    ),
    "excess_consumption": Fault(
        "100 to 200 % of a usual step more in every step, from the grid; days above nearly all before",
        ("behaviour.high", "behaviour.drift_high", "physics.night_flow"),
        ("behaviour.high", "behaviour.drift_high"),
        (7, 21),
        (120, 360),
        _house,
        _use_more,
    ),
    "leak_floor": Fault(
        "15 to 40 % of the mean flow more in every hour, where the house rests at night",
        ("physics.night_flow", "behaviour.high", "behaviour.drift_high"),
        ("physics.night_flow",),
        None,
        (10 * 24, 21 * 24),
        _gas,
        _leak,
    ),
    "drift_3_percent": Fault(
        "a meter of a balance drifts by 3 % within three days",
        ("physics.*balance*",),
        ("physics.*balance*",),
        (10, 30),
        (240, 480),
        _each,
        _drift,
    ),
}
"""All faults by name."""
