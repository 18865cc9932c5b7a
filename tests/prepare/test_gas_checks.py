from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from sereno.domain.facts import AssetFacts
from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import FloatArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.gas import atmospheric_pressure, base_volume, compressibility
from sereno.prepare.gas_checks import BASE_VOLUME, PRESSURE_KIND, TWIN_METER
from sereno.prepare.physics import check_physics
from tests.support.builders import HOUR, NAN, PLANT, PROFILES, a_window

GAS = PROFILES["gas"]
CLIENT = AssetFacts(pressure="gauge", volume="line", base_temperature_c=0.0, altitude_m=650)
NATURAL = {"methane": 0.93, "ethane": 0.05, "nitrogen": 0.02}
PTZ = ("pressure", "temperature", "volume", "base_volume")
PRESSURE, VOLUME, BASE = 0, 2, 3
HOURS = 240


def declared(facts: AssetFacts = CLIENT) -> Profile:
    return replace(GAS, facts={PLANT: facts})


def converter(
    *, scale: float = 1.0, kind: str = "gauge", composition: dict[str, float] | None = None
) -> Window:
    """A client whose converter works from the true pressure; `kind` is what its pressure column holds."""
    rng = np.random.default_rng(4)
    gauge, celsius = 16 + rng.normal(size=HOURS) / 5, 15 + rng.normal(size=HOURS)
    absolute = gauge + atmospheric_pressure(650)
    volume = np.round(40 + 10 * rng.normal(size=HOURS))
    ratio: FloatArray | float = 1.0
    if composition:
        at_base = compressibility(np.array([1.01325]), np.array([0.0]), composition)
        ratio = compressibility(absolute, celsius, composition) / at_base
    at_base_m3 = np.round(scale * base_volume(absolute, celsius, volume, ratio, (1.01325, 0.0)))
    read = absolute if kind == "absolute" else gauge
    return a_window(
        np.column_stack((read, celsius, volume, at_base_m3)), signals=PTZ, profile="gas", step=HOUR
    )


def found(window: Window, check: str, facts: AssetFacts = CLIENT) -> Evidence:
    evidence, _, _ = check_physics(window, declared(facts), Memory())
    return next(one for one in evidence if one.check == check)


def worst(window: Window, check: str, facts: AssetFacts = CLIENT) -> float:
    return float(np.nanmax(found(window, check, facts).exceedance, initial=0.0))


def test_converter_that_agrees_with_what_is_declared_is_sound() -> None:
    exact = replace(CLIENT, composition=NATURAL)

    for window, facts in ((converter(), CLIENT), (converter(composition=NATURAL), exact)):
        assert worst(window, BASE_VOLUME, facts) < 1
        assert worst(window, PRESSURE_KIND, facts) == 0


def test_without_z_the_true_volume_of_a_natural_gas_lies_within_the_bound() -> None:
    assert worst(converter(composition=NATURAL), BASE_VOLUME) < 1


@pytest.mark.parametrize("scale", [0.9, 0.5, 1.2, 10.0])
def test_base_volume_that_does_not_follow_is_evidence_that_names_the_volumes(scale: float) -> None:
    evidence = found(converter(scale=scale), BASE_VOLUME)

    assert np.mean(evidence.exceedance >= 1) > 0.95
    assert evidence.contributions[0].argsort()[-2:].tolist() == [VOLUME, BASE]


@pytest.mark.parametrize(("holds", "said"), [("gauge", "absolute"), ("absolute", "gauge")])
def test_kind_of_pressure_is_named_where_the_other_kind_explains_the_volume(holds: str, said: str) -> None:
    window, facts = converter(kind=holds), replace(CLIENT, pressure=said, compressibility=1.0)

    kind = found(window, PRESSURE_KIND, facts)

    assert np.mean(kind.exceedance >= 1) > 0.9
    assert kind.contributions[0].tolist() == [1, 0, 0, 0]
    assert not (found(window, BASE_VOLUME, facts).exceedance >= 1).any()


@pytest.mark.parametrize(
    ("bar", "metres", "is_impossible"),
    [(0.0, None, True), (0.5, None, True), (0.7, None, False), (0.7, 0.0, True), (1.02, 0.0, False)],
)
def test_absolute_pressure_is_never_below_the_atmosphere(
    bar: float, metres: float | None, is_impossible: bool
) -> None:
    window = a_window([[bar, 15.0, 1.0]] * 4, signals=PTZ[:3], profile="gas")

    evidence = found(window, PRESSURE_KIND, AssetFacts(pressure="absolute", altitude_m=metres))

    assert (evidence.exceedance >= 1).all() == is_impossible


@pytest.mark.parametrize(
    "facts",
    [AssetFacts(), AssetFacts(pressure="gauge"), AssetFacts(pressure="gauge", volume="corrected"),
     AssetFacts(pressure="gauge", volume="line")],
)  # fmt: skip
def test_what_is_not_declared_is_not_judged(facts: AssetFacts) -> None:
    assert check_physics(converter(scale=3.0), declared(facts), Memory())[0] == []


def test_missing_readings_say_nothing() -> None:
    window = converter(scale=2.0)
    window.values[5, PRESSURE], window.values[6, BASE] = NAN, NAN

    assert np.isnan(found(window, BASE_VOLUME).exceedance[5:7]).all()


def twins(scale: float = 1.0, *, noise: float = 0.03, rows: int = 24 * 20) -> Window:
    """Two meters in series that read the same gas in whole pulses, one of them late by up to a pulse."""
    rng = np.random.default_rng(9)
    flow = np.where(np.arange(rows) % 24 < 14, 30.0, 0.0) * np.exp(0.3 * rng.normal(size=rows))
    one = np.diff(np.floor(np.concatenate(([0.0], np.cumsum(flow)))))
    other = np.diff(
        np.floor(np.concatenate(([0.0], np.cumsum(scale * flow * (1 + noise * rng.normal(size=rows))))))
    )
    return a_window(
        np.column_stack((one, other)), signals=("volume", "twin_volume"), profile="gas", step=HOUR
    )


def test_twins_that_differ_by_pulses_and_noise_agree() -> None:
    evidence = found(twins(), TWIN_METER)

    assert np.count_nonzero(~np.isnan(evidence.exceedance)) > 24 * 15
    assert np.nanmax(evidence.exceedance) < 1


@pytest.mark.parametrize("scale", [0.9, 0.95, 1.05, 2.0])
def test_twin_with_a_constant_ratio_is_evidence(scale: float) -> None:
    exceedance = found(twins(scale), TWIN_METER).exceedance

    assert (exceedance[48:] >= 1).all()


@pytest.mark.parametrize("size", [1, 50])
def test_streamed_equals_batch(size: int) -> None:
    window = twins(1.03)
    window.values[30:40, 1] = NAN
    (whole,), _, last = check_physics(window, GAS, Memory())

    memory, parts = Memory(), []
    for start in range(0, len(window), size):
        (some,), _, memory = check_physics(window.rows(start, start + size), GAS, memory)
        parts.append(some.exceedance)

    np.testing.assert_array_equal(whole.exceedance, np.concatenate(parts))
    assert (whole.exceedance >= 1).any()
    assert memory.arrays["twin/sums"].tolist() == last.arrays["twin/sums"].tolist()


def test_steps_of_other_lengths_forget_alike() -> None:
    hours = twins(1.05)
    days = replace(hours, values=hours.values.reshape(-1, 24, 2).sum(axis=1), step=timedelta(days=1))
    days = replace(days, time=hours.time[::24], quality=hours.quality[::24])

    assert (found(days, TWIN_METER).exceedance[2:] >= 1).all()
