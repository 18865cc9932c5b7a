from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sereno.domain.incidents import Condition, EventKind, HumanState, Incident, IncidentEvent, Verdict, apply
from sereno.domain.judgement import Detection, IncidentKind, Severity
from sereno.domain.signals import AssetKey
from sereno.incidents.grouping import IncidentStep, group_key, plan_steps
from sereno.incidents.reopening import reopen_window
from tests.support.builders import DAY, HOUR, NOW, a_detection

Book = dict[str, Incident]


def _tell(
    book: Book, found: Sequence[Detection], gone: Sequence[Detection] = (), *, step: timedelta = DAY
) -> list[IncidentStep]:
    """Plan, and write the events into the book as the store would."""
    steps = plan_steps(found, gone, list(book.values()), step=step, now=NOW)
    for one in steps:
        before = book.get(one.incident_id)
        assert (before is None) == (one.event.kind is EventKind.OPENED)
        book[one.incident_id] = apply(before, one.event, incident_id=one.incident_id, group_key=one.group_key)
    return steps


def _shown(book: Book) -> list[Incident]:
    return sorted((i for i in book.values() if not i.is_withdrawn), key=lambda i: (i.started_at, i.id))


def _lives(book: Book) -> list[tuple[str, tuple[Detection, ...], Condition]]:
    return [(i.id, i.evidence, i.condition) for i in _shown(book)]


def _kinds(steps: Iterable[IncidentStep]) -> list[EventKind]:
    return [one.event.kind for one in steps]


def test_weeks_of_one_trouble_are_one_incident() -> None:
    book: Book = {}

    for days in range(1, 41):
        _tell(book, [a_detection(days=None, n_rows=days)])

    assert len(book) == 1
    assert _shown(book)[0].condition is Condition.ACTIVE


def test_growing_trouble_is_told_again_only_when_it_has_grown_by_half() -> None:
    book: Book = {}

    kinds = [_kinds(_tell(book, [a_detection(days=None, n_rows=days)])) for days in range(1, 41)]

    told = [days for days, events in enumerate(kinds, start=1) if events]
    assert told == [1, 2, 3, 5, 8, 12, 18, 27]


def test_worse_severity_is_told_at_once() -> None:
    book: Book = {}
    _tell(book, [a_detection(days=None, n_rows=10)])

    steps = _tell(book, [a_detection(days=None, n_rows=11, severity=Severity.CRITICAL)])

    assert _kinds(steps) == [EventKind.UPDATED]


def test_same_detection_again_says_nothing() -> None:
    book: Book = {}
    _tell(book, [a_detection()])

    assert _tell(book, [a_detection()]) == []


@pytest.mark.parametrize(("pause", "n_incidents"), [(1, 1), (6, 1), (7, 2), (30, 2)], ids=str)
def test_incident_reopens_within_its_window(pause: int, n_incidents: int) -> None:
    book: Book = {}
    _tell(book, [a_detection(0, 3)])

    steps = _tell(book, [a_detection(3 + pause, 2)])

    assert len(book) == n_incidents
    assert _kinds(steps) == [EventKind.REOPENED if n_incidents == 1 else EventKind.OPENED]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"cause": "behaviour.high"}, id="cause"),
        pytest.param({"signals": ("consumption",)}, id="leading signal"),
        pytest.param({"asset": AssetKey("Otra", "Otra")}, id="asset"),
        pytest.param({"check": "physics.total", "kind": IncidentKind.PHYSICS}, id="check"),
    ],
)
def test_distinct_trouble_is_a_distinct_incident(changes: dict[str, object]) -> None:
    book: Book = {}

    _tell(book, [a_detection(0, 3), a_detection(4, 2, **changes)])

    assert len(book) == 2


def test_missing_days_apart_are_incidents_of_their_own() -> None:
    book: Book = {}
    missing = {"check": "quality.missing", "cause": "quality.missing", "kind": IncidentKind.DATA}

    _tell(book, [a_detection(0, 3, **missing), a_detection(4, 2, **missing)])

    assert len(book) == 2


def test_physics_is_one_trouble_whichever_meter_leads() -> None:
    physics = {"kind": IncidentKind.PHYSICS, "check": "physics.x", "cause": "physics.x"}

    assert group_key(a_detection(signals=("a", "b"), **physics)) == group_key(
        a_detection(signals=("b", "a"), **physics)
    )


LEVEL = {
    "check": "quality.step",
    "cause": "quality.step",
    "kind": IncidentKind.DATA,
    "signals": ("pressure",),
}
STATE = {"signals": ("pressure",), "impact_unit": "", "severity": Severity.CRITICAL}


