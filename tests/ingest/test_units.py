"""Units: published factors, kinds that no factor joins, and what the reader does with them."""

import subprocess
import sys
from dataclasses import replace

import pytest

from sereno.domain.atmosphere import atmospheric_pressure
from sereno.domain.errors import AmbiguousData
from sereno.domain.facts import AssetFacts
from sereno.domain.signals import ANY, AssetKey
from sereno.ingest import FileReport, ReadOptions, inspect_file, read_batches, rows_from_records
from sereno.ingest.unit_names import UNITS
from sereno.ingest.units import are_kin, conversion, conversion_over, find_unit
from tests.ingest.builders import codes, hours, profiles, read, write

LOAD = ReadOptions(timezone="Europe/Madrid", profile="load")
GAS = ReadOptions(timezone="Europe/Madrid", profile="gas")
SITE = AssetKey(ANY, ANY)


@pytest.mark.parametrize(
    ("source", "target", "factor"),
    [
        ("th", "kWh", 1.163),  # 1 Mcal IT, exact
        ("therm", "MJ", 105.505585262),  # 100 000 BTU IT, NIST SP 811 B.8
        ("MMBtu", "GJ", 1.05505585262),
        ("kcal", "J", 4186.8),
        ("GJ", "MWh", 1 / 3.6),
        ("CV", "W", 735.49875),
        ("HP", "W", 745.69987158227022),
        ("kgf/cm2", "bar", 0.980665),
        ("mca", "kPa", 9.80665),
        ("psi", "kPa", 6.894757293168361),
        ("mmHg", "Pa", 133.322387415),
        ("atm", "bar", 1.01325),
        ("ft³", "m³", 0.028316846592),
        ("CCF", "m³", 2.8316846592),
        ("MCF", "m³", 28.316846592),
        ("gal", "l", 3.785411784),
        ("l/h", "m³/h", 0.001),
        ("kvarh", "varh", 1000),
    ],
)
def test_factor_is_the_published_one_to_the_last_digit(source, target, factor):
    found = conversion(source, target)

    assert found is not None
    assert found.factor == pytest.approx(factor, rel=1e-15)
    assert found.offset == 0


