"""What an asset counted over a stretch of time, beside the stretch before or the same weekdays before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from sereno.domain.signals import SignalKind
from sereno.flows.workspace import Workspace
from sereno.store import StoredAsset

__all__ = ["Comparison", "Total", "comparison_of", "shift_of"]

_WEEK = timedelta(weeks=1)
_LEAST_SHARE = 0.9
"""Of the values of a stretch, those that an earlier one must have to be compared with it."""


@dataclass(frozen=True, slots=True)
class Total:
    """What a signal that counts added up to; `before` is None where nothing was read then.

    Attributes:
        is_partial: Before, clearly fewer values were read: the two sums say nothing of a change.
    """

    signal: str
    label: Mapping[str, str]
    unit: str
    value: float
    before: float | None
    is_partial: bool = False

    @property
    def change(self) -> float | None:
        """Share by which it is more than before; None where nothing can be said."""
        return None if not self.before or self.is_partial else self.value / self.before - 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Totals of a stretch of time beside those of an earlier one that is as long."""

    totals: Sequence[Total]
    start_before: datetime

    @property
    def sums(self) -> dict[str, float]:
        """By signal."""
        return {one.signal: one.value for one in self.totals}


def shift_of(start: datetime, end: datetime, *, with_weekdays: bool) -> timedelta:
    """How far back lies what a stretch of time is compared with: its own length, or whole weeks."""
    return ceil((end - start) / _WEEK) * _WEEK if with_weekdays else end - start


def comparison_of(
    workspace: Workspace, asset: StoredAsset, *, start: datetime, end: datetime, with_weekdays: bool = False
) -> Comparison:
    """Totals of every signal that counts.

    Args:
        with_weekdays: Compare with the last stretch before that has the same weekdays, rather than with the
            one right before.
    """
    profile = workspace.profiles[asset.profile]
    counted = [s for s in profile.signals if s.kind is SignalKind.INTERVAL]
    names = [s.name for s in counted]
    length = shift_of(start, end, with_weekdays=with_weekdays)
    with workspace.store.read() as tx:
        now = tx.sums(asset.id, asset.profile, names, start, end)
        before = tx.sums(asset.id, asset.profile, names, start - length, end - length)
        _, n_now, _ = tx.quality_counts(asset.id, asset.profile, names, start, end)
        _, n_before, _ = tx.quality_counts(asset.id, asset.profile, names, start - length, end - length)
    totals = [
        Total(
            signal=one.name,
            label={language: one.label(language) for language in ("es", "en")},
            unit=one.unit,
            value=now[one.name],
            before=before.get(one.name),
            is_partial=n_before[one.name] < _LEAST_SHARE * n_now[one.name],
        )
        for one in counted
        if one.name in now
    ]
    return Comparison(totals, start - length)
