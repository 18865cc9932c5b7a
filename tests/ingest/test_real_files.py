"""Real files, from the folder that SERENO_DATA names."""

import os
from pathlib import Path

import pytest

from sereno.i18n.catalogue import has
from tests.ingest.builders import UTC, codes, read

DATA = Path(os.environ.get("SERENO_DATA", "/nonexistent"))

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="SERENO_DATA names no folder with real files")


def test_solar_daily_is_read_without_configuration():
    files = sorted((DATA / "solar_daily").glob("*.csv"))
    sites, n_rows = set(), 0
    for path in files:
        plan, report, batches = read(path)
        assert report.verdict == "ok", (path.name, report.issues)
        assert plan.profile.name == "solar"
        sites |= {a.site for b in batches for a in b.readings.assets}
        n_rows += report.totals.records_good
        lines = path.read_text("utf-8").splitlines()
        assert report.totals.records_good == len(lines) - 2
    assert len(sites) == 9
    assert all(site.startswith("PLANTA_") for site in sites)


def test_tetuan_is_read_month_first_and_by_zone():
    for path in sorted((DATA / "tetuan").glob("*.csv")):
        plan, report, batches = read(path, UTC)
        assert (plan.profile.name, plan.layout.name) == ("load", "wide")
        assert len({a for b in batches for a in b.readings.assets}) == 3
        assert codes(report).get("read.broken_row", 0) == 0
        assert all(has(code) for code in codes(report))


EXPECTED = {
    "gas_industrial/sample_columna_Client_ID.xlsx": ("gas", 480, 0),
    "gas_industrial/sample_hojas_por_cliente.xlsx": ("gas", 181, 0),
    "gas_industrial/sample_miad_adicion.xlsx": ("gas", 100, 0),
    "tetuan/dirty_fixture_10_rows.csv": ("load", 30, 3),
    "solar_home/nl_slimmemeter_15min_raw_text.parquet": ("process", 35_040, 70_144),
}


@pytest.mark.parametrize(("name", "expected"), EXPECTED.items(), ids=list(EXPECTED))
def test_raw_sample_is_read_whole_without_configuration(name, expected):
    plan, report, _ = read(DATA / name)
    totals = report.totals
    assert (plan.each[0].profile.name, totals.records_good, totals.cells_missing) == expected
    assert totals.records_quarantined == 0


def test_sensors_with_units_in_their_cells_are_read_whole():
    files = sorted((DATA / "ubc_cec" / "eda_raw_units_in_cells").glob("*.csv"))
    assert files
    for path in files:
        plan, report, batches = read(path, UTC)
        n_lines = sum(bool(line.strip(" ,")) for line in path.read_text("utf-8").splitlines()) - 1
        assert report.totals.records_good + report.totals.duplicates_identical == n_lines, path.name
        assert (report.totals.cells_missing, report.totals.cells_converted) == (0, 0)
        assert plan.tables[0].columns[-1].unit
        assert report.verdict == "ok"
        assert batches[-1].readings.n_values
