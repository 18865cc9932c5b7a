"""What calendar and weather say of a signal, before its last days correct it.

Source:
    The form of the time-of-week-and-temperature baseline: Mathieu, Price, Kiliccote, Piette, "Quantifying
    changes in building electricity use", IEEE Trans. Smart Grid 2(3), 2011, doi:10.1109/TSG.2011.2145010.
    Departures: three kinds of day instead of seven weekdays, any signal of the weather, knots at its own
    quantiles, and errors beyond four spreads are clipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sereno.domain.readings import BoolArray, FloatArray

__all__ = ["SUNDAY", "Calendar", "ExpectedValue", "Response", "learn_value"]

N_KINDS = 3
"""Workdays, Saturdays, Sundays; see `kinds_of_day`, which counts from 1."""
SUNDAY = 2
_KNOTS = (0.25, 0.5, 0.75)
_OUTER = (0.005, 0.5, 0.995)
_LEAST_PRIOR, _MOST_PRIOR = 0.05, 10.0
"""Days of all kinds that the usual day of one kind is mixed with."""
_ROUNDS = 6
_CLIP = 4.0
_NORMAL_MAD = 1.4826
_RIDGE = 0.01
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Calendar:
    """Where rows lie.

    Attributes:
        slots: Time of day, shape (rows,).
        kinds: Of day, 0 to 2, shape (rows,).
        is_holiday: Whether it is a public holiday, shape (rows,).
        n_slots: Times of day that are told apart.
    """

    slots: np.ndarray
    kinds: np.ndarray
    is_holiday: np.ndarray
    n_slots: int

    def resting(self) -> "Calendar":
        """The same with each public holiday as a Sunday."""
        return replace(self, kinds=np.where(self.is_holiday, SUNDAY, self.kinds))


@dataclass(frozen=True, slots=True)
class Response:
    """How a signal answers to one of the weather, by time of day; 0 where that is usual or unknown.

    Attributes:
        figures: Lowest, usual and highest value, and the unit of the knots, shape (4,).
        knots: Where the slope changes, shape (knots,).
        weights: Slope and its changes, shape (1 + knots, slots).
    """

    figures: FloatArray
    knots: FloatArray
    weights: FloatArray

    def of(self, weather: FloatArray, slots: np.ndarray) -> FloatArray:
        """Shape (rows,)."""
        total = np.zeros(len(weather))
        for part, weight in zip(_bends(weather, self.figures, self.knots), self.weights, strict=True):
            total += part * weight[slots]
        return total


@dataclass(frozen=True, slots=True)
class ExpectedValue:
    """Usual day of each kind, and what the weather adds.

    Attributes:
        usual: Shape (kinds, slots).
        responses: By name of the signal of the weather.
        rests: Whether a public holiday is a Sunday.
    """

    usual: FloatArray
    responses: Mapping[str, Response]
    rests: bool = False

    def of(self, calendar: Calendar, weather: Mapping[str, FloatArray]) -> FloatArray:
        """Expected value of each row, the same to the last bit in any batch, shape (rows,).

        Args:
            weather: Shape (rows,) each; what is missing counts as usual.
        """
        if self.rests:
            calendar = calendar.resting()
        value: FloatArray = self.usual[calendar.kinds, calendar.slots]
        for name in sorted(self.responses):
            if name in weather:
                value = value + self.responses[name].of(weather[name], calendar.slots)
        return value


def learn_value(
    values: FloatArray,
    calendar: Calendar,
    weather: Mapping[str, FloatArray],
    use: BoolArray,
    *,
    rests: bool = False,
) -> ExpectedValue:
    """Learn from the rows of `use` that hold a value; there must be one.

    Usual days and answers to the weather are found in turn, each from what the others leave over.

    Args:
        rests: Public holidays are learnt as Sundays.
    """
    rows = use & np.isfinite(values)
    wanted = values[rows]
    if rests:
        calendar = calendar.resting()
    calendar = Calendar(
        calendar.slots[rows], calendar.kinds[rows], calendar.is_holiday[rows], calendar.n_slots
    )
    seen = {name: column[rows] for name, column in weather.items() if _varies(column[rows])}
    shapes = {name: _shape_of(column) for name, column in seen.items()}
    usual = _usual_days(wanted, calendar)
    responses: dict[str, Response] = {}
    for _ in range(_ROUNDS if seen else 1):
        found = ExpectedValue(usual, responses)
        left = wanted - found.of(calendar, seen)
        held = wanted - left + _clipped(left)
        usual = _usual_days(held - _answers(responses, seen, calendar), calendar)
        rest = held - usual[calendar.kinds, calendar.slots]
        responses = _responses(rest, calendar, seen, shapes)
    return ExpectedValue(usual, responses, rests)


def _varies(column: FloatArray) -> bool:
    known = column[np.isfinite(column)]
    return bool(len(known)) and bool(np.ptp(known) > _TINY)


def _shape_of(column: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Figures and knots of a `Response`."""
    known = column[np.isfinite(column)]
    low, usual, high = np.quantile(known, _OUTER).tolist()
    unit = max(float(known.std()), _TINY)
    knots = (np.quantile(known, _KNOTS) - usual) / unit
    return np.array([low, usual, high, unit]), knots


