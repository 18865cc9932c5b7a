"""An incident that comes and goes too fast is one incident, flagged, whatever batches it came in."""

from datetime import UTC, datetime, timedelta

import pytest

from sereno.domain.incidents import EventKind, Incident, IncidentEvent, apply
from sereno.domain.judgement import Detection
from sereno.incidents.chatter import is_chattering
from sereno.incidents.grouping import plan_steps
from tests.support.builders import DAY, HOUR, NOW, a_detection, an_incident

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
START = datetime(2025, 1, 1, tzinfo=UTC)


def spell(start: timedelta, length: timedelta | None) -> Detection:
    """The trouble from some time after START on, for so long."""
    begun = START + start
    end = None if length is None else begun + length
    return a_detection(started_at=begun, ended_at=end, last_at=begun, peak_at=begun, n_rows=1)


def course(n_cycles: int, period: timedelta) -> list[Detection]:
    """Half of each period abnormal."""
    return [spell(cycle * period, period / 2) for cycle in range(n_cycles)]


def fed(batches: list[list[Detection]], step: timedelta) -> tuple[dict[str, Incident], list[IncidentEvent]]:
    book: dict[str, Incident] = {}
    events = []
    for batch in batches:
        for one in plan_steps(batch, [], book.values(), step=step, now=NOW):
            book[one.incident_id] = apply(
                book.get(one.incident_id), one.event, incident_id=one.incident_id, group_key=one.group_key
            )
            events.append(one.event)
    return book, events


def test_twenty_cycles_in_twenty_seconds_are_one_incident_that_chatters() -> None:
    cycles = course(20, SECOND)
    opened = [[spell(one.started_at - START, None), one] for one in cycles]
    streamed, events = fed([[form] for forms in opened for form in forms], SECOND)
    whole, _ = fed([cycles], SECOND)

    (incident,) = streamed.values()
    assert incident.is_chattering
    assert [one.is_chattering for one in whole.values()] == [True]
    assert [event.facts.get("chattering") for event in events].index("true") == 2
    assert sum("chattering" in event.facts for event in events) == 1


@pytest.mark.parametrize(
    ("n_cycles", "period", "step", "wanted"),
    [
        (2, 30 * SECOND, SECOND, True),
        (2, 90 * SECOND, SECOND, False),
        (3, 12 * MINUTE, MINUTE, True),
        (3, 40 * MINUTE, MINUTE, False),
        (3, HOUR, HOUR / 4, True),
        (3, 5 * HOUR, HOUR / 4, False),
        (3, 8 * HOUR, HOUR, True),
        (3, 20 * HOUR, HOUR, False),
        (3, 2 * DAY, DAY, True),
        (3, 5 * DAY, DAY, False),
    ],
    ids=str,
)
def test_chatter_is_counted_in_time_and_steps(
    n_cycles: int, period: timedelta, step: timedelta, wanted: bool
) -> None:
    assert is_chattering(an_incident(*course(n_cycles, period)), step) is wanted


def test_one_long_trouble_does_not_chatter() -> None:
    book, _ = fed([[spell(timedelta(0), None)]], MINUTE)

    assert [one.is_chattering for one in book.values()] == [False]


def test_calmed_incident_chatters_again_only_when_it_turns_again() -> None:
    book, _ = fed([course(5, SECOND)], SECOND)
    ((name, incident),) = book.items()
    calm = apply(incident, IncidentEvent(EventKind.CALMED, NOW, NOW))

    later = spell(HOUR, None)
    steps = plan_steps([later], [], [calm], step=SECOND, now=NOW)

    assert [(one.incident_id, one.event.facts) for one in steps] == [(name, {})]
