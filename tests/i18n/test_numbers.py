from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.i18n.numbers import count, moment, money, number, percent, quantity, span, stamp
from tests.support.builders import DAY, HOUR, MADRID, NAN


@pytest.mark.parametrize(
    ("value", "spanish", "english"),
    [
        (1234.5, "1.234", "1,234"),
        (12.44, "12,4", "12.4"),
        (0.0523, "0,0523", "0.0523"),
        (0.0, "0", "0"),
        (-3.5, "-3,5", "-3.5"),
        (1e9, "1.000.000.000", "1,000,000,000"),
        (NAN, "–", "–"),
    ],
    ids=str,
)
def test_numbers_are_written_as_each_language_does(value: float, spanish: str, english: str) -> None:
    assert (number(value, "es"), number(value, "en")) == (spanish, english)


@given(st.floats(-1e15, 1e15), st.sampled_from(["es", "en"]))
def test_number_never_has_an_exponent(value: float, language: str) -> None:
    assert set(number(value, language)) <= set("0123456789.,-")


@pytest.mark.parametrize("value", [float("inf"), float("-inf")], ids=str)
def test_infinite_number_can_be_written(value: float) -> None:
    assert number(value, "es")


def test_quantity_carries_its_unit() -> None:
    assert quantity(2.5, "m³", "es") == "2,5 m³"
    assert quantity(2.5, "", "es") == "2,5"


def test_share_and_count_are_written_as_the_language_does() -> None:
    assert (percent(0.6, "es"), percent(0.6, "en")) == ("60 %", "60%")
    assert (count(42_733, "es"), count(42_733, "en")) == ("42.733", "42,733")


def test_money_is_written_with_its_currency() -> None:
    assert money(1234.5, "EUR", "es").replace("\xa0", " ") == "1.234,50 €"
    assert money(1234.5, "EUR", "en") == "€1,234.50"


@pytest.mark.parametrize(
    ("length", "step", "spanish", "english"),
    [
        (HOUR, HOUR, "1 hora", "1 hour"),
        (1.5 * HOUR, HOUR / 2, "90 minutos", "90 minutes"),
        (3 * HOUR, HOUR, "3 horas", "3 hours"),
        (30 * HOUR, HOUR, "30 horas", "30 hours"),
        (40 * DAY, HOUR, "40 días", "40 days"),
        (timedelta(minutes=45), timedelta(minutes=15), "45 minutos", "45 minutes"),
        (timedelta(hours=25), DAY, "1 día", "1 day"),
        (timedelta(hours=23), DAY, "1 día", "1 day"),
        (timedelta(hours=49), DAY, "2 días", "2 days"),
    ],
    ids=str,
)
def test_span_is_in_its_largest_sensible_unit(
    length: timedelta, step: timedelta, spanish: str, english: str
) -> None:
    assert (span(length, "es", step=step), span(length, "en", step=step)) == (spanish, english)


def test_moment_is_local_and_only_a_date_when_data_are_daily() -> None:
    instant = datetime(2025, 6, 30, 22, tzinfo=UTC)

    assert moment(instant, MADRID, "es", step=DAY) == "1 jul 2025"
    assert moment(instant, MADRID, "es", step=HOUR) == "1 jul 2025 00:00"


@pytest.mark.parametrize(
    ("instant", "spanish", "english"),
    [
        ("2026-06-30T22:00:05", "1 jul 2026 00:00:05", "1 Jul 2026 00:00:05"),
        ("2026-03-29T00:30:00", "29 mar 2026 01:30:00 +01:00", "29 Mar 2026 01:30:00 +01:00"),
        ("2026-10-25T00:30:00", "25 oct 2026 02:30:00 +02:00", "25 Oct 2026 02:30:00 +02:00"),
        ("2026-10-25T01:30:00", "25 oct 2026 02:30:00 +01:00", "25 Oct 2026 02:30:00 +01:00"),
    ],
    ids=["any day", "23 hours", "25 hours, first", "25 hours, second"],
)
def test_stamp_has_its_offset_where_the_hour_alone_would_not_say_when(
    instant: str, spanish: str, english: str
) -> None:
    at = datetime.fromisoformat(instant).replace(tzinfo=UTC)

    assert (stamp(at, MADRID, "es"), stamp(at, MADRID, "en")) == (spanish, english)
