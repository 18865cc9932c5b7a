"""The pages about views: every column is there and explained, every example runs."""

import re
from pathlib import Path

import pytest

from sereno.domain.readings import Quality
from sereno.store import Store
from sereno.store.views import VIEWS
from tests.store.builders import a_batch, append, query
from tests.support.processes import ROOT

PAGES = [ROOT / "docs" / "sql.md", ROOT / "docs" / "es" / "sql.md"]
FENCE = re.compile(r"^```sql\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
COLUMN = re.compile(r"^\| `(\w+)` \| (.+) \|$", re.MULTILINE)
ALSO = {"registros", "metricas"}
"""Other names of views that have a section."""

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _examples() -> list[str]:
    return FENCE.findall(PAGES[0].read_text("utf-8"))


def test_both_languages_show_the_same_code() -> None:
    assert FENCE.findall(PAGES[0].read_text("utf-8")) == FENCE.findall(PAGES[1].read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=["en", "es"])
def test_every_column_is_explained_in_its_order(store: Store, page: Path) -> None:
    text = page.read_text("utf-8")
    said = {name: [column for column, _ in COLUMN.findall(body)] for name, body in SECTION.findall(text)}

    with store.read() as tx:
        found = {
            name: tuple(tx._connection.exec_driver_sql(f"SELECT * FROM {name}").keys()) for name in VIEWS
        }

    assert said == {name: list(columns) for name, columns in found.items() if name not in ALSO}
    assert all(found[name] == found[f"v_{name}"] for name in ALSO)


def test_every_flag_is_listed_with_its_number() -> None:
    for page in PAGES:
        said = dict(
            re.findall(r"(\w+) (\d+)", page.read_text("utf-8").partition("`quality`: ")[2].partition(".")[0])
        )
        assert said == {flag.name.lower(): str(flag.value) for flag in Quality if flag.name and flag.value}


def test_every_example_runs(store: Store, database_url: str) -> None:
    append(store, a_batch([[1.0, 2.0]] * 3))
    other = "-- SQLite" if store.is_shared else "-- PostgreSQL"
    n_run = 0

    for example in _examples():
        if not example.startswith(other) and "role" not in example.splitlines()[0]:
            query(database_url, example.replace(":", r"\:"))
            n_run += 1

    assert n_run == 3


def test_role_of_the_page_reads_views_and_nothing_else(store: Store, database_url: str) -> None:
    if not store.is_shared:
        pytest.skip("an embedded store has no roles")
    append(store, a_batch([[1.0, 2.0]] * 3))
    try:
        for example in _examples():
            if "role" in example.splitlines()[0]:
                query(database_url, example)
        theirs = database_url.replace("://sereno@", "://sereno_reader@")

        assert len(query(theirs, "SELECT * FROM v_readings")) == 6
        assert query(database_url, "SELECT * FROM acme.v_readings") == []
        with pytest.raises(Exception, match="permission denied"):
            query(theirs, "SELECT * FROM incident")
        with pytest.raises(Exception, match="read-only transaction"):
            query(theirs, "CREATE TABLE mine (id int)")
    finally:
        query(database_url, "DROP OWNED BY sereno_reader")
        query(database_url, "DROP ROLE sereno_reader")
