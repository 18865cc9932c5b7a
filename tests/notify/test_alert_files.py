"""The two alert files: complete, bounded, recoverable."""

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sereno.notify.alert_files import MAX_HISTORY, AlertFiles, make_alert

NOW = datetime(2025, 1, 15, 10, 30, tzinfo=UTC)


def an_alert(number: int = 0, *, severity: str = "CRÍTICA") -> dict[str, object]:
    return make_alert(
        -0.6,
        severity,
        company=f"PLANTA_{number}",
        data_date="15.01.2025",
        energies={"Generación total": 1.0, "Consumo total": 2.0, "Autoconsumo": None},
        elapsed_ms=8.5,
        now=NOW,
    )


def _read(folder: Path, name: str) -> list[dict[str, object]]:
    return json.loads((folder / name).read_text("utf-8"))


def test_history_keeps_the_last_thousand_and_critical_keeps_all(tmp_path: Path) -> None:
    files = AlertFiles(tmp_path)

    for number in range(MAX_HISTORY + 20):
        files.add(an_alert(number))

    assert _read(tmp_path, "alertas_historial.json")[0]["empresa"] == "PLANTA_20"
    assert len(_read(tmp_path, "alertas_historial.json")) == MAX_HISTORY
    assert len(_read(tmp_path, "alertas_criticas.json")) == MAX_HISTORY + 20


def test_critical_file_takes_critical_alerts_only(tmp_path: Path) -> None:
    files = AlertFiles(tmp_path)

    files.add(an_alert(1, severity="ALTA"))
    files.add(an_alert(2))

    assert [a["empresa"] for a in _read(tmp_path, "alertas_criticas.json")] == ["PLANTA_2"]


@pytest.mark.parametrize("content", ["[]", "[\n]", json.dumps([{"empresa": "A"}], indent=2)])
def test_critical_file_of_the_earlier_system_goes_on(tmp_path: Path, content: str) -> None:
    (tmp_path / "alertas_criticas.json").write_text(content, "utf-8")

    AlertFiles(tmp_path).add(an_alert(7))

    assert _read(tmp_path, "alertas_criticas.json") == [*json.loads(content), an_alert(7)]


def test_critical_file_cut_by_a_crash_is_set_aside_and_its_whole_lines_kept(tmp_path: Path) -> None:
    files = AlertFiles(tmp_path)
    files.add(an_alert(1))
    path = tmp_path / "alertas_criticas.json"
    path.write_bytes(path.read_bytes().rstrip().removesuffix(b"]") + b',\n{"empre')

    files.add(an_alert(2))

    assert [a["empresa"] for a in _read(tmp_path, path.name)] == ["PLANTA_1", "PLANTA_2"]
    assert (tmp_path / "alertas_criticas.json.damaged").exists()


@pytest.mark.parametrize("content", [b"", b'{"a": 1}', b"[1, 2]", b"\xff\xfe", b"[{"])
def test_damaged_history_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "alertas_historial.json").write_bytes(content)
    files = AlertFiles(tmp_path)

    damaged = files.load()

    assert damaged == ["alertas_historial.json"]
    assert (tmp_path / "alertas_historial.json.damaged").read_bytes() == content


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    writers = [AlertFiles(tmp_path), AlertFiles(tmp_path)]

    def write(files: AlertFiles, first: int) -> None:
        for number in range(first, first + 40):
            files.add(an_alert(number))

    threads = [threading.Thread(target=write, args=(files, 100 * i)) for i, files in enumerate(writers * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    expected = {f"PLANTA_{100 * i + n}" for i in range(4) for n in range(40)}
    for name in ("alertas_historial.json", "alertas_criticas.json"):
        found = [a["empresa"] for a in _read(tmp_path, name)]
        assert (len(found), set(found)) == (160, expected)
