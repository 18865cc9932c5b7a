"""`sereno report`: what a name stands for is found out."""

from pathlib import Path

import pytest

from tests.support.processes import sereno


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
