"""Detectors that see no data: what recall is worth without them is nothing."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from benchmarks.faults.injecting import Fault
from benchmarks.faults.placing import TRAIN_SHARE, rest_of
from benchmarks.faults.scoring import FAR, Found, Outcome, judge_event, rates, site_months
from benchmarks.faults.series import Series

__all__ = ["ABOUT", "trivial_figures"]

ABOUT = (
    "always, clock (a day every Monday) and random (as many incidents as sereno has false ones, a day each) "
    "do not look at the data. An event counts as found where an incident overlaps it; the rule for sereno is "
    "stricter, for what the untouched copy says too does not count, and by it these find nothing."
)
_DAY = np.timedelta64(1, "D")
_WEEK = np.timedelta64(7, "D")
_SIGNAL = ("volume",)


def trivial_figures(
    clients: Sequence[Series],
    outcomes: Sequence[Outcome],
    false: Mapping[str, Sequence[Found]],
    faults: Mapping[str, Fault],
    seed: int,
) -> dict[str, object]:
    """Recall, right signals and incidents per client-month of each."""
    rng = np.random.default_rng(seed)
    found = {
        "always": {one.name: [_found(one, 0, one.time[0], FAR)] for one in clients},
        "clock": {one.name: _weekly(one) for one in clients},
        "random": {one.name: _random(one, len(false[one.name]), rng) for one in clients},
    }
    return {"about": ABOUT, **{name: _figures(clients, outcomes, own, faults) for name, own in found.items()}}


def _figures(
    clients: Sequence[Series],
    outcomes: Sequence[Outcome],
    found: Mapping[str, Sequence[Found]],
    faults: Mapping[str, Fault],
) -> dict[str, object]:
    by_name = {one.name: one for one in clients}
    judged = [
        judge_event(one.event, by_name[one.event.series], found[one.event.series], (), faults=faults)
        for one in outcomes
    ]
    months = sum(site_months(one) * (1 - TRAIN_SHARE) for one in clients)
    overall = rates(judged)
    return {
        "event_recall": overall["recall"],
        "signal_right": overall["signal_right"],
        "incidents_per_client_month": round(sum(map(len, found.values())) / months, 4),
    }


def _weekly(series: Series) -> list[Found]:
    begin, end = series.time[rest_of(series)], series.time[-1]
    monday = begin.astype("datetime64[W]").astype("datetime64[us]")
    return _days(series, np.arange(monday, end, _WEEK))


def _random(series: Series, count: int, rng: np.random.Generator) -> list[Found]:
    begin, end = series.time[rest_of(series)], series.time[-1]
    hours = rng.uniform(0.0, (end - begin) / np.timedelta64(1, "h"), count).astype(int)
    return _days(series, begin + np.sort(hours) * np.timedelta64(1, "h"))


def _days(series: Series, starts: Iterable[np.datetime64]) -> list[Found]:
    return [_found(series, place, start, start + _DAY) for place, start in enumerate(starts)]


def _found(series: Series, place: int, first: np.datetime64, last: np.datetime64) -> Found:
    return Found(str(place), series.key.site, series.key.asset, "behaviour.high", _SIGNAL, first, last)
