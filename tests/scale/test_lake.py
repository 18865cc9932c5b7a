"""A lake: whose rows it holds, as they were read, and what it refuses."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from sereno.domain.errors import CorruptFile, FileMissing, MissingColumns
from sereno.domain.readings import Quality
from sereno.domain.signals import AssetKey
from sereno.scale.blocks import Block
from sereno.scale.lake import Lake
from tests.scale.fleet import SIGNALS, frame_of, roofs, write_lake
from tests.support.builders import MADRID, PROFILES, SOLAR


def test_rows_of_a_block_are_those_that_were_written_in_order(tmp_path):
    windows = roofs(5, rows=60)
    lake = Lake(str(write_lake(tmp_path / "lake", windows)))
    keys = (windows[1].asset, windows[3].asset)

    found = lake.read(Block("solar", keys), SOLAR)

    assert [one.asset for one in found] == list(keys)
    for one, window in zip(found, (windows[1], windows[3]), strict=True):
        present = ~np.isnan(window.values).all(axis=1)
        assert (one.zone, one.step, one.signals) == (MADRID, None, SIGNALS)
        np.testing.assert_array_equal(one.time, window.time[present])
        np.testing.assert_array_equal(one.values, window.values[present])


def test_assets_are_found_in_all_files(tmp_path):
    windows = roofs(5, rows=10)

    assert Lake(str(write_lake(tmp_path / "lake", windows))).keys() == [one.asset for one in windows]


def test_last_of_several_rows_of_an_instant_counts(tmp_path):
    frame = frame_of(roofs(1, rows=3)[0])
    again = frame.head(1).with_columns(generation=pl.lit(7.5))
    pl.concat([frame, again]).write_parquet(tmp_path / "lake.parquet")

    found = Lake(str(tmp_path / "lake.parquet")).read(
        Block("solar", (AssetKey("Planta 0", "Planta 0"),)), SOLAR
    )

    assert (len(found[0]), found[0].values[0, 0]) == (3, 7.5)


def test_times_with_a_zone_become_utc_and_marks_are_kept(tmp_path):
    frame = frame_of(roofs(1, rows=3)[0]).with_columns(
        pl.col("time").dt.replace_time_zone("UTC").dt.convert_time_zone(MADRID),
        quality_generation=pl.Series([int(Quality.BAD), 0, None]),
    )
    frame.drop("zone").write_parquet(tmp_path / "lake.parquet")

    (found,) = Lake(str(tmp_path / "lake.parquet"), MADRID).read(
        Block("solar", (AssetKey("Planta 0", "Planta 0"),)), SOLAR
    )

    assert found.zone == MADRID
    np.testing.assert_array_equal(found.time, roofs(1, rows=3)[0].time)
    assert found.quality[:, 0].tolist() == [int(Quality.BAD), 0, 0]


def test_folders_that_say_the_site_count_as_a_column(tmp_path):
    window = roofs(1, rows=4)[0]
    folder = tmp_path / "lake" / "site=Planta 0"
    folder.mkdir(parents=True)
    frame_of(window).drop("site").write_parquet(folder / "a.parquet")

    assert Lake(str(tmp_path / "lake")).keys() == [window.asset]


def test_profile_without_signals_takes_every_number(tmp_path):
    frame = frame_of(roofs(1, rows=3)[0]).with_columns(note=pl.lit("fine"))
    frame.write_parquet(tmp_path / "lake.parquet")
    process = PROFILES["process"]

    (found,) = Lake(str(tmp_path / "lake.parquet")).read(
        Block("process", (AssetKey("Planta 0", "Planta 0"),)), process
    )

    assert found.signals == SIGNALS


def test_address_of_another_file_system_is_read_through_fsspec(tmp_path):
    fsspec = pytest.importorskip("fsspec", reason="addresses need the extra `dask`")
    windows = roofs(2, rows=6)
    write_lake(tmp_path / "lake", windows, per_file=1)
    memory = fsspec.filesystem("memory")
    memory.put(str(tmp_path / "lake"), "/a-lake", recursive=True)

    lake = Lake("memory://a-lake")

    assert lake.keys() == [one.asset for one in windows]
    (found,) = lake.read(Block("solar", (windows[1].asset,)), SOLAR)
    assert len(found) == len(windows[1])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        pytest.param(lambda _path: None, FileMissing, id="nothing there"),
        pytest.param(lambda path: path.mkdir(), FileMissing, id="empty folder"),
        pytest.param(lambda path: path.write_bytes(b"no parquet"), CorruptFile, id="no Parquet"),
        pytest.param(
            lambda path: pl.DataFrame({"site": ["a"]}).write_parquet(path),
            MissingColumns,
            id="no assets",
        ),
    ],
)
def test_what_is_no_lake_is_refused(tmp_path, make, error):
    make(tmp_path / "lake")

    with pytest.raises(error):
        Lake(str(tmp_path / "lake")).keys()


def test_assets_that_are_not_there_have_no_rows(tmp_path):
    window = roofs(1, rows=4)[0]
    lake = Lake(str(write_lake(tmp_path / "lake", [window])))

    found = lake.read(Block("solar", (replace(window.asset, asset="other"), window.asset)), SOLAR)

    assert [one.asset for one in found] == [window.asset]
