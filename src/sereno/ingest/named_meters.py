"""Tables with a column per meter, headed by the names that people gave them: `Colegio Norte (kWh)`.

Such a name says nothing by itself. But where every column of numbers holds an energy, and a profile knows one
signal for it, the columns are meters of that profile and not the signals of a plant. Volumes may as well be
tanks: they are meters where the caller says so.
"""

from collections.abc import Sequence

from sereno.domain.signals import Profile, Signal, SignalKind
from sereno.ingest.headers import TOTAL_WORDS, Header, Match, Role, key_of, nearest_names, split_unit
from sereno.ingest.units import conversion, find_unit

__all__ = ["is_total", "with_named_meters"]

_LEAST_METERS = 2
_SURE = "energy"


def with_named_meters(
    headers: Sequence[Header],
    matches: Sequence[Match],
    strangers: Sequence[int],
    profile: Profile,
    *,
    is_asked: bool,
) -> list[Match]:
    """The matches, with a column per meter where that is what the table holds.

    Args:
        headers: One per column.
        matches: What the names said, one per column.
        strangers: Positions of the columns of numbers whose names no profile knows.
        is_asked: The caller wants this profile: then units may be missing, and the main signal is meant.
    """
    if profile.is_open or any(header.declared is not None for header in headers):
        return list(matches)
    totals = {i for i in strangers if is_total(headers[i])}
    unnamed = [i for i in strangers if i not in totals]
    parted = {i: split_unit(headers[i]) for i in unnamed}
    signal = _signal_of([unit for _, unit in parted.values()], profile, is_asked=is_asked)
    names = {i: name for i, (name, _) in parted.items() if key_of(name)}
    is_told = signal is not None and any(
        m.signal is not None and m.signal.name == signal.name
        for i, m in enumerate(matches)
        if i not in totals
    )
    if signal is None or is_told or len(set(names.values())) != len(unnamed):
        return list(matches)
    is_misspelt = bool(nearest_names([headers[i].source for i in unnamed], profile))
    if is_misspelt:
        return list(matches)
    found = list(matches)
    for i in totals:
        found[i] = Match((Role.IGNORED,), unit=headers[i].unit)
    for i, name in names.items():
        found[i] = Match((Role.SIGNAL,), signal, parted[i][1], name, is_name_only=True)
    return found


def is_total(header: Header) -> bool:
    """Whether a column is the sum of the others."""
    return key_of(split_unit(header)[0]) in TOTAL_WORDS


def _signal_of(units: Sequence[str], profile: Profile, *, is_asked: bool) -> Signal | None:
    """The one signal that columns in these units can be; None where they are no meters of one kind."""
    if len(units) < _LEAST_METERS:
        return None
    if is_asked and not any(units):
        scaled = [one for one in profile.signals if one.is_ratio_scaled and not one.is_optional]
        return scaled[0] if len(scaled) == 1 else None
    if not all(find_unit(unit) for unit in units):
        return None
    amounts = [
        one
        for one in profile.signals
        if (is_asked or (one.kind is SignalKind.INTERVAL and one.quantity == _SURE))
        and all(conversion(unit, one.unit) for unit in units)
    ]
    usual = [one for one in amounts if not one.is_optional] or amounts
    return usual[0] if len(usual) == 1 else None
