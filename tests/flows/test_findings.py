"""`check` says what is abnormal in the values of a file, by asset and period, without a store."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sereno.domain.readings import Window
from sereno.flows.build import FileHints, open_setup, read_options
from sereno.flows.ingest import check_file
from sereno.flows.workspace import Workspace
from tests.support.builders import HOUR, NOW, a_roof

HEADERS = (
    "Generación (kWh)",
    "Consumo (kWh)",
    "Autoconsumo (kWh)",
    "Energía vertida (kWh)",
    "Energía importada (kWh)",
)


def a_file(
    path: Path, sites: Mapping[str, np.ndarray], stamps: Sequence[str], headers: Sequence[str]
) -> Path:
    """Rows sorted by instant, the sites of each instant together."""
    lines = [";".join(["Fecha", "Empresa", *headers])]
    for row, stamp in enumerate(stamps):
        lines += [
            ";".join([stamp, site, *(f"{value:.3f}" for value in block[row])])
            for site, block in sites.items()
            if not np.isnan(block[row]).all()
        ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def stamps_of(window: Window) -> list[str]:
    return [str(at)[:16].replace("T", " ") for at in window.time]


def found_in(path: Path, *, batch_rows: int | None = None) -> dict[str, list[dict[str, object]]]:
    setup = open_setup(path.parent, clock=lambda: NOW, language="en")
    options = read_options(setup, FileHints(timezone="UTC"))
    if batch_rows is not None:
        options = type(options)(**{**_fields(options), "batch_rows": batch_rows})
    issues: list[dict[str, object]] = check_file(path, setup, options).entry["issues"]  # type: ignore[assignment]
    found: dict[str, list[dict[str, object]]] = {}
    for issue in issues:
        found.setdefault(str(issue["code"]), []).append(issue)
    return found


def _fields(options: object) -> dict[str, object]:
    return {name: getattr(options, name) for name in options.__slots__}  # type: ignore[attr-defined]


def test_each_abnormality_is_named_with_its_asset_and_its_period(tmp_path: Path) -> None:
    roof = a_roof(rows=720, step=HOUR, zone="UTC")
    sound, hurt = roof.values, roof.values.copy()
    hurt[300:348] *= 1000
    hurt[400:403, 3] += 5.0
    hurt[500:520] = np.nan
    path = a_file(tmp_path / "plantas.csv", {"Norte": sound, "Sur": hurt}, stamps_of(roof), HEADERS)

    found = found_in(path)

    for code in ("quality.unit_change", "physics.generation_balance", "quality.missing"):
        (issue,) = found[code]
        assert str(issue["where"]).startswith("Sur: ")
        assert issue["count"] == 1
        assert "Sur" in str(issue["message"])
    assert found["quality.missing"][0]["where"] == "Sur: 21 Jan 2024 20:00 - 22 Jan 2024 16:00"


def test_sound_file_is_fine(tmp_path: Path) -> None:
    roof = a_roof(rows=720, step=HOUR, zone="UTC")
    path = a_file(tmp_path / "planta.csv", {"Norte": roof.values}, stamps_of(roof), HEADERS)

    assert found_in(path) == {}


def test_batches_do_not_change_what_is_found(tmp_path: Path) -> None:
    roof = a_roof(rows=720, step=HOUR, zone="UTC")
    hurt = roof.values.copy()
    hurt[300:348] *= 1000
    hurt[400:403, 3] += 5.0
    path = a_file(tmp_path / "plantas.csv", {"Norte": hurt, "Sur": roof.values}, stamps_of(roof), HEADERS)

    assert found_in(path, batch_rows=97) == found_in(path)


def test_future_stamps_are_not_among_the_findings(tmp_path: Path) -> None:
    roof = a_roof(rows=240, step=HOUR, zone="UTC")
    stamps = stamps_of(roof)
    stamps[-10:] = [f"2099{stamp[4:]}" for stamp in stamps[-10:]]

    found = found_in(a_file(tmp_path / "planta.csv", {"Norte": roof.values}, stamps, HEADERS))

    assert set(found) == {"quality.future"}


def test_registers_of_several_meters_are_followed_one_by_one(tmp_path: Path) -> None:
    amounts = np.random.default_rng(0).gamma(2, 0.5, (400, 1))
    over = (99_900 + np.cumsum(amounts, axis=0)) % 1e5
    replaced = 4_000 + np.cumsum(amounts, axis=0)
    replaced[250:] -= replaced[250]
    roof = a_roof(rows=400, step=HOUR, zone="UTC")
    sites = {"Uno": over, "Dos": replaced}

    found = found_in(a_file(tmp_path / "gas.csv", sites, stamps_of(roof), ["Lectura (m³)"]))

    assert [str(one["where"])[:3] for one in found["quality.register_rollover"]] == ["Uno"]
    assert [str(one["where"])[:3] for one in found["quality.register_reset"]] == ["Dos"]
    assert found.keys() <= {"quality.register_rollover", "quality.register_reset", "read.missing_columns"}


def test_register_file_is_trained_and_judged_by_its_differences(tmp_path: Path) -> None:
    rows = 24 * 60
    roof = a_roof(rows=rows, step=HOUR, zone="UTC")
    hour = np.arange(rows) % 24
    amounts = np.where((hour > 7) & (hour < 19), 4.0, 1.0)[:, None]
    amounts = amounts * np.random.default_rng(0).lognormal(0, 0.1, (rows, 1))
    amounts[1300:1340] *= 3.0
    readings = (98_500 + np.cumsum(amounts, axis=0)) % 1e5
    path = a_file(tmp_path / "contador.csv", {"Norte": readings}, stamps_of(roof), ["Lectura (kWh)"])

    with Workspace.open(tmp_path / "ws", clock=lambda: NOW) as workspace:
        list(workspace.ingest(path, timezone="UTC"))
        workspace.train()
        workspace.score()
        incidents = workspace.incidents()

    told = {(one.incident.worst.cause, one.incident.worst.signals) for one in incidents}
    assert ("quality.register_rollover", ("energy",)) in told
    assert ("behaviour.high", ("energy",)) in told
    assert not any("register" in signal for _, signals in told for signal in signals)
