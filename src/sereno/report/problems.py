"""What kind of trouble an incident is, in the words of the person who answers for the meter."""

from collections.abc import Sequence

from sereno.domain.judgement import Detection, IncidentKind
from sereno.domain.signals import Profile

__all__ = ["is_standstill", "problem_of"]

_STOPPED = 0.01
"""Share of the expected value below which people say that something stopped, not that it is low."""
_NAMED = {
    "quality.frozen": "stuck_meter",
    "physics.night_flow": "leak",
    "behaviour.leak": "leak",
    "physics.twin_meter": "meter_drift",
    "behaviour.contract": "outside_contract",
    "behaviour.common": "common_cause",
}
_DRIFTS = frozenset({"behaviour.drift_low", "behaviour.drift_high"})
_USES = frozenset({"consumption", "import", "energy", "power", "volume", "base_volume"})
_VOLUMES = frozenset({"volume", "base_volume"})
_BY_SIGNAL = {
    ("generation", False): "generation_failure",
    ("generation", True): "more_generation",
    ("self_consumption", False): "self_consumption_loss",
}
_BY_QUANTITY = {
    ("temperature", True): "overheating",
    ("current", True): "overload",
    ("pressure", False): "pressure_loss",
    ("pressure", True): "overpressure",
}
"""By quantity and whether it is too high."""


def is_standstill(detection: Detection, profile: Profile) -> bool:
    """Whether a vital signal stopped, rather than merely being low."""
    if detection.cause != "behaviour.low" or not profile.signal(detection.signals[0]).is_vital:
        return False
    return detection.observed <= _STOPPED * detection.expected


def problem_of(detection: Detection, profile: Profile) -> str:
    """A stable code: `generation_failure`, `leak`, `excess_consumption`, …; the cause's own name otherwise.

    The problem follows from the most guilty signal, its direction, and whether it fell at once or drifted.
    """
    if detection.cause in _NAMED:
        return _NAMED[detection.cause]
    if detection.kind is not IncidentKind.BEHAVIOUR:
        return detection.cause.partition(".")[2]
    if detection.cause in _DRIFTS:
        return _drift(detection.signals[0], is_high=detection.cause.endswith("high"))
    return _sudden(detection, profile, is_high=detection.cause != "behaviour.low")


def _sudden(detection: Detection, profile: Profile, *, is_high: bool) -> str:
    lead = detection.signals[0]
    if _is_passed_by(detection.signals, detection):
        return "bypass"
    known = _BY_SIGNAL.get((lead, is_high)) or _BY_QUANTITY.get((profile.signal(lead).quantity, is_high))
    if known is not None:
        return known
    if lead in _USES:
        return "excess_consumption" if is_high else "low_consumption"
    return "unusual_high" if is_high else "unusual_low"


def _drift(lead: str, *, is_high: bool) -> str:
    if lead == "generation":
        return "more_generation" if is_high else "generation_loss"
    if lead == "self_consumption" and not is_high:
        return "self_consumption_loss"
    if lead in _VOLUMES and not is_high:
        return "meter_loss"
    if lead in _USES:
        return "excess_consumption" if is_high else "low_consumption"
    return "drift"


def _is_passed_by(signals: Sequence[str], detection: Detection) -> bool:
    """A meter that counts nothing while the pressure in front of it is not as usual either."""
    is_nothing = detection.observed <= _STOPPED * detection.expected
    return signals[0] in _VOLUMES and "pressure" in signals and is_nothing
