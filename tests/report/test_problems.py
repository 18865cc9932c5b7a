import pytest

from sereno.domain.judgement import IncidentKind
from sereno.report.problems import problem_of
from sereno.report.sentences import Place, band_edge, describe_detection, recommend
from tests.support.builders import DAY, MADRID, NAN, PROFILES, a_detection

LOW, HIGH = {"observed": 4.0, "expected": 10.0}, {"observed": 20.0, "expected": 10.0, "impact": 5.0}
DATA = {"kind": IncidentKind.DATA}
PHYSICS = {"kind": IncidentKind.PHYSICS}

CASES = [
    ("generation_failure", "solar", ("generation",), "behaviour.low", LOW),
    ("generation_failure", "solar", ("generation",), "behaviour.low", {**LOW, "observed": 0.0}),
    ("generation_loss", "solar", ("generation", "self_consumption"), "behaviour.drift_low", LOW),
    ("more_generation", "solar", ("generation",), "behaviour.high", HIGH),
    ("self_consumption_loss", "solar", ("self_consumption",), "behaviour.low", LOW),
    ("excess_consumption", "solar", ("consumption", "import"), "behaviour.high", HIGH),
    ("excess_consumption", "gas", ("volume",), "behaviour.drift_high", HIGH),
    ("low_consumption", "load", ("power",), "behaviour.low", LOW),
    ("meter_loss", "gas", ("volume",), "behaviour.drift_low", LOW),
    ("bypass", "gas", ("volume", "pressure"), "behaviour.low", {**LOW, "observed": 0.0}),
    ("pressure_loss", "gas", ("pressure",), "behaviour.low", LOW),
    ("overpressure", "gas", ("pressure",), "behaviour.high", HIGH),
    ("overheating", "motor", ("motor_temperature",), "behaviour.high", HIGH),
    ("overload", "motor", ("current",), "behaviour.high", HIGH),
    ("unusual_low", "solar", ("export",), "behaviour.low", LOW),
    ("outside_contract", "load", ("power",), "behaviour.contract", HIGH),
    ("common_cause", "gas", ("pressure",), "behaviour.common", LOW),
    ("leak", "gas", ("volume",), "behaviour.leak", HIGH),
]
BEHAVIOURS = ("low", "high", "drift_low", "drift_high", "leak", "common", "contract")


@pytest.mark.parametrize(("problem", "profile", "signals", "cause", "figures"), CASES)
@pytest.mark.parametrize("language", ["en", "es"])
def test_a_problem_is_named_in_the_sentence_with_its_own_advice(
    problem: str, profile: str, signals: tuple[str, ...], cause: str, figures: dict[str, float], language: str
) -> None:
    found = a_detection(signals=signals, cause=cause, **figures)
    place = Place(PROFILES[profile], MADRID, DAY)

    assert problem_of(found, place.profile) == problem
    assert " – " in describe_detection(found, place, language)
    assert recommend(found, place, language).endswith(".")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("cause", BEHAVIOURS)
@pytest.mark.parametrize("language", ["en", "es"])
def test_whatever_a_signal_does_there_is_a_sentence_and_advice(
    profile: str, cause: str, language: str
) -> None:
    place = Place(PROFILES[profile], MADRID, DAY)

    for signal in [*(one.name for one in PROFILES[profile].signals), "a column of its own"]:
        figures = HIGH if cause.endswith("high") else LOW
        found = a_detection(signals=(signal,), cause=f"behaviour.{cause}", **figures)
        assert " – " in describe_detection(found, place, language)
        assert recommend(found, place, language).endswith(".")


@pytest.mark.parametrize(
    ("problem", "cause", "kind"),
    [
        ("stuck_meter", "quality.frozen", DATA),
        ("missing", "quality.missing", DATA),
        ("leak", "physics.night_flow", PHYSICS),
        ("meter_drift", "physics.twin_meter", PHYSICS),
    ],
)
def test_data_and_physics_have_names_of_their_own(problem: str, cause: str, kind: dict[str, object]) -> None:
    assert problem_of(a_detection(cause=cause, **kind), PROFILES["gas"]) == problem


def test_the_band_ends_between_what_was_expected_and_what_was_seen() -> None:
    found = a_detection(observed=4.0, expected=10.0, score=3.0, threshold=1.5)

    assert band_edge(found) == pytest.approx(7.0)
    told = describe_detection(found, Place(PROFILES["solar"], MADRID, DAY), "en")
    assert "(normal down to 7 kWh)" in told


def test_nothing_is_said_of_a_band_that_nobody_knows() -> None:
    found = a_detection(observed=4.0, expected=NAN, impact=NAN, impact_unit="")

    assert "normal" not in describe_detection(found, Place(PROFILES["solar"], MADRID, DAY), "en")
