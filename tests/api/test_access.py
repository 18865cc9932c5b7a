"""Who is let in: keys, logins, one-time links; and what is told to those who are not."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from sereno.domain.access import Role
from sereno.flows.access import Gate
from sereno.flows.keys import add_key, find_keys, revoke_key, rotate_key
from sereno.flows.organizations import add_organization
from sereno.flows.secrets import hash_password, verify_password
from sereno.flows.service import Service
from sereno.flows.users import add_user, disable_user, find_users, first_link, reset_user
from tests.api.serving import key_for, listening, served
from tests.support.work import calls_made

PASSWORD = "cuatro palabras bien largas"
SITES = "/api/v1/sites"
NOW = datetime.now(UTC)


@contextmanager
def _open(folder: Path, *, settings: str = "") -> Iterator[tuple[Service, httpx.Client]]:
    """A service and a client without any credentials."""
    if settings:
        (folder / "sereno.yaml").write_text(settings, "utf-8")
    with (
        Service(folder) as service,
        listening(service) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield service, client


def _form(page: httpx.Response) -> dict[str, str]:
    """What the hidden fields of a page hold."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))


def _log_in(client: httpx.Client, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    hidden = _form(client.get("/login"))
    return client.post("/login", data={**hidden, "name": name, "password": password, **fields})


def _choose(client: httpx.Client, token: str, **fields: str) -> httpx.Response:
    page = client.get(
        "/welcome", params={"token": token, "organization": fields.get("organization", "default")}
    )
    data = {**_form(page), "name": "ana", "password": PASSWORD, "again": PASSWORD, **fields}
    return client.post("/welcome", data=data)


def _ana(service: Service, client: httpx.Client, role: Role = Role.ADMIN) -> None:
    """A user with a password, logged in with this client."""
    workspace = service.workspace("default")
    token, _ = add_user(workspace.store, "ana", role=role, now=workspace.now())
    assert _choose(client, token).status_code == 303


def _csrf(client: httpx.Client) -> dict[str, str]:
    return {"X-CSRF-Token": client.get("/api/v1/me").json()["csrf_token"]}


def test_nobody_is_let_in_without_credentials(tmp_path: Path) -> None:
    with _open(tmp_path) as (_, client):
        answer = client.get(SITES)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "access.not_authenticated"


@pytest.mark.parametrize("way", ["Authorization", "X-API-Key"])
def test_a_key_lets_in(tmp_path: Path, way: str) -> None:
    with _open(tmp_path) as (service, client):
        key = key_for(service, Role.VIEWER)
        value = f"Bearer {key}" if way == "Authorization" else key

        assert client.get(SITES, headers={way: value}).status_code == 200
        assert client.get(SITES, headers={way: value[:-1]}).status_code == 401
        assert client.get("/api/v1/users", headers={way: value}).status_code == 403


@pytest.mark.parametrize(
    "key", ["", "x", "ser_", "ser_abcdefgh_", "ser_abcdefgh_x", "ser_ábcdefgh_x", "ser_%s_x" % ("a" * 9000)]
)
def test_what_is_no_key_is_told_nothing(tmp_path: Path, key: str) -> None:
    with _open(tmp_path) as (_, client):
        answer = client.get(SITES, headers={"X-API-Key": key.encode("latin-1")})

    assert answer.status_code == 401


def test_a_revoked_and_an_expired_key_open_nothing(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        store = service.workspace("default").store
        revoked, _ = add_key(store, "a", role=Role.VIEWER, author="t", now=NOW)
        revoke_key(store, "a", now=NOW)
        over, _ = add_key(
            store, "b", role=Role.VIEWER, author="t", now=NOW - 2 * timedelta(days=1), lasts=timedelta(days=1)
        )

        answers = [client.get(SITES, headers={"X-API-Key": key}).status_code for key in (revoked, over)]

    assert answers == [401, 401]


def test_both_keys_live_while_one_replaces_the_other(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        store = service.workspace("default").store
        old, first = add_key(store, "a", role=Role.VIEWER, author="t", now=NOW, sites=["S"])
        new, second = rotate_key(store, "a", author="t", now=NOW, overlap=timedelta(days=1))

        answers = [client.get(SITES, headers={"X-API-Key": key}).status_code for key in (old, new)]
        ends = {one.prefix: one.expires_at for one in find_keys(store)}

    assert answers == [200, 200]
    assert (second.role, second.sites) == (first.role, first.sites)
    assert ends == {first.prefix: NOW + timedelta(days=1), second.prefix: None}


def test_no_key_or_password_lies_in_the_store(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        key = key_for(service)
        _ana(service, client)
        session = client.cookies["sereno_session"].partition(".")[2]
    content = b"".join(path.read_bytes() for path in tmp_path.glob("sereno.db*"))

    assert not any(secret.encode() in content for secret in (key, key[13:], PASSWORD, session))


def test_when_a_key_was_last_used_is_noted(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        key = key_for(service, Role.VIEWER)
        for _ in range(3):
            client.get(SITES, headers={"X-API-Key": key})
        gate = Gate(service)
        assert gate.by_key(key) is not None
        gate.note_seen()
        (noted,) = find_keys(service.workspace("default").store)

    assert noted.last_used_at is not None


def test_the_first_start_invites_one_administrator(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, _):
        workspace = service.workspace("default")
        before = first_link(workspace.store, now=workspace.now())
    with _open(tmp_path) as (service, client):  # a restart
        workspace = service.workspace("default")
        other = first_link(workspace.store, now=workspace.now())
        assert before is not None
        assert other is not None

        assert client.get("/welcome", params={"token": before}).status_code == 200  # looking uses nothing up
        assert client.get("/welcome", params={"token": before}).status_code == 200
        assert _choose(client, before).status_code == 303
        client.cookies.clear()

        assert client.get("/welcome", params={"token": before}).status_code == 410
        assert client.get("/welcome", params={"token": other}).status_code == 410  # somebody is administrator
        assert [(one.name, one.role) for one in find_users(workspace.store)] == [("ana", Role.ADMIN)]
        assert first_link(workspace.store, now=workspace.now()) is None


def test_a_link_is_over_after_a_day(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        token = first_link(service.workspace("default").store, now=NOW - timedelta(hours=25))

        assert client.get("/welcome", params={"token": token}).status_code == 410


def test_login_and_logout(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        client.cookies.clear()

        entered = _log_in(client, "ana")
        cookie = entered.headers["set-cookie"]
        assert entered.status_code == 303
        assert all(word in cookie for word in ("HttpOnly", "SameSite=lax", "Path=/"))
        assert "Secure" not in cookie
        assert client.get(SITES).status_code == 200
        kept = client.cookies["sereno_session"]

        client.post("/logout", data=_form(client.get("/account")))
        assert client.get(SITES).status_code == 401
        assert client.get(SITES, headers={"Cookie": "sereno_session=" + kept}).status_code == 401


def test_log_out_everywhere(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        _log_in(client, "ana")
        with httpx.Client(base_url=client.base_url) as phone:
            _log_in(phone, "ana")
            assert phone.get(SITES).status_code == 200

            client.post("/logout", data={**_form(client.get("/account")), "everywhere": "yes"})

            assert phone.get(SITES).status_code == 401


def test_a_session_ends_when_idle_and_at_its_end(tmp_path: Path) -> None:
    at = NOW
    with (
        Service(tmp_path, clock=lambda: at) as service,
        listening(service) as address,
        httpx.Client(base_url=address) as client,
    ):
        _ana(service, client)
        for hours in (7, 14, 21):  # each within eight hours of the last
            at = NOW + timedelta(hours=hours)
            assert client.get(SITES).status_code == 200
        at += timedelta(hours=9)
        assert client.get(SITES).status_code == 401

        _log_in(client, "ana")
        start = at
        while at < start + timedelta(days=6, hours=14):
            at += timedelta(hours=7)
            assert client.get(SITES).status_code == 200
        at += timedelta(hours=7)
        assert client.get(SITES).status_code == 401


@pytest.mark.parametrize("name", ["ana", "nobody", "disabled", "invited"])
def test_a_failed_login_says_the_same_whoever_it_was(tmp_path: Path, name: str) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        workspace = service.workspace("default")
        for other in ("disabled", "invited"):
            add_user(workspace.store, other, role=Role.VIEWER, now=workspace.now())
        disable_user(workspace.store, "disabled", now=workspace.now())
        client.cookies.clear()

        answer = _log_in(client, name, "no es la contraseña")

    assert answer.status_code == 401
    assert "sereno_session" not in client.cookies
    told = re.sub(r'value="[^"]*"', "", answer.text)
    assert "Name and password do not fit" in told
    assert name not in told.replace('name="', "").replace("User name", "")


def test_an_unknown_name_costs_as_much_as_a_wrong_password() -> None:
    known = hash_password(PASSWORD)
    verify_password(PASSWORD, "")  # what it is compared with is made once

    def work(said: str) -> int:
        """Of several times the least: the interpreter's own cleaning up counts as calls."""
        return min(calls_made(lambda: verify_password("x" * 12, said)) for _ in range(5))

    assert work(known) == work("")
    assert not verify_password(PASSWORD, "")
    assert verify_password(PASSWORD, known)


def test_attempts_to_log_in_are_limited(tmp_path: Path) -> None:
    with _open(tmp_path, settings="service: {limits: {login_rate: 3}}\n") as (_, client):
        answers = [_log_in(client, "ana", "no es la contraseña") for _ in range(4)]

    assert [one.status_code for one in answers] == [401, 401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_a_disabled_user_is_out_at_once(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        workspace = service.workspace("default")
        _ana(service, client)
        with httpx.Client(base_url=client.base_url) as other:
            token, _ = add_user(workspace.store, "eva", role=Role.OPERATOR, now=workspace.now())
            _choose(other, token)
            assert other.get(SITES).status_code == 200

            disable_user(workspace.store, "eva", now=workspace.now())
            assert other.get(SITES).status_code == 401
            assert _log_in(other, "eva").status_code == 401

            token = reset_user(workspace.store, "eva", now=workspace.now())
            assert _log_in(other, "eva").status_code == 401  # the old password works no more
            assert _choose(other, token).status_code == 303
            assert other.get(SITES).status_code == 200


def test_writes_of_a_session_must_come_from_our_pages(tmp_path: Path) -> None:
    new = {"name": "k"}
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        csrf = _csrf(client)

        assert client.post("/api/v1/keys", json=new).status_code == 403
        assert client.post("/api/v1/keys", json=new, headers={"X-CSRF-Token": "x"}).status_code == 403
        for foreign in (
            {"Origin": "https://evil.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Origin": "null"},
        ):
            assert client.post("/api/v1/keys", json=new, headers=csrf | foreign).status_code == 403
        assert find_keys(service.workspace("default").store) == []
        own = {"Origin": str(client.base_url).rstrip("/")}
        assert client.post("/api/v1/keys", json=new, headers=csrf | own).status_code == 201


def test_the_login_form_of_another_page_is_refused(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        client.cookies.clear()
        said = {"name": "ana", "password": PASSWORD}

        assert client.post("/login", data=said).status_code == 403
        hidden = _form(client.get("/login"))
        foreign = client.post("/login", data={**hidden, **said}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert client.post("/login", data={**hidden, **said}).status_code == 303


@pytest.mark.parametrize(
    "wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\n/evil"]
)
def test_a_login_leads_nowhere_else(tmp_path: Path, wanted: str) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)

        assert _log_in(client, "ana", next=wanted).headers["location"] == "/"


def test_a_login_leads_to_the_page_that_was_asked_for(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)

        assert (
            _log_in(client, "ana", next="/incidents?sort=cost").headers["location"] == "/incidents?sort=cost"
        )


def test_somebody_always_remains_administrator(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        csrf = _csrf(client)

        assert client.delete("/api/v1/users/ana", headers=csrf).status_code == 422
        assert client.patch("/api/v1/users/ana", json={"role": "viewer"}, headers=csrf).status_code == 422
        assert client.get("/api/v1/me").json()["role"] == "admin"


def test_users_of_organizations_are_apart(tmp_path: Path) -> None:
    add_organization(tmp_path, "acme")
    with _open(tmp_path) as (service, client):
        _ana(service, client)
        client.cookies.clear()
        acme = service.workspace("acme")
        token, _ = add_user(acme.store, "ana", role=Role.VIEWER, now=acme.now())
        assert (
            _choose(
                client,
                token,
                organization="acme",
                password="otra frase muy larga",
                again="otra frase muy larga",
            ).status_code
            == 303
        )
        assert client.get("/api/v1/me").json() | {"csrf_token": ""} == {
            "organization": "acme",
            "name": "ana",
            "role": "viewer",
            "sees_personal": False,
            "csrf_token": "",
        }
        token = client.cookies["sereno_session"].partition(".")[2]
        client.cookies.clear()

        assert (
            client.get(SITES, headers={"Cookie": "sereno_session=" + f"default.{token}"}).status_code == 401
        )
        assert (
            client.get(SITES, headers={"Cookie": "sereno_session=" + f"../acme.{token}"}).status_code == 401
        )
        assert _log_in(client, "ana", organization="acme").status_code == 401  # the password of the other one
        assert _log_in(client, "ana", organization="nobody").status_code == 401


def test_an_organization_added_meanwhile_is_served(tmp_path: Path) -> None:
    with _open(tmp_path) as (service, client):
        add_organization(tmp_path, "acme")
        key = key_for(service, Role.VIEWER, organization="acme")

        assert client.get("/api/v1/me", headers={"X-API-Key": key}).json()["organization"] == "acme"


def test_a_broken_organization_stops_no_other(tmp_path: Path) -> None:
    folder = add_organization(tmp_path, "acme")
    (folder / "sereno.yaml").write_text("organization: acme\nreceivers: 7\n", "utf-8")

    with served(tmp_path) as client:
        assert client.get(SITES).status_code == 200


def test_without_auth_everybody_is_administrator(tmp_path: Path) -> None:
    with _open(tmp_path, settings="service: {auth: false}\n") as (_, client):
        assert client.get("/api/v1/me").json()["role"] == "admin"


@pytest.mark.parametrize(("language", "title"), [("es-ES,es;q=0.9", "Entrar"), ("en", "Log in")])
def test_pages_speak_the_language_of_the_reader(tmp_path: Path, language: str, title: str) -> None:
    with _open(tmp_path) as (_, client):
        page = client.get("/login", headers={"Accept-Language": language})

    assert f"<h1>{title}</h1>" in page.text
    assert f'<html lang="{language[:2]}">' in page.text


def test_names_cannot_become_markup(tmp_path: Path) -> None:
    with _open(tmp_path) as (_, client):
        answer = _log_in(client, '"><script>alert(1)</script>', "no es la contraseña")

    assert "<script" not in answer.text
