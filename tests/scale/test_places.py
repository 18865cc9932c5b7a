"""Where results lie: whole files, here and behind addresses."""

import pytest

from sereno.domain.errors import SystemRefused
from sereno.scale.places import Place
from sereno.scale.tables import read_table, read_tables, write_table


@pytest.fixture(params=["local", "memory"])
def place(request, tmp_path):
    if request.param == "local":
        return Place(str(tmp_path / "results"))
    pytest.importorskip("fsspec", reason="addresses need the extra `dask`")
    return Place(f"memory://{tmp_path.name}")


def test_file_is_what_was_written_last(place):
    place.write("a/b.bin", b"one")
    place.write("a/b.bin", b"two")

    assert (place.read("a/b.bin"), place.read("a/c.bin")) == (b"two", None)


def test_removed_file_is_gone_and_may_be_gone_already(place):
    place.write("a.bin", b"one")

    place.remove("a.bin")
    place.remove("a.bin")

    assert place.read("a.bin") is None


def test_nothing_half_written_stays(tmp_path):
    Place(str(tmp_path)).write("a.bin", b"one")

    assert [one.name for one in tmp_path.iterdir()] == ["a.bin"]


def test_place_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "results").touch()

    with pytest.raises(SystemRefused):
        Place(str(tmp_path / "results")).write("a.bin", b"one")


def test_tables_of_one_kind_fit_below_each_other_also_when_one_is_empty(place):
    write_table(place, "t/1.parquet", {"name": [], "score": []}, numbers=("score",))
    write_table(place, "t/2.parquet", {"name": ["a", "b"], "score": [None, 1.5]}, numbers=("score",))

    assert read_table(place, "t/2.parquet") == {"name": ["a", "b"], "score": [None, 1.5]}
    assert read_tables(place, "t", ("name",)) == [["a", "b"]]
