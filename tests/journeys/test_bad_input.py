"""Promise: whatever is wrong, sereno says what and where, in es and en, and leaves nothing half-written."""

import gzip
import hashlib
import io
import json
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sereno.flows.workspace import Workspace
from sereno.store import open_store
from tests.journeys.worlds import HEADER, UNITS, declare, ingest_and_score, roofs, write_months, write_rows
from tests.support.processes import Ran, environment, killed_after, sereno, without_privileges
from tests.support.stores import count, differences, dump, sqlite_address

WINDOW = roofs(months=1, sites=1)[0]
LANGUAGES = ("en", "es")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace with its zone declared and an empty store."""
    folder = declare(tmp_path / "w")
    open_store(sqlite_address(folder)).close()
    return folder


def _message(done: Ran) -> str:
    """What is said of the one file."""
    (entry,) = done.document["files"]
    return "\n".join(issue["message"] for issue in entry["issues"])


@pytest.mark.parametrize(
    ("language", "words"), [("en", "There is no file or folder"), ("es", "No existe el fichero o la carpeta")]
)
@pytest.mark.parametrize("command", ["check", "ingest", "score"])
def test_missing_file_is_named(workspace: Path, command: str, language: str, words: str) -> None:
    before = dump(sqlite_address(workspace))

    done = sereno(command, "nada.csv", "--json", "--lang", language, workspace=workspace)

    assert done.code == 3
    assert done.error["code"] == "read.missing"
    assert words in done.error["message"]
    assert "nada.csv" in done.error["message"]
    assert done.error["message"] in done.err
    assert dump(sqlite_address(workspace)) == before


def test_missing_file_beside_a_good_one_stores_nothing(workspace: Path, tmp_path: Path) -> None:
    good = write_rows(tmp_path / "Planta_1.csv", WINDOW)

    done = sereno("ingest", good, "nada.csv", "--json", workspace=workspace)

    assert (done.code, count(sqlite_address(workspace), "file_ledger")) == (3, 0)


@pytest.mark.parametrize(("language", "words"), [("en", "is empty (0 bytes"), ("es", "está vacío (0 bytes")])
def test_empty_file_is_refused(workspace: Path, tmp_path: Path, language: str, words: str) -> None:
    path = tmp_path / "Planta_1.csv"
    path.touch()

    done = sereno("ingest", path, "--json", "--lang", language, workspace=workspace)

    assert done.code == 3
    assert words in _message(done)
    assert done.document["files"][0]["verdict"] == "refused"
    assert count(sqlite_address(workspace), "file_ledger") == 0


@pytest.mark.parametrize(
    ("language", "words"), [("en", "has a header and no data"), ("es", "tiene cabecera y ningún dato")]
)
def test_header_alone_is_a_warning(workspace: Path, tmp_path: Path, language: str, words: str) -> None:
    path = tmp_path / "Planta_1.csv"
    path.write_text(f"{HEADER}\n{UNITS}\n", "utf-8")

    done = sereno("ingest", path, "--json", "--lang", language, workspace=workspace)

    assert done.code == 0
    assert words in _message(done)
    assert done.document["files"][0]["verdict"] == "warnings"
    assert count(sqlite_address(workspace), "asset") == 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("command", ["check", "ingest"])
def test_unknown_columns_bring_the_nearest_names(
    workspace: Path, tmp_path: Path, command: str, language: str
) -> None:
    path = tmp_path / "Planta_1.csv"
    path.write_text("Fecha,Generasión totl,Cnsumo ttal\n01.01.2024,1,2\n02.01.2024,2,3\n", "utf-8")

    done = sereno(command, path, "--json", "--profile", "solar", "--lang", language, workspace=workspace)

    assert done.code == 3
    assert done.document["files"][0]["issues"][0]["code"] == "read.missing_columns"
    assert {"en": "No column of", "es": "Faltan columnas"}[language] in _message(done)
    assert "generación total" in _message(done)
    assert "consumo total" in _message(done)


@pytest.mark.parametrize(("language", "words"), [("en", "cannot be opened"), ("es", "No se puede abrir")])
def test_file_without_permission_is_refused(
    workspace: Path, tmp_path: Path, language: str, words: str
) -> None:
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW)
    path.chmod(0)

    done = sereno("ingest", path, "--json", "--lang", language, workspace=workspace, **without_privileges())

    assert done.code == 3
    assert words in _message(done)
    assert count(sqlite_address(workspace), "file_ledger") == 0


def test_workspace_without_permission_is_refused(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)

    done = sereno("summary", "--json", workspace=closed / "w", cwd=tmp_path, **without_privileges())

    assert done.code in {3, 5}
    assert done.error["code"] in {"read.no_permission", "store.unreachable"}


def test_read_only_store_says_so_and_stays(workspace: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW)
    (workspace / "sereno.db").chmod(0o400)
    before = (workspace / "sereno.db").read_bytes()

    done = sereno("ingest", path, "--json", workspace=workspace, **without_privileges())

    assert done.code == 5
    assert done.error["code"].startswith("store.")
    assert (workspace / "sereno.db").read_bytes() == before


def test_all_files_refused_is_3_and_some_refused_is_0(workspace: Path, tmp_path: Path) -> None:
    bad = tmp_path / "Planta_1.csv"
    bad.write_text("hola\n")
    empty = tmp_path / "Planta_2.csv"
    empty.touch()
    good = write_rows(tmp_path / "Planta_3.csv", WINDOW)

    codes = {
        (command, len(files)): sereno(command, *files, "--json", workspace=workspace).code
        for command in ("check", "ingest")
        for files in ([bad, empty], [bad, empty, good])
    }

    assert codes == {("check", 2): 3, ("check", 3): 0, ("ingest", 2): 3, ("ingest", 3): 0}


def test_file_of_broken_rows_is_refused_again_when_it_is_read_again(workspace: Path, tmp_path: Path) -> None:
    path = tmp_path / "Planta_1.csv"
    path.write_text(f"{HEADER}\n{UNITS}\n" + "99.99.2024 00:00,1,1,1,1,1\n" * 3, "utf-8")

    codes = [sereno("ingest", path, "--json", workspace=workspace).code for _ in range(2)]

    assert codes == [3, 3]


@pytest.mark.parametrize("language", LANGUAGES)
def test_store_of_a_newer_version_is_not_touched(workspace: Path, tmp_path: Path, language: str) -> None:
    store = workspace / "sereno.db"
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = _digest(store)
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW)

    for command in (("ingest", path), ("score",), ("incidents", "list"), ("train",)):
        done = sereno(*command, "--json", "--lang", language, workspace=workspace)
        assert (done.code, done.error["code"]) == (5, "store.newer")
        assert {"en": "newer sereno", "es": "más nuev"}[language] in done.err

    assert _digest(store) == before
    assert [path.stat().st_size for path in workspace.glob("sereno.db-wal")] in ([], [0])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("timezone: Europe/Madrid\nbudgett: 0.5\n", 2, "budget"),
        ("detector:\n  kind: robust\n  tres: 50\n", 3, "trees"),
        ("timezone: Europe/Madrit\n", 1, "Europe/Madrid"),
        ("budget: mucho\n", 1, "budget"),
        ("budget: [1\n", 2, "YAML"),
    ],
    ids=["unknown key", "unknown inner key", "unknown zone", "wrong value", "not YAML"],
)
def test_wrong_setting_is_placed_and_the_nearest_one_named(
    tmp_path: Path, text: str, line: int, words: str, language: str
) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "sereno.yaml").write_text(text, "utf-8")

    done = sereno("config", "check", "--json", "--lang", language, workspace=workspace)

    assert done.code == 4
    assert done.error["code"] == "settings.invalid"
    assert f"sereno.yaml:{line}" in done.error["message"]
    assert words in done.error["message"]
    assert [path.name for path in workspace.iterdir()] == ["sereno.yaml"]


def test_wrong_setting_speaks_the_language_asked_for(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "sereno.yaml").write_text("budgett: 1\n")

    english, spanish = (
        sereno("config", "check", "--lang", language, workspace=workspace).err for language in LANGUAGES
    )

    assert "unknown key 'budgett'" in english
    assert "clave desconocida" in spanish


@pytest.mark.parametrize("command", ["check", "ingest"])
def test_unknown_zone_of_the_command_line_is_refused(workspace: Path, tmp_path: Path, command: str) -> None:
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW)

    done = sereno(command, path, "--timezone", "Europe/Madrit", "--json", workspace=workspace)

    assert (done.code, done.error["code"]) == (2, "usage")
    assert "Europe/Madrit" in done.error["message"]
    assert count(sqlite_address(workspace), "file_ledger") == 0


def test_unknown_zone_of_the_command_line_is_not_kept(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW)
    workspace = tmp_path / "new"

    refused = sereno("ingest", path, "--timezone", "+01:00", workspace=workspace)
    done = sereno("ingest", path, "--timezone", "Etc/GMT-1", workspace=workspace)

    assert (refused.code, done.code) == (2, 0)
    assert "Etc/GMT-1" in refused.err
    assert "Etc/GMT-1" in (workspace / "sereno.yaml").read_text("utf-8")


@pytest.mark.parametrize("command", ["check", "ingest"])
def test_unknown_profile_of_the_command_line_is_refused(
    workspace: Path, tmp_path: Path, command: str
) -> None:
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW)

    done = sereno(command, path, "--profile", "solr", "--json", workspace=workspace)

    assert done.code in {2, 4}
    assert "solar" in done.error["message"]


class _Trap:
    """Leaves a trace where it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["pickle", "cut", "missing", "altered"])
