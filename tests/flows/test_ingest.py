"""Files into the store: once in effect, in any order, broken ones by themselves."""

from pathlib import Path

import pytest

from sereno.domain.errors import FileMissing, NoFiles
from sereno.ingest import content_sha256
from tests.flows.reading_back import stored_detections, stored_readings, told_incidents
from tests.ingest.sheets import gas_sheet, write_xlsx
from tests.support.builders import a_roof, a_workspace, with_cells, write_solar_csv


def _files(folder: Path) -> list[Path]:
    """Three roofs, a file per quarter, with a gap, a dead stretch and a broken balance."""
    roofs = [
        a_roof("Planta 1", rows=120, missing=[slice(40, 44)]),
        a_roof("Planta 2", rows=120, generation={(70, 80): 0.0}),
        with_cells(a_roof("Planta 3", rows=120), slice(50, 53), "consumption", 99.0),
    ]
    return [write_solar_csv(folder, roof.rows(i, i + 30)) for roof in roofs for i in range(0, 120, 30)]


def test_ingesting_twice_equals_once(tmp_path: Path) -> None:
    files = _files(tmp_path / "in")
    workspace = a_workspace(tmp_path / "w")
    first = list(workspace.ingest(*files))
    before = stored_readings(workspace)

    again = list(workspace.ingest(*files))

    assert all(result.is_known and result.entry["readings_new"] == 0 for result in again)
    assert sum(int(str(result.entry["readings_new"])) for result in first) == 3 * 120 * 5 - 4 * 5
    assert stored_readings(workspace) == before


def test_same_content_under_another_name_changes_nothing(tmp_path: Path) -> None:
    file = write_solar_csv(tmp_path / "in", a_roof(rows=30))
    workspace = a_workspace(tmp_path / "w")
    list(workspace.ingest(file))
    before = stored_readings(workspace)

    copy = file.rename(file.with_name("copia.csv"))
    result = workspace.ingest(copy)[0]

    assert result.is_known
    assert stored_readings(workspace) == before


@pytest.mark.parametrize("order", [slice(None, None, -1), slice(None, None, 5)], ids=["backwards", "mixed"])
def test_order_of_files_does_not_matter(tmp_path: Path, order: slice) -> None:
    files = _files(tmp_path / "in")
    shuffled = files[order] + [file for file in files if file not in files[order]]
    straight, other = a_workspace(tmp_path / "a"), a_workspace(tmp_path / "b")

    for workspace, paths in ((straight, files), (other, shuffled)):
        list(workspace.ingest(*paths))
        workspace.train()
        workspace.score()

    assert stored_readings(other) == stored_readings(straight)
    assert stored_detections(other) == stored_detections(straight)
    assert told_incidents(other) == told_incidents(straight)
    assert len(told_incidents(straight)) >= 3


def test_files_that_overlap_store_each_day_once(tmp_path: Path) -> None:
    roof = a_roof(rows=60)
    files = [write_solar_csv(tmp_path, roof.rows(0, 31)), write_solar_csv(tmp_path, roof.rows(30, 60))]
    workspace = a_workspace(tmp_path / "w")

    list(workspace.ingest(*files))

    assert [len(rows) for rows in stored_readings(workspace).values()] == [60]


def test_broken_file_does_not_stop_the_others(tmp_path: Path) -> None:
    good = write_solar_csv(tmp_path / "in", a_roof(rows=30))
    (tmp_path / "in" / "0_vacio.csv").write_text("", "utf-8")
    (tmp_path / "in" / "zz_raro.csv").write_text("uno,dos\na,b\n", "utf-8")
    workspace = a_workspace(tmp_path / "w")

    results = {Path(str(r.entry["file"])).name: r for r in workspace.ingest(tmp_path / "in")}

    assert {name: r.is_refused for name, r in results.items()} == {
        "0_vacio.csv": True,
        good.name: False,
        "zz_raro.csv": True,
    }
    assert results["0_vacio.csv"].entry["verdict"] == "refused"
    assert [len(rows) for rows in stored_readings(workspace).values()] == [30]


def test_missing_path_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w")
    file = write_solar_csv(tmp_path / "in", a_roof(rows=30))

    with pytest.raises(FileMissing):
        list(workspace.ingest(file, tmp_path / "no_esta.csv"))

    assert stored_readings(workspace) == {}


