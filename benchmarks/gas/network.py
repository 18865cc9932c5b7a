"""What clients have in common: the pressure of their network, and a check meter in series."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.faults.placing import rest_of
from benchmarks.faults.scoring import Found
from benchmarks.faults.series import Series
from benchmarks.gas.injecting import SAG_SHARE, sagged
from sereno.domain.signals import AssetKey

__all__ = [
    "CONTROL",
    "NetworkEvent",
    "network_of",
    "network_values",
    "plan_network",
    "told_of",
    "with_control",
]

CONTROL = "-control"
"""Ends the name of the site of a check meter."""
CONTROL_NOISE = 0.003
"""What the check meter differs by from hour to hour, relative (one standard deviation)."""
ALIKE = 0.03
"""What usual pressures on one network differ by, relative."""
LEAST_CLIENTS = 4
HOURS = (24, 72)


@dataclass(frozen=True, slots=True)
class NetworkEvent:
    """A fall of the pressure of a whole network."""

    first: np.datetime64
    last: np.datetime64
    share: float
    clients: tuple[str, ...]


def with_control(series: Series, seed: int) -> Series:
    """The check meter of a client: its volume, read by another meter of the same class."""
    rng = np.random.default_rng([seed, len(series.time)])
    column = series.signals.index("volume")
    volume = series.values[:, [column]] * (1.0 + CONTROL_NOISE * rng.standard_normal((len(series.time), 1)))
    name = f"{series.key.site}{CONTROL}"
    dialect = replace(series.dialect, columns=(series.dialect.columns[column],))
    key = AssetKey(name, name)
    return replace(series, key=key, signals=("volume",), values=np.round(volume, 3), dialect=dialect)


def network_of(series: Sequence[Series]) -> list[Series]:
    """The clients that hang on one network: their usual pressures, in their history, are nearly the same."""
    known = [one for one in series if "pressure" in one.signals]
    usual = [float(np.nanmedian(one.column("pressure")[: rest_of(one)])) for one in known]
    groups = [[i for i, other in enumerate(usual) if abs(other - own) <= ALIKE * own] for own in usual]
    members = [known[i] for i in max(groups, key=len, default=[])]
    return members if len(members) >= LEAST_CLIENTS else []


def plan_network(members: Sequence[Series], n_events: int, seed: int) -> list[NetworkEvent]:
    """Falls of the common pressure, each in its own part of the rest."""
    if not members:
        return []
    rng = np.random.default_rng([seed, len(members)])
    begin = max(one.time[rest_of(one)] for one in members)
    end = min(one.time[-1] for one in members)
    part = (end - begin) / n_events
    events = []
    for number in range(n_events):
        length = np.timedelta64(int(rng.integers(HOURS[0], HOURS[1] + 1)), "h")
        room = (part - 2 * length) / np.timedelta64(1, "h")
        first = begin + number * part + length + np.timedelta64(int(rng.uniform(0, room)), "h")
        first = first.astype("datetime64[h]").astype("datetime64[us]")
        share = round(float(rng.uniform(*SAG_SHARE)), 3)
        names = tuple(one.name for one in members)
        events.append(NetworkEvent(first, first + length, share, names))
    return events


def network_values(series: Series, events: Sequence[NetworkEvent]) -> np.ndarray:
    """The readings of a client with the falls of its network in them, shape (rows, signals)."""
    values = series.values.copy()
    for event in events:
        if series.name in event.clients:
            rows = (series.time >= event.first) & (series.time < event.last)
            column = series.signals.index("pressure")
            values[rows, column] = sagged(values[rows, column], event.share)
    return values


def told_of(event: NetworkEvent, found: Sequence[Found], untouched: Sequence[Found]) -> list[Found]:
    """The incidents that tell of a fall: those of that time that the untouched copy has not."""
    before = {one.id for one in untouched}
    return [one for one in found if one.id not in before and one.overlaps(event.first, event.last)]
