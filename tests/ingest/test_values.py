"""Numbers, dates, units, headers and names: what a text means."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sereno.ingest.dates import DateEvidence, DateStyle, parse_instant, parse_times
from sereno.ingest.headers import Role, key_of, match_header, parse_header, repair_text
from sereno.ingest.identity import site_from_file_name
from sereno.ingest.numbers import CellKind, NumberEvidence, NumberStyle, parse_cell, parse_column
from sereno.ingest.units import conversion, find_unit
from sereno.ingest.zones import to_utc
from tests.ingest.builders import hours, profiles, read, write

SPANISH, ENGLISH = NumberStyle(",", "."), NumberStyle(".", ",")
FIRST, LAST = (datetime.fromisoformat(t) for t in ("1990-01-01", "2068-12-31"))
FORMATS = {
    "dmy": [
        "%d.%m.%Y", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%d-%m-%Y %H:%M", "%d/%m/%y %H:%M",
        "%d/%m/%Y %I:%M %p",
    ],
    "mdy": ["%m/%d/%Y %H:%M", "%m/%d/%Y %I:%M %p", "%m/%d/%Y %I:%M:%S %p", "%m-%d-%Y", "%m/%d/%y %H:%M"],
    "ymd": [
        "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S+0200",
        "%Y%m%d%H%M",
    ],
}  # fmt: skip


def spanish(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}".translate(str.maketrans(",.", ".,"))


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_numbers_round_trip_when_grouped(value, decimals):
    english = f"{value:,.{decimals}f}"
    assert parse_cell(english, ENGLISH)[0] == pytest.approx(round(value, decimals), abs=1e-6)
    assert parse_cell(spanish(value, decimals), SPANISH)[0] == pytest.approx(round(value, decimals), abs=1e-6)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.sampled_from(["es", "en"]), st.booleans())
def test_columns_round_trip_when_their_style_is_found(values, language, is_grouped):
    texts = [f"{v:,.2f}" if is_grouped else f"{v:.2f}" for v in values]
    if language == "es":
        texts = [t.translate(str.maketrans(",.", ".,")) for t in texts]
    evidence = NumberEvidence()
    evidence.add(pl.Series(texts))
    style = evidence.decide(None)
    assert style is not None
    assert style.decimal == ("," if language == "es" else ".")
    parsed, kinds = parse_column(pl.Series(texts), style)
    assert parsed.tolist() == pytest.approx([round(v, 2) for v in values])
    assert not kinds.any()


@given(
    st.lists(
        st.one_of(st.text(max_size=12), st.from_regex(r"[-+(]?[0-9.,' ]{1,9}[)%]?( kWh)?", fullmatch=True))
    )
)
def test_whole_columns_and_single_cells_agree_when_anything_comes(texts):
    for style in (SPANISH, ENGLISH, NumberStyle(","), NumberStyle(".")):
        values, kinds = parse_column(pl.Series(texts, dtype=pl.String), style, unit="kWh")
        alone = [parse_cell(t, style, unit="kWh") for t in texts]
        assert np.allclose(values, [v for v, _ in alone], equal_nan=True)
        assert kinds.tolist() == [int(k) for _, k in alone]
        assert not np.isinf(values).any()


@pytest.mark.parametrize("texts", [["80.000", "75.500"], ["1,234", "999,999"]])
def test_style_is_left_open_when_every_number_fits_both(texts):
    evidence = NumberEvidence()
    evidence.add(pl.Series(texts))
    assert evidence.decide(None) is None


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (["80.000", "0.423"], "."),
        (["80.000", "1.234,5"], ","),
        (["1.234.567"], ","),
        (["17,21"], ","),
        (["0,512"], ","),
    ],
)
def test_one_certain_number_decides_the_column(texts, decimal):
    evidence = NumberEvidence()
    evidence.add(pl.Series(texts))
    style = evidence.decide(None)
    assert style is not None
    assert style.decimal == decimal


@pytest.mark.parametrize(
    "text", ["", "-", "N/D", "null", "##ERR", "35%", "0x1F", "inf", "NaN", "1e309", "1.2.3", "12 kW"]
)
def test_no_number_is_missing_and_never_zero(text):
    value, kind = parse_cell(text, SPANISH, unit="kWh")
    assert math.isnan(value)
    assert kind in (CellKind.MISSING, CellKind.NOT_A_NUMBER)


@settings(deadline=None)
@given(
    st.datetimes(FIRST, LAST),
    st.sampled_from([(order, form) for order, forms in FORMATS.items() for form in forms]),
)
def test_dates_round_trip_in_every_format(moment, choice):
    order, form = choice
    if "%y" in form:
        moment = moment.replace(year=2000 + moment.year % 69)
    text = moment.strftime(form)
    parsed = parse_instant(text, DateStyle(order))
    assert parsed is not None
    offset = timedelta(hours=2) if "+0200" in form else timedelta()
    naive = datetime.strptime(text.replace("+0200", ""), form.replace("+0200", ""))  # noqa: DTZ007 - naive is meant
    expected = naive - offset
    aware = parsed.tzinfo is not None
    assert (parsed.astimezone(UTC).replace(tzinfo=None) if aware else parsed) == expected


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["dmy", "mdy"]),
    st.integers(30, 300),
    st.dates(),
    st.sampled_from(["/", "-"]),
    st.randoms(),
)
def test_day_and_month_are_told_when_the_dates_have_a_rhythm(order, n_days, first, separator, random):
    if not 1990 <= first.year <= 2100:
        first = first.replace(year=2024, day=1)
    form = separator.join(f"%{c}" for c in ("dmY" if order == "dmy" else "mdY"))
    texts = [(first + timedelta(days=i)).strftime(form) for i in range(n_days)]
    random.shuffle(texts)
    evidence = DateEvidence()
    evidence.add(pl.Series(texts))
    style = evidence.decide(None, None)
    assert style is not None
    assert style.order == order
    parsed = parse_times(pl.Series(texts), style).local
    assert (np.diff(np.sort(parsed)) == np.timedelta64(1, "D")).all()


@given(
    st.lists(
        st.one_of(
            st.text(max_size=16),
            st.from_regex(r"\d{1,2}[./]\d{1,2}[./]\d{2,4}( \d{1,2}:\d{2})?", fullmatch=True),
        )
    )
)
@settings(deadline=None)
def test_fast_and_slow_dates_agree_when_anything_comes(texts):
    forms = ("%d.%m.%Y %H:%M", "%d/%m/%Y", "%d/%m/%y %H:%M")
    style = DateStyle("dmy", {}, forms)
    found = parse_times(pl.Series(texts, dtype=pl.String), style).local
    for text, instant in zip(texts, found, strict=True):
        alone = parse_instant(text, style)
        assert (alone is None) == bool(np.isnat(instant))
        if alone is not None:
            assert np.datetime64(alone, "us") == instant


@pytest.mark.parametrize(
    "text", ["31/02/2023", "00.01.2023", "2023-13-01", "TOTAL", "45078.2", "1685606400", "12:30", ""]
)
def test_what_is_no_date_is_none(text):
    assert parse_instant(text, DateStyle("dmy")) is None


def test_spanish_months_are_read():
    for text in (
        "1 de junio de 2023 03:00",
        "01-jun.-2023 03:00",
        "1 junio 2023, 03:00",
        "jueves 1 de junio de 2023 03:00",
    ):
        assert parse_instant(text, DateStyle("dmy")) == datetime.fromisoformat("2023-06-01T03:00")


@pytest.mark.parametrize(
    "zone", ["Europe/Madrid", "America/Santiago", "America/Lima", "Africa/Casablanca", "UTC"]
)
def test_local_times_agree_with_the_standard_library(zone):
    local = np.datetime64("2022-12-25", "us") + np.arange(0, 24 * 400) * np.timedelta64(1, "h")
    for second in (False, True):
        found = to_utc(local, zone, np.full(len(local), second)).utc
        tz = ZoneInfo(zone)
        expected = []
        for stamp in local.tolist():
            fold = int(second)
            gap = stamp.replace(tzinfo=tz, fold=0).utcoffset() < stamp.replace(tzinfo=tz, fold=1).utcoffset()
            moment = stamp.replace(tzinfo=tz, fold=0 if gap else fold)
            expected.append(moment.astimezone(UTC).replace(tzinfo=None))
        assert (found == np.array(expected, dtype="datetime64[us]")).all()


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        ("Wh", "kWh", 1500, 1.5), ("MWh", "kWh", 2, 2000), ("kW", "kW", 3, 3), ("W", "kW", 500, 0.5),
        ("mbar", "bar", 1013.25, 1.01325), ("kPa", "bar", 100, 1), ("MPa", "bar", 1, 10),
        ("psi", "bar", 14.5038, 1),
        ("kgf/cm2", "bar", 1, 0.980665),
        ("°F", "°C", 212, 100), ("K", "°C", 273.15, 0),
        ("mA", "A", 1500, 1.5),
        ("kV", "V", 0.4, 400), ("dm3", "m³", 1000, 1), ("l", "m³", 250, 0.25), ("[ºC]", "°C", 20, 20),
    ],
)  # fmt: skip
def test_units_convert_linearly(source, target, value, expected):
    found = conversion(source, target)
    assert found is not None
    assert value * found.factor + found.offset == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b"), [("kW", "kWh"), ("Nm³", "m³"), ("bar", "°C"), ("%", "kWh"), ("kvar", "kW")]
)
def test_different_quantities_never_convert(a, b):
    assert conversion(a, b) is None


def test_case_tells_mega_from_milli_and_shouting_is_heard():
    assert find_unit("MW") != find_unit("mW")
    assert find_unit("KWH") == find_unit("kwh") == find_unit("[kWh]")


@given(
    st.sampled_from(["Energía obtenida de la red", "Generación total", "Consumo total", "Autoconsumo"]),
    st.randoms(),
)
def test_headers_match_whatever_accents_case_blanks_and_units_they_carry(name, random):
    profile = profiles()["solar"]
    expected = match_header(parse_header(name), profile).signal
    plain = name.translate(str.maketrans("áéíóú", "aeiou")) if random.random() < 0.5 else name
    text = "".join(c.upper() if random.random() < 0.5 else c for c in plain)
    text = (" " * random.randint(0, 2)).join(
        [" ", *text.replace(" ", random.choice([" ", "  ", "_", "-"])).split("\n"), " "]
    )
    text += random.choice(["", " (Wh)", "[kWh]", " kWh", "_kwh", " ( kWh )"])
    found = match_header(parse_header(text), profile)
    assert found.roles[0] is Role.SIGNAL
    assert found.signal == expected


def test_mojibake_is_repaired():
    assert repair_text("PresiÃ³n") == "Presión"
    assert repair_text("EnergÃ­a") == "Energía"
    assert repair_text("Año") == "Año"
    assert key_of("Presión") == key_of("PRESION")


@pytest.mark.parametrize(
    ("name", "site"),
    [
        ("22_10_PLANTA_10_01012023-01012024.csv", "PLANTA_10"),
        ("24_09_PLANTA_07_02102024-02102025.csv", "PLANTA_07"),
        ("PLANTA_10.csv", "PLANTA_10"),
        ("empresa_X.csv", "X"),
        ("X_energia.csv", "X"),
        ("datos_nuevos_2025-01.csv", "datos_nuevos"),
        ("tetuan_2017_01-09.csv", "tetuan"),
        ("planta 5.csv.gz", "planta 5"),
        ("2025-01.csv", "2025-01"),
        ("datos.csv", "datos"),
    ],
)
def test_site_is_what_remains_of_the_file_name(name, site):
    assert site_from_file_name(name) == site


@pytest.mark.parametrize(
    ("cells", "maximum", "decimal"),
    [
        (["850", "920", "5.606", "1010"], None, "."),
        (["850", "920", "1.106", "980"], None, ","),
        (["5", "6", "5.606", "4"], None, "."),
        (["5", "6", "5,606", "4"], None, ","),
        (["4.100", "4.312", "4.007"], 150.0, "."),
        (["4.100", "4.312", "4.007"], 1e6, None),
        (["150", "120", "5.606"], None, None),
        (["5", "5.606", "5,606"], None, None),
        (["5.606", "5.701"], None, None),
    ],
)  # fmt: skip
def test_three_digits_behind_a_sign_are_told_by_the_size_of_the_numbers(cells, maximum, decimal):
    evidence = NumberEvidence()
    evidence.add(pl.Series(cells))

    style = evidence.decide(None, maximum)

    assert (style.decimal if style else None) == decimal
    assert bool(evidence.why) == (decimal is not None)


def test_one_column_tells_for_another_and_the_reason_is_said(tmp_path):
    rows = "\n".join(f"{s};{1 + i % 3}.606;{(5, 1010, '5.606')[i % 3]}" for i, s in enumerate(hours(30)))
    path = write(tmp_path, "Fecha;Generación (kWh);Consumo (kWh)\n" + rows)

    plan, _, batches = read(path)

    assert batches[-1].readings.values[:2].tolist() == [[1.606, 5.0], [2.606, 1010.0]]
    reasons = [[r.code for r in c.reasons] for c in plan.tables[0].columns]
    assert "reason.decimal_elsewhere" in reasons[1]
    assert "reason.decimal_long" in reasons[2]


@pytest.mark.parametrize("text", ["Tª motor (°C)", "T.ª motor", "TªMotor", "tª del motor [°C]"])
def test_temperature_is_known_by_its_spanish_abbreviation(text: str) -> None:
    found = match_header(parse_header(text), profiles()["motor"])

    assert found.signal is not None
    assert found.signal.name == "motor_temperature"


def test_abbreviation_is_not_looked_for_within_words() -> None:
    assert key_of("CATª") == "cata"