@pytest.mark.parametrize(("others", "said"), [((), "it is empty"), (("foto.jpg", "plano.pdf"), "2 others")])
def test_folder_without_data_is_said(tmp_path: Path, others: tuple[str, ...], said: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in others:
        (folder / name).write_bytes(b"x")

    with pytest.raises(NoFiles, match=rf"in' holds no file that sereno reads \({said}\)\. It reads \.csv"):
        a_workspace(tmp_path / "w").ingest(folder)


def test_checking_stores_nothing(tmp_path: Path) -> None:
    file = write_solar_csv(tmp_path / "in", a_roof(rows=30))
    workspace = a_workspace(tmp_path / "w")

    results = workspace.check(file)

    assert results[0].entry["totals"]["records_good"] == 30
    assert stored_readings(workspace) == {}


def test_labels_of_simulated_worlds_are_not_readings(tmp_path: Path) -> None:
    write_solar_csv(tmp_path / "in", a_roof(rows=30))
    write_solar_csv(tmp_path / "in" / "truth", a_roof("Otra", rows=30))
    workspace = a_workspace(tmp_path / "w")

    assert len(list(workspace.ingest(tmp_path / "in"))) == 1


def test_files_judged_as_they_come_equal_one_score(tmp_path: Path) -> None:
    files = _files(tmp_path / "in")
    whole, streamed = a_workspace(tmp_path / "a"), a_workspace(tmp_path / "b")

    list(whole.ingest(*files))
    whole.score()
    list(streamed.ingest(*files, judge=True))

    assert stored_detections(streamed) == stored_detections(whole)
    assert told_incidents(streamed) == told_incidents(whole)


def test_zone_of_naive_times_is_kept_in_the_settings(tmp_path: Path) -> None:
    file = write_solar_csv(tmp_path / "in", a_roof(rows=30))
    folder = tmp_path / "w"
    folder.mkdir()
    (folder / "sereno.yaml").write_text("budget: 0.5\n", "utf-8")
    workspace = a_workspace(folder)

    list(workspace.ingest(file, timezone="America/Santiago"))

    assert workspace.settings.timezone == "America/Santiago"
    assert "budget: 0.5" in (folder / "sereno.yaml").read_text("utf-8")


def test_file_without_units_is_refused_when_the_stored_readings_contradict(tmp_path: Path) -> None:
    file = write_solar_csv(tmp_path / "in", a_roof(rows=30))
    header, _, *rows = file.read_text("utf-8").splitlines()
    (tmp_path / "bare").mkdir()
    bare = tmp_path / "bare" / file.name
    bare.write_text("\n".join([header, *rows, ""]), "utf-8")
    workspace = a_workspace(tmp_path / "w")
    workspace.ingest(file)
    before = stored_readings(workspace)

    result = workspace.ingest(bare)[0]

    assert result.is_refused
    assert [issue["code"] for issue in result.entry["issues"]] == ["read.ambiguous"]
    assert stored_readings(workspace) == before


def test_a_workbook_is_one_file_of_the_ledger_whose_sheets_keep_their_own_rows(tmp_path: Path) -> None:
    sheets = {name: [*gas_sheet(24, level=level), ["TOTAL", 1.0]] for name, level in (("M1", 16), ("M2", 3))}
    file = write_xlsx(tmp_path / "libro.xlsx", sheets)
    workspace = a_workspace(tmp_path / "w")

    first = workspace.ingest(file)[0]
    again = workspace.ingest(file)[0]

    assert first.entry["totals"]["records_good"] == 48  # type: ignore[index]
    assert (first.entry["readings_new"], again.entry["readings_new"]) == (2 * 24 * 3, 0)
    with workspace.store.read() as tx:
        kept = tx.quarantine(content_sha256(file))
    assert [row.reason for row in kept] == ["read.total_row"] * 2
    assert [row.text.split("\t")[0] for row in kept] == [
        "libro.xlsx » M1 » 26: TOTAL",
        "libro.xlsx » M2 » 26: TOTAL",
    ]


def test_a_corrupt_workbook_stores_nothing_and_the_next_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = write_xlsx(tmp_path / "in" / "a.xlsx", {"M1": gas_sheet(24)})
    cut = file.with_name("b.xlsx")
    cut.write_bytes(file.read_bytes()[:3000])
    workspace = a_workspace(tmp_path / "w")

    results = list(workspace.ingest(cut, file))

    assert [result.is_refused for result in results] == [True, False]
    assert results[0].entry["issues"][0]["code"] == "read.corrupt"  # type: ignore[index]
