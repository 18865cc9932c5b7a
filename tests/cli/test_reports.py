"""`sereno report`: what a name stands for is found out."""

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from sereno.i18n.catalogue import has
from sereno.store.outbox import STATUSES
from tests.support.processes import sereno

MONTHS = ("ene", "feb", "mar", "abr", "may", "jun", "jul", "ago", "sept", "oct", "nov", "dic")


def test_id_of_an_incident_is_enough_for_its_report(judged: Path, tmp_path: Path) -> None:
    worst = sereno("incidents", "--json", workspace=judged).document[0]

    done = sereno("report", worst["id"], "--output", tmp_path / "r.html", "--json", workspace=judged)

    assert done.document["about"] == "incident"
    assert str(worst["asset"]) in (tmp_path / "r.html").read_text("utf-8")


def test_asset_goes_before_an_incident(judged: Path, tmp_path: Path) -> None:
    asset = sereno("incidents", "--json", workspace=judged).document[0]["asset"]

    done = sereno("report", asset, "--output", tmp_path / "r.html", "--json", workspace=judged)

    assert str(asset) in done.document["asset"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nadie"], 3, "no hay ningún equipo «nadie»"),
        (["--about", "incident"], 2, "falta el nombre de aquello de lo que trata el informe"),
    ],
)
def test_name_that_stands_for_nothing_is_said(judged: Path, words: list[str], code: int, said: str) -> None:
    done = sereno("report", *words, "--lang", "es", workspace=judged)

    assert done.code == code
    assert said in done.err


def test_report_of_an_incident_is_about_its_time_and_in_one_language(copied: Path, tmp_path: Path) -> None:
    worst = sereno("incidents", "--json", workspace=copied).document[0]
    sereno("incidents", "ack", worst["id"], "--actor", "Marta", workspace=copied)

    done = sereno("report", worst["id"], "--output", tmp_path / "r.html", "--lang", "es", workspace=copied)

    text = (tmp_path / "r.html").read_text("utf-8")
    began = datetime.fromisoformat(str(worst["started_at"])).astimezone(ZoneInfo("Europe/Madrid"))
    assert done.code == 0
    assert f"Del {began.day} {MONTHS[began.month - 1]} {began.year}" in text
    assert ("abierta" in text, "reconocida" in text) == (True, True)
    assert not re.search(r">(opened|acknowledged)<", text)


def test_every_end_of_a_notification_has_a_word() -> None:
    assert [one for one in STATUSES if not has(f"console.delivery.{one}")] == []
