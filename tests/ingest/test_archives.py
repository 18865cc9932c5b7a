"""ZIP, gzip and Parquet: what is in them is read like files of their own, within limits."""

import dataclasses
import datetime as dt
import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sereno.domain.errors import CorruptFile, DataError, EmptyFile, FileTooLarge, UnsupportedFormat
from sereno.ingest import inspect_file
from tests.ingest.builders import MADRID, UTC, codes, joined, profiles, read, solar_lines, solar_text, write
from tests.ingest.sheets import GAS_HEADER, gas_rows, gas_sheet, write_xlsx

SAMPLES = os.environ.get("SERENO_DATA")
JANUARY = dt.datetime.fromisoformat("2024-01-01")


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_parquet(path: Path, *, zone: str | None = None, count: int = 48) -> tuple[Path, pl.DataFrame]:
    rows = gas_rows(count, level=16.123)
    frame = pl.DataFrame(rows, schema=list(GAS_HEADER), orient="row")
    if zone:
        frame = frame.with_columns(pl.col("Fecha").dt.replace_time_zone(zone))
    frame.write_parquet(path)
    return path, frame


def gas_text(count: int, *, start: str = "2024-01-01T00") -> bytes:
    rows = gas_rows(count, start=start)
    lines = [f"{row[0]:%Y-%m-%d %H:%M};{row[1]:.6f};{row[2]:.6f};{row[3]:.6f}" for row in rows]
    return "\n".join([";".join(GAS_HEADER), *lines, ""]).encode()


def test_files_of_an_archive_are_read_in_their_order_and_others_are_named(tmp_path):
    book = write_xlsx(tmp_path / "m.xlsx", {"CLIENTE7": gas_sheet(5)})
    path = write_zip(
        tmp_path / "PLANTA_9.zip",
        {
            "2024/CALDERA_01012024.csv": gas_text(24),
            "2024/HORNO.csv.gz": gzip.compress(gas_text(12)),
            "libro.xlsx": book.read_bytes(),
            "2024-02.csv": gas_text(7, start="2024-02-01T00"),
            "LEEME.pdf": b"%PDF",
            "__MACOSX/._x.csv": b"junk",
        },
    )  # fmt: skip
    plan, report, batches = read(path, UTC)
    assert report.totals.records_good == 48
    assert [a.asset for b in batches for a in b.readings.assets] == [
        "CALDERA",
        "HORNO",
        "CLIENTE7",
        "PLANTA_9",
    ]
    assert [(t.name, t.layout) for t in plan.tables] == [
        ("PLANTA_9.zip » 2024/CALDERA_01012024.csv", "table"),
        ("PLANTA_9.zip » 2024/HORNO.csv.gz", "table"),
        ("PLANTA_9.zip » libro.xlsx » CLIENTE7", "table"),
        ("PLANTA_9.zip » 2024-02.csv", "table"),
        ("PLANTA_9.zip » LEEME.pdf", "other"),
    ]


