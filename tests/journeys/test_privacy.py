"""Promise: all that is stored of a site can be taken along, and erased so that nothing of it is left."""

import csv
import hashlib
import io
import json
import shutil
import tarfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from sqlalchemy import create_engine, inspect, make_url, text

from sereno.contracts.source import Item
from sereno.domain.access import Role
from sereno.domain.accounts import ApiKey
from sereno.domain.errors import NotFound
from sereno.domain.failpoints import FailpointReached, arm, disarm
from sereno.domain.incidents import Verdict
from sereno.domain.jobs import Job
from sereno.domain.silences import Matcher
from sereno.domain.time import from_numpy
from sereno.flows.naming import KEY_FILE
from sereno.flows.privacy import Erasure
from sereno.flows.silencing import SilenceRequest
from sereno.flows.workspace import Workspace
from sereno.store import StoredAsset
from sereno.store.requests import AnsweredRequest
from tests.journeys.worlds import HOUR, MONTH_ROWS, ZONE, write_months
from tests.store.builders import query
from tests.support.builders import a_roof
from tests.support.postgres import fresh_database
from tests.support.processes import sereno, wait_until
from tests.support.stores import Dump, differences, dump

SITE, OTHER, NEAR = "Casa_Ruiz", "Fabrica_Sur", "Casa_Ruiz_Norte"
CUPS = "ES0021000000000001AB"
EMBEDDED = pytest.mark.parametrize("prepared", ["sqlite"], indirect=True)
"""For what the database has no part in."""
LEARNT = 2 * MONTH_ROWS - 240
"""Rows before the first trouble."""
REASON = "asked by letter"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def prepared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str | None]]:
    """A folder with files and a workspace `w`, and its database on a server, to be copied for each test."""
    folder = tmp_path_factory.mktemp("prepared")
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            url = stack.enter_context(fresh_database(request.getfixturevalue("postgres_server")))
        _prepare(folder, url or f"sqlite:///{folder / 'w' / 'sereno.db'}")
        yield folder, url


@pytest.fixture
def database_url(
    request: pytest.FixtureRequest, prepared: tuple[Path, str | None], tmp_path: Path
) -> Iterator[str]:
    """A database of its own for each test."""
    folder, url = prepared
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    if url is None:
        yield f"sqlite:///{tmp_path / 'w' / 'sereno.db'}"
        return
    template = str(make_url(url).database)
    with fresh_database(request.getfixturevalue("postgres_server"), template=template) as own:
        yield own


@pytest.fixture
def workspace(tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    """Four sites learnt, judged and told of; people have worked with the incidents of each."""
    _declare(tmp_path / "w", database_url)
    with Workspace.open(tmp_path / "w") as opened:
        yield opened


def _declare(folder: Path, url: str) -> None:
    folder.mkdir(exist_ok=True)
    settings = {
        "timezone": ZONE,
        "detector": {"trees": 10},
        "store": {"url": url},
        "segments": {"enabled": True},
        "privacy": {"names": ["Casa_*"]},
        "notify_horizon": "3650d",
        "receivers": {"ana": {"kind": "webhook", "options": {"url": "http://127.0.0.1:9/hook"}}},
        "routes": [{"to": ["ana"]}],
    }
    (folder / "sereno.yaml").write_text(yaml.safe_dump(settings), "utf-8")


def _prepare(folder: Path, url: str) -> None:
    _declare(folder / "w", url)
    rows = 2 * MONTH_ROWS
    windows = [
        a_roof(
            name, rows=rows, step=HOUR, zone=ZONE, size=20.0 + i, generation={(rows - 200, rows - 60): 0.0}
        )
        for i, name in enumerate((SITE, OTHER, NEAR, CUPS))
    ]
    files = write_months(folder / "files", windows)
    with Workspace.open(folder / "w") as opened:
        opened.ingest(*files)
        opened.segment()
        opened.train(before=from_numpy(windows[0].time[LEARNT]))
        opened.score()
        opened.deliver_due()
        for view in opened.incidents():
            _work_with(opened, view.incident.id, view.incident.asset.site)
        for site in (SITE, OTHER):
            _silence(opened, site)
            _ask_and_send(opened, site)


def _silence(workspace: Workspace, site: str) -> None:
    until = workspace.now() + timedelta(days=1)
    request = SilenceRequest(Matcher(site=site), "ana", f"works at {site}", ZONE, ends_at=until)
    workspace.add_silence(request)


def _ask_and_send(workspace: Workspace, site: str) -> None:
    """What the service keeps of gateways and requests."""
    at, number = workspace.now(), hashlib.sha256(site.encode()).hexdigest()
    with workspace.store.begin() as tx:
        payload = json.dumps({"site": site, "generation": 1})
        tx.add_items("gateway", [Item(number, payload.encode()), Item(f"{site}/1", b"{}")], at=at)
        tx.add_key(ApiKey(number[:8], "gateway", "x", Role.SOURCE, (site,), False, "ana", at))
        tx.keep_answer(AnsweredRequest(number, "x", {"quarantined": [f"{site}: no time"]}), at=at)
        tx.add_job(Job(number, "report", {"asset": site}, "ana", "x", at, at))


def _work_with(workspace: Workspace, incident: str, site: str) -> None:
    workspace.comment(incident, f"called {site}", actor="ana")
    workspace.close_incident(incident, Verdict.REAL, actor="ana")


def _stored_texts(url: str) -> str:
    """All that plain SQL finds in a database; of a file, its bytes and those of its log."""
    if url.startswith("sqlite"):
        path = Path(str(make_url(url).database))
        beside = [one for one in path.parent.glob(f"{path.name}*") if one.is_file()]
        return "".join(one.read_bytes().decode("latin-1") for one in beside)
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        found = [connection.execute(text(f'SELECT t::text FROM "{name}" t')).scalars() for name in tables]
        texts = "\n".join(row for rows in found for row in rows)
    engine.dispose()
    return texts


def _files_with(folder: Path, name: str) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("sereno.db") and name.encode() in path.read_bytes()
    )


