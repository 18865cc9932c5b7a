"""When silences hold, also in the nights in which the clock is changed."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from sereno.domain.judgement import Severity
from sereno.domain.silences import Matcher, Recurrence, Silence, Subject

MADRID = "Europe/Madrid"
QUARTER = timedelta(minutes=15)
LEAK = Subject("Planta 1", "Contador gas", "gas", "physics.night_flow", "leak", Severity.HIGH)


def hours(begins: str, ends: str, *days: int, dates: tuple[date, ...] = ()) -> Recurrence:
    return Recurrence(
        time.fromisoformat(begins), time.fromisoformat(ends), MADRID, frozenset(days), frozenset(dates)
    )


def covered(recurrence: Recurrence, first: datetime, last: datetime) -> timedelta:
    """How long the hours last between two instants, to the quarter of an hour."""
    count = int((last - first) / QUARTER)
    return sum((QUARTER for n in range(count) if recurrence.covers(first + n * QUARTER)), timedelta(0))


@pytest.mark.parametrize(
    ("day", "wanted_hours"),
    [("2026-03-28", 8.0), ("2026-03-29", 7.0), ("2026-10-24", 8.0), ("2026-10-25", 9.0)],
    ids=["usual", "the clock goes forward", "usual too", "the clock goes back"],
)
def test_night_hours_are_those_of_the_wall_clock(day: str, wanted_hours: float) -> None:
    night = hours("22:00", "06:00", 1, 2, 3, 4, 5, 6, 7)
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)

    assert covered(night, noon - timedelta(days=1), noon) == timedelta(hours=wanted_hours)


@pytest.mark.parametrize(
    ("day", "wanted_hours"), [("2026-03-29", 0.5), ("2026-10-25", 1.5)], ids=["skipped hour", "hour twice"]
)
def test_hours_across_a_change_of_clock(day: str, wanted_hours: float) -> None:
    early = hours("01:30", "02:30", 7)
    midnight = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=UTC) - timedelta(hours=3)

    assert covered(early, midnight, midnight + timedelta(hours=12)) == timedelta(hours=wanted_hours)


def test_days_are_those_on_which_the_hours_begin() -> None:
    friday_night = hours("22:00", "06:00", 5)

    assert friday_night.covers(datetime(2026, 1, 10, 3, tzinfo=UTC))  # Saturday, early
    assert not friday_night.covers(datetime(2026, 1, 9, 3, tzinfo=UTC))  # Friday, early


def test_dates_are_further_days() -> None:
    christmas = hours("00:00", "00:00", dates=(date(2026, 12, 25),))

    assert covered(
        christmas, datetime(2026, 12, 20, tzinfo=UTC), datetime(2026, 12, 30, tzinfo=UTC)
    ) == timedelta(days=1)


@pytest.mark.parametrize(
    ("matcher", "wanted"),
    [
        (Matcher(), True),
        (Matcher(site="planta *"), True),
        (Matcher(site="Planta 2"), False),
        (Matcher(asset="*GAS*", profile="gas"), True),
        (Matcher(cause="physics.*", problem="leak"), True),
        (Matcher(cause="quality.*"), False),
        (Matcher(severity_at_most=Severity.HIGH), True),
        (Matcher(severity_at_most=Severity.MEDIUM), False),
    ],
    ids=str,
)
def test_matcher_fits_what_all_its_parts_fit(matcher: Matcher, wanted: bool) -> None:
    assert matcher.fits(LEAK) is wanted


def test_silence_is_over_when_somebody_ends_it() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    silence = Silence("s", start, start + timedelta(days=2), Matcher(), "ana", "obra", start)
    ended = Silence(
        "s",
        start,
        start + timedelta(days=2),
        Matcher(),
        "ana",
        "obra",
        start,
        ended_at=start + timedelta(days=1),
    )
    instants = [start - QUARTER, start, start + timedelta(days=1), start + timedelta(days=2)]

    assert [silence.covers(at) for at in instants] == [False, True, True, False]
    assert [ended.covers(at) for at in instants] == [False, True, False, False]


def test_stretch_is_covered_only_without_a_break() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    mornings = Silence(
        "s", start, None, Matcher(), "ana", "obra", start, hours("08:00", "12:00", *range(1, 8))
    )
    eight = datetime(2026, 1, 5, 7, tzinfo=UTC)

    assert mornings.covers_all(eight, eight + timedelta(hours=3))
    assert not mornings.covers_all(eight, eight + timedelta(hours=25))
