import re
from dataclasses import replace
from datetime import timedelta

import pytest

from sereno.domain.judgement import Detection, IncidentKind
from sereno.report.sentences import (
    Place,
    describe_detection,
    describe_incident,
    is_standstill,
    recommend,
)
from tests.support.builders import DAY, HOUR, MADRID, NAN, SOLAR, a_detection, an_incident

DAILY = Place(SOLAR, MADRID, DAY)
HOURLY = Place(SOLAR, MADRID, HOUR)
IRREGULAR = Place(SOLAR, MADRID, None)
LANGUAGES = ["es", "en"]

NOTHING_EXPECTED = {"expected": NAN, "impact": NAN, "impact_unit": "", "contributions": {"generation": 1.0}}
CAUSES = {
    "low": a_detection(),
    "high": a_detection(cause="behaviour.high", observed=30.0, impact=12.0),
    "standstill": a_detection(observed=0.0),
    "standstill of one day": a_detection(observed=0.0, days=1),
    "without a value": a_detection(observed=NAN, expected=NAN, impact=NAN, impact_unit=""),
    "temperature": a_detection(signals=("motor_temperature",), unit="°C", impact=NAN, impact_unit=""),
    "physics": a_detection(
        kind=IncidentKind.PHYSICS, check="physics.consumption_balance", cause="physics.consumption_balance"
    ),
    **{
        name: a_detection(
            kind=IncidentKind.DATA, check=f"quality.{name}", cause=f"quality.{name}", **NOTHING_EXPECTED
        )
        for name in ("missing", "out_of_range", "frozen")
    },
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("place", [DAILY, HOURLY, IRREGULAR], ids=["days", "hours", "irregular"])
@pytest.mark.parametrize("is_over", [True, False], ids=["over", "going on"])
@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_makes_a_whole_sentence(cause: str, is_over: bool, place: Place, language: str) -> None:
    found = CAUSES[cause] if is_over else _open(CAUSES[cause])

    told = [
        describe_incident(an_incident(found), place, language, cost=(1234.5, "EUR")),
        describe_detection(found, place, language),
        recommend(found, place, language),
    ]

    for text in told:
        assert not re.search(r"[{}?]|\bnan\b|None|  ", text), text
        assert text.endswith(".")
        assert text.count(".") >= 1


def _open(detection: Detection) -> Detection:
    return replace(detection, ended_at=None)


@pytest.mark.parametrize("cause", CAUSES)
def test_sentence_names_the_asset_and_the_start(cause: str) -> None:
    text = describe_incident(an_incident(CAUSES[cause]), DAILY, "es")

    assert "Planta 1" in text
    assert "ene 2025" in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("length", [timedelta(hours=23), timedelta(hours=25), 3 * DAY], ids=str)
def test_daily_data_never_speak_of_hours(cause: str, length: timedelta, language: str) -> None:
    found = replace(CAUSES[cause], ended_at=CAUSES[cause].started_at + length)

    text = describe_incident(an_incident(found), DAILY, language)

    assert not re.search(r"hora|hour|minut|\d\d:\d\d", text), text


def test_spanish_writes_decimals_with_a_comma() -> None:
    text = describe_incident(an_incident(a_detection()), DAILY, "es")

    assert "1,25 kWh" in text
    assert "12,5 kWh" in text
    assert "33,8 kWh menos de lo esperado" in text


def test_english_writes_decimals_with_a_point() -> None:
    text = describe_incident(an_incident(a_detection()), DAILY, "en")

    assert "1.25 kWh against 12.5 kWh" in text
    assert "33.8 kWh less than expected" in text


@pytest.mark.parametrize(
    ("signal", "wanted"),
    [
        ("generation", "muy por encima de todo lo anterior (17,8"),
        ("outdoor", "saltó a 15,5 °C el 1 ene 2025"),
    ],
)
def test_spike_of_a_state_is_a_jump_and_of_an_amount_an_excess(signal: str, wanted: str) -> None:
    profile = replace(SOLAR, is_open=True)
    found = a_detection(
        kind=IncidentKind.DATA,
        check="quality.spike",
        cause="quality.spike",
        signals=(signal,),
        observed=15.5,
        expected=17.8,
        unit="kWh" if signal == "generation" else "°C",
    )

    assert wanted in describe_detection(found, Place(profile, MADRID, DAY), "es")


def test_dates_in_spanish_have_their_article() -> None:
    text = describe_incident(an_incident(a_detection()), DAILY, "es")

    assert " el 1 ene 2025" in text
    assert "desde el 1 ene 2025" in text


def test_incident_of_several_detections_tells_its_whole_length_and_loss() -> None:
    text = describe_incident(an_incident(a_detection(0, 3), a_detection(6, 4)), DAILY, "en")

    assert "10 days from 1 Jan 2025" in text
    assert "67.5 kWh less" in text


def test_hourly_moment_is_that_of_the_site() -> None:
    assert "01:00" in describe_incident(an_incident(a_detection()), HOURLY, "es")


def test_cost_is_told_only_when_there_is_a_tariff() -> None:
    incident = an_incident(a_detection())

    assert "€" not in describe_incident(incident, DAILY, "es")
    assert "6,75" in describe_incident(incident, DAILY, "es", cost=(6.75, "EUR"))


def test_going_on_is_not_over() -> None:
    assert "continúa" in describe_incident(an_incident(a_detection(days=None)), DAILY, "es")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"observed": 0.0}, True),
        ({"observed": 0.1}, True),
        ({"observed": 1.25}, False),
        ({"observed": 0.0, "signals": ("consumption",)}, False),
        ({"observed": 0.0, "cause": "behaviour.high"}, False),
        ({"observed": NAN}, False),
    ],
    ids=["zero", "next to nothing", "low", "not vital", "high", "unknown"],
)
def test_standstill_is_a_vital_signal_at_nothing(changes: dict[str, object], expected: bool) -> None:
    assert is_standstill(a_detection(**changes), SOLAR) is expected


def test_sum_is_not_told_when_it_contradicts_the_sentence() -> None:
    found = a_detection(cause="behaviour.high", observed=30.0, impact=-157.0)

    text = describe_incident(an_incident(found), DAILY, "en")

    assert "less" not in text