@pytest.mark.parametrize(
    ("value", "source", "target", "expected"),
    [(212, "°F", "°C", 100), (-40, "°F", "°C", -40), (300, "K", "°C", 26.85), (25, "°C", "K", 298.15)],
)
def test_temperatures_are_shifted_too(value, source, target, expected):
    found = conversion(source, target)

    assert found is not None
    assert value * found.factor + found.offset == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        (("kWh", "kW·h", "KWH", "kw/h", "kilovatios hora", "[kWh]"), "kWh"),
        (("m³", "m3", "metros cúbicos", "M3"), "m³"),
        (("Nm³", "m³(n)", "Nm3", "m3 n"), "Nm³"),
        (("Sm³", "sm3", "m3(s)"), "Sm³"),
        (("bar(g)", "barg", "bar g", "bar(g", "BARG", "bar rel"), "bar(g)"),
        (("bara", "bar abs", "bar(a)", "bar absolutos"), "bar(a)"),
        (("psig", "psi(g)"), "psi(g)"),
        (("kg/cm²", "kgf/cm2", "kg/cm^2"), "kgf/cm2"),
        (("°C", "C", "grados", "ºC"), "°C"),
        (("amperios", "A"), "A"),
        (("termia", "termias", "th"), "th"),
        (("therm", "therms"), "therm"),
        (("pie cúbico", "cf", "ft3"), "ft³"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_spellings_name_one_unit(texts, name):
    assert {unit.name for text in texts if (unit := find_unit(text))} == {name}
    assert all(find_unit(text) for text in texts)


@pytest.mark.parametrize("entry", UNITS, ids=lambda entry: entry.name)
def test_every_unit_converts_to_its_like_and_back(entry):
    likes = [one.name for one in UNITS if one.quantity == entry.quantity and not one.reference]
    for like in likes:
        there, back = conversion(entry.name, like), conversion(like, entry.name)
        assert there is not None, f"{entry.name} has no definition as {entry.quantity}"
        assert back is not None
        assert there.factor * back.factor == pytest.approx(1, rel=1e-14)


@pytest.mark.parametrize(
    ("a", "b"),
    [("Nm³", "Sm³"), ("Nm³", "m³"), ("scf", "Sm³"), ("bar(g)", "bar(a)"), ("kvarh", "kWh"), ("kVA", "kW")],
)
def test_kinds_of_one_dimension_do_not_convert(a, b):
    assert conversion(a, b) is None


@pytest.mark.parametrize("text", ["Fecha", "T", "A/C", "V/A", "h/d", "total", "t", "mW", "Consumo/hora", ""])
def test_words_of_headers_are_no_units(text):
    assert find_unit(text) is None


def test_compound_unit_outside_the_table_is_understood_by_its_dimension():
    unit = find_unit("kWh/día")
    found = conversion("kWh/día", "kW")

    assert unit is not None
    assert unit.quantity == "power"
    assert found is not None
    assert found.factor == pytest.approx(1 / 24, rel=1e-15)


def test_rate_and_total_meet_over_a_step():
    assert conversion_over("kW", "kWh", 900) == conversion_over("m³/h", "m³", 900.0)
    assert conversion_over("kW", "kWh", 900).factor == 0.25
    assert conversion_over("MWh", "kW", 1800).factor == 2000
    assert conversion_over("kW", "m³", 900) is None
    assert are_kin("kW", "kWh")
    assert not are_kin("kWh", "MWh")


def test_pint_waits_for_the_first_conversion():
    program = (
        "import sys; from sereno.ingest import units; units.find_unit('kWh'); units.conversion('kWh', 'kWh');"
        "print('pint' in sys.modules); units.conversion('MWh', 'kWh'); print('pint' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)

    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize(("header", "factor"), [("Consumo (kW)", 0.25), ("Consumo [W]", 0.00025)])
def test_power_in_an_energy_column_is_converted_with_the_step(tmp_path, header, factor):
    lines = [f"01.06.2023 {i // 4:02d}:{i % 4 * 15:02d};{i},5" for i in range(40)]

    _, report, batches = read(write(tmp_path, f"Fecha;{header}\n" + "\n".join(lines) + "\n"), LOAD)

    assert batches[-1].readings.signals == ("energy",)
    assert batches[-1].readings.values[:, 0].tolist() == pytest.approx(
        [(i + 0.5) * factor for i in range(40)]
    )
    assert codes(report) == {"read.rate_converted": 1}
    assert report.issues[-1].facts["minutes"] == "15"


def test_hourly_flow_in_a_volume_column_is_converted_with_the_step(tmp_path):
    lines = [f"01.06.2023 {i // 2:02d}:{i % 2 * 30:02d};{i + 1},5" for i in range(20)]

    _, report, batches = read(write(tmp_path, "Fecha;Volumen (m3/h)\n" + "\n".join(lines) + "\n"), GAS)

    assert batches[-1].readings.values[:, 0].tolist() == [(i + 1.5) / 2 for i in range(20)]
    assert "read.rate_converted" in codes(report)


def test_energy_where_power_is_asked_becomes_its_mean(tmp_path):
    lines = [f"01.06.2023 {i // 4:02d}:{i % 4 * 15:02d};{i},5" for i in range(40)]

    _, report, batches = read(write(tmp_path, "Fecha;Demanda (kWh)\n" + "\n".join(lines) + "\n"), LOAD)

    assert batches[-1].readings.signals == ("power",)
    assert batches[-1].readings.values[1, 0] == 6.0
    assert "read.rate_converted" in codes(report)


def test_energy_in_its_own_unit_wins_over_the_power_beside_it(tmp_path):
    lines = [f"{t};{i},5;{i},25" for i, t in enumerate(hours(8))]
    path = write(tmp_path, "Fecha;Consumo (kW);Consumo (kWh)\n" + "\n".join(lines) + "\n")

    _, report, batches = read(path, LOAD)

    assert batches[-1].readings.values[:, 0].tolist() == [i + 0.25 for i in range(8)]
    assert "read.rate_converted" not in codes(report)


def test_power_in_an_energy_column_without_a_step_is_refused_with_the_setting(tmp_path):
    stamps = ["01.06.2023 00:00", "01.06.2023 00:07", "01.06.2023 03:11", "02.06.2023 10:00"]
    path = write(tmp_path, "Fecha;Consumo (kW)\n" + "".join(f"{t};1,5\n" for t in stamps))

    with pytest.raises(AmbiguousData) as caught:
        read(path, LOAD)

    assert "kW × ? h = kWh" in str(caught.value)
    assert "step" in str(caught.value.facts["setting"])


def test_unit_that_is_not_known_is_named_with_the_nearest_and_the_rest_is_read(tmp_path):
    lines = [f"{t};{i},5;{i},25" for i, t in enumerate(hours(8))]
    path = write(tmp_path, "Fecha;Presión (bra);Volumen (m3)\n" + "\n".join(lines) + "\n")

    _, report, batches = read(path, GAS)

    assert batches[-1].readings.signals == ("volume",)
    issue = next(i for i in report.issues if i.code == "read.unknown_unit")
    assert issue.where == "Presión (bra)"
    assert issue.facts["unit"] == "bra"
    assert "bar" in str(issue.facts["near"])


def gas_file(tmp_path, unit):
    lines = [f"{t};4,5;20;{i},25" for i, t in enumerate(hours(5))]
    return write(
        tmp_path, f"Fecha;Presión ({unit});Temperatura (°C);Volumen (m3)\n" + "\n".join(lines) + "\n"
    )


def read_declared(path, facts):
    known = {name: replace(one, facts={SITE: facts}) for name, one in profiles().items()}
    plan = inspect_file(path, known, GAS)
    report, batches = FileReport.start(plan), list(read_batches(plan))
    for batch in batches:
        report.add(batch)
    return report, batches[-1].readings


@pytest.mark.parametrize(
    ("unit", "facts", "expected", "code"),
    [
        ("bar(g)", AssetFacts(pressure="gauge"), 4.5, None),
        ("bar", AssetFacts(pressure="absolute", altitude_m=650), 4.5, None),
        ("barg", AssetFacts(pressure="absolute", altitude_m=650), 4.5 + atmospheric_pressure(650),
         "read.pressure_converted"),
        ("bar abs", AssetFacts(pressure="gauge", altitude_m=0), 4.5 - 1.01325, "read.pressure_converted"),
        ("psig", AssetFacts(pressure="absolute", altitude_m=0), 4.5 * 0.06894757293168361 + 1.01325,
         "read.pressure_converted"),
        ("barg", AssetFacts(pressure="absolute"), 4.5, "read.pressure_contradicted"),
        ("barg", AssetFacts(), 4.5, "read.pressure_undeclared"),
    ],
)  # fmt: skip
def test_gauge_and_absolute_pressure_meet_only_through_declared_facts(tmp_path, unit, facts, expected, code):
    report, readings = read_declared(gas_file(tmp_path, unit), facts)

    assert readings.values[:, readings.signals.index("pressure")] == pytest.approx(expected)
    assert [c for c in codes(report) if c.startswith("read.pressure")] == ([code] if code else [])


def test_pressure_of_a_record_is_referred_as_that_of_a_file():
    facts = {SITE: AssetFacts(pressure="absolute", altitude_m=650)}
    known = {name: replace(one, facts=facts) for name, one in profiles().items()}
    record = {"Fecha": "2023-06-01T00:00", "Presión (bar(g))": 4.5, "Temperatura (°C)": 20, "Volumen (m3)": 3}

    readings = rows_from_records([record], known, GAS).readings

    assert readings.values[0, readings.signals.index("pressure")] == pytest.approx(
        4.5 + atmospheric_pressure(650)
    )


@pytest.mark.parametrize(
    ("unit", "facts", "is_said"),
    [
        ("Nm³", AssetFacts(), True),
        ("Nm³", AssetFacts(volume="line"), True),
        ("Nm³", AssetFacts(volume="corrected"), False),
        ("Nm³", AssetFacts(volume="corrected", base_temperature_c=15), True),
        ("Sm³", AssetFacts(volume="corrected", base_temperature_c=15), False),
    ],
)
def test_volume_at_base_conditions_is_said_unless_it_is_declared(tmp_path, unit, facts, is_said):
    lines = [f"{t};4,5;20;{i},25" for i, t in enumerate(hours(5))]
    header = f"Fecha;Presión (bar);Temperatura (°C);Volumen ({unit})\n"

    report, readings = read_declared(write(tmp_path, header + "\n".join(lines) + "\n"), facts)

    assert readings.values[:, readings.signals.index("volume")].tolist() == [i + 0.25 for i in range(5)]
    assert ("read.ambiguous" in codes(report)) is is_said
