import numpy as np
import pytest

from benchmarks.faults.isolation import isolate, named_right, residuals, smallest_sets
from benchmarks.faults.known import is_known, known_trouble
from benchmarks.faults.placing import Event
from benchmarks.faults.scoring import FAR, Found, false_incidents, judge_event, rates, site_months
from tests.benchmarks.faults_support import PROFILES, SOLAR, a_site

SITE = a_site()
DAY = np.timedelta64(1, "D")


def _sets(signals):
    return smallest_sets(residuals(PROFILES["solar"].identities, signals), signals)


def _event(fault="stuck", *, altered=("export",), allowed=("generation", "export"), start=140, stop=150):
    first, last = SITE.time[start], SITE.time[stop]
    values = SITE.values[start:stop]
    return Event(fault, SITE.name, start, stop, first, last, values, altered, frozenset(allowed), "")


def _found(cause="quality.frozen", *, signals=("export",), start=140, stop=150, name="1", site="A"):
    last = FAR if stop is None else SITE.time[stop]
    return Found(name, site, site, cause, signals, SITE.time[start], last)


@pytest.mark.parametrize(
    ("signal", "expected"),
    [
        ("export", {"generation", "export"}),
        ("generation", {"generation", "export"}),
        ("consumption", {"consumption", "import"}),
        ("self_consumption", {"self_consumption"}),
    ],
)
def test_smallest_set_is_what_the_balances_cannot_tell_apart(signal, expected):
    assert _sets(SOLAR)[signal] == expected


def test_smallest_set_is_the_whole_balance_when_the_shared_signal_is_absent():
    signals = ("generation", "consumption", "export", "import")

    assert set(_sets(signals).values()) == {frozenset(signals)}


def test_signal_without_a_balance_stands_alone():
    assert _sets(("generation", "consumption"))["generation"] == {"generation"}


def test_several_altered_signals_count_as_they_are_when_balances_hold():
    sets = _sets(SOLAR)

    assert isolate(("generation", "import"), sets, breaks_balance=False) == {"generation", "import"}
    assert isolate(("export", "import"), sets, breaks_balance=True) == set(SOLAR) - {"self_consumption"}


def test_first_named_signal_counts_for_one_altered_and_all_named_for_several():
    allowed = {"generation", "export"}

    assert named_right(("export", "import"), ("export",), allowed)
    assert not named_right(("import", "export"), ("export",), allowed)
    assert not named_right(("export", "import"), ("export", "generation"), allowed)


def test_event_is_found_when_a_new_incident_overlaps_it():
    outcome = judge_event(_event(), SITE, [_found(start=142, stop=None)], [])

    assert outcome.is_kind_right
    assert outcome.is_signal_right
    assert outcome.dated_late == 2.0


@pytest.mark.parametrize(
    "incident",
    [_found(start=120, stop=140), _found(start=150, stop=160), _found(site="B")],
    ids=["before", "after", "elsewhere"],
)
def test_event_is_not_found_by_an_incident_beside_it(incident):
    assert judge_event(_event(), SITE, [incident], []).speaker is None


def test_event_is_not_found_by_what_the_untouched_copy_says_too():
    before = _found("behaviour.low", start=130, stop=None)

    outcome = judge_event(_event(), SITE, [before], [before])

    assert outcome.speaker is None


def test_event_is_found_when_the_untouched_copy_says_so_for_a_small_part_only():
    short = _found("behaviour.low", start=145, stop=146)

    outcome = judge_event(_event(), SITE, [_found("behaviour.low", name="2")], [short])

    assert outcome.speaker is not None


def test_right_cause_speaks_for_the_event_before_a_worse_incident():
    worse = _found("behaviour.high", signals=("import",), name="2")

    outcome = judge_event(_event(), SITE, [worse, _found()], [])

    assert outcome.speaker.cause == "quality.frozen"
    assert len(outcome.incidents) == 2


def test_wrong_cause_is_found_but_not_of_the_right_kind():
    outcome = judge_event(_event(), SITE, [_found("behaviour.high", signals=("import",))], [])

    assert outcome.speaker is not None
    assert not outcome.is_kind_right
    assert not outcome.is_signal_right


def test_delay_is_what_had_been_read_of_the_fault():
    outcome = judge_event(_event(), SITE, [_found()], [], read={"1": 145})

    assert outcome.delay == 5


def test_rates_are_shares_of_all_and_of_those_found():
    found = judge_event(_event(), SITE, [_found(signals=("import",))], [])
    missed = judge_event(_event(), SITE, [], [])

    figures = rates([found, missed])

    assert (figures["n"], figures["found"], figures["recall"]) == (2, 1, 0.5)
    assert (figures["kind_right"], figures["signal_right"]) == (1.0, 0.0)


def test_rates_are_unknown_when_there_is_nothing_to_share():
    figures = rates([])

    assert figures["recall"] is None
    assert figures["delay_steps_median"] is None


def test_incident_on_known_trouble_is_not_false():
    site = a_site()
    site.values[100:130, 0] = 0.0
    known = known_trouble(site, PROFILES["solar"])
    on_it = _found("behaviour.low", start=101, stop=120)
    elsewhere = _found("behaviour.low", start=20, stop=22)
    other_cause = _found("behaviour.high", start=101, stop=120)

    false = false_incidents([on_it, elsewhere, other_cause], site, known)

    assert false == [elsewhere, other_cause]


def test_raw_rows_show_gaps_broken_balances_and_part_of_a_day():
    site = a_site()
    kept = np.r_[0:50, 57:200]
    broken = site.values.copy()
    broken[20, SOLAR.index("consumption")] *= 1.5
    broken[0] *= 0.1
    damaged = type(site)(
        site.folder, site.key, "solar", "Etc/UTC", site.time[kept], SOLAR, broken[kept], site.dialect
    )

    spans = {
        (one.causes[0], (one.first - site.time[0]) // DAY, (one.last - site.time[0]) // DAY)
        for one in known_trouble(damaged, PROFILES["solar"])
    }

    assert spans == {("quality.missing", 50, 57), ("physics.*", 20, 21), ("behaviour.low", 0, 1)}


def test_sound_series_has_no_known_trouble():
    assert known_trouble(SITE, PROFILES["solar"]) == []


def test_long_incident_is_not_excused_by_a_short_gap_in_it():
    site = a_site()
    site.values[100:102, 0] = 0.0
    known = known_trouble(site, PROFILES["solar"])

    assert not is_known(known, cause="behaviour.low", first=site.time[90], last=site.time[130])


def test_site_months_count_the_rows_that_are_there():
    assert site_months(SITE) == pytest.approx(200 / 30.4375)
