"""Every route × every role × the key of another company × no key, out of the routes themselves."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from fastapi import FastAPI, routing
from fastapi.dependencies.models import Dependant

from sereno.api.app import create_app
from sereno.api.context import Entrance
from sereno.api.security import Requirement
from sereno.domain.access import Role
from sereno.flows.organizations import add_organization
from sereno.flows.service import Service
from tests.api.serving import key_for, listening
from tests.store.builders import ROOF, a_card
from tests.store.neighbours import SECRET, fill

OPEN_TO_ALL = frozenset(
    {
        *("/login", "/logout", "/welcome", "/account", "/login/pages.css", "/favicon.ico"),
        *("/", "/healthz", "/readyz", "/health", "/openapi.json"),
        *("/docs", "/docs/oauth2-redirect", "/redoc"),
    }
)
"""What may be asked without a key, and why it may: to log in, to be watched, and what says how to ask."""

OPEN_FOLDERS = ("/static", "/assets", "/docs/")
"""Files that lie in the package: scripts and style sheets of pages."""

PRESENT = {
    "incident": "a" * 16,
    "asset_id": "1",
    "site": ROOF.site,
    "asset": ROOF.asset,
    "signal": "generation",
    "silence": "s" * 16,
    "model": a_card().id,
    "key": "gateway",
    "user": "ana",
    "correction": "c" * 16,
    "receiver": "ana",
    "notification": "1",
    "detection": "1",
    "profile": "solar",
}
"""What the first organization has, by a word in the name of a path parameter."""


def requirement_of(route: object) -> Requirement | None:
    """What a route asks of who calls it; None for nothing."""
    dependant = getattr(route, "dependant", None)
    return _in(dependant) if isinstance(dependant, Dependant) else None


def routes_of(app: FastAPI) -> list[Any]:
    """Every route with the whole of its path, whichever router it came with."""
    contexts = getattr(routing, "iter_route_contexts", None)  # before FastAPI 0.137 the list itself is flat
    return list(app.routes if contexts is None else contexts(app.routes))


def _in(dependant: Dependant) -> Requirement | None:
    if isinstance(dependant.call, Entrance):
        return dependant.call.requirement
    return next((found for one in dependant.dependencies if (found := _in(one)) is not None), None)


def _app(folder: Path) -> FastAPI:
    with Service(folder) as service:
        return create_app(service)


def unguarded(routes: list[Any]) -> list[str]:
    """The paths that ask for nothing and are not declared to be open."""
    paths = [str(getattr(route, "path", route)) for route in routes if requirement_of(route) is None]
    return [path for path in paths if path not in OPEN_TO_ALL and not path.startswith(OPEN_FOLDERS)]


def test_every_route_asks_for_a_role(tmp_path: Path) -> None:
    assert unguarded(routes_of(_app(tmp_path))) == []


def test_a_route_without_a_requirement_is_found(tmp_path: Path) -> None:
    app = FastAPI()
    app.get("/forgotten")(lambda: None)
    app.mount("/other", FastAPI())

    assert {"/forgotten", "/other"} <= set(unguarded(routes_of(app)))


def test_only_readings_may_be_written_by_sources(tmp_path: Path) -> None:
    """What a source may do is little, and reads nothing."""
    for route in routes_of(_app(tmp_path)):
        requirement = requirement_of(route)
        if requirement is not None and requirement.role is Role.SOURCE:
            assert not re.search(r"incident|user|key|audit|silence|receiver|model", route.path), route.path


@contextmanager
def _companies(folder: Path) -> Iterator[tuple[Service, httpx.Client]]:
    """A service of two companies: the first has something of everything, the other nothing."""
    add_organization(folder, "otra")
    with Service(folder) as service, listening(service) as address:
        fill(service.workspace("default").store)
        with httpx.Client(base_url=address, timeout=30) as client:
            yield service, client


def _calls(service: Service) -> list[tuple[str, str, Requirement, bool]]:
    """Method, path with what is there, requirement, and whether the path names something that is there."""
    found = []
    for route in routes_of(create_app(service)):
        requirement = requirement_of(route)
        if requirement is None:
            continue
        names = re.findall(r"{(\w+)(?::\w+)?}", route.path)
        known = [next((there for word, there in PRESENT.items() if word in name), None) for name in names]
        path = route.path
        for there in known:
            path = re.sub(r"{\w+(?::\w+)?}", quote(there or "x"), path, count=1)
        is_there = bool(names) and None not in known
        found += [(method, path, requirement, is_there) for method in route.methods - {"HEAD", "OPTIONS"}]
    return sorted(found, key=lambda call: (call[0] == "DELETE", call[:2]))


def _ask(client: httpx.Client, method: str, path: str, key: str | None) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    body = None if method in {"GET", "DELETE"} else {}
    with client.stream(method, path, headers=headers, json=body) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        return answer


def test_matrix(tmp_path: Path) -> None:
    wrong = []
    with _companies(tmp_path) as (service, client):
        assert {"/api/v1/sites", "/api/v1/keys", "/api/v1/audit"} <= {
            path for _, path, _, _ in _calls(service)
        }
        keys = {role: key_for(service, role) for role in Role}
        for method, path, requirement, _ in _calls(service):
            told = _ask(client, method, path, None).status_code
            if (told == 401) is requirement.is_open_locally:
                wrong.append((method, path, "no key", told))
            for role, key in keys.items():
                told = _ask(client, method, path, key).status_code
                if (told == 403) == role.may(requirement.role) or told in {401, 500}:
                    wrong.append((method, path, role.name, told))

    assert wrong == []


def test_the_key_of_another_company_finds_nothing(tmp_path: Path) -> None:
    wrong = []
    with _companies(tmp_path) as (service, client):
        theirs = {role: key_for(service, role, organization="otra") for role in (Role.SOURCE, Role.ADMIN)}
        before = _counts(service)
        for method, path, requirement, is_there in _calls(service):
            key = theirs[Role.SOURCE if requirement.role is Role.SOURCE else Role.ADMIN]
            answer = _ask(client, method, path, key)
            text = "" if not answer.is_stream_consumed else answer.text
            if SECRET in text or (is_there and answer.is_success and method == "GET"):
                wrong.append((method, path, answer.status_code, text[:200]))
            if is_there and method != "GET" and answer.is_success:
                wrong.append((method, path, answer.status_code, text[:200]))

        assert _counts(service) == before
    assert wrong == []


def test_what_is_there_is_found_by_its_own_company(tmp_path: Path) -> None:
    """Otherwise the test above could ask for what nobody has."""
    with _companies(tmp_path) as (service, client):
        mine = key_for(service)
        answers = {
            path: _ask(client, method, path, mine).status_code
            for method, path, _, is_there in _calls(service)
            if is_there and method == "GET"
        }

    assert {path for path, status in answers.items() if status == 404 or status >= 500} == set()


def _counts(service: Service) -> dict[str, object]:
    with service.workspace("default").store.read() as tx:
        return {
            "rows": tx.n_rows(),
            "incidents": len(tx.incidents()),
            "silences": len(tx.silences()),
            "users": [one.to_json() for one in tx.users()],
            "keys": [(one.prefix, one.revoked_at) for one in tx.keys()],  # noqa: SIM118 - not of a mapping
            "events": len(tx.events("a" * 16)),
        }
