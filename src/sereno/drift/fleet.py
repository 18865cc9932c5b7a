"""What most of a fleet does at once is no drift of one meter."""

from collections.abc import Sequence
from dataclasses import replace

from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel

__all__ = ["tell_shared"]

_LEAST_ASSETS = 3
_SHARE = 0.5
_SHARABLE = (DriftKind.CONCEPT, DriftKind.PERFORMANCE)


def tell_shared(fleet: Sequence[AssetDrift]) -> list[AssetDrift]:
    """Mark the alarms that more than half of the assets have in the same direction.

    In weeks whose season nobody has seen such an alarm is LOW: the season comes first as an explanation.
    """
    found = list(fleet)
    for kind in _SHARABLE:
        for sign in (1.0, -1.0):
            alarming = [one for one in found if _alarms(one, kind, sign)]
            if len(found) >= _LEAST_ASSETS and len(alarming) > _SHARE * len(found):
                found = [_shared(one, kind) if one in alarming else one for one in found]
    return found


def _alarms(one: AssetDrift, kind: DriftKind, sign: float) -> bool:
    verdict = one.verdicts[kind]
    return verdict.level.alarms and verdict.change * sign > 0.0


def _shared(one: AssetDrift, kind: DriftKind) -> AssetDrift:
    verdict = one.verdicts[kind]
    level = verdict.level if verdict.is_season_known else DriftLevel.LOW
    return replace(one, verdicts={**one.verdicts, kind: replace(verdict, level=level, is_shared=True)})
