"""The dashboards for Grafana: every query runs on the database that it is for, and both show the same."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sereno.store import Store
from tests.store.builders import NOW, ROOF, START, a_batch, a_detection, an_event, append, asset_id, query
from tests.support.processes import ROOT

FOLDER = ROOT / "docs" / "grafana"
VARIABLES = {
    "organization": "'default'",
    "site": f"'{ROOF.site}','other'",
    "series_site": f"'{ROOF.site}'",
    "asset": f"'{ROOF.asset}'",
    "signal": "'generation','consumption'",
}
"""As Grafana writes `${name:sqlstring}`."""
SPAN = ("2024-12-01T00:00:00Z", "2025-12-31T00:00:00Z")
SPAN_MS = (1733011200000, 1767139200000)

if not FOLDER.is_dir():
    pytest.skip("the dashboards are not installed", allow_module_level=True)


def _dashboard(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"sereno-{kind}.json").read_text("utf-8"))
    return found


def _sql(target: Any) -> str:
    if isinstance(target, str):
        return target
    return str(target.get("rawSql") or target["queryText"])


def _queries(dashboard: dict[str, Any]) -> dict[str, str]:
    asked = {panel["title"]: _sql(panel["targets"][0]) for panel in dashboard["panels"]}
    listed = [one for one in dashboard["templating"]["list"] if one["type"] == "query"]
    return asked | {f"variable {one['name']}": _sql(one["query"]) for one in listed}


def _expanded(sql: str) -> str:
    """As the datasource plug-ins expand their macros."""
    sql = re.sub(r"\$\{(\w+):sqlstring\}", lambda found: VARIABLES[found[1]], sql)
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{SPAN[0]}' AND '{SPAN[1]}'", sql)
    sql = re.sub(r"\$__timeGroup\((\w+), '1h'\)", r"floor(extract(epoch from \1)/3600)*3600", sql)
    return sql.replace("$__from", str(SPAN_MS[0])).replace("$__to", str(SPAN_MS[1]))


@pytest.fixture
def filled(store: Store) -> Store:
    """A store with something for every panel."""
    append(store, a_batch([[1.5, 2.5]] * 4))
    which = asset_id(store)
    with store.begin() as tx:
        tx.save_detection(which, a_detection())
        tx.open_incident("incident-1", "group", which, an_event())
        tx.add_metric(200, 3, 1.5, "caution", NOW)
    return store


def test_every_query_runs_and_finds_what_is_there(filled: Store, database_url: str) -> None:
    kind = "postgresql" if filled.is_shared else "sqlite"
    found = {
        name: query(database_url, _expanded(sql).replace(":", r"\:"))
        for name, sql in _queries(_dashboard(kind)).items()
    }

    assert [name for name, rows in found.items() if not rows] == ["Notifications"]
    assert [row["value"] for row in found["Readings of ${asset}"] if row["metric"] == "generation"] == [
        1.5
    ] * 4
    assert found["Open incidents"] == [{"metric": "high", "value": 1}]
    assert float(str(found["Incidents per hour"][0]["time"])) == NOW.timestamp()
    assert found["variable signal"] == [{"signal": "consumption"}, {"signal": "generation"}]
    first = found["Readings of ${asset}"][0]["time"]
    assert first in (START, int(START.timestamp()))


def test_both_dashboards_have_the_same_panels_and_variables() -> None:
    shapes = []
    for kind in ("postgresql", "sqlite"):
        dashboard = _dashboard(kind)
        panels = [
            (p["id"], p["title"], p["description"], p["type"], p["gridPos"]) for p in dashboard["panels"]
        ]
        shapes.append((panels, [one["name"] for one in dashboard["templating"]["list"]]))

    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_dashboard_names_no_place_and_no_unknown_macro(kind: str) -> None:
    dashboard = _dashboard(kind)

    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
    for sql in _queries(dashboard).values():
        assert "$" not in _expanded(sql)
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_dashboards_are_where_the_manual_says() -> None:
    assert sorted(path.name for path in Path(FOLDER).iterdir()) == [
        "sereno-postgresql.json",
        "sereno-sqlite.json",
    ]
