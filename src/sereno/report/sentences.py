"""One plain sentence per incident, and what to do next, in the language of the reader."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan

from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection, IncidentKind
from sereno.domain.signals import PHYSICS_CHECKS, Profile
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment, money, number, quantity, span
from sereno.report.problems import is_standstill, problem_of

__all__ = ["Place", "band_edge", "describe_detection", "describe_incident", "is_standstill", "recommend"]

_ENERGY_UNITS = frozenset({"kWh", "kW"})


@dataclass(frozen=True, slots=True)
class Place:
    """What a sentence needs to know about where the asset is: its profile, time zone and step."""

    profile: Profile
    zone: str
    step: timedelta | None


def describe_incident(
    incident: Incident, place: Place, language: str, *, cost: tuple[float, str] | None = None
) -> str:
    """The incident in one sentence: what, where, observed against expected, since when, how much.

    Args:
        cost: Amount and currency, when a tariff is set.
    """
    worst = incident.worst
    impact = _impact(incident.impact, worst, language) + _cost(cost, language)
    interval = (incident.started_at, incident.ended_at)
    return _fill(worst, place, language, interval=interval, impact=impact)


def describe_detection(detection: Detection, place: Place, language: str) -> str:
    """A single detection in one sentence."""
    impact = _impact(detection.impact, detection, language)
    interval = (detection.started_at, detection.ended_at)
    return _fill(detection, place, language, interval=interval, impact=impact)


def recommend(detection: Detection, place: Place, language: str) -> str:
    """What to look at first."""
    key, kind = _key(detection, place.profile), "recommendation"
    if detection.kind is IncidentKind.BEHAVIOUR:
        key = f"problem.{problem_of(detection, place.profile)}"
    elif _is_of_a_signal(detection):
        kind = "signal_recommendation"
    return sentence(f"{key}.{kind}", language)


def _key(detection: Detection, profile: Profile) -> str:
    if detection.kind is IncidentKind.PHYSICS:
        balance = "physics.balance" if detection.unit in _ENERGY_UNITS else "physics.identity"
        return balance if detection.cause.removeprefix("physics.") not in PHYSICS_CHECKS else detection.cause
    return "behaviour.standstill" if is_standstill(detection, profile) else detection.cause


def _fill(
    detection: Detection,
    place: Place,
    language: str,
    *,
    interval: tuple[datetime, datetime | None],
    impact: str,
) -> str:
    def when(instant: datetime) -> str:
        return moment(instant, place.zone, language, step=place.step)

    kind = _kind(detection, place.profile)
    step = place.step or timedelta(0)
    started_at, ended_at = interval
    length = (ended_at or detection.last_at + step) - started_at
    shown = span(max(length, step), language, step=place.step)
    labels = [place.profile.signal(name).label(language) for name in detection.signals]
    n_rows = detection.n_rows
    key = "sentence.lasted" if ended_at is not None else "sentence.lasting"
    told = sentence(
        f"{_key(detection, place.profile)}.{kind}",
        language,
        asset=detection.asset,
        check=detection.check.partition(".")[2],
        signal=labels[0],
        signals=", ".join(labels[:2]),
        score=lambda: number(detection.score, language),
        hours=lambda: number(round(2 * detection.score) / 2, language),
        observed=lambda: quantity(detection.observed, detection.unit, language),
        expected=lambda: quantity(detection.expected, detection.unit, language),
        lasting=lambda: sentence(key, language, start=when(started_at), span=shown),
        peak=lambda: when(detection.peak_at),
        readings=lambda: sentence("sentence.readings", language, rows=n_rows),
        instants=lambda: sentence("sentence.instants", language, rows=n_rows),
        per_day=lambda: _per_day(detection, place, language),
        band=lambda: _band(detection, language),
        impact=impact,
    )
    if detection.kind is not IncidentKind.BEHAVIOUR:
        return told
    problem = sentence(f"problem.{problem_of(detection, place.profile)}.name", language)
    return sentence("sentence.problem", language, problem=problem, told=told)


def band_edge(detection: Detection) -> float:
    """Up to where the first signal would have been normal at the peak, in its unit; NaN where unknown."""
    if detection.kind is not IncidentKind.BEHAVIOUR or not detection.score > 0:
        return float("nan")
    share = min(detection.threshold / detection.score, 1.0)
    return detection.expected + (detection.observed - detection.expected) * share


def _band(detection: Detection, language: str) -> str:
    """How far from what was expected is still normal, in brackets; empty where it is not known."""
    edge = band_edge(detection)
    if isnan(edge):
        return ""
    key = "sentence.normal_to" if edge >= detection.expected else "sentence.normal_from"
    return sentence(key, language, edge=quantity(edge, detection.unit, language))


def _kind(detection: Detection, profile: Profile) -> str:
    """Which of the sentences of its cause fits."""
    if _is_of_a_signal(detection):
        return "signal_sentence"
    if detection.cause == "quality.spike" and not profile.signal(detection.signals[0]).is_ratio_scaled:
        return "jump_sentence"
    return "register_sentence" if _is_of_a_register(detection) else "sentence"


def _is_of_a_register(detection: Detection) -> bool:
    """Of a frozen sensor nobody knows what it should read; a register that stands still has a difference.

    Of a register that steps back nobody does; a signal with a new level had one before.
    """
    is_known = not isnan(detection.expected)
    if detection.cause == "quality.step":
        return not is_known
    return detection.cause == "quality.frozen" and is_known


def _is_of_a_signal(detection: Detection) -> bool:
    """Of a signal that stopped alone its last value is known; of a row that never came nothing is."""
    return detection.cause == "quality.missing" and not isnan(detection.expected)


def _per_day(detection: Detection, place: Place, language: str) -> str:
    """What a day adds up to if every step differs as the worst one does; empty where nothing adds up."""
    if place.step is None or isnan(detection.impact) or not detection.impact_unit:
        return ""
    hours = 1.0 if detection.unit != detection.impact_unit else place.step / timedelta(hours=1)
    amount = (detection.observed - detection.expected) * 24 / hours
    return quantity(abs(amount), detection.impact_unit, language)


def _impact(impact: float, detection: Detection, language: str) -> str:
    is_contrary = impact * (detection.observed - detection.expected) < 0  # peak and sum say opposite things
    if isnan(impact) or not impact or is_contrary or detection.n_rows < 2:
        return ""
    direction = sentence("sentence.less" if impact < 0 else "sentence.more", language)
    amount = quantity(abs(impact), detection.impact_unit, language)
    return sentence("sentence.impact", language, amount=amount, direction=direction)


def _cost(cost: tuple[float, str] | None, language: str) -> str:
    if cost is None or not cost[0]:
        return ""
    return sentence("sentence.cost", language, money=money(*cost, language))
