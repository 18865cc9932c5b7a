"""Figures of hours and days: beside the readings, reckoned anew from what came late, gone with a site."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.readings import Quality
from sereno.domain.rollups import RollUp, Span
from sereno.domain.time import to_numpy
from sereno.store import FoundFlags
from tests.store.builders import NOW, ROOF, SOLAR, START, a_batch, append, asset_id, query, stored

DAY = timedelta(days=1)
FEBRUARY = datetime(2025, 2, 1, tzinfo=UTC)


def _figures(n_values, *, value=1.0, days=1):
    whole = [np.full(days, one) for one in (n_values, 0)]
    return RollUp(_days(days), *whole, *(np.full(days, value) for _ in range(4)))


def _days(count):
    return to_numpy(START) + np.arange(count) * np.timedelta64(1, "D")


def _kept(store, span=Span.DAY, signal="generation"):
    which = asset_id(store)
    with store.read() as tx:
        return tx.rollups(which, span, [signal], start=START, end=NOW)[signal]


def _save(store, figures, *, until=None, span=Span.DAY):
    which = asset_id(store)
    with store.begin() as tx:
        tx.save_rollups(which, span, {"generation": figures})
        if until is not None:
            tx.set_rolled_until(which, until)


def _until(store):
    which = asset_id(store)
    with store.read() as tx:
        return tx.rolled_until(which)


@pytest.mark.parametrize("days", [3, 1_500], ids=["few", "many"])
def test_figures_come_back_as_they_were(store, days):
    _save(store, _figures(4, value=2.5, days=days))

    found = _kept(store)

    assert found.start.tolist() == _days(min(days, 152)).tolist()
    assert set(found.low.tolist()) == {2.5}


def test_figures_without_a_fit_value_are_no_numbers(store):
    _save(store, _figures(4, value=np.nan))

    assert np.isnan(_kept(store).high).all()


@pytest.mark.parametrize(("n_values", "value"), [(3, 1.0), (4, 9.0), (5, 9.0)])
def test_whoever_knew_more_values_knew_better(store, n_values, value):
    _save(store, _figures(4))
    _save(store, _figures(n_values, value=9.0))

    assert _kept(store).last.tolist() == [value]


@pytest.mark.parametrize(
    ("row", "until"), [(-4, START - timedelta(hours=1)), (0, START), (96, FEBRUARY), (96 * 40, FEBRUARY)]
)
def test_what_comes_late_sets_back_until_when_there_are_figures(store, row, until):
    append(store, a_batch([[1.0, 1.0]], rows=[96]))
    _save(store, _figures(4), until=FEBRUARY)

    append(store, a_batch([[1.0, 1.0]], rows=[row]))

    assert _until(store) == until


def test_what_is_new_leaves_them(store):
    append(store, a_batch([[1.0, 1.0]]))
    _save(store, _figures(4), until=NOW)
    recent = (NOW - timedelta(days=1) - START) // timedelta(minutes=15)

    append(store, a_batch([[1.0, 1.0]], rows=[recent]))

    assert _until(store) == NOW


def test_a_correction_and_a_mark_set_it_back(store):
    append(store, a_batch([[1.0, 1.0]] * 200))
    _save(store, _figures(4), until=FEBRUARY)
    which = asset_id(store)

    append(store, a_batch([[5.0, 1.0]], rows=[150]))
    corrected = _until(store)
    flags = np.full((1, 1), int(Quality.FROZEN), dtype=np.int32)
    with store.begin() as tx:
        tx.set_flags(
            "solar", [FoundFlags(which, a_batch([[1.0, 1.0]], rows=[7]).time, ["generation"], flags)]
        )

    assert corrected == START + 150 * timedelta(minutes=15)
    assert _until(store) == START + 7 * timedelta(minutes=15)


def test_only_readings_with_figures_are_thinned(store):
    append(store, a_batch([[1.0, 1.0]] * 96 * 40))
    _save(store, _figures(4, days=40), until=FEBRUARY - DAY)

    with store.begin() as tx:
        before = tx.retain({"thin": FEBRUARY}, {}, at=NOW, actor="x")
        tx.set_rolled_until(asset_id_of(tx), FEBRUARY)
        counts = tx.retain({"thin": FEBRUARY}, {}, at=NOW, actor="x")

    assert before == {}
    assert counts == {"reading_solar": 31 * 96}
    assert stored(store).time[0] == to_numpy(FEBRUARY)
    assert len(_kept(store)) == 40


def asset_id_of(tx):
    return tx.ensure_assets([ROOF], profile="solar", zone="Europe/Madrid")[ROOF]


def test_what_comes_while_it_is_thinned_is_not(store, database_url):
    append(store, a_batch([[1.0, 1.0]] * 96))
    _save(store, _figures(96), until=FEBRUARY)
    append(store, a_batch([[2.0, 2.0]], rows=[100]))

    with store.begin() as tx:
        assert tx.retain({"thin": FEBRUARY}, {}, at=NOW, actor="x", most=1_000) == {}

    assert len(stored(store)) == 97


def test_simulated_readings_are_neither_reckoned_nor_thinned(store):
    append(store, a_batch([[1.0, 1.0]] * 96), is_simulated=True)
    which = asset_id(store)
    with store.begin() as tx:
        assert tx.assets_to_roll(NOW) == []
        assert len(tx.measured_rows(which, "solar", start=START, end=NOW)) == 0
        tx.set_rolled_until(which, FEBRUARY)

        assert tx.retain({"thin": FEBRUARY}, {}, at=NOW, actor="x") == {}


def test_hours_go_before_days_and_all_with_the_readings(store):
    append(store, a_batch([[1.0, 1.0]]))
    _save(store, _figures(4, days=3))
    _save(store, _figures(4, days=3), span=Span.HOUR)

    def retain(what, days):
        with store.begin() as tx:
            return tx.retain({what: START + days * DAY}, {}, at=NOW, actor="x")

    assert retain("hours", 2) == {"rollup": 2}
    assert (len(_kept(store)), len(_kept(store, Span.HOUR))) == (3, 1)
    assert retain("readings", 3) == {"reading_solar": 1, "rollup": 4}


def test_a_site_takes_its_figures_along_and_away(store):
    append(store, a_batch([[1.0, 1.0]]))
    _save(store, _figures(4), until=FEBRUARY)
    with store.begin() as tx:
        names = tx.site_names(ROOF.site)
        taken = {table: list(rows) for table, rows in tx.rows_of_site(names)}
        gone = tx.erase_site(names, names.mentions(), subject="p", at=NOW, actor="x", reason="y")

    assert (len(taken["rollup"]), len(taken["rollup_state"])) == (1, 1)
    assert (gone["rollup"], gone["rollup_state"]) == (1, 1)


def test_other_tools_see_them_with_unit_and_mean(store, database_url):
    append(store, a_batch([[1.0, 1.0]]))
    _save(
        store,
        RollUp(_days(1), np.array([4]), np.array([1]), *(np.array([one]) for one in (6.0, 1.0, 3.0, 2.0))),
    )

    (row,) = query(database_url, "SELECT * FROM v_rollups")

    assert {name: row[name] for name in ("span", "signal", "unit", "n_values", "n_bad", "mean", "low")} == {
        "span": "day", "signal": "generation", "unit": SOLAR.signal("generation").unit,
        "n_values": 4, "n_bad": 1, "mean": 2.0, "low": 1.0,
    }  # fmt: skip
    assert (row["total"], row["high"], row["last_value"]) == (6.0, 3.0, 2.0)
