"""Spark: every block comes whole to one call, and a fleet gives what it gives without Spark."""

import shutil
import sys

import polars as pl
import pytest

from sereno.flows.build import open_setup
from sereno.flows.lake import score_lake, train_lake
from sereno.flows.lake_fleet import LakeRequest
from sereno.flows.lake_spark import judge_spark
from tests.scale.fleet import roofs, write_lake
from tests.support.builders import NOW

sql = pytest.importorskip("pyspark.sql", reason="Spark needs the extra `spark`")
pytest.importorskip("pandas", reason="Spark needs the extra `spark`")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("default")  # of Spark's own


@pytest.fixture(scope="module")
def spark():
    building = sql.SparkSession.builder.master("local-cluster[2,1,1024]").appName("sereno-tests")
    options = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "37",  # cuts every series
        "spark.sql.session.timeZone": "UTC",
    }
    for name, value in options.items():
        building = building.config(name, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = building.getOrCreate()
        yield session
        session.stop()


def test_incidents_are_those_of_the_same_lake_without_spark(tmp_path, spark):
    (tmp_path / "sereno.yaml").write_text("detector: {trees: 10}\nexecutor: {workers: 0, block_assets: 2}\n")
    setup = open_setup(tmp_path, clock=lambda: NOW, language="en")
    lake = write_lake(tmp_path / "lake", roofs(5))
    wanted = LakeRequest(str(lake), str(tmp_path / "results"))
    train_lake(setup, wanted)
    score_lake(setup, wanted)

    found = judge_spark(setup, spark.read.parquet(str(lake)), "solar").collect()

    here = pl.read_parquet(f"{wanted.output}/incidents/*.parquet").sort("id")
    assert [row.asDict() for row in sorted(found, key=lambda row: row["id"])] == here.rows(named=True)
    assert len(here) > 3
