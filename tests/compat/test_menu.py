"""The menu, driven through stdin as a person does."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import sereno
from sereno.compat.menu import run_menu
from sereno.compat.system import SistemaAlertasTiempoReal
from tests.compat.fleet import days_of, write_csv


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Types lines into the menu; returns its exit code and what it said."""

    def run(*lines: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        return run_menu(), capsys.readouterr().out

    return run


def test_option_1_asks_the_seven_fields_and_judges(beside: Path, type_in) -> None:
    code, said = type_in(
        "1", "01.01.2025", "40000", "400000,5", "28000", "12000", "372000,5", "NEUROCIENCIAS"
    )

    asked = ["Fecha (dd.MM.yyyy)", "Generación total", "Consumo total", "Autoconsumo", "Energía suministrada"]
    assert code == 0
    assert all(name in said for name in [*asked, "Energía obtenida", "Empresa", "ANOMALÍA"])


def test_option_2_writes_the_result_file(beside: Path, type_in) -> None:
    path = write_csv(beside / "datos.csv", days_of("PLANTA_02", 4))

    code, said = type_in("2", str(path), "PLANTA_02")

    assert (code, "resultados_alertas.csv" in said) == (0, True)
    assert len((beside / "resultados_alertas.csv").read_text("utf-8").splitlines()) == 5


def test_option_3_offers_the_defaults_of_the_guide(
    beside: Path, type_in, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []
    monkeypatch.setattr(
        SistemaAlertasTiempoReal, "monitorear_carpeta", lambda _, *given: called.append(given)
    )

    code, said = type_in("3", "", "", "")

    assert called == [(".", "datos_nuevos_*.csv", 60)]
    assert (code, "datos_nuevos_*.csv" in said, "60" in said) == (0, True, True)


def test_option_4_counts_seven_days_by_default_and_asks_again_after_nonsense(beside: Path, type_in) -> None:
    code, said = type_in("4", "muchos", "")

    assert (code, "Total alertas: 0" in said) == (0, True)


def test_option_5_runs_the_example_of_the_guide(beside: Path, type_in) -> None:
    code, said = type_in("5")

    assert (code, "Total alertas" in said) == (0, True)


@pytest.mark.parametrize(("lines", "code"), [(("9",), 2), ((), 0), (("1", "01.01.2025"), 0)])
def test_menu_ends_quietly_when_nobody_answers(beside: Path, type_in, lines: tuple, code: int) -> None:
    assert type_in(*lines)[0] == code


def test_bad_date_is_told_in_spanish(beside: Path, type_in) -> None:
    code, said = type_in("1", "ayer", "1", "1", "1", "0", "0", "A")

    assert (code, "fecha" in said.splitlines()[-1]) == (3, True)


def test_module_opens_the_menu_and_says_what_to_do_without_a_model(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sereno.compat"],
        input="4\n",
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(Path(sereno.__file__).parents[1])},
    )

    assert (done.returncode, done.stderr) == (5, "")
    assert "sereno train" in done.stdout