@pytest.mark.parametrize("days", [1, 9], ids=["short", "long"])
@pytest.mark.parametrize("is_streamed", [False, True], ids=["at once", "one after the other"])
def test_state_at_another_level_is_told_once_and_as_what_it_does_there(days: int, is_streamed: bool) -> None:
    level, behaviour = a_detection(5, 1, **LEVEL), a_detection(5, days, **STATE)
    book: Book = {}

    for found in ([level], [behaviour]) if is_streamed else ([level, behaviour],):
        _tell(book, found)

    (incident,) = _shown(book)
    assert (incident.worst.cause, incident.severity) == ("behaviour.low", Severity.CRITICAL)
    assert incident.ended_at == behaviour.ended_at


def test_amount_at_another_level_stays_the_meters() -> None:
    book: Book = {}

    _tell(book, [a_detection(5, 1, **LEVEL | {"signals": ("generation",)}), a_detection(5, 2)])

    assert [one.worst.cause for one in _shown(book)] == ["quality.step"]


def test_state_that_was_strange_before_its_new_level_is_a_trouble_of_its_own() -> None:
    book: Book = {}

    _tell(book, [a_detection(0, 3, **STATE), a_detection(20, 1, **LEVEL)])

    assert [one.worst.cause for one in _shown(book)] == ["behaviour.low", "quality.step"]


@pytest.mark.parametrize(
    ("step", "kind", "expected"),
    [
        (DAY, IncidentKind.BEHAVIOUR, 7 * DAY),
        (None, IncidentKind.BEHAVIOUR, 7 * DAY),
        (DAY, IncidentKind.DATA, timedelta(0)),
        (HOUR, IncidentKind.DATA, DAY),
        (timedelta(minutes=1), IncidentKind.PHYSICS, 4 * HOUR),
    ],
    ids=str,
)
def test_reopen_window_follows_the_step(
    step: timedelta | None, kind: IncidentKind, expected: timedelta
) -> None:
    assert reopen_window(a_detection(kind=kind), step) == expected


def test_incident_is_withdrawn_when_late_data_takes_its_evidence() -> None:
    book: Book = {}
    _tell(book, [a_detection()])

    steps = _tell(book, [], gone=[a_detection()])

    assert _kinds(steps) == [EventKind.WITHDRAWN]
    assert _shown(book) == []


def test_incident_keeps_its_id_and_people_when_late_data_shift_its_start() -> None:
    book: Book = {}
    _tell(book, [a_detection(5, None)])
    name = next(iter(book))
    book[name] = apply(book[name], IncidentEvent(EventKind.ACKNOWLEDGED, NOW, NOW, "ana"))

    _tell(book, [a_detection(3, None)], gone=[a_detection(5, None)])

    assert list(book) == [name]
    assert (book[name].started_at, book[name].state) == (a_detection(3).started_at, HumanState.ACKNOWLEDGED)
    assert not book[name].is_withdrawn


def test_what_a_person_closed_stays_closed_when_it_is_judged_again_with_another_start() -> None:
    book: Book = {}
    _tell(book, [a_detection(5, None)])
    name = next(iter(book))
    closing = IncidentEvent(EventKind.CLOSED, NOW, NOW, "ana", facts={"verdict": "real"})
    book[name] = apply(book[name], closing)

    steps = _tell(book, [a_detection(3, None)], gone=[a_detection(5, None)])

    assert _kinds(steps) == [EventKind.UPDATED, EventKind.WITHDRAWN]
    assert list(book) == [name]
    assert (book[name].state, book[name].verdict) == (HumanState.CLOSED, Verdict.REAL)
    assert book[name].started_at == a_detection(3).started_at
    assert not book[name].is_withdrawn


def test_withdrawn_incident_comes_back_when_its_evidence_does() -> None:
    book: Book = {}
    _tell(book, [a_detection()])
    _tell(book, [], gone=[a_detection()])

    steps = _tell(book, [a_detection()])

    assert _kinds(steps) == [EventKind.REOPENED]
    assert len(_shown(book)) == 1


def test_trouble_found_late_joins_the_incident_that_follows_it() -> None:
    book: Book = {}
    _tell(book, [a_detection(10, 2)])

    _tell(book, [a_detection(6, 2)])

    assert [i.started_at for i in _shown(book)] == [a_detection(6).started_at]
    assert len(_shown(book)[0].evidence) == 2


def test_trouble_found_late_joins_two_incidents_into_one() -> None:
    book: Book = {}
    _tell(book, [a_detection(0, 2)])
    _tell(book, [a_detection(12, 2)])
    assert len(_shown(book)) == 2

    _tell(book, [a_detection(6, 2)])

    assert [len(i.evidence) for i in _shown(book)] == [3]


