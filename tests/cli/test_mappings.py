"""Saving, using and editing how a file is read, through the command line."""

from pathlib import Path

import pytest

from tests.ingest.builders import hours, write
from tests.support.processes import sereno


def _file(folder: Path, name: str = "datos.csv", header: str = "Fecha;Consumo (kWh);Notas") -> Path:
    return write(folder, "\n".join([header, *(f"{t};{i},5;x" for i, t in enumerate(hours(8)))]), name=name)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A workspace with settings of a person and a mapping that `check` saved."""
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "sereno.yaml").write_text(
        "# nuestra planta\ntimezone: Europe/Madrid  # la de Madrid\n", "utf-8"
    )
    done = sereno(
        "check", _file(tmp_path), "--profile", "load", "--save-mapping", "planta", workspace=workspace
    )
    assert (done.code, "planta" in done.err) == (0, True)
    return workspace


def test_saved_mapping_reads_the_next_file_of_the_shape(saved: Path, tmp_path: Path) -> None:
    entry = sereno("check", _file(tmp_path, "otro.csv"), "--json", workspace=saved).document["files"][0]

    text = (saved / "sereno.yaml").read_text("utf-8")
    assert text.startswith(
        "# nuestra planta\ntimezone: Europe/Madrid  # la de Madrid\nmappings:\n  planta:\n"
    )
    assert entry["tables"][0]["mapping"] == "planta"
    assert entry["tables"][0]["columns"][1] == {
        "source": "Consumo (kWh)",
        "signal": "energy",
        "unit": "kWh",
        "reason": "mapping 'planta' says so; unit kWh as written; "
        "decimal sign ',', the only one that fits 8 cells",
    }


def test_edited_mapping_wins_is_stored_and_said(saved: Path, tmp_path: Path) -> None:
    path = saved / "sereno.yaml"
    path.write_text(path.read_text("utf-8").replace("unit: kWh", "unit: Wh"), "utf-8")

    entry = sereno("ingest", _file(tmp_path, "otro.csv"), "--json", workspace=saved).document["files"][0]

    issues = {issue["code"]: issue["message"] for issue in entry["issues"]}
    assert entry["readings_new"] == 8
    assert "kWh → Wh" in issues["read.mapping_overrules"]
    assert "converted to kWh (× 0.001)" in entry["tables"][0]["columns"][1]["reason"]


def test_mapping_is_not_overwritten_and_needs_one_file(saved: Path, tmp_path: Path) -> None:
    before = (saved / "sereno.yaml").read_bytes()

    again = sereno("check", _file(tmp_path), "--save-mapping", "planta", workspace=saved)
    both = sereno("check", _file(tmp_path), _file(tmp_path, "b.csv"), "--save-mapping", "x", workspace=saved)

    assert (again.code, both.code) == (2, 2)
    assert (saved / "sereno.yaml").read_bytes() == before


def test_mapping_that_does_not_fit_is_refused_with_what_differs(saved: Path, tmp_path: Path) -> None:
    file = _file(tmp_path, "otro.csv", "Fecha;Gasto (kWh);Notas")

    done = sereno("check", file, "--mapping", "planta", "--json", "--lang", "es", workspace=saved)

    (issue,) = done.document["files"][0]["issues"]
    assert (done.code, issue["code"]) == (3, "read.mapping_misfit")
    assert "Consumo (kWh)" in issue["message"]
    assert "no encaja" in issue["message"]


def test_unknown_key_of_a_mapping_is_refused_with_its_line(saved: Path, tmp_path: Path) -> None:
    path = saved / "sereno.yaml"
    path.write_text(path.read_text("utf-8").replace("decimal:", "decimals:"), "utf-8")

    done = sereno("check", _file(tmp_path), "--json", workspace=saved)

    line = path.read_text("utf-8").splitlines().index("    decimals: ','") + 1
    assert done.code == 4
    assert f"sereno.yaml:{line}" in done.error["message"]
    assert "'decimal'" in done.error["message"]


def test_reasons_are_printed_for_people(tmp_path: Path) -> None:
    done = sereno("check", _file(tmp_path), "--profile", "load", "--lang", "es", workspace=tmp_path / "w")

    assert "Consumo (kWh) → energy [kWh] (su nombre es uno de los de energy en el perfil load;" in done.out
    assert "Notas → – (su nombre no significa nada para el perfil load)" in done.out
