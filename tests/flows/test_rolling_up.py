"""Hours and days follow the readings, stay where those are thinned, and carry long charts."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sereno.domain.errors import StoreUnreachable
from sereno.domain.rollups import RollUp, Span
from sereno.domain.time import to_numpy
from sereno.flows import long_series
from sereno.flows.rolling_up import REST, roll_up_store
from sereno.flows.series import SeriesQuery, SeriesView
from sereno.flows.watching import keep_rolled_up
from sereno.flows.workspace import Workspace
from tests.flows.hooks import Clock
from tests.support.builders import DAY, HOUR, MADRID, a_roof, between, readings_of
from tests.support.postgres import fresh_database

LOCAL = ZoneInfo(MADRID)
BEGIN = datetime(2024, 6, 1, tzinfo=LOCAL)
MINUTES = timedelta(minutes=5)
SIGNAL = "generation"


def _opened(folder: Path, settings: str = "") -> Workspace:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(f"timezone: Europe/Madrid\n{settings}", "utf-8")
    clock = Clock()
    clock.now = datetime(2024, 10, 29, 12, tzinfo=UTC)
    return Workspace.open(folder, clock=clock)


def _readings(days: int = 140, step: timedelta = HOUR):
    return readings_of(a_roof(rows=days * (DAY // step), step=step, start="2024-06-01T00"))


def _filled(folder: Path, settings: str = "", **roof) -> Workspace:
    workspace = _opened(folder, settings)
    workspace.add(_readings(**roof), zone=MADRID)
    workspace.roll_up_when_due()
    return workspace


def _figures(workspace: Workspace, span: Span = Span.DAY) -> RollUp:
    with workspace.store.read() as tx:
        (asset,) = tx.assets()
        end = workspace.now() + DAY
        return tx.rollups(asset.id, span, [SIGNAL], start=BEGIN - 999 * DAY, end=end)[SIGNAL]


def _until(workspace: Workspace) -> datetime | None:
    with workspace.store.read() as tx:
        return tx.rolled_until(tx.assets()[0].id)


def _chart(workspace: Workspace, first: datetime, last: datetime, points: int = 20_000) -> SeriesView:
    with workspace.store.read() as tx:
        query = SeriesQuery(tx.assets()[0].id, (SIGNAL,), first, last, points)
    return workspace.series(query)


def test_days_are_those_of_the_calendar_and_add_up(tmp_path):
    readings = _readings()
    with _filled(tmp_path) as workspace:
        found = _figures(workspace)

    values = readings.values[:, readings.signals.index(SIGNAL)]
    midnights = [(BEGIN.replace(tzinfo=None) + n * DAY).replace(tzinfo=LOCAL) for n in range(140)]
    assert found.start.tolist() == [one.astimezone(UTC).replace(tzinfo=None) for one in midnights]
    np.testing.assert_allclose(found.total, values.reshape(140, 24).sum(axis=1))
    np.testing.assert_array_equal(found.high, values.reshape(140, 24).max(axis=1))


@pytest.mark.parametrize(("step", "n_hours"), [(HOUR, 0), (MINUTES, 24 * 9)])
def test_hours_are_kept_of_what_is_read_often(tmp_path, step, n_hours):
    with _filled(tmp_path, days=9, step=step) as workspace:
        assert (len(_figures(workspace)), len(_figures(workspace, Span.HOUR))) == (9, n_hours)


def test_the_last_days_wait_for_what_comes_late(tmp_path):
    with _filled(tmp_path, days=200) as workspace:
        assert _until(workspace) == (workspace.now() - REST).astimezone(LOCAL).replace(hour=0)


def test_any_order_of_batches_gives_the_same_figures(tmp_path):
    readings = _readings()
    cuts = [to_numpy(BEGIN + n * DAY) for n in (0, 30, 60, 200)]
    with _filled(tmp_path / "once") as once, _opened(tmp_path / "bit by bit") as bits:
        for first, stop in [(1, 2), (0, 1), (2, 3)]:
            bits.add(between(readings, cuts[first], cuts[stop]), zone=MADRID)
            roll_up_store(bits.store, now=bits.now())
        found, wanted = _figures(bits), _figures(once)

    for name in RollUp.__slots__:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_a_correction_of_an_old_value_reaches_its_day_alone(tmp_path):
    with _filled(tmp_path) as workspace:
        before = _figures(workspace)
        one = between(_readings(), to_numpy(BEGIN + 50 * DAY), to_numpy(BEGIN + 50 * DAY + HOUR))
        one.values[:, one.signals.index(SIGNAL)] = 5_000.0
        workspace.add(one, zone=MADRID)
        stale = _until(workspace)
        roll_up_store(workspace.store, now=workspace.now())
        after = _figures(workspace)

    assert stale == BEGIN + 50 * DAY
    assert np.flatnonzero(before.high != after.high).tolist() == [50]
    assert after.high[50] == 5_000.0


def test_it_ends_when_told_and_goes_on_where_it_was(tmp_path):
    stop = threading.Event()
    stop.set()
    with _opened(tmp_path) as workspace:
        workspace.add(_readings(), zone=MADRID)

        workspace.roll_up_when_due(stop)
        assert (workspace.is_rolling_up_due, _until(workspace)) == (True, None)
        workspace.roll_up_when_due(seconds=60.0)
        assert (workspace.is_rolling_up_due, len(_figures(workspace))) == (False, 140)


def test_old_readings_are_thinned_by_the_month_and_the_chart_goes_on(tmp_path):
    with _filled(tmp_path, "retention: {thin: 60d}\n") as workspace:
        whole = _chart(workspace, BEGIN, BEGIN + 140 * DAY)
        dry = workspace.retain(is_dry=True)
        done = workspace.retain(actor="ana")
        thinned = _chart(workspace, BEGIN, BEGIN + 140 * DAY)
        again = workspace.retain(actor="ana")

    august = to_numpy(datetime(2024, 8, 1, tzinfo=UTC))
    assert dry.counts == done.counts == {"reading_solar": int((_readings().time < august).sum())}
    assert again.counts == {}
    for line, other in zip(thinned.lines, whole.lines, strict=True):
        old, kept = line.time < august, other.time < august
        assert line.n_rows == other.n_rows
        assert (np.nanmin(line.values[old]), np.nanmax(line.values[old])) == (
            np.nanmin(other.values[kept]),
            np.nanmax(other.values[kept]),
        )
        np.testing.assert_array_equal(line.values[~old][-24 * 70 :], other.values[-24 * 70 :])
        assert not np.isnan(line.values).any()


def test_one_reading_that_comes_for_a_thinned_day_does_not_replace_it(tmp_path):
    with _filled(tmp_path, "retention: {thin: 60d}\n") as workspace:
        before = _figures(workspace)
        workspace.retain(actor="ana")
        workspace.add(between(_readings(), to_numpy(BEGIN), to_numpy(BEGIN + HOUR)), zone=MADRID)
        chart = _chart(workspace, BEGIN, BEGIN + 2 * DAY)
        done = workspace.retain(actor="ana")
        after = _figures(workspace)

    np.testing.assert_array_equal(after.high, before.high)
    assert chart.lines[0].values.tolist() == [before.low[0], before.high[0], before.low[1], before.high[1]]
    assert done.counts == {"reading_solar": 1}


def test_a_long_chart_of_many_readings_has_their_peaks_and_reads_few(tmp_path, monkeypatch):
    with _filled(tmp_path, days=40, step=MINUTES) as workspace:
        read = _chart(workspace, BEGIN, BEGIN + 40 * DAY)
        monkeypatch.setattr(long_series, "MOST_READ", 1_000)
        drawn = _chart(workspace, BEGIN, BEGIN + 40 * DAY)

    (line,), (other,) = drawn.lines, read.lines
    assert (len(line.time), line.n_rows) == (2 * 24 * 40, other.n_rows)
    hours = other.values.reshape(-1, 12)
    np.testing.assert_array_equal(line.values[::2], hours.min(axis=1))
    np.testing.assert_array_equal(line.values[1::2], hours.max(axis=1))


def test_nothing_that_judges_sees_a_thinned_reading_again(tmp_path):
    with _filled(tmp_path, "retention: {thin: 60d}\n") as workspace:
        workspace.retain(actor="ana")
        with workspace.store.read() as tx:
            (asset,) = tx.assets()
            rows, span = tx.rows(asset.id, asset.profile), tx.span(asset.id)

    assert rows.time[0] == np.datetime64("2024-08-01T00:00")
    assert span is not None
    assert span[0] == datetime(2024, 8, 1, tzinfo=UTC)


def test_figures_are_kept_by_one_engine_of_several(tmp_path, postgres_server):
    with fresh_database(postgres_server) as url, _opened(tmp_path, f"store: {{url: '{url}'}}\n") as workspace:
        workspace.add(_readings(days=3), zone=MADRID)
        with Workspace.open(tmp_path, clock=workspace.now) as other, other.duty("roll up"):
            keep_rolled_up(workspace, threading.Event())
            assert (_until(workspace), workspace.is_rolling_up_due) == (None, True)

        keep_rolled_up(workspace, threading.Event())

        assert (_until(workspace) is not None, workspace.is_rolling_up_due) == (True, False)


def test_figures_are_kept_once_a_day(tmp_path):
    with _opened(tmp_path) as workspace:
        roof = _readings(days=4)
        workspace.add(between(roof, to_numpy(BEGIN), to_numpy(BEGIN + 2 * DAY)), zone=MADRID)
        keep_rolled_up(workspace, threading.Event())
        first = _until(workspace)
        workspace.add(between(roof, to_numpy(BEGIN + 2 * DAY), to_numpy(BEGIN + 4 * DAY)), zone=MADRID)
        keep_rolled_up(workspace, threading.Event())
        same_day = _until(workspace)
        workspace._setup.clock.now += DAY  # type: ignore[attr-defined]
        keep_rolled_up(workspace, threading.Event())

        assert same_day == first
        assert _until(workspace) == first + 2 * DAY


def test_figures_wait_while_the_store_is_away(tmp_path, monkeypatch, caplog):
    def gone(*_arguments, **_named):
        raise StoreUnreachable(store="db", detail="gone")

    with _opened(tmp_path) as workspace:
        workspace.add(_readings(days=3), zone=MADRID)
        with monkeypatch.context() as patch:
            patch.setattr("sereno.flows.desks.upkeep.roll_up_store", gone)
            keep_rolled_up(workspace, threading.Event())
        assert "hours and days not reckoned" in caplog.text
        assert workspace.is_rolling_up_due

        keep_rolled_up(workspace, threading.Event())

        assert _until(workspace) is not None
