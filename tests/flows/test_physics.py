"""Machines and gas clients from a file to an explained incident."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.builders import a_workspace

MOTOR = "assets: {'*': {phases: 3, voltage: line}}\n"
GAS = "assets: {'*': {pressure: gauge, volume: line, base_temperature_c: 0, altitude_m: 650}}\n"
BROKEN = range(200, 320)


def judged(
    folder: Path, settings: str, header: str, rows: np.ndarray, seconds: int
) -> list[dict[str, object]]:
    times = np.datetime64("2024-03-01T00:00:00") + np.arange(len(rows)) * np.timedelta64(seconds, "s")
    lines = [
        f"{str(t).replace('T', ' ')}," + ",".join(f"{x:.4f}" for x in row)
        for t, row in zip(times, rows, strict=True)
    ]
    file = folder / "datos.csv"
    file.write_text("\n".join([f"Fecha,{header}", *lines]), "utf-8")
    with a_workspace(folder, settings=settings) as workspace:
        (result,) = workspace.ingest(file, decimal=".")
        assert not result.is_refused, result.entry
        workspace.score()
        shown = [view.to_json(workspace.now()) for view in workspace.incidents()]
    return [one for one in shown if one["kind"] == "physics"]


def motor_rows() -> np.ndarray:
    rng = np.random.default_rng(3)
    amps, volts, factor = (
        50 + rng.normal(size=600),
        400 + rng.normal(size=(600, 3)) / 50,
        0.86 + 0.01 * rng.normal(size=600),
    )
    kw = np.sqrt(3) * amps * volts.mean(axis=1) * factor / 1000
    return np.column_stack((amps, volts, kw, 60 + rng.normal(size=600), factor))


MOTOR_HEADER = (
    "Corriente (A),U12 (V),U23 (V),U31 (V),Potencia activa (kW),Temperatura motor (°C),Factor de potencia"
)


def test_sound_motor_has_no_incident_of_physics(tmp_path: Path) -> None:
    assert judged(tmp_path, MOTOR, MOTOR_HEADER, motor_rows(), 60) == []


@pytest.mark.parametrize(
    ("column", "factor", "cause", "signal", "said"),
    [
        (4, 0.5, "physics.active_power", "active_power", "contradice su tensión y su corriente"),
        (2, 0.9, "physics.voltage_unbalance", "voltage_l2", "desequilibrio del 6,9"),
    ],
)
def test_broken_motor_is_an_explained_incident(
    tmp_path: Path, column: int, factor: float, cause: str, signal: str, said: str
) -> None:
    rows = motor_rows()
    rows[BROKEN, column] *= factor

    (found,) = judged(tmp_path, MOTOR, MOTOR_HEADER, rows, 60)

    assert (found["cause"], found["signals"][0]) == (cause, signal)  # type: ignore[index]
    assert said in str(found["sentence_es"])
    assert "?" not in str(found["sentence"]) + str(found["recommendation"])


def test_gas_client_whose_gauge_is_declared_absolute_is_told_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    gauge, celsius, volume = (
        4 + rng.normal(size=400) / 50,
        15 + rng.normal(size=400),
        300 + rng.normal(size=400),
    )
    base = volume * (gauge + 0.9377) / 1.01325 * 273.15 / (273.15 + celsius)
    rows = np.column_stack((gauge, celsius, volume, base))

    header = "Presión (bar),Temperatura (°C),Volumen (m³),Volumen convertido (m³)"
    settings = GAS.replace("gauge", "absolute")
    (found,) = judged(tmp_path, settings, header, rows, 3600)

    assert found["cause"] == "physics.pressure_kind"
    assert found["signals"] == ["pressure"]
    assert "pressure: gauge" in str(found["recommendation"])
    (tmp_path / "right").mkdir()
    assert judged(tmp_path / "right", GAS, header, rows, 3600) == []


def test_leak_is_an_explained_incident_with_its_price(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    hour = np.arange(24 * 60) % 24
    volume = np.where((hour >= 7) & (hour < 22), 20 * rng.uniform(0.5, 1.5, len(hour)), 0.0)
    volume[24 * 40 :] += 2.0
    rows = np.column_stack((4 + rng.normal(size=len(hour)) / 50, 15 + rng.normal(size=len(hour)), volume))

    header = "Presión (bar),Temperatura (°C),Volumen (m³)"
    settings = GAS + "tariff: {currency: EUR, prices: {m³: 0.5}}\n"
    (found,) = judged(tmp_path, settings, header, rows, 3600)

    assert (found["cause"], found["signals"]) == ("physics.night_flow", ["volume"])
    assert str(found["started_at"])[:10] in {"2024-04-09", "2024-04-10"}
    assert found["cost"] == pytest.approx(float(str(found["impact"])) * 0.5, abs=0.01)
    assert "stays at 2 m³ where 0 m³ was usual" in str(found["sentence"])
    assert "48 m³ cada día" in str(found["sentence_es"])
    assert "leaks" in str(found["recommendation"])