def test_a_bad_member_is_reported_and_the_others_are_read(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.csv", gas_text(3))
    files = {
        "a.csv": gas_text(9),
        "b.csv": b"",
        "c.xlsx": b"PK\x03\x04 nothing",
        "d.zip": inner.getvalue(),
        "e.csv.gz": gzip.compress(gas_text(99))[:300],
    }
    _, report, _ = read(write_zip(tmp_path / "z.zip", files), UTC)
    assert report.totals.records_good == 9
    assert {(i.code, i.where) for i in report.issues} == {
        ("read.empty", "z.zip » b.csv"),
        ("read.corrupt", "z.zip » c.xlsx"),
        ("read.unsupported", "z.zip » d.zip"),
        ("read.truncated", "z.zip » e.csv.gz"),
    }
    assert all(str(i.facts["file"]) == i.where for i in report.issues)
    del files["a.csv"]
    with pytest.raises(DataError) as caught:
        read(write_zip(tmp_path / "y.zip", files), UTC)
    assert str(caught.value.facts["file"]).startswith("y.zip » ")


def test_names_of_members_are_never_paths(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    files = {"../../fuera.csv": gas_text(3), "/etc/otro.csv": gas_text(3), "..\\x.csv": gas_text(3)}
    _, report, batches = read(write_zip(folder / "z.zip", files), UTC)
    assert report.totals.records_good == 9
    assert {a.asset for b in batches for a in b.readings.assets} == {"fuera", "otro", "x"}
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["in", "z.zip"]


def test_limits_of_an_archive(tmp_path):
    bomb = write_zip(tmp_path / "bomba.zip", {f"{i}.csv": b"0" * 3_000_000 for i in range(3)})
    with pytest.raises(FileTooLarge):
        inspect_file(bomb, profiles(), dataclasses.replace(MADRID, max_expanded_bytes=5_000_000))
    with pytest.raises(EmptyFile):
        inspect_file(write_zip(tmp_path / "v.zip", {}), profiles(), MADRID)
    with pytest.raises(EmptyFile):
        inspect_file(write_zip(tmp_path / "w.zip", {"a.pdf": b"x"}), profiles(), MADRID)
    cut = tmp_path / "c.zip"
    cut.write_bytes(bomb.read_bytes()[:2000])
    with pytest.raises(CorruptFile):
        inspect_file(cut, profiles(), MADRID)


def test_an_archive_in_a_compressed_file_is_refused_and_a_workbook_is_read(tmp_path):
    archive = write_zip(tmp_path / "z.zip", {"a.csv": gas_text(3)})
    packed = tmp_path / "z.zip.gz"
    packed.write_bytes(gzip.compress(archive.read_bytes()))
    with pytest.raises(UnsupportedFormat):
        inspect_file(packed, profiles(), UTC)
    book = write_xlsx(tmp_path / "m.xlsx", {"M1": gas_sheet(24)})
    packed = tmp_path / "m.xlsx.gz"
    packed.write_bytes(gzip.compress(book.read_bytes()))
    _, report, batches = read(packed, UTC)
    assert report.totals.records_good == 24
    assert batches[0].readings.assets[0].asset == "M1"


@pytest.mark.parametrize("zone", [None, "America/Lima"])
@pytest.mark.parametrize("suffix", ["parquet", "parquet.gz"])
def test_parquet_columns_come_exactly(tmp_path, zone, suffix):
    path, frame = write_parquet(tmp_path / "CALDERA.parquet", zone=zone)
    if suffix.endswith("gz"):
        path = tmp_path / "CALDERA.parquet.gz"
        path.write_bytes(gzip.compress((tmp_path / "CALDERA.parquet").read_bytes()))
    plan, report, batches = read(path, UTC)
    readings = batches[0].readings
    utc = frame["Fecha"].dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else frame["Fecha"]
    assert readings.time.tolist() == utc.to_list()
    assert readings.values.tolist() == [list(row[1:]) for row in frame.rows()]
    assert [a.asset for a in readings.assets] == ["CALDERA"]
    assert (plan.tables[0].name, plan.tables[0].encoding) == (path.name, "parquet")
    assert report.verdict == "ok"


def test_parquet_with_three_decimals_text_and_lists(tmp_path):
    frame = pl.DataFrame(
        {
            "Fecha": [dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(30)],
            "Presion": [16.123 + i for i in range(30)],
            "Volumen": [1000 + i for i in range(30)],
            "Client_ID": ['A "uno"', "B\tdos", None] * 10,
            "lista": [[1, 2]] * 30,
        }
    )
    path = tmp_path / "x.parquet"
    frame.write_parquet(path)
    _, report, batches = read(path, UTC)
    assert report.totals.records_good == 30
    assert {a.asset for a in batches[0].readings.assets} == {'A "uno"', "B dos", "x"}
    assert sorted(batches[0].readings.values[:, 0]) == frame["Presion"].to_list()


def test_a_damaged_parquet_file_is_corrupt(tmp_path):
    path, _ = write_parquet(tmp_path / "x.parquet", count=5000)
    data = path.read_bytes()
    for name, damaged in {
        "cut.parquet": data[: len(data) // 2],
        "magic.parquet": b"PAR1" + b"x" * 100,
        "footer.parquet": data[:-400] + b"\xff" * 392 + data[-8:],
    }.items():
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(CorruptFile) as caught:
            inspect_file(tmp_path / name, profiles(), UTC)
        assert caught.value.facts["file"] == name


def test_no_damage_of_a_parquet_file_is_a_fault_of_ours(tmp_path):
    path, _ = write_parquet(tmp_path / "x.parquet", count=500)
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    random = np.random.default_rng(5)
    n_refused = 0
    for _ in range(60):
        damaged = whole.copy()
        start = int(random.integers(4, len(whole) - 8))
        damaged[start : start + 40] = random.integers(0, 256, len(damaged[start : start + 40]))
        path.write_bytes(damaged.tobytes())
        try:
            read(path, UTC)
        except DataError:
            n_refused += 1
    assert n_refused


def test_a_zipped_file_gives_what_the_file_gives(tmp_path):
    text = solar_text(solar_lines(50))
    plain = write(tmp_path, text, name="PLANTA_4.csv")
    zipped = write_zip(tmp_path / "todo.zip", {"PLANTA_4.csv": text.encode()})
    _, one, first = read(plain)
    _, other, second = read(zipped)
    assert joined(first) == joined(second)
    assert (one.totals, codes(one)) == (other.totals, codes(other))


@pytest.mark.skipif(not SAMPLES, reason="SERENO_DATA names no folder with real files")
def test_hourly_parquet_of_a_gas_distributor():
    plan, report, _ = read(Path(SAMPLES or "") / "gas_industrial/clientes_horario.parquet", UTC)
    assert plan.profile.name == "gas"
    assert report.totals.records_good + report.totals.duplicates_conflicting == 511_140