def test_incident_parts_in_two_when_the_trouble_between_goes() -> None:
    book: Book = {}
    _tell(book, [a_detection(0, 2), a_detection(6, 2), a_detection(12, 2)])

    _tell(book, [], gone=[a_detection(6, 2)])

    assert [len(i.evidence) for i in _shown(book)] == [1, 1]


def test_trouble_moves_when_another_signal_turns_out_to_lead() -> None:
    book: Book = {}
    _tell(book, [a_detection(0, 2)])
    _tell(book, [a_detection(5, None, signals=("import",))])
    assert len(_shown(book)) == 2

    _tell(book, [a_detection(5, None, n_rows=2)])

    assert [len(i.evidence) for i in _shown(book)] == [2]


def _history(spans: list[tuple[int, int, str]]) -> list[Detection]:
    """Detections one after another: pause before, length, leading signal."""
    found, day = [], 0
    for pause, days, lead in spans:
        found.append(a_detection(day + pause, days, signals=(lead,)))
        day += pause + days
    return found


SPANS = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 5), st.sampled_from(["generation", "import"])),
    min_size=1,
    max_size=7,
)


@settings(max_examples=150, deadline=None)
@given(SPANS, st.lists(st.sampled_from([None, "generation", "import"]), min_size=7, max_size=7))
def test_stream_that_changes_its_mind_makes_the_same_incidents(
    spans: list[tuple[int, int, str]], first_leads: list[str | None]
) -> None:
    history = _history(spans)
    whole: Book = {}
    _tell(whole, history)

    streamed: Book = {}
    for one, lead in zip(history, first_leads, strict=False):
        if lead is not None:
            _tell(streamed, [replace(one, ended_at=None, n_rows=1, signals=(lead,))])
        _tell(streamed, [one])

    assert _lives(streamed) == _lives(whole)


@settings(max_examples=150, deadline=None)
@given(SPANS, st.randoms(use_true_random=False))
def test_same_detections_in_any_order_make_the_same_groups(spans: list[tuple[int, int, str]], random) -> None:
    history = _history(spans)
    whole: Book = {}
    _tell(whole, history)
    shuffled = history.copy()
    random.shuffle(shuffled)

    late: Book = {}
    for one in shuffled:
        _tell(late, [one])

    assert [i.evidence for i in _shown(late)] == [i.evidence for i in _shown(whole)]


def test_planning_leaves_the_incidents_it_is_given_untouched() -> None:
    book: Book = {}
    _tell(book, [a_detection()])
    before = list(book.values())

    plan_steps([a_detection(5, 2)], [a_detection()], before, step=DAY, now=NOW)

    assert before == list(book.values())
    assert next(iter(book.values())).n_events == 1


def test_ids_are_the_same_on_every_machine() -> None:
    book: Book = {}

    _tell(book, [a_detection()])

    assert list(book) == ["81e6253e1b26"]


def _exchange(day: int = 0, days: int | None = 5, **changes: object) -> Detection:
    found = a_detection(day, days, check="quality.swapped_channels", cause="quality.swapped_channels")
    return replace(found, kind=IncidentKind.DATA, **changes)  # type: ignore[arg-type]


def _imbalance(day: int = 0, days: int | None = 5, *, name: str = "generation_balance") -> Detection:
    check = f"physics.{name}"
    return replace(a_detection(day, days, check=check, cause=check), kind=IncidentKind.PHYSICS)


def test_what_a_mistake_explains_is_no_incident_of_its_own() -> None:
    book: Book = {}

    _tell(book, [_exchange(), _imbalance(), a_detection(1, 3)])

    (incident,) = _shown(book)
    assert {d.check for d in incident.evidence} == {
        "quality.swapped_channels",
        "physics.generation_balance",
        "behaviour",
    }
    assert incident.kind is IncidentKind.DATA
    assert incident.worst.cause == "quality.swapped_channels"


def test_incident_told_before_its_mistake_is_known_gives_way_to_it() -> None:
    book: Book = {}

    _tell(book, [_imbalance(days=None)])
    _tell(book, [_imbalance(days=None), _exchange(days=None)])

    (incident,) = _shown(book)
    assert incident.worst.cause == "quality.swapped_channels"
    assert sum(one.is_withdrawn for one in book.values()) == 1


def test_trouble_that_outlives_the_mistake_stands_alone() -> None:
    book: Book = {}

    _tell(book, [_exchange(), a_detection(1, 30)])

    assert len(_shown(book)) == 2


