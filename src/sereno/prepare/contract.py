"""Use that a contract does not allow: more than its maximum, or at an hour or on a day that it leaves out."""

import numpy as np

from sereno.domain.calendar import local_time
from sereno.domain.facts import ContractLimit
from sereno.domain.judgement import Evidence, IncidentKind, Memory
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.witness import shares_of

__all__ = ["CONTRACT", "check_contract"]

CONTRACT = "behaviour.contract"
_WORST = 10.0
_MINUTE_US, _DAY_US = 60_000_000, 86_400_000_000
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; ISO weekdays begin with Monday as 1."""


def check_contract(window: Window, profile: Profile, _memory: Memory) -> tuple[list[Evidence], Memory]:
    """Evidence against the limits that the asset's facts declare; nothing where none is declared.

    A step belongs to the local hour in which it starts. Registers are judged by what they counted.
    """
    limits = profile.facts_of(window.asset).contract
    columns = [column for column, name in enumerate(window.signals) if name in limits]
    if not columns:
        return [], Memory()
    local = local_time(window.time, window.zone)
    most = np.full(window.values.shape, np.nan)
    for column in columns:
        most[:, column] = _most(limits[window.signals[column]], local)
    excess = _excess(window.values, most)
    return [
        Evidence(
            check=CONTRACT,
            kind=IncidentKind.BEHAVIOUR,
            exceedance=np.fmax.reduce(excess, axis=1),
            threshold=1.0,
            contributions=shares_of(np.where(excess >= 1.0, excess, 0.0)),
            expected=most,
        )
    ], Memory()


def _most(limit: ContractLimit, local: TimeArray) -> FloatArray:
    """What is allowed in each step; infinite without a limit, shape (rows,)."""
    allowed = float("inf") if limit.maximum is None else limit.maximum
    return np.where(_is_time_of_use(limit, local), allowed, min(limit.outside, allowed))


def _is_time_of_use(limit: ContractLimit, local: TimeArray) -> BoolArray:
    micros = local.astype("datetime64[us]").astype(np.int64)
    minute = micros % _DAY_US // _MINUTE_US
    weekday = (micros // _DAY_US + _EPOCH_WEEKDAY) % 7 + 1
    is_hour = np.zeros(len(local), dtype=bool) if limit.hours else np.ones(len(local), dtype=bool)
    for first, last in limit.hours:
        if first < last:
            is_hour |= (first <= minute) & (minute < last)
        else:
            is_hour |= (minute >= first) | (minute < last)
    is_day: BoolArray = np.isin(weekday, limit.days) if limit.days else np.ones(len(local), dtype=bool)
    return is_hour & is_day


def _excess(values: FloatArray, most: FloatArray) -> FloatArray:
    """Value over what is allowed, at the limit 1; where nothing is allowed any use is beyond it."""
    allowed = np.where(most > 0, most, np.nan)
    share = np.minimum(values / allowed, _WORST)
    share = np.where(share > 1.0, share, np.minimum(share, np.nextafter(1.0, 0.0)))
    return np.where(most == 0, np.where(np.isnan(values), np.nan, np.where(values > 0, _WORST, 0.0)), share)
