"""Files of a world: what the field exports, and the truth apart."""

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sereno.domain.errors import UsageError
from sereno.domain.signals import AssetKey
from sereno.simulate import World, real_slice, simulate_world, write_world
from sereno.simulate.export import neutralised

START = datetime(2025, 6, 1, tzinfo=UTC)
SOLAR_HEADER = [
    "Fecha y hora",
    "Generación total",
    "Consumo total",
    "Autoconsumo",
    "Energía suministrada a la red",
    "Energía obtenida de la red",
]


def rows_of(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def a_world(profile: str, **options: object) -> World:
    asked = {"seed": 1, "start": START, "rows": 960, "assets": 2, **options}
    return simulate_world(profile, **asked)  # type: ignore[arg-type]


def test_solar_files_look_like_the_exporters(tmp_path: Path) -> None:
    world = a_world("solar", faults=())

    first, second, truth = write_world(world, tmp_path)

    rows = rows_of(first)
    assert first.name == "Cubierta Norte 01_01062025-21062025.csv"
    assert second.name.startswith("Cubierta Sur 02_")
    assert rows[0] == SOLAR_HEADER
    assert rows[1] == ["[dd.MM.yyyy HH:mm:ss]", "[Wh]", "[Wh]", "[Wh]", "[Wh]", "[Wh]"]
    assert rows[2][0] == "01.06.2025 02:00:00"
    assert len(rows) == 2 + 480
    assert truth == tmp_path / "truth" / "solar.csv"


def test_solar_energies_are_whole_wh_that_balance(tmp_path: Path) -> None:
    world = a_world("solar", faults=())

    path = write_world(world, tmp_path)[0]

    wh = np.array([row[1:] for row in rows_of(path)[2:]], dtype=np.float64)
    assert np.array_equal(wh, np.round(world.readings.of_asset(0).values * 1000))
    assert np.array_equal(wh[:, 0], wh[:, 2] + wh[:, 3])
    assert np.array_equal(wh[:, 1], wh[:, 2] + wh[:, 4])


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("profile", ["solar", "gas", "motor", "process", "load"])
def test_files_hold_every_reading(tmp_path: Path, profile: str, language: str) -> None:
    world = a_world(profile, zone="UTC")

    *paths, _ = write_world(world, tmp_path, language=language)

    n_header = 2 if profile == "solar" else 1
    rows = [row for path in paths for row in rows_of(path)[n_header:]]
    values = np.array([row[1:] for row in rows], dtype=np.float64)
    scale = 1000 if profile == "solar" else 1
    assert np.allclose(values, world.readings.values * scale, rtol=1e-9, atol=1e-6)
    form = "%d.%m.%Y %H:%M:%S" if language == "es" else "%Y-%m-%d %H:%M:%S"
    times = pl.Series([row[0] for row in rows]).str.to_datetime(form, time_unit="us")
    assert np.array_equal(times.to_numpy(), world.readings.time)


def test_truth_names_every_fault_in_utc(tmp_path: Path) -> None:
    world = a_world("gas", rows=4000)

    truth = rows_of(write_world(world, tmp_path)[-1])

    assert truth[0] == ["site", "asset", "fault", "kind", "signals", "start", "end"]
    assert len(truth) == 1 + len(world.faults)
    starts = [datetime.fromisoformat(row[5]) for row in truth[1:]]
    assert starts == [fault.started_at for fault in world.faults]
    assert all(row[6].endswith("Z") for row in truth[1:])


def test_site_names_are_harmless_in_paths_and_sheets(tmp_path: Path) -> None:
    world = a_world("load", rows=400, assets=1, faults=("spike",))
    evil = AssetKey("../=cmd|' /C calc'!A0", "=1+1")
    named = replace(
        world,
        readings=replace(world.readings, assets=(evil,)),
        faults=tuple(replace(fault, asset=evil) for fault in world.faults),
    )

    path, truth = write_world(named, tmp_path)

    assert path.parent == tmp_path
    assert not path.name.startswith(("=", "."))
    assert rows_of(truth)[1][1] == "'=1+1"


@pytest.mark.parametrize("text", ["=1+1", "+34", "-x", "@sum", "\tx", "\rx"])
def test_formula_is_neutralised(text: str) -> None:
    assert neutralised(text) == "'" + text
    assert neutralised("Zona 1") == "Zona 1"


def test_unknown_language_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        write_world(a_world("load"), tmp_path / "new", language="xx")

    assert not (tmp_path / "new").exists()


def test_same_world_is_written_the_same(tmp_path: Path) -> None:
    one, other = (write_world(a_world("motor"), tmp_path / name) for name in ("a", "b"))

    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_real_slice_is_hourly_and_balances() -> None:
    path, attribution = real_slice()
    rows = rows_of(path)
    wh = np.array([row[1:] for row in rows[2:]], dtype=np.float64)
    times = [datetime.strptime(row[0], "%d.%m.%Y %H:%M").replace(tzinfo=UTC) for row in rows[2:]]

    assert rows[0] == SOLAR_HEADER
    assert path.stat().st_size < 250_000
    assert len(times) == 120 * 24
    assert {b - a for a, b in pairwise(times)} == {timedelta(hours=1)}
    assert np.array_equal(wh[:, 0], wh[:, 2] + wh[:, 3])
    assert np.array_equal(wh[:, 1], wh[:, 2] + wh[:, 4])
    assert "MIT" in attribution
    assert "MIT License" in (path.parent / "NOTICE.md").read_text(encoding="utf-8")
