"""`sereno export` and `sereno corrections`: tables for other tools, and values that somebody knows better."""

import csv
from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare
from tests.support.builders import HOUR, a_roof, readings_of
from tests.support.processes import sereno

openpyxl = pytest.importorskip("openpyxl", reason="workbooks are read back with openpyxl: extra `bench`")

STRETCH = ("--from", "2024-01-02T00:00", "--to", "2024-01-03T00:00")
ADD = ("corrections", "add", "Nave", "generación", "--reason", "inversor nuevo", "--author", "Ana")


@pytest.fixture
def nave(tmp_path: Path) -> Path:
    """A workspace with ten days of hours of one roof, five of them absent."""
    workspace = declare(tmp_path / "w")
    with Workspace.open(workspace) as opened:
        roof = a_roof("Nave", rows=240, step=HOUR, zone="UTC", missing=[slice(30, 35)])
        opened.add(readings_of(roof), zone="UTC")
    return workspace


def _rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter, strict=True))


def test_export_says_what_it_wrote(nave: Path, tmp_path: Path) -> None:
    output = tmp_path / "preprocessed.csv"

    done = sereno(
        *("export", "preprocessed", "--output", output, "--impute", "interpolacion_temporal", "--json"),
        workspace=nave,
    )

    assert done.code == 0, done.err
    document = done.document
    assert set(document) == {"file", "profile", "rows", "assets", "columns", "values", "problems"}
    assert (document["rows"], document["assets"], document["profile"]) == (240, 1, "solar")
    assert document["values"]["generation"]["imputed"] == 5
    rows = _rows(output)
    assert list(rows[0]) == document["columns"]
    assert all(row["Generacion"] for row in rows)


def test_spanish_excel_gets_its_comma_and_its_mark(nave: Path, tmp_path: Path) -> None:
    sereno(
        *("export", "preprocessed", "--output", tmp_path / "a.csv", "--bom", "--decimal-comma"),
        workspace=nave,
    )

    assert (tmp_path / "a.csv").read_bytes().startswith(b"\xef\xbb\xbfcliente_id;Fecha;")
    assert "," in _rows(tmp_path / "a.csv", ";")[12]["Consumo"]


def test_workbook_is_written_where_the_name_says_so(nave: Path, tmp_path: Path) -> None:
    for command in (("export", "preprocessed"), ("incidents", "export")):
        output = tmp_path / f"{command[0]}.xlsx"
        done = sereno(*command, "--output", output, workspace=nave)

        assert done.code == 0, done.err
        assert openpyxl.load_workbook(output).active["A1"].value in {"cliente_id", "id"}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--impute", "zeros"),
        ("--outliers", "3sigma"),
        ("--outlier-treatment", "drop"),
        ("--normalize", "log"),
        ("--max-gap", "largo"),
    ],
)
def test_unknown_method_is_refused_with_those_there_are(
    nave: Path, tmp_path: Path, option: str, value: str
) -> None:
    done = sereno("export", "preprocessed", "--output", tmp_path / "a.csv", option, value, workspace=nave)

    assert done.code == 2
    assert option in done.err
    assert not (tmp_path / "a.csv").exists()


def test_folder_that_is_not_there_is_named(nave: Path, tmp_path: Path) -> None:
    done = sereno("export", "preprocessed", "--output", tmp_path / "no" / "a.csv", "--json", workspace=nave)

    assert (done.code, done.error["code"]) == (5, "system.refused")
    assert "a.csv" in done.error["message"]


def test_unknown_asset_is_named_in_both_languages(nave: Path, tmp_path: Path) -> None:
    for language, text in (("en", "Did you mean 'Nave'?"), ("es", "«Nave»")):
        done = sereno(
            *("export", "preprocessed", "--output", tmp_path / "a.csv", "--asset", "Nava"),
            *("--lang", language),
            workspace=nave,
        )
        assert done.code == 3
        assert text in done.err


def test_correction_is_added_listed_exported_and_taken_back(nave: Path, tmp_path: Path) -> None:
    added = sereno(*ADD, *STRETCH, "--factor", 2, "--json", workspace=nave)
    listed = sereno("corrections", "list", "--json", workspace=nave)

    assert added.code == 0, added.err
    assert added.document["values"] == 24 - 5
    assert listed.document == [{k: v for k, v in added.document.items() if k != "values"}]
    assert (listed.document[0]["author"], listed.document[0]["unit"]) == ("Ana", "kWh")

    output = tmp_path / "a.csv"
    exported = sereno("export", "preprocessed", "--output", output, "--corrected", "--json", workspace=nave)
    assert 0 < exported.document["values"]["generation"]["corrected"] <= 19

    undone = sereno("corrections", "undo", added.document["id"][:8], "--json", workspace=nave)
    assert undone.document["undone_at"] is not None
    assert sereno("corrections", "--json", workspace=nave).document == []
    assert len(sereno("corrections", "list", "--undone", "--json", workspace=nave).document) == 1


@pytest.mark.parametrize(
    "options",
    [
        (*STRETCH, "--offset", "-1.5"),
        (*STRETCH, "--missing"),
        ("--from", "2024-01-02", "--to", "2024-01-03", "--interpolate"),
        ("--at", "2024-01-02T12:00+00:00", "--value", "7"),
    ],
    ids=["offset", "missing", "interpolate", "value"],
)
def test_every_kind_can_be_said(nave: Path, options: tuple[str, ...]) -> None:
    done = sereno(*ADD, *options, "--lang", "es", workspace=nave)

    assert done.code == 0, done.err
    assert "sereno corrections undo" in done.out
    assert "inversor nuevo" in sereno("corrections", workspace=nave).out


@pytest.mark.parametrize(
    "options",
    [
        (*STRETCH,),
        (*STRETCH, "--factor", "2", "--missing"),
        (*STRETCH, "--value", "2"),
        ("--at", "2024-01-02", "--factor", "2"),
        ("--from", "2024-01-02", "--factor", "2"),
        ("--from", "ayer", "--to", "hoy", "--factor", "2"),
        ("--from", "2023-01-02", "--to", "2023-01-03", "--factor", "2"),
    ],
    ids=["no kind", "two kinds", "value of a stretch", "factor at", "no end", "no time", "no readings"],
)
def test_correction_without_sense_is_explained_in_spanish(nave: Path, options: tuple[str, ...]) -> None:
    done = sereno(*ADD, *options, "--lang", "es", "--json", workspace=nave)

    assert (done.code, done.error["code"]) == (2, "correction.invalid")
    sentence = done.error["message"]
    assert sentence.startswith("La corrección no se puede hacer: ")
    assert not any(word in sentence for word in (" say ", " needs ", " is not ", " there is "))


def test_score_writes_a_workbook_too(copied: Path, tmp_path: Path) -> None:
    file = next((copied.parent / "files").glob("*.csv"))

    done = sereno("score", file, "--output", tmp_path / "judged.xlsx", workspace=copied)

    assert done.code == 0, done.err
    sheet = openpyxl.load_workbook(tmp_path / "judged.xlsx").active
    assert [cell.value for cell in sheet[1]][:4] == ["site", "asset", "time", "is_abnormal"]
    assert sheet.max_row > 1000