def _of_others(found: Dump, files: Path, incidents: Sequence[str]) -> Dump:
    """What a dump holds of sites that are not erased; the rows of a file are known by its content."""
    kept = {"file_ledger", "erasure", "model", "metric", "delivery_attempt", "api_key", "inbox"}
    theirs = [path for path in files.glob(f"{SITE}_*") if not path.name.startswith(NEAR)]
    names = [SITE, *incidents, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in theirs)]
    return {
        name: [row for row in rows if not any(one in repr(row).replace(NEAR, "") for one in names)]
        for name, rows in found.items()
        if name not in kept
    }


def test_erased_site_leaves_nothing_and_touches_no_other(
    workspace: Workspace, database_url: str, tmp_path: Path
) -> None:
    before = dump(database_url)
    assert SITE in _stored_texts(database_url).replace(NEAR, "")
    assert _files_with(workspace.folder / "models", SITE)

    incidents = [one.incident.id for one in workspace.incidents() if one.incident.asset.site == SITE]

    report = workspace.erase_site(SITE, actor="dpo", reason=REASON)

    assert report.is_scrubbed
    assert SITE not in _stored_texts(database_url).replace(NEAR, "")
    for path in (workspace.folder / "models").rglob("*"):
        assert SITE.encode() not in path.read_bytes().replace(NEAR.encode(), b"")
    after = dump(database_url)
    files = tmp_path / "files"
    assert differences(_of_others(after, files, incidents), _of_others(before, files, incidents)) == {}
    assert workspace.sites() == sorted((OTHER, NEAR, CUPS))
    assert report.counts["reading_solar"] == 2 * MONTH_ROWS
    assert (report.counts["inbox"], report.counts["api_key (rewritten)"]) == (2, 1)
    judged = ("incident", "incident_event", "notification", "delivery_attempt", "detection", "watch_state")
    asked = ("inbox", "request", "change", "job (rewritten)", "api_key (rewritten)")
    for table in (*judged, "quarantined_row", "data_issue", "silence", *asked):
        assert report.counts[table] > 0, table


