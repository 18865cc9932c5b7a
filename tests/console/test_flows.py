"""What the screens show is what the flows and the commands say."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import UnknownAsset
from sereno.domain.judgement import Severity
from sereno.domain.signals import AssetKey
from sereno.flows.asset_list import AssetFilter, listed_assets
from sereno.flows.courses import GAS_AMOUNT, asset_named, bands_of, courses_of, draw_lane, incident_course
from sereno.flows.fleet_list import IncidentFilter, listed_incidents
from sereno.flows.overview import FleetFilter, ModelState, Status, fleet_of, model_state
from sereno.flows.site import comparison_of
from sereno.flows.workspace import Workspace
from tests.console.world import FAILED, LEAKING, LONG, NOW
from tests.support.work import calls_made

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def workspace(world: Path) -> Iterator[Workspace]:
    with Workspace.open(world, clock=lambda: NOW) as found:
        yield found


def _span(workspace: Workspace, key: AssetKey) -> tuple[object, object]:
    with workspace.store.read() as tx:
        span = tx.span(asset_named(tx, key.site)[0].id)
    assert span is not None
    return span


def test_fleet_counts_what_the_list_of_incidents_counts(workspace: Workspace) -> None:
    fleet = fleet_of(workspace)
    active = [v for v in workspace.incidents() if v.incident.ended_at is None]

    assert fleet.n_active == len(active) > 0
    assert fleet.n_abnormal == len({v.incident.asset.site for v in active})
    assert fleet.cost_per_day == pytest.approx(sum(v.cost_per_day or 0.0 for v in active))
    assert fleet.status is Status.CRITICAL


def test_worst_site_is_first_and_speaks_with_its_worst_incident(workspace: Workspace) -> None:
    rows = fleet_of(workspace).rows

    assert [row.status for row in rows] == sorted((row.status for row in rows), reverse=True)
    assert rows[0].worst is not None
    assert rows[0].worst.incident.severity is Severity.CRITICAL
    assert rows[-1].worst is None


def test_last_days_show_trouble_that_is_over(workspace: Workspace) -> None:
    row = next(one for one in fleet_of(workspace).rows if one.site == "Cubierta Sur 02")

    assert row.status is Status.NORMAL
    assert row.days[-2] is Severity.CRITICAL
    assert row.days[-1] is None


def test_queries_of_the_fleet_do_not_grow_with_its_sites(workspace: Workspace) -> None:
    """One asset asked for by itself would show as hundreds of calls of the driver each."""
    fleet_of(workspace)
    n_sites = len(fleet_of(workspace).rows)

    assert calls_made(lambda: fleet_of(workspace)) < 20_000 + 2_000 * n_sites


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (FleetFilter(text="villa SERENA"), {LONG.site}),
        (FleetFilter(status="critical"), {FAILED.site, LEAKING.site}),
        (FleetFilter(severity="critical"), {FAILED.site, LEAKING.site}),
        (FleetFilter(severity="low"), set()),
        (FleetFilter(profile="gas"), {"CLIENTE02", "CLIENTE03"}),
        (FleetFilter(text="nothing like it"), set()),
    ],
    ids=["text", "status", "severity", "none so low", "profile", "nothing"],
)
def test_filter_leaves_the_sites_that_fit(
    wanted: FleetFilter, expected: set[str], workspace: Workspace
) -> None:
    assert {row.site for row in wanted.of(fleet_of(workspace)).rows} == expected


@pytest.mark.parametrize("sort", ["worst", "name", "cost", "age", "incidents"])
def test_every_order_keeps_all_sites(sort: str, workspace: Workspace) -> None:
    fleet = fleet_of(workspace)

    assert sorted(r.site for r in FleetFilter(sort=sort).of(fleet).rows) == sorted(r.site for r in fleet.rows)


def test_model_is_outdated_when_it_does_not_know_an_asset_or_is_old(workspace: Workspace) -> None:
    with workspace.store.read() as tx:
        assets, last, models = tx.assets(), tx.last_readings(), tx.models()
    stranger = replace(assets[0], key=AssetKey("new", "new"))
    later = {one: instant + 400 * DAY for one, instant in last.items()}

    assert model_state(assets, last, models) == (ModelState.YES, "")
    assert model_state([*assets, stranger], last, models) == (ModelState.OUTDATED, stranger.profile)
    assert model_state(assets, later, models) == (ModelState.OUTDATED, "gas, solar")
    assert model_state(assets, last, []) == (ModelState.NO, "gas, solar")
    assert model_state([], {}, []) == (ModelState.NO, "")


def test_list_holds_what_goes_on_and_what_touches_the_period(workspace: Workspace) -> None:
    def listed(since: timedelta, until: timedelta) -> set[str]:
        found = listed_incidents(
            workspace, IncidentFilter(), since=NOW - since, until=NOW - until, language="es"
        )
        return {view.incident.id for view in found}

    everything = {view.incident.id for view in workspace.incidents()}
    active = {view.incident.id for view in workspace.incidents() if view.incident.ended_at is None}

    assert listed(90 * DAY, 0 * DAY) == everything
    assert listed(300 * DAY, 299 * DAY) == active
    assert active < listed(7 * DAY, 0 * DAY) < everything


def test_list_of_a_site_is_what_the_whole_list_says_of_it(workspace: Workspace) -> None:
    asked = {"since": NOW - 90 * DAY, "until": NOW, "language": "es"}
    whole = listed_incidents(workspace, IncidentFilter(), **asked)
    own = listed_incidents(workspace, IncidentFilter(site=FAILED.site), **asked)

    assert [v.incident.id for v in own] == [v.incident.id for v in whole if v.incident.asset == FAILED]
    assert own
    assert listed_incidents(workspace, IncidentFilter(site="Atlantis"), **asked) == []


def test_thinned_course_keeps_every_peak(workspace: Workspace) -> None:
    first, last = _span(workspace, FAILED)
    asked = {"start": first, "end": last + timedelta(hours=1)}
    whole = courses_of(workspace, FAILED, "solar", **asked, points=100_000)
    thin = courses_of(workspace, FAILED, "solar", **asked, points=200)

    assert thin.is_thinned
    assert not whole.is_thinned
    assert len(thin.time) <= 202
    for lane in whole.lanes:
        other = next(one for one in thin.lanes if one.signal == lane.signal)
        assert np.nanmax(other.values) == np.nanmax(lane.values)
        assert np.nanmin(other.values) == np.nanmin(lane.values)


def test_gap_stays_a_gap(workspace: Workspace) -> None:
    site = AssetKey("Cubierta Este 03", "Cubierta Este 03")
    start, end = NOW - 5 * DAY, NOW
    for points in (10_000, 60):
        lane = courses_of(workspace, site, "solar", start=start, end=end, points=points).lanes[0]
        assert np.isnan(lane.values).any(), points


def test_trouble_is_marked_with_its_incident(workspace: Workspace) -> None:
    found = courses_of(workspace, FAILED, "solar", start=NOW - 7 * DAY, end=NOW)
    view = next(one for one in workspace.incidents() if one.incident.asset == FAILED)
    marked = [mark for mark in found.marks if mark.incident == view.incident.id]

    assert any(mark.ended_at is None and mark.severity is Severity.CRITICAL for mark in marked)
    assert "generation" in {name for mark in marked for name in mark.signals}


def test_amount_of_gas_is_a_lane_where_enough_is_declared_and_said_otherwise(workspace: Workspace) -> None:
    declared = courses_of(workspace, LEAKING, "gas", start=NOW - 3 * DAY, end=NOW)
    other = courses_of(workspace, AssetKey("CLIENTE02", "CLIENTE02"), "gas", start=NOW - 3 * DAY, end=NOW)

    assert GAS_AMOUNT in {lane.signal for lane in declared.lanes}
    assert GAS_AMOUNT not in {lane.signal for lane in other.lanes}
    assert "volume" in other.notes[0]["en"]


@pytest.mark.parametrize("points", [5_000, 300], ids=["every step", "thinned"])
def test_band_stands_at_the_points_of_the_course(workspace: Workspace, points: int) -> None:
    asked = {"start": NOW - 20 * DAY, "end": NOW, "points": points}
    course = courses_of(workspace, LEAKING, "gas", **asked)
    band = bands_of(workspace, LEAKING, "gas", **asked)

    assert band.time.tolist() == course.time.tolist()
    for lane in band.lanes:
        assert lane.band is not None
        known = ~np.isnan(lane.band.low) & ~np.isnan(lane.band.expected)
        assert known.any()
        assert (lane.band.low[known] <= lane.band.high[known]).all()


def test_incident_lies_outside_the_band_and_the_days_before_inside(workspace: Workspace) -> None:
    view = next(one for one in workspace.incidents() if one.incident.asset == FAILED)
    found = incident_course(workspace, view)
    assert found is not None
    lane = found.lanes[0]
    assert lane.band is not None
    time = found.time.astype("datetime64[s]")
    began = np.datetime64(view.incident.started_at.replace(tzinfo=None))
    below = lane.values < lane.band.low - 1e-9
    is_day = lane.band.expected > 1.0

    assert below[(time >= began) & is_day].mean() > 0.9
    assert below[(time < began) & is_day].mean() < 0.1
    assert [one.signal for one in found.lanes[1:3]] == ["generation-1", "generation-2"]


def test_picture_of_a_lane_is_svg_that_holds_its_name(workspace: Workspace) -> None:
    found = courses_of(workspace, LONG, "solar", start=NOW - 3 * DAY, end=NOW)
    text = draw_lane(found, found.lanes[0], "es")

    assert text.startswith("<svg")
    assert "&lt;b&gt;Villanueva" in text


def test_comparison_of_weekdays_goes_back_whole_weeks(workspace: Workspace) -> None:
    with workspace.store.read() as tx:
        asset = asset_named(tx, FAILED.site)[0]
    asked = {"start": NOW - 3 * DAY, "end": NOW}

    assert comparison_of(workspace, asset, **asked).start_before == NOW - 6 * DAY
    assert comparison_of(workspace, asset, **asked, with_weekdays=True).start_before == NOW - 10 * DAY
    totals = {one.signal: one for one in comparison_of(workspace, asset, **asked).totals}
    assert totals["generation"].value == 0.0
    assert totals["consumption"].change is not None


def test_assets_are_those_of_the_store_with_what_judges_them(workspace: Workspace) -> None:
    rows = listed_assets(workspace, AssetFilter())
    models = workspace.active_models()

    assert {row.key for row in rows} == set(workspace.asset_keys())
    assert all(row.model == models[row.profile] for row in rows)
    abnormal = listed_assets(workspace, AssetFilter(state="abnormal"))
    assert {row.key for row in abnormal} == {FAILED, LEAKING}
    assert listed_assets(workspace, AssetFilter(sort="worst"))[0].key in {FAILED, LEAKING}
    assert listed_assets(workspace, AssetFilter(state="unlearnt")) == []
    assert [row.key for row in listed_assets(workspace, AssetFilter(text="client 03"))] == [LEAKING]


def test_site_that_nobody_knows_is_an_error_of_ours(workspace: Workspace) -> None:
    with workspace.store.read() as tx, pytest.raises(UnknownAsset):
        asset_named(tx, "Atlantis")