def _bends(weather: FloatArray, figures: FloatArray, knots: FloatArray) -> list[FloatArray]:
    """The piecewise linear parts of weather, 0 at the usual value, shape (rows,) each."""
    low, usual, high, unit = figures.tolist()
    away = (np.clip(weather, low, high) - usual) / unit
    away = np.where(np.isnan(away), 0.0, away)
    return [away, *(np.maximum(away - knot, 0.0) - max(-knot, 0.0) for knot in knots.tolist())]


def _usual_days(values: FloatArray, calendar: Calendar) -> FloatArray:
    """Mean of each time of day and kind of day, shape (kinds, slots); few days lean on those of all kinds.

    They do so the more, the less kinds differ beside what days of one kind do (empirical Bayes).
    """
    n_slots = calendar.n_slots
    total = np.bincount(calendar.slots, values, n_slots)
    count = np.bincount(calendar.slots, minlength=n_slots)
    every = np.where(count > 0, total / np.maximum(count, 1), values.mean())
    place = calendar.kinds * n_slots + calendar.slots
    of_kind = np.bincount(place, values, N_KINDS * n_slots).reshape(N_KINDS, n_slots)
    days = np.bincount(place, minlength=N_KINDS * n_slots).reshape(N_KINDS, n_slots)
    mean = np.where(days > 0, of_kind / np.maximum(days, 1), every)
    within = float(np.mean((values - mean[calendar.kinds, calendar.slots]) ** 2))
    between = float(np.mean((mean - every)[calendar.kinds, calendar.slots] ** 2))
    prior = min(max(within / max(between, _TINY), _LEAST_PRIOR), _MOST_PRIOR)
    usual: FloatArray = (of_kind + prior * every) / (days + prior)
    return usual


def _answers(
    responses: Mapping[str, Response], weather: Mapping[str, FloatArray], calendar: Calendar
) -> FloatArray:
    total = np.zeros(len(calendar.slots))
    for name in sorted(responses):
        total += responses[name].of(weather[name], calendar.slots)
    return total


def _responses(
    rest: FloatArray,
    calendar: Calendar,
    weather: Mapping[str, FloatArray],
    shapes: Mapping[str, tuple[FloatArray, FloatArray]],
) -> dict[str, Response]:
    """Answers to all signals of the weather together, by ridge."""
    if not weather:
        return {}
    names = sorted(weather)
    parts = [part for name in names for part in _bends(weather[name], *shapes[name])]
    turns = _turns(calendar.n_slots)
    table = np.stack([part * turn[calendar.slots] for part in parts for turn in turns], axis=1)
    gram = table.T @ table
    held = _RIDGE * np.diag(np.diag(gram)) + _TINY * np.eye(len(gram))
    weights = np.linalg.solve(gram + held, table.T @ rest).reshape(len(parts), len(turns)) @ turns
    found, first = {}, 0
    for name in names:
        figures, knots = shapes[name]
        found[name] = Response(figures, knots, weights[first : first + 1 + len(knots)])
        first += 1 + len(knots)
    return found


def _turns(n_slots: int) -> FloatArray:
    """How an answer may differ over the day, shape (terms, slots)."""
    angle = 2 * np.pi * np.arange(n_slots) / n_slots
    terms: Sequence[FloatArray] = [np.ones(n_slots)]
    if n_slots > 2:
        terms = [*terms, np.cos(angle), np.sin(angle)]
    return np.stack(terms)


def _clipped(left: FloatArray) -> FloatArray:
    reach = _CLIP * max(_NORMAL_MAD * float(np.median(np.abs(left))), _TINY)
    return np.clip(left, -reach, reach)