def test_model_that_is_none_is_never_used(trained: Path, tmp_path: Path, kind: str, language: str) -> None:
    workspace = tmp_path / "w"
    shutil.copytree(trained, workspace)
    (model,) = (workspace / "models").iterdir()
    data = model.read_bytes()
    if kind == "pickle":
        model.write_bytes(pickle.dumps(_Trap(tmp_path / "trace")))
    elif kind == "cut":
        model.write_bytes(data[: len(data) // 2])
    elif kind == "altered":
        model.write_bytes(data[:-20] + bytes(20))
    else:
        model.unlink()

    done = sereno("score", "--json", "--lang", language, workspace=workspace)

    assert done.code == 5
    assert done.error["code"] in {"model.corrupt", "model.missing"}
    assert "sereno train" in done.error["message"]
    assert not (tmp_path / "trace").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that has learnt a rooftop."""
    folder = tmp_path_factory.mktemp("trained")
    workspace = declare(folder / "w")
    with Workspace.open(workspace) as opened:
        list(opened.ingest(write_rows(folder / "Planta_1.csv", roofs(months=2, sites=1)[0])))
        opened.train()
    return workspace


def test_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_text("not a folder")

    for command in (("summary",), ("incidents",), ("doctor",), ("train",)):
        done = sereno(*command, "--json", workspace=path)
        assert done.code in {2, 3, 4, 5}, command
        assert path.read_text() == "not a folder"


def test_store_that_is_none_is_left_alone(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")
    (workspace / "sereno.db").write_bytes(b"not a database, but somebody's file" * 100)
    before = _digest(workspace / "sereno.db")

    done = sereno("summary", "--json", workspace=workspace)

    assert (done.code, done.error["code"]) == (5, "store.failed")
    assert _digest(workspace / "sereno.db") == before


@pytest.mark.parametrize("command", ["train", "score"])
def test_empty_workspace_says_what_to_do(workspace: Path, command: str) -> None:
    done = sereno(command, "--json", workspace=workspace)

    if command == "train":
        assert (done.code, done.error["code"]) == (3, "read.no_readings")
    else:
        assert (done.code, done.document["rows"]) == (0, 0)


def test_short_history_says_how_much_is_needed(workspace: Path, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "Planta_1.csv", WINDOW.rows(0, 5))
    assert sereno("ingest", path, workspace=workspace).code == 0

    trained = sereno("train", "--json", workspace=workspace)
    scored = sereno("score", "--json", workspace=workspace)

    assert (trained.code, trained.error["code"]) == (5, "model.history_too_short")
    assert scored.code == 0
    assert scored.document["rows_until_behaviour"]["solar"] > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few MB."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_full_disk_stores_nothing_by_halves_and_work_resumes(small_disk: Path, tmp_path: Path) -> None:
    files = tmp_path / "files"
    first, *_ = write_months(files, roofs(months=6))
    whole = declare(tmp_path / "whole")
    assert killed_after(None, ingest_and_score, whole, files)[0] == 0
    workspace = declare(small_disk / "w")
    ballast = small_disk / "ballast"
    assert sereno("ingest", first, workspace=workspace).code == 0
    ballast.write_bytes(bytes(_free(small_disk) - 600_000))

    full = sereno("ingest", files, "--json", workspace=workspace)
    still_full = sereno("ingest", files, "--json", "--lang", "es", workspace=workspace)
    n_acknowledged = full.err.count(": +")
    n_kept = sum(dict(row)["status"] == "done" for row in dump(sqlite_address(workspace))["file_ledger"])
    ballast.unlink()
    resumed = sereno("ingest", files, workspace=workspace)
    scored = sereno("score", workspace=workspace)

    assert (full.code, full.error["code"]) == (5, "store.disk_full")
    assert "no space left" in full.err
    assert (still_full.code, "No queda espacio" in still_full.err) == (5, True)
    assert 0 < n_acknowledged <= n_kept < len(list(files.iterdir()))
    assert (resumed.code, scored.code) == (0, 0)
    after = dump(sqlite_address(workspace))
    assert len(after["metric"]) == 1  # the command notes how much is abnormal, which judging alone does not
    assert differences({**after, "metric": []}, dump(sqlite_address(whole))) == {}


@pytest.mark.parametrize("form", ["xlsx", "parquet", "xlsx.gz", "zip"])
def test_no_space_for_temporary_files_is_no_verdict_on_a_workbook(
    small_disk: Path, tmp_path: Path, form: str
) -> None:
    file = a_table_as(form, tmp_path / f"Planta_1.{form}")
    (small_disk / "ballast").write_bytes(bytes(_free(small_disk) - 8192))
    command = [sys.executable, "-m", "sereno", "check", str(file), "--lang", "es"]

    full = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment() | {"TMPDIR": str(small_disk)}
    )
    read = sereno("check", file, "--json")

    assert (full.returncode, full.stdout) == (5, "")
    assert "No queda espacio" in full.stderr
    assert read.document["files"][0]["totals"]["records_good"] == 500


def a_table_as(form: str, path: Path) -> Path:
    """500 hours of a roof in a container."""
    hours = [datetime(2025, 1, 1) + timedelta(hours=h) for h in range(500)]  # noqa: DTZ001 - as Excel has it
    table = pl.DataFrame(
        {"Fecha y hora": hours, "Generación total (kWh)": [h % 24 + 0.25 for h in range(500)]}
    )
    if form == "parquet":
        table.write_parquet(path)
        return path
    book = io.BytesIO()
    table.write_excel(book)
    if form == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("Planta_1.xlsx", book.getvalue())
        return path
    path.write_bytes(gzip.compress(book.getvalue()) if form.endswith("gz") else book.getvalue())
    return path


def test_full_disk_while_writing_results_leaves_no_half_file(small_disk: Path, trained: Path) -> None:
    file = trained.parent / "Planta_1.csv"
    (small_disk / "ballast").write_bytes(bytes(_free(small_disk) - 8192))

    done = sereno("score", file, "--output", small_disk / "out.csv", "--json", workspace=trained)

    assert (done.code, done.error["code"]) == (5, "store.disk_full")
    assert not (small_disk / "out.csv").exists()


def test_fault_of_ours_is_70_without_a_traceback(workspace: Path) -> None:
    with closing(sqlite3.connect(workspace / "sereno.db")) as connection, connection:
        connection.execute("INSERT INTO site (id, organization_id, name, zone) VALUES (1, 1, 'x', 'UTC')")
        connection.execute(
            "INSERT INTO asset (id, organization_id, site_id, name, profile) VALUES (1, 1, 1, 'x', 'gone')"
        )

    done = sereno("score", "--json", workspace=workspace)

    assert done.code in {4, 5, 70}
    assert json.loads(done.out)["error"]["message"] in done.err


def _free(folder: Path) -> int:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
