"""Every write is noted with who did it, in the transaction that does it."""

import json
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from sereno.domain.access import Role
from sereno.domain.audit import Act, acting, current_act, redacted
from sereno.domain.errors import StoreError
from sereno.flows.organizations import add_organization
from sereno.flows.service import Service
from sereno.store import Store, open_store
from tests.api.serving import key_for, listening
from tests.store.builders import NOW, a_batch, an_event, append, asset_id, query
from tests.support.processes import sereno

ACT = Act("eva", "203.0.113.9", "api", "POST /x", "y", {"why": "z"})


def _act(**changes: object) -> Act:
    return Act(
        **{name: getattr(ACT, name) for name in ("actor", "address", "door", "action", "subject", "facts")}
        | changes
    )  # type: ignore[arg-type]


def test_an_act_is_noted_where_something_is_written(store: Store) -> None:
    with acting(_act()), store.begin() as tx:
        tx.add_metric(1, 0, 0.0, "Normal", NOW)
    with store.begin() as tx:
        tx.add_metric(2, 0, 0.0, "Normal", NOW)

    with store.read() as tx:
        (noted,) = tx.audit()
    assert (noted.actor, noted.address, noted.door) == ("eva", "203.0.113.9", "api")
    assert (noted.action, noted.subject, noted.before, noted.after) == ("POST /x", "y", None, {"why": "z"})


def test_nothing_is_noted_of_what_was_undone_or_only_read(store: Store) -> None:
    with acting(_act()):
        with suppress(ZeroDivisionError), store.begin() as tx:
            tx.add_metric(1, 0, 0.0, "Normal", NOW)
            assert 1 / 0
        with store.read() as tx:
            tx.metrics()
    assert current_act() is None
    with store.read() as tx:
        assert list(tx.audit()) == []


def test_before_and_after_of_an_incident_are_noted(store: Store) -> None:
    from sereno.domain.incidents import EventKind

    append(store, a_batch([[1, 2]]))
    which = asset_id(store)
    with acting(_act()), store.begin() as tx:
        tx.open_incident("i" * 16, "g", which, an_event())
        tx.append_event("i" * 16, an_event(EventKind.ACKNOWLEDGED, actor="eva"))

    with store.read() as tx:
        (noted,) = tx.audit()  # what judging opened is no act of anybody
    assert noted.subject == f"incident {'i' * 16}"
    assert noted.before is not None
    assert noted.after is not None
    assert (noted.before["state"], noted.after["state"], noted.after["owner"]) == (
        "new",
        "acknowledged",
        "eva",
    )


@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'nobody'", "DELETE FROM audit_entry"])
def test_the_log_never_changes(store: Store, database_url: str, statement: str) -> None:
    with acting(_act()), store.begin() as tx:
        tx.add_metric(1, 0, 0.0, "Normal", NOW)

    with pytest.raises(Exception, match="append-only"):
        query(database_url, statement)
    with pytest.raises(StoreError), store.begin() as tx:
        tx._connection.exec_driver_sql(statement)
    with store.read() as tx:
        assert [one.actor for one in tx.audit()] == ["eva"]


def test_secrets_are_no_part_of_it() -> None:
    said = {
        "name": "x",
        "options": {"url": "https://user:pw@host", "n": 1},
        "nested": [{"api_token": "t", "password": "p", "secret_ref": "env:X"}],
        "long": "a" * 9_000,
    }

    told = json.dumps(redacted(said))

    assert not any(word in told for word in ("pw@", '"t"', '"p"'))
    assert "env:X" in told
    assert len(told) < 1_000


def test_what_is_done_over_the_api_is_noted_with_the_address(tmp_path: Path) -> None:
    add_organization(tmp_path, "otra")
    with (
        Service(tmp_path) as service,
        listening(service) as address,
        httpx.Client(base_url=address) as client,
    ):
        admin, other = ({"X-API-Key": key_for(service, organization=one)} for one in ("default", "otra"))
        made = client.post("/api/v1/users", json={"name": "eva", "role": "operator"}, headers=admin)
        assert made.status_code == 201
        client.patch("/api/v1/users/eva", json={"role": "viewer"}, headers=admin)
        client.patch("/api/v1/users/nobody", json={"role": "viewer"}, headers=admin)

        noted = client.get("/api/v1/audit", headers=admin).json()
        assert [(one["action"], one["subject"]) for one in noted] == [
            ("POST /api/v1/users", "user eva"),
            ("PATCH /api/v1/users/{user}", "user eva"),
        ]
        assert {(one["actor"], one["address"], one["door"]) for one in noted} == {
            ("key:test-admin", "127.0.0.1", "api")
        }
        assert (noted[1]["before"]["role"], noted[1]["after"]["role"]) == ("operator", "viewer")
        token = made.json()["link"].partition("token=")[2].partition("&")[0]
        assert token not in json.dumps(noted)
        assert client.get("/api/v1/audit", headers=other).json() == []
        assert (
            client.get("/api/v1/audit", params={"after": noted[0]["id"]}, headers=admin).json() == noted[1:]
        )
        engineer = {"X-API-Key": key_for(service, Role.ENGINEER)}
        assert client.get("/api/v1/audit", headers=engineer).status_code == 403


