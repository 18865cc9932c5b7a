"""One plain sentence per incident, and what to do next, in the language of the reader."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan

from sereno.domain.incidents import Incident
from sereno.domain.judgement import Detection, IncidentKind
from sereno.domain.signals import PHYSICS_CHECKS, Profile
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import moment, money, number, quantity, span

__all__ = ["Place", "describe_detection", "describe_incident", "is_standstill", "recommend"]

_STOPPED = 0.01
"""Share of the expected value below which people say that something stopped, not that it is low."""


_ENERGY_UNITS = frozenset({"kWh", "kW"})
_WELCOME_WHEN_HIGH = frozenset({"generation", "self_consumption", "export"})


@dataclass(frozen=True, slots=True)
class Place:
    """What a sentence needs to know about where the asset is: its profile, time zone and step."""

    profile: Profile
    zone: str
    step: timedelta | None


def is_standstill(detection: Detection, profile: Profile) -> bool:
    """Whether a vital signal stopped, rather than merely being low."""
    if detection.cause != "behaviour.low" or not profile.signal(detection.signals[0]).is_vital:
        return False
    return detection.observed <= _STOPPED * detection.expected


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
    key = _key(detection, place.profile)
    if key == "behaviour.high" and detection.signals[0] in _WELCOME_WHEN_HIGH:
        key = "behaviour.more"
    return sentence(f"{key}.recommendation", language)


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

    kind = "register_sentence" if _is_of_a_register(detection) else "sentence"
    step = place.step or timedelta(0)
    started_at, ended_at = interval
    length = (ended_at or detection.last_at + step) - started_at
    shown = span(max(length, step), language, step=place.step)
    labels = [place.profile.signal(name).label(language) for name in detection.signals]
    n_rows = detection.n_rows
    key = "sentence.lasted" if ended_at is not None else "sentence.lasting"
    return sentence(
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
        readings=lambda: sentence(f"sentence.{_of_number('reading', n_rows)}", language, rows=n_rows),
        instants=lambda: sentence(f"sentence.{_of_number('instant', n_rows)}", language, rows=n_rows),
        per_day=lambda: _per_day(detection, place, language),
        impact=impact,
    )


def _is_of_a_register(detection: Detection) -> bool:
    """Of a frozen sensor nobody knows what it should read; a register that stands still has a difference.

    Of a register that steps back nobody does; a signal with a new level had one before.
    """
    is_known = not isnan(detection.expected)
    if detection.cause == "quality.step":
        return not is_known
    return detection.cause == "quality.frozen" and is_known


def _of_number(noun: str, count: int) -> str:
    return f"one_{noun}" if count == 1 else f"{noun}s"


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
