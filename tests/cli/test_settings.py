"""Settings through the command line: what is in force, what it means, and secrets that nobody sees."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, roofs, write_months
from tests.support.postgres import fresh_database
from tests.support.processes import environment, sereno
from tests.support.stores import differences, dump, sqlite_address

PASSWORD = "s3cr3t-Pa55w0rd"
UNREACHABLE = f"postgresql://sereno:{PASSWORD}@127.0.0.1:1/sereno"


def test_check_tells_every_value_and_its_origin(tmp_path: Path) -> None:
    workspace = declare(tmp_path / "w")

    done = sereno(
        "config", "check", "--json", workspace=workspace, env=environment(SERENO__BUDGET="0.5")
    ).document

    found = {row["key"]: row for row in done["settings"]}
    assert done["ok"] is True
    assert found["timezone"]["origin"].endswith("sereno.yaml:1")
    assert (found["budget"]["value"], found["budget"]["origin"]) == (0.5, "SERENO__BUDGET")
    assert found["limits.max_line_bytes"]["origin"] == "default"


def test_check_creates_nothing(tmp_path: Path) -> None:
    sereno("config", "check", workspace=tmp_path / "w")

    assert not (tmp_path / "w").exists()


def test_explain_has_a_sentence_for_every_key(tmp_path: Path) -> None:
    rows = sereno("config", "explain", "--json").document["settings"]
    some = sereno("config", "explain", "detector", "--json").document["settings"]

    assert all(row["description"] and row["type"] for row in rows)
    branches = ("detector", "detectors.<name>")
    options = ("kind", "options", "seed", "trees")
    assert {row["key"] for row in some} == {f"{one}.{option}" for one in branches for option in options}


def test_schema_is_a_json_schema() -> None:
    schema = sereno("config", "schema").document

    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    assert {"timezone", "store", "tariff", "sources"} <= set(schema["properties"])


@pytest.mark.parametrize("place", ["environment", "workspace .env", "current .env", "sereno.yaml"])
@pytest.mark.parametrize(
    "command", [("doctor",), ("config", "check"), ("summary",), ("score",)], ids=" ".join
)
def test_password_is_never_printed(tmp_path: Path, place: str, command: tuple[str, ...]) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    env = environment()
    if place == "environment":
        env = environment(DATABASE_URL=UNREACHABLE)
    elif place == "sereno.yaml":
        (workspace / "sereno.yaml").write_text(f"store: {{url: '{UNREACHABLE}'}}\n")
    else:
        folder = workspace if place == "workspace .env" else tmp_path
        (folder / ".env").write_text(f"DATABASE_URL={UNREACHABLE}\n")

    for options in ((), ("--json",)):
        done = sereno(*command, *options, workspace=workspace, env=env)
        assert PASSWORD not in done.out + done.err
        assert done.code == (0 if command == ("config", "check") else 5)


def test_password_of_a_wrong_setting_is_never_printed(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    workspace.mkdir()
    (workspace / "sereno.yaml").write_text(f"store: {{ulr: '{UNREACHABLE}'}}\n")

    done = sereno("summary", "--json", workspace=workspace)

    assert done.code == 4
    assert PASSWORD not in done.out + done.err


def test_address_of_no_database_is_explained_without_the_password(tmp_path: Path) -> None:
    done = sereno(
        "summary",
        "--json",
        workspace=tmp_path / "w",
        env=environment(DATABASE_URL=f"mongo://a:{PASSWORD}@h/x"),
    )

    assert done.code in {4, 5}
    assert PASSWORD not in done.out + done.err


def test_doctor_is_well_on_a_good_workspace_and_not_on_a_bad_one(judged: Path, tmp_path: Path) -> None:
    well = sereno("doctor", "--json", workspace=judged)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "sereno.db").write_bytes(b"no database" * 500)
    ill = sereno("doctor", "--json", workspace=tmp_path / "w")

    assert (well.code, well.document["ok"]) == (0, True)
    assert (ill.code, ill.document["ok"]) == (5, False)
    names = {finding["name"] for finding in well.document["findings"]}
    assert {"sereno", "python", "store", "assets", "readings", "incidents", "model solar"} <= names


def test_doctor_says_what_is_installed_also_where_settings_are_wrong(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("detektor: pca\n", "utf-8")

    done = sereno("doctor", "--json", workspace=tmp_path)
    text = sereno("doctor", "--lang", "es", workspace=tmp_path)

    findings = {one["name"]: one["ok"] for one in done.document["findings"]}
    assert (done.code, findings["settings"], findings["python"]) == (4, False, True)
    assert text.code == 4
    assert "No están bien: ajustes." in text.out


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A database of its own."""
    with fresh_database(postgres_server) as url:
        yield url


def test_dotenv_selects_postgresql_and_gives_the_same_result(postgres_url: str, tmp_path: Path) -> None:
    write_months(tmp_path / "files", roofs(months=3, sites=2))
    embedded, server = declare(tmp_path / "embedded"), declare(tmp_path / "server")
    (server / ".env").write_text(f"DATABASE_URL={postgres_url}\n")

    documents = []
    for workspace in (embedded, server):
        for command in (("ingest", tmp_path / "files"), ("train",), ("score",)):
            assert sereno(*command, workspace=workspace).code == 0
        documents.append(sereno("incidents", "--json", workspace=workspace).document)

    assert not (server / "sereno.db").exists()
    assert make_url(postgres_url).database in _address_of(server)
    assert len(documents[0]) >= 3
    assert _without_clock(documents[0]) == _without_clock(documents[1])
    assert differences(dump(postgres_url), dump(sqlite_address(embedded))) == {}


def _address_of(workspace: Path) -> str:
    with Workspace.open(workspace) as opened:
        return opened.store.url


def _without_clock(incidents: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{**incident, "opened_at": None} for incident in incidents]
