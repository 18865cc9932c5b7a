"""Balances that a workspace declares: validated, judged as `physics.<name>`, named in both languages."""

from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.domain.signals import Identity
from sereno.flows.build import open_setup
from sereno.flows.workspace import Workspace
from tests.support.builders import a_workspace

WATER = """
identities:
  process:
    water: {total: Entrada, parts: [Línea A, Línea B, Retorno], factors: {Retorno: -1}, tolerance: 0.05}
    line_b: {total: Línea B, parts: [B1, B2]}
"""
ROWS = 48
BROKEN = range(20, 30)


def write_plant(folder: Path, *, reads_high: str = "", header: str = "") -> Path:
    """A line that splits in two with a return; one of its meters reads a quarter too much for ten hours."""
    names = header or "Entrada;Línea A;Línea B;Retorno;B1;B2"
    lines = [f"Fecha;{names}"]
    for row in range(ROWS):
        a, b1, b2, back = 60 + row % 5 / 3, 20 + row % 7 / 5, 11 + row % 3 / 4, 5 + row % 4 / 8
        cells = {"Entrada": a + b1 + b2 - back, "Línea A": a, "Línea B": b1 + b2}
        cells |= {"Retorno": back, "B1": b1, "B2": b2}
        if row in BROKEN and reads_high:
            cells[reads_high] *= 1.25
        lines.append(
            f"2024-03-{1 + row // 24:02d} {row % 24:02d}:00;" + ";".join(f"{x:.4f}" for x in cells.values())
        )
    path = folder / "planta.csv"
    path.write_text("\n".join(lines).replace(".", ","), "utf-8")
    return path


def judged(folder: Path, reads_high: str = "") -> list[dict[str, object]]:
    with a_workspace(folder, settings=WATER) as workspace:
        workspace.ingest(write_plant(folder, reads_high=reads_high), profile="process")
        workspace.score()
        shown = [view.to_json(workspace.now()) for view in workspace.incidents()]
    return [one for one in shown if one["kind"] == "physics"]


def test_declared_balance_that_closes_says_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path) == []


def test_broken_balance_is_an_incident_of_its_name(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "Entrada")

    assert found["cause"] == "physics.water"
    assert found["signals"][0] == "Entrada"  # type: ignore[index]
    assert found["observed"] == pytest.approx(1.25 * float(str(found["expected"])), rel=1e-3)
    assert "The balance 'water' of" in str(found["sentence"])
    assert "El balance «water» de" in str(found["sentence_es"])


def test_meter_of_two_balances_is_blamed_where_both_miss_the_same(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "Línea B")

    assert found["cause"] in {"physics.water", "physics.line_b"}
    assert found["signals"][0] == "Línea B"  # type: ignore[index]


def test_meter_of_two_balances_is_cleared_where_the_other_closes(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "B1")

    assert found["cause"] == "physics.line_b"
    assert found["signals"][-1] == "Línea B"  # type: ignore[index]


def test_factor_is_part_of_the_balance(tmp_path: Path) -> None:
    (found,) = judged(tmp_path, "Línea A")

    assert found["cause"] == "physics.water"


def test_file_that_calls_a_signal_otherwise_is_told_the_nearest_name(tmp_path: Path) -> None:
    with a_workspace(tmp_path, settings=WATER) as workspace:
        file = write_plant(tmp_path, header="Entrada;Línea A;Linea B;Retorno;B1;B2")
        (result,) = workspace.check(file, profile="process")

    issues = {one["where"]: one["message"] for one in result.entry["issues"]}  # type: ignore[attr-defined]
    assert set(issues) == {"planta.csv: water", "planta.csv: line_b"}
    assert "'Línea B' → 'Linea B'" in issues["planta.csv: water"]


def test_declared_balance_replaces_that_of_the_profile(tmp_path: Path) -> None:
    block = "  solar:\n    generation_balance: {total: generation, parts: [export], tolerance: 0.1}\n"
    (tmp_path / "sereno.yaml").write_text(f"identities:\n{block}", "utf-8")

    own, other = open_setup(tmp_path).profiles["solar"].identities

    assert own == Identity(
        "generation_balance", "generation", ("export",), factors=(1.0,), tolerance=0.1, resolution=0.001
    )
    assert other.name == "consumption_balance"


@pytest.mark.parametrize(
    ("lines", "line", "shown"),
    [
        (["solr: {a: {total: x, parts: [y]}}"], 2, "Did you mean 'solar'?"),
        (["solar: {a: {total: generacion, parts: [export]}}"], 2, "Did you mean 'generation'?"),
        (["solar:", "  a:", "    total: generation", "    part: [export]"], 5, "Did you mean 'parts'?"),
        (["solar:", "  a:", "    total: export", "    parts: [export]"], 4, "stands twice"),
        (["process:", "  Agua: {total: x, parts: [y]}"], 3, "'Agua' is not a name"),
        (["process:", "  a: {total: x, parts: [why], factors: {wy: 2}}"], 3, "Did you mean 'why'?"),
        (["process:", "  a: {total: x, parts: [y], tolerance: 0}"], 3, "greater than 0"),
    ],
)
def test_wrong_balance_is_refused_with_its_line(
    tmp_path: Path, lines: list[str], line: int, shown: str
) -> None:
    (tmp_path / "sereno.yaml").write_text("identities:\n" + "".join(f"  {one}\n" for one in lines), "utf-8")

    with pytest.raises(SettingsError) as refused:
        Workspace.open(tmp_path)

    assert f"sereno.yaml:{line}" in str(refused.value)
    assert shown in str(refused.value)
