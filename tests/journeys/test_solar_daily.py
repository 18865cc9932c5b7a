"""Promise: 21 real files of 9 rooftops, read without configuration, become a few incidents that are right."""

import os
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest

from sereno.domain.readings import Quality
from tests.support.processes import Ran, sereno
from tests.support.stores import count, differences, dump, sqlite_address

ZONE = ZoneInfo("Europe/Madrid")
DATA = Path(os.environ.get("SERENO_DATA", "")) / "solar_daily"
N_SITES, N_FILES, N_ROWS = 9, 21, 6207
Incident = dict[str, str]

pytestmark = pytest.mark.skipif(
    not os.environ.get("SERENO_DATA") or not DATA.is_dir(),
    reason="SERENO_DATA does not name the folder of the real data sets",
)


class Journey(NamedTuple):
    """What the commands printed."""

    workspace: Path
    ingested: Ran
    scored: Ran
    incidents: list[Incident]


@pytest.fixture(scope="module")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Journey:
    """ingest, train, score, incidents: nothing configured but the zone of the machine."""
    workspace = tmp_path_factory.mktemp("solar_daily") / "w"
    ingested = sereno("ingest", DATA, "--timezone", ZONE.key, "--json", workspace=workspace)
    assert sereno("train", "--json", workspace=workspace).code == 0
    scored = sereno("score", "--json", workspace=workspace)
    return Journey(workspace, ingested, scored, sereno("incidents", "--json", workspace=workspace).document)


def _days(incident: Incident) -> int:
    assert incident["ended_at"]
    started, ended = (_local(incident[name]) for name in ("started_at", "ended_at"))
    return (ended - started).days


def _local(instant: str) -> date:
    return datetime.fromisoformat(instant).astimezone(ZONE).date()


def test_every_file_is_read_without_a_warning(journey: Journey) -> None:
    files = journey.ingested.document["files"]

    assert journey.ingested.code == 0
    assert len(files) == N_FILES
    assert {entry["verdict"] for entry in files} == {"ok"}
    assert len({row[0] for row in dump(sqlite_address(journey.workspace))["asset"]}) == N_SITES


def test_reading_them_again_adds_nothing(journey: Journey) -> None:
    before = dump(sqlite_address(journey.workspace))

    again = sereno("ingest", DATA, "--timezone", ZONE.key, "--json", workspace=journey.workspace)

    assert sum(entry["readings_new"] for entry in again.document["files"]) == 0
    assert differences(dump(sqlite_address(journey.workspace)), before) == {}


def test_other_order_of_the_files_leads_to_the_same_incidents(journey: Journey, tmp_path: Path) -> None:
    files = sorted(DATA.glob("*.csv"), key=lambda path: path.name[::-1], reverse=True)
    workspace = tmp_path / "w"

    for command in (("ingest", *files, "--timezone", ZONE.key), ("train",), ("score",)):
        assert sereno(*command, workspace=workspace).code == 0

    incidents = sereno("incidents", "--json", workspace=workspace).document
    assert [i["id"] for i in incidents] == [i["id"] for i in journey.incidents]


def test_plant_without_generation_for_weeks_is_one_incident(journey: Journey) -> None:
    first, last = date(2024, 3, 30), date(2024, 5, 8)
    met = [
        i
        for i in journey.incidents
        if i["site"] == "PLANTA_13" and _local(i["started_at"]) <= last and _local(i["ended_at"]) > first
    ]

    (incident,) = met
    assert incident["signals"][0] == "generation"
    assert incident["kind"] == "behaviour"
    assert incident["severity"] == "critical"
    assert abs(_local(incident["started_at"]) - first) <= timedelta(days=1)
    assert abs(_local(incident["ended_at"]) - last) <= timedelta(days=2)
    assert incident["id"] == journey.incidents[0]["id"]
    assert float(incident["impact"]) < -1000


def test_every_missing_stretch_is_one_data_incident(journey: Journey) -> None:
    missing = [(i["site"], _days(i)) for i in journey.incidents if i["cause"] == "quality.missing"]

    assert sorted(missing) == [
        ("PLANTA_02", 43),
        ("PLANTA_05", 23),
        ("PLANTA_07", 1),
        ("PLANTA_10", 2),
        ("PLANTA_11", 4),
    ]
    assert all(i["kind"] == "data" for i in journey.incidents if i["cause"] == "quality.missing")


def test_rows_that_miss_the_balance_by_little_are_flags(journey: Journey) -> None:
    with closing(sqlite3.connect(journey.workspace / "sereno.db")) as connection:
        (n_flagged,) = connection.execute(
            "SELECT count(*) FROM reading_solar"
            f" WHERE (coalesce(consumption__q, 0) & {int(Quality.IMBALANCE)}) != 0"
            " AND abs(consumption - self_consumption - import) BETWEEN 0.0015 AND 0.2"
        ).fetchone()

    assert n_flagged == 8
    assert journey.scored.document["flags"] == {"physics.imbalance": 8}
    assert not [i for i in journey.incidents if i["kind"] == "physics"]


def test_enlarged_plant_does_not_alarm_for_months(journey: Journey) -> None:
    in_2025 = [
        i for i in journey.incidents if i["site"] == "PLANTA_10" and _local(i["started_at"]).year == 2025
    ]
    ended = [i for i in in_2025 if i["ended_at"]]
    alarmed = {
        _local(i["started_at"]) + timedelta(days=d)
        for i in ended
        if i["kind"] != "data"
        for d in range(_days(i))
    }

    assert max(_days(i) for i in ended) <= 31
    assert len(alarmed) <= 60
    assert len(in_2025) - len(ended) <= 1


def test_there_are_fewer_than_two_incidents_per_site_and_month(journey: Journey) -> None:
    n_rows = count(sqlite_address(journey.workspace), "reading_solar")
    per_month = len(journey.incidents) / (n_rows / 30.44)
    by_site = Counter(i["site"] for i in journey.incidents)

    print(f"{len(journey.incidents)} incidents in {n_rows / 30.44:.0f} site-months: {per_month:.2f}")  # noqa: T201

    assert n_rows == N_ROWS
    assert per_month < 2
    assert max(by_site.values()) < 40


def test_every_incident_is_explained_in_both_languages(journey: Journey) -> None:
    for incident in journey.incidents:
        assert incident["site"] in incident["sentence"]
        assert incident["site"] in incident["sentence_es"]
        assert "?" not in incident["sentence"] + incident["sentence_es"]
        assert "nan" not in (incident["sentence"] + incident["sentence_es"]).lower().split()
