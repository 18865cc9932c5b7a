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