@EMBEDDED
def test_models_judge_on_after_an_erasure_and_files_do_not_come_back(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.erase_site(SITE, actor="dpo", reason=REASON)

    again = workspace.ingest(tmp_path / "files")
    scored = workspace.score()

    assert [result.entry["readings_new"] for result in again] == [0] * len(again)
    assert scored.models["solar"] == workspace.models()[0].id
    assert SITE not in workspace.sites()
    assert len(workspace.models()[0].assets) == 4


def test_dry_run_counts_what_would_go_and_changes_nothing(workspace: Workspace, database_url: str) -> None:
    before = dump(database_url)
    models = {path: path.read_bytes() for path in (workspace.folder / "models").rglob("*") if path.is_file()}

    said = workspace.erase_site(SITE, actor="dpo", reason=REASON, is_dry=True)

    assert differences(dump(database_url), before) == {}
    assert {path: path.read_bytes() for path in models} == models
    assert workspace.erasures() == []
    done = workspace.erase_site(SITE, actor="dpo", reason=REASON)
    assert dict(said.counts) == dict(done.counts)


@EMBEDDED
def test_record_of_an_erasure_names_nobody(workspace: Workspace) -> None:
    pseudonym = workspace.pseudonyms().of(SITE)

    workspace.erase_site(SITE, actor="dpo", reason=REASON)

    (record,) = workspace.erasures()
    assert (record.kind, record.subject, record.actor, record.reason) == ("site", pseudonym, "dpo", REASON)
    assert record.counts["reading_solar"] == 2 * MONTH_ROWS
    with pytest.raises(NotFound):
        workspace.erase_site(SITE, actor="dpo", reason=REASON)


def test_log_of_incidents_stays_append_only_outside_an_erasure(
    workspace: Workspace, database_url: str
) -> None:
    workspace.erase_site(SITE, actor="dpo", reason=REASON)

    with pytest.raises(Exception, match="append-only"):
        query(database_url, "DELETE FROM incident_event")


@EMBEDDED
@pytest.mark.parametrize("point", ["erase.planned", "store.before_commit", "store.after_commit"])
def test_interrupted_erasure_is_all_or_nothing(workspace: Workspace, database_url: str, point: str) -> None:
    before = dump(database_url)
    # The first transactions of an erasure only read; this fails in the one that erases.
    arm(f"{point}:raise")
    try:
        with pytest.raises(FailpointReached):
            workspace.erase_site(SITE, actor="dpo", reason=REASON)
    finally:
        disarm()
    is_done = SITE not in workspace.sites()

    assert is_done == (point == "store.after_commit")
    if not is_done:
        assert differences(dump(database_url), before) == {}
        assert workspace.erase_site(SITE, actor="dpo", reason=REASON).is_scrubbed
    else:
        workspace.erase_site(CUPS, actor="dpo", reason=REASON)
    for path in (workspace.folder / "models").rglob("*"):
        assert SITE.encode() not in path.read_bytes().replace(NEAR.encode(), b"")
    assert not (workspace.folder / ".erasing.json").exists()


@pytest.mark.parametrize("prepared", ["postgresql"], indirect=True)
def test_reading_that_is_being_stored_meanwhile_is_erased_too(
    workspace: Workspace, database_url: str
) -> None:
    (asset,) = [one for one in _stored_assets(workspace) if one.key.site == SITE]
    done: list[Erasure] = []
    erasing = threading.Thread(
        target=lambda: done.append(workspace.erase_site(SITE, actor="dpo", reason=REASON))
    )

    with workspace.store.begin() as tx:
        tx.lock_assets([asset.id])
        erasing.start()
        wait_until(lambda: _waits_for_a_lock(database_url))
        columns = "asset_id, ts, revision, simulated"
        later = "max(ts) + interval '1 second'"
        row = f"INSERT INTO reading_solar ({columns}) SELECT {asset.id}, {later}, 0, false FROM reading_solar"
        tx._connection.exec_driver_sql(row)
    erasing.join()

    assert done[0].counts["reading_solar"] == 2 * MONTH_ROWS + 1
    left = f"SELECT COUNT(*) AS n FROM reading_solar WHERE asset_id = {asset.id}"
    assert query(database_url, left) == [{"n": 0}]


def _stored_assets(workspace: Workspace) -> list[StoredAsset]:
    with workspace.store.read() as tx:
        return tx.assets()


def _waits_for_a_lock(url: str) -> bool:
    return bool(query(url, "SELECT 1 AS x FROM pg_locks WHERE NOT granted"))


@EMBEDDED
def test_export_of_a_site_holds_everything_and_nothing_of_others(
    workspace: Workspace, tmp_path: Path
) -> None:
    report = workspace.export_site(SITE, tmp_path / "out" / "site.tar.gz")

    with tarfile.open(report.file) as archive:
        parts = {one.name: archive.extractfile(one).read().decode("utf-8") for one in archive.getmembers()}  # type: ignore[union-attr]
    readings = list(csv.DictReader(io.StringIO(parts["readings_solar_1.csv"])))
    assert len(readings) == 2 * MONTH_ROWS
    assert {row["site"] for row in readings} == {SITE}
    assert float(readings[12]["generation"]) > 0
    incidents = [json.loads(line) for line in parts["incident.jsonl"].splitlines()]
    assert incidents
    assert [comment[2] for one in incidents for comment in one["comments"]] == [f"called {SITE}"] * len(
        incidents
    )
    everything = "".join(parts.values())
    for other in (OTHER, NEAR, CUPS):
        assert other not in everything


@EMBEDDED
def test_exports_show_pseudonyms_to_those_who_may_not_see_names(workspace: Workspace, tmp_path: Path) -> None:
    names = workspace.pseudonyms()
    open_file, masked = tmp_path / "open.csv", tmp_path / "masked.csv"

    workspace.export_anomalies(open_file)
    workspace.export_anomalies(masked, sees_personal=False)

    plain, hidden = open_file.read_text("utf-8"), masked.read_text("utf-8")
    for name in (SITE, NEAR, CUPS):
        assert name in plain
        assert name not in hidden
        assert names.of(name) in hidden
    assert OTHER in hidden
    assert len(plain.splitlines()) == len(hidden.splitlines())


@EMBEDDED
def test_key_of_pseudonyms_stands_outside_the_database_and_makes_them_stable(
    workspace: Workspace, tmp_path: Path, database_url: str
) -> None:
    first = workspace.pseudonyms().of(SITE)
    key = workspace.folder / KEY_FILE

    assert key.stat().st_mode & 0o077 == 0
    assert key.read_text("ascii") not in _stored_texts(database_url)
    assert workspace.pseudonyms().of(SITE) == first
    key.unlink()
    assert workspace.pseudonyms().of(SITE) != first
    assert KEY_FILE not in workspace.backup(tmp_path / "b.tar.gz").manifest.files


def test_what_is_too_old_is_deleted_by_kind(workspace: Workspace, database_url: str) -> None:
    last = workspace.last_reading_at()
    assert last is not None
    age = (
        workspace.now() - last + timedelta(days=30, minutes=50)
    )  # far from the next hour, however long it takes
    said = f"\nretention: {{readings: {age.total_seconds():.0f}s, metrics: 1s, incidents: 1s}}\n"
    path = workspace.folder / "sereno.yaml"
    path.write_text(path.read_text("utf-8") + said, "utf-8")

    with Workspace.open(workspace.folder) as again:
        dry = again.retain(actor="ana", is_dry=True)
        assert query(database_url, "SELECT COUNT(*) AS n FROM erasure") == [{"n": 0}]
        done = again.retain(actor="ana")
        nothing = again.retain(actor="ana")

    assert dict(dry.counts) == dict(done.counts)
    assert done.counts["reading_solar"] == 4 * (MONTH_ROWS - 1)
    assert done.counts["metric"] == 1
    assert query(database_url, "SELECT COUNT(*) AS n FROM incident WHERE state = 'closed'") == [{"n": 0}]
    assert dict(nothing.counts) == {}
    assert query(database_url, "SELECT COUNT(*) AS n FROM erasure") == [{"n": 1}]


def test_most_rows_of_a_profile_are_its_newest(workspace: Workspace, database_url: str) -> None:
    path = workspace.folder / "sereno.yaml"
    path.write_text(path.read_text("utf-8") + "\nretention: {max_rows: {solar: 100}}\n", "utf-8")

    with Workspace.open(workspace.folder) as again:
        again.retain(actor="ana")

    (row,) = query(
        database_url,
        "SELECT COUNT(*) AS n, MIN(ts_us) AS first FROM v_readings WHERE signal = 'export'",
    )
    assert row["n"] == 100


@EMBEDDED
def test_erasing_needs_a_confirmation(workspace: Workspace) -> None:
    refused = sereno("privacy", "erase", SITE, "--reason", REASON, "--json", workspace=workspace.folder)
    looked = sereno(
        "privacy", "erase", SITE, "--reason", REASON, "--dry-run", "--json", workspace=workspace.folder
    )
    done = sereno("privacy", "erase", SITE, "--reason", REASON, "--yes", "--json", workspace=workspace.folder)
    listed = sereno("privacy", "records", "--json", workspace=workspace.folder)

    assert SITE not in _stored_texts(workspace.store.url).replace(NEAR, "")
    assert (refused.code, refused.error["code"]) == (2, "usage")
    assert (looked.code, looked.document["dry_run"]) == (0, True)
    assert done.document["rows"] == looked.document["rows"]
    assert "sereno.yaml" not in done.document["left"]
    assert [one["subject"] for one in listed.document] == [done.document["subject"]]