def test_bad_values_explain_their_own_signals_only() -> None:
    book: Book = {}
    frozen = _exchange(signals=("consumption",), check="quality.frozen", cause="quality.frozen")

    _tell(book, [frozen, a_detection(1, 3)])

    assert len(_shown(book)) == 2


def test_wrong_clock_does_not_explain_a_frozen_meter() -> None:
    book: Book = {}
    clock = _exchange(check="quality.clock_shift", cause="quality.clock_shift")
    frozen = _exchange(1, 3, check="quality.frozen", cause="quality.frozen")

    _tell(book, [clock, frozen, a_detection(1, 3)])

    assert [i.worst.cause for i in _shown(book)] == ["quality.clock_shift", "quality.frozen"]


def test_broken_balance_explains_what_its_signals_seem_to_do_from_then_on() -> None:
    book: Book = {}

    _tell(book, [_imbalance(), _imbalance(name="consumption_balance"), a_detection(1, 4), a_detection(20, 4)])

    assert [i.worst.cause for i in _shown(book)] == ["physics.consumption_balance", "behaviour.low"]


def test_old_imbalance_does_not_hide_new_behaviour() -> None:
    book: Book = {}

    _tell(book, [_imbalance(days=None), a_detection(20, 4)])

    assert len(_shown(book)) == 2


def test_mistake_that_ends_clears_its_incident_though_what_it_explained_goes_on() -> None:
    book: Book = {}

    _tell(book, [_exchange(days=None), _imbalance(days=None)])
    _tell(book, [_exchange(days=5), _imbalance(days=None)])

    (incident,) = _shown(book)
    assert incident.condition is Condition.CLEARED
    assert incident.ended_at == incident.started_at + 5 * DAY


def test_mistake_that_is_back_next_day_is_the_same_incident() -> None:
    book: Book = {}

    _tell(book, [_exchange(days=2), _imbalance(days=None)])
    _tell(book, [_exchange(days=2), _exchange(3, None), _imbalance(days=None)])

    (incident,) = _shown(book)
    assert incident.condition is Condition.ACTIVE


CHECKS = (
    "quality.swapped_channels",
    "quality.clock_shift",
    "quality.frozen",
    "quality.missing",
    "physics.generation_balance",
    "physics.consumption_balance",
    "physics.night_generation",
    "behaviour",
)


def _life(check: str, start: int, length: int, lead: str, at: int) -> Detection | None:
    """What is known of a detection at the end of a day; None before it begins."""
    if at < start:
        return None
    days = min(length, at - start + 1)
    kind = IncidentKind.BEHAVIOUR if check == "behaviour" else IncidentKind(_kind_of(check))
    cause = "behaviour.low" if check == "behaviour" else check
    found = a_detection(start, days, check=check, kind=kind, cause=cause, signals=(lead,))
    return found if at >= start + length else replace(found, ended_at=None)


def _kind_of(check: str) -> str:
    return "data" if check.startswith("quality") else "physics"


@st.composite
def _histories(draw: st.DrawFn) -> list[tuple[str, int, int, str]]:
    lives = []
    for check in draw(st.lists(st.sampled_from(CHECKS), min_size=1, max_size=4, unique=True)):
        start = 0
        for _ in range(draw(st.integers(1, 3))):
            start += draw(st.integers(1, 6))
            length = draw(st.integers(1, 8))
            lives.append((check, start, length, draw(st.sampled_from(["generation", "export"]))))
            start += length
    return lives


def _told(book: Book) -> list[tuple[str, list[tuple[str, object]]]]:
    return sorted((i.worst.cause, [(d.check, d.started_at) for d in i.evidence]) for i in _shown(book))


@settings(max_examples=150)
@given(_histories())
@example(
    [
        ("quality.swapped_channels", 2, 1, "generation"),
        ("quality.missing", 1, 6, "export"),
        ("quality.missing", 8, 1, "generation"),
        ("quality.frozen", 1, 1, "export"),
        ("quality.frozen", 4, 3, "export"),
    ]
)
def test_day_by_day_ends_as_all_at_once_and_never_has_two_active_of_a_kind(
    lives: list[tuple[str, int, int, str]],
) -> None:
    book: Book = {}
    last = max(start + length for _, start, length, _ in lives)
    for day in range(last + 1):
        known = [_life(*one, day) for one in lives if day <= one[1] + one[2]]
        _tell(book, [one for one in known if one is not None])
        active = [i.group_key for i in _shown(book) if i.condition is Condition.ACTIVE]
        assert len(active) == len(set(active))
    at_once: Book = {}
    final = [_life(*one, last) for one in lives]
    _tell(at_once, sorted((d for d in final if d is not None), key=lambda d: (d.started_at, d.check)))

    assert _told(book) == _told(at_once)