def test_the_command_line_shows_makes_and_notes(tmp_path: Path) -> None:
    place = tmp_path / "w"
    added = sereno("organizations", "add", "acme", "--json", workspace=place).document
    assert Path(added["folder"]) == place / "organizations" / "acme"
    names = [one["name"] for one in sereno("organizations", "list", "--json", workspace=place).document]
    assert names == ["default", "acme"]
    key = sereno(
        "--organization", "acme", "keys", "add", "gateway", "--site", "S", "--json", workspace=place
    ).document
    assert key["key"].startswith(f"ser_{key['prefix']}_")
    new = sereno("keys", "rotate", "gateway", "--organization", "acme", "--json", workspace=place).document
    sereno("--organization", "acme", "keys", "revoke", key["prefix"], workspace=place)
    user = sereno(
        "--organization", "acme", "users", "add", "eva", "--role", "admin", "--json", workspace=place
    ).document
    assert "organization=acme" in user["link"]

    keys = {
        one["prefix"]: one
        for one in sereno("--organization", "acme", "keys", "list", "--json", workspace=place).document
    }
    assert keys[key["prefix"]]["revoked_at"] is not None
    assert (keys[new["prefix"]]["sites"], keys[new["prefix"]]["role"]) == (["S"], "source")
    assert sereno("keys", "list", "--json", workspace=place).document == []
    noted = sereno("--organization", "acme", "audit", "list", "--json", workspace=place).document
    assert {one["subject"] for one in noted} == {f"key {key['prefix']}", f"key {new['prefix']}", "user eva"}
    assert {one["door"] for one in noted} == {"cli"}
    exported = place / "audit.jsonl"
    done = sereno(
        "--organization", "acme", "audit", "export", "--output", exported, "--json", workspace=place
    ).document
    assert done["entries"] == len(exported.read_text("utf-8").splitlines()) == len(noted)
    assert key["key"] not in exported.read_text("utf-8")


@pytest.mark.parametrize("name", ["../x", "A", "ñ", "default/..", "", "a" * 41, "acme", "-x"])
def test_names_of_organizations_are_safe(tmp_path: Path, name: str) -> None:
    sereno("organizations", "add", "acme", workspace=tmp_path / "w")

    ran = sereno("organizations", "add", "--", name, "--json", workspace=tmp_path / "w")

    assert ran.code == 2
    assert sorted(path.name for path in (tmp_path / "w" / "organizations").iterdir()) == ["acme"]


def test_an_unknown_organization_is_said(tmp_path: Path) -> None:
    ran = sereno("--organization", "nobody", "keys", "list", "--json", workspace=tmp_path)

    assert (ran.code, ran.error["code"]) == (5, "store.not_found")
    assert not (tmp_path / "organizations").exists()


def test_organizations_share_the_store_and_nothing_else(tmp_path: Path) -> None:
    place, file = tmp_path / "w", tmp_path / "datos.csv"
    file.write_text(
        "Fecha,Generación total,Consumo total\n"
        + "".join(f"{day:02}.01.2024,1{day},2{day}\n" for day in range(1, 29)),
        "utf-8",
    )
    sereno("organizations", "add", "acme", workspace=place)
    acme = place / "organizations" / "acme"
    for where in (("--organization", "acme"), ()):
        ran = sereno(*where, "ingest", file, "--timezone", "Europe/Madrid", "--json", workspace=place)
        assert ran.code == 0, ran.err
        assert ran.document["files"][0]["readings_new"] > 0  # new for each of them

    assert not (acme / "sereno.db").exists()
    assert "Europe/Madrid" in (acme / "sereno.yaml").read_text("utf-8")
    same = sereno(
        "incidents", "list", "--json", workspace=acme
    ).document  # the folder itself says whose it is
    assert same == sereno("--organization", "acme", "incidents", "list", "--json", workspace=place).document
    url = f"sqlite:///{place / 'sereno.db'}"
    with open_store(url) as mine, open_store(url, organization="acme") as theirs:
        assert [_n_rows(one) for one in (mine, theirs)] == [28, 28]
    refused = sereno("backup", tmp_path / "b.tar.gz", "--json", workspace=acme)
    assert refused.code == 2
    kept = sereno("backup", tmp_path / "b.tar.gz", "--json", workspace=place)
    assert kept.code == 0
    restored = sereno("restore", tmp_path / "b.tar.gz", "--json", workspace=tmp_path / "again")
    assert restored.code == 0, restored.out
    names = [
        one["name"]
        for one in sereno("organizations", "list", "--json", workspace=tmp_path / "again").document
    ]
    assert names == ["default", "acme"]


def _n_rows(store: Store) -> int:
    with store.read() as tx:
        return tx.n_rows()


def test_an_organization_says_nothing_of_the_whole(tmp_path: Path) -> None:
    sereno("organizations", "add", "acme", workspace=tmp_path)
    folder = tmp_path / "organizations" / "acme"
    (folder / "sereno.yaml").write_text("organization: acme\nstore: {url: 'sqlite:////tmp/x.db'}\n", "utf-8")

    ran = sereno("--organization", "acme", "summary", "--json", workspace=tmp_path)

    assert (ran.code, ran.error["code"]) == (4, "settings.invalid")


def test_a_folder_that_was_moved_is_no_organization(tmp_path: Path) -> None:
    sereno("organizations", "add", "acme", workspace=tmp_path)
    (tmp_path / "organizations" / "acme").rename(tmp_path / "organizations" / "otra")

    ran = sereno("summary", "--json", workspace=tmp_path / "organizations" / "otra")

    assert (ran.code, ran.error["code"]) == (4, "settings.invalid")
