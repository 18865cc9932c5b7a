"""Who may not see supply-point numbers and personal names gets pseudonyms, whichever route they ask."""

import base64
import html
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_params

from sereno.api.app import create_app
from sereno.console import mount_static
from sereno.console import router as console
from sereno.domain.access import Role
from sereno.flows.organizations import add_organization
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace
from tests.api.serving import key_for, listening
from tests.api.test_matrix import requirement_of, routes_of
from tests.support.builders import MADRID, a_roof, a_workspace, readings_of, write_solar_csv
from tests.support.processes import wait_until

V1 = "/api/v1"
NUMBER = "ES0021000000000001AB"
SPACED = "ES 0031 4054 1234 5678 YZ"
PERSON = "Casa Peñín & Díaz"
HIDDEN = (
    NUMBER,
    SPACED,
    SPACED.replace(" ", ""),
    NUMBER[2:13],
    "4054 1234",
    PERSON,
    "Peñín",
    "Peñ",
    r"Pe\u00f1",
    "Pe%C3%B1",
)
SETTINGS = """\
tariff: {currency: EUR, prices: {kWh: 0.2}}
privacy: {names: ["Casa *"]}
receivers:
  guardia: {kind: files, options: {folder: told}}
routes:
  - {match: {severity: medium}, to: [guardia]}
"""
ROWS, LEARNT = 300, 240


def _build(folder: Path) -> None:
    windows = [
        a_roof(name, rows=ROWS, generation={(LEARNT + 20, LEARNT + 32): 0.3})
        for name in (NUMBER, SPACED, PERSON)
    ]
    with a_workspace(folder, settings=SETTINGS) as workspace:
        workspace.add(readings_of(*(window.rows(0, LEARNT) for window in windows)), zone=MADRID)
        workspace.train()
        workspace.add(
            readings_of(*(window.rows(LEARNT, ROWS) for window in windows)), zone=MADRID, judge=True
        )
        path = write_solar_csv(folder.parent / "files", a_roof(NUMBER, rows=40))
        path.write_text(path.read_text("utf-8") + f"Total {SPACED},1,2,3,4,5\nno,es,un,dato,,\n", "utf-8")
        workspace.ingest(path)
        workspace.drift()


@dataclass(frozen=True)
class Asked:
    """A server, and clients of who may see names and who may not."""

    service: Service
    address: str
    sees: httpx.Client
    masked: httpx.Client

    @property
    def workspace(self) -> Workspace:
        """Of the organization that both are of."""
        return self.service.workspace("default")


def _with_console(app: FastAPI) -> None:
    app.include_router(console)
    mount_static(app)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """A fleet whose names are personal, with what people did about it."""
    folder = tmp_path_factory.mktemp("masked") / "workspace"
    _build(folder)
    with Service(folder) as service, listening(service, _with_console) as address:
        keys = (key_for(service, sees_personal=True), key_for(service, Role.VIEWER))
        with (
            httpx.Client(
                base_url=address, headers={"Authorization": f"Bearer {keys[0]}"}, timeout=30
            ) as sees,
            httpx.Client(
                base_url=address, headers={"Authorization": f"Bearer {keys[1]}"}, timeout=30
            ) as masked,
        ):
            _act(sees)
            yield Asked(service, address, sees, masked)


def _silence(site: str, comment: str) -> dict[str, object]:
    return {"matcher": {"site": site}, "comment": comment, "ends_at": "2099-01-01T00:00:00Z"}


def _act(client: httpx.Client) -> None:
    """Things that people say about a site, so that there is something of everything."""
    for incident in client.get(f"{V1}/incidents").json()["items"]:
        client.post(f"{V1}/incidents/{incident['id']}/comment", json={"text": f"Ver {NUMBER}: {PERSON}"})
    silence = _silence(NUMBER, f"Obras en {PERSON}")
    client.post(f"{V1}/silences", json=silence).raise_for_status()
    correction = {
        "asset": PERSON,
        "signal": "generation",
        "kind": "factor",
        "amount": 2,
        "from": "2024-02-01T00:00:00Z",
        "to": "2024-02-05T00:00:00Z",
        "reason": NUMBER,
    }
    client.post(f"{V1}/corrections", json=correction).raise_for_status()
    key = {"name": "pasarela", "role": "source", "sites": [NUMBER]}
    client.post(f"{V1}/keys", json=key).raise_for_status()


def _known(client: httpx.Client) -> dict[str, list[str]]:
    """What there is, by a word in the name of a path parameter."""
    incidents = [one["id"] for one in client.get(f"{V1}/incidents").json()["items"]]
    return {
        "incident": incidents[:2],
        "asset_id": ["1", "2", "3"],
        "site": [NUMBER, PERSON],
        "asset": [NUMBER, PERSON],
        "model": [client.get(f"{V1}/models").json()[0]["id"]],
    }


ASKED_BESIDE = {
    f"{V1}/series": ["asset_id=1", "asset_id=3"],
    f"{V1}/quality": [f"site={quote(NUMBER)}"],
    f"{V1}/regimes": ["asset_id=1"],
    f"{V1}/reports/asset": [f"asset={quote(PERSON)}"],
    f"{V1}/issues": ["", "limit=1"],
    f"{V1}/assets": ["", "limit=1"],
    f"{V1}/incidents": ["", "limit=1", "sort=newest&limit=1"],
    f"{V1}/detections": ["", "limit=1"],
}
"""Queries without which a route says nothing, or says it otherwise."""


def _addresses(app: FastAPI, client: httpx.Client) -> list[str]:
    """Every address that can be looked at, with what is there."""
    known, found = _known(client), []
    for route in routes_of(app):
        if requirement_of(route) is None or "GET" not in route.methods:
            continue
        paths = [route.path]
        for name in re.findall(r"{(\w+)(?::\w+)?}", route.path):
            there = next((values for word, values in known.items() if word in name), ["1"])
            there = ["csv", "xlsx", "json"] if name == "kind" else there
            paths = [
                re.sub(rf"{{{name}(?::\w+)?}}", lambda _, one=one: quote(one, safe=""), path)
                for path in paths
                for one in there
            ]
        kinds = ["", "?format=xlsx"] if "/exports/" in route.path else [""]
        beside = [f"?{one}" if one else "" for one in ASKED_BESIDE.get(route.path, [])]
        found += [path + one for path in paths for one in (beside or kinds)]
    return sorted(set(found))


def _said(answer: httpx.Response) -> str:
    """All that an answer says, also in what is packed."""
    parts = [json.dumps(dict(answer.headers), ensure_ascii=False)]
    if answer.headers.get("content-type", "").startswith("application/vnd.openxml"):
        with zipfile.ZipFile(io.BytesIO(answer.content)) as book:
            parts += [book.read(name).decode("utf-8", "replace") for name in book.namelist()]
    else:
        parts.append(answer.text)
    told = "\n".join(parts)
    cursors = [_decoded(one) for one in re.findall(r"(?:cursor=|\"next\":\s*\")([\w%-]{8,})", told)]
    return "\n".join([told, unquote(told), *cursors])


def _decoded(cursor: str) -> str:
    plain = unquote(cursor)
    try:
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8", "replace")
    except ValueError:
        return ""


def _look(client: httpx.Client, address: str) -> httpx.Response:
    with client.stream("GET", address, headers={"Accept": "*/*"}) as answer:
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        return answer


def test_no_route_tells_a_name_to_who_may_not_see_it(asked: Asked) -> None:
    app = create_app(asked.service)
    _with_console(app)
    told_to_one, told_to_other, unreadable, n_statuses = [], 0, [], 0

    for address in _addresses(app, asked.sees):
        answer = _look(asked.masked, address)
        if not answer.is_stream_consumed:
            continue
        kind = answer.headers.get("content-type", "")
        if not re.match(r"text/|application/(.*json|vnd.openxml)|$", kind):
            unreadable.append((address, kind))
        said = _said(answer)
        told_to_one += [(address, one, said[:300]) for one in HIDDEN if one in said]
        full = _look(asked.sees, address)
        told_to_other += any(one in _said(full) for one in (NUMBER, PERSON, "Peñín &amp; Díaz"))
        n_statuses += full.is_success

    assert told_to_one == []
    assert unreadable == []
    assert told_to_other >= 25
    assert n_statuses >= 40


@pytest.mark.parametrize("name", [NUMBER, SPACED, PERSON], ids=["number", "spaced", "person"])
def test_what_is_asked_by_pseudonym_is_found(asked: Asked, name: str) -> None:
    pseudonym = asked.workspace.pseudonyms().of(name)

    found = asked.masked.get(f"{V1}/assets", params={"site": pseudonym}).json()["items"]
    own = asked.sees.get(f"{V1}/assets", params={"site": name}).json()["items"]

    assert [one["site"] for one in found] == [pseudonym]
    assert [one["id"] for one in found] == [one["id"] for one in own]
    page = asked.masked.get(f"/console/sites/{pseudonym}")
    assert (page.status_code, pseudonym in page.text) == (200, True)


def test_what_is_written_by_pseudonym_is_of_the_site(asked: Asked) -> None:
    operator = {"Authorization": f"Bearer {key_for(asked.service, Role.OPERATOR)}"}
    pseudonym = asked.workspace.pseudonyms().of(PERSON)

    made = asked.masked.post(f"{V1}/silences", json=_silence(pseudonym, "Obras"), headers=operator)
    seen = asked.sees.get(f"{V1}/silences").json()

    assert made.json()["matcher"]["site"] == pseudonym
    assert PERSON in [one["matcher"].get("site") for one in seen if one["id"] == made.json()["id"]]


def _searches(client: httpx.Client, app: FastAPI) -> list[str]:
    """Every address that can be searched by a text, out of the routes and of the forms of the pages."""
    found = []
    for route in routes_of(app):
        if requirement_of(route) is None or "GET" not in route.methods or "{" in route.path:
            continue
        named = any(one.name == "text" for one in get_flat_params(route.dependant))
        page = None if named else _look(client, route.path)
        if named or (page is not None and page.is_stream_consumed and 'name="text"' in page.text):
            found.append(route.path)
    return sorted(set(found))


def _found_by(client: httpx.Client, address: str, text: str) -> str:
    """What a search gives, without what repeats the question, or differs from answer to answer."""
    days = {"from": "2024-01-01", "to": "2025-01-01"} if address.startswith("/console") else {}
    answer = client.get(address, params={"text": text, **days})
    assert answer.status_code == 200, address
    ways = {text, quote(text), quote_plus(text), html.escape(text), text.casefold()}
    ways |= {quote(one) for one in ways}  # an address in an address, to come back to
    said = answer.text
    for way in sorted(ways, key=len, reverse=True):
        said = said.replace(way, "")
    return re.sub(r'nonce="[^"]*"|csrf[^>]*>|p-[0-9a-f]{12}', "", said)


def test_no_search_tells_of_what_is_hidden_part_by_part(asked: Asked) -> None:
    app = create_app(asked.service)
    _with_console(app)
    searches = _searches(asked.sees, app)
    assert {f"{V1}/incidents", "/console/incidents", "/console/quality"} <= set(searches)
    guessed, n_found = [], 0

    for address in searches:
        for part in (NUMBER[:14], SPACED[8:17], PERSON[:9], PERSON[-4:]):
            nothing = "~" * len(part)
            if _found_by(asked.masked, address, part) != _found_by(asked.masked, address, nothing):
                guessed.append((address, part))
            n_found += _found_by(asked.sees, address, part) != _found_by(asked.sees, address, nothing)

    assert guessed == []
    assert n_found >= 3 * len(searches)


def test_a_search_by_pseudonym_finds(asked: Asked) -> None:
    for name in (NUMBER, PERSON):
        pseudonym = asked.workspace.pseudonyms().of(name)

        found = asked.masked.get(f"{V1}/incidents", params={"text": pseudonym}).json()["items"]

        assert found
        assert {one["site"] for one in found} == {pseudonym}


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer srn_nobody"}], ids=["no key", "wrong key"])
def test_a_pseudonym_tells_nothing_to_who_is_not_let_in(asked: Asked, header: dict[str, str]) -> None:
    pseudonym = asked.workspace.pseudonyms().of(NUMBER)
    with httpx.Client(base_url=asked.address, headers=header) as nobody:
        for address in (f"/nothing/{pseudonym}", f"{V1}/assets?site={pseudonym}"):
            said = _said(nobody.get(address))
            assert NUMBER not in said

    assert NUMBER not in _said(asked.masked.get(f"/nothing/{pseudonym}"))


def test_a_problem_names_nobody(asked: Asked) -> None:
    refused = asked.masked.get(f"{V1}/incidents", params={NUMBER: 1})

    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("application/problem+json")
    assert NUMBER not in refused.text


def test_a_name_that_came_a_moment_ago_is_masked(asked: Asked) -> None:
    new = "Casa Nueva"
    asked.workspace.add(readings_of(a_roof(new, rows=5)), zone=MADRID)

    said = asked.masked.get(f"{V1}/sites").text

    assert new not in said
    assert asked.workspace.pseudonyms().of(new) in said


def test_events_come_without_names(asked: Asked) -> None:
    heard: list[str] = []

    def listen() -> None:
        with asked.masked.stream("GET", f"{V1}/events") as events:
            for line in events.iter_lines():
                heard.append(line)
                if line.startswith("data:") and "incident" in line:
                    return

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    wait_until(lambda: bool(heard))
    incident = asked.sees.get(f"{V1}/incidents").json()["items"][0]
    asked.sees.post(f"{V1}/incidents/{incident['id']}/comment", json={"text": f"De {NUMBER}"})
    listener.join(30)

    assert any("incident" in line for line in heard)
    assert not any(name in line for line in heard for name in HIDDEN)


def test_another_company_has_other_pseudonyms(tmp_path: Path) -> None:
    add_organization(tmp_path, "otra")
    with Service(tmp_path) as service, listening(service) as address:
        mine, theirs = (service.workspace(name) for name in ("default", "otra"))
        for workspace in (mine, theirs):
            workspace.add(readings_of(a_roof(NUMBER, rows=5)), zone=MADRID)
        key = key_for(service, Role.VIEWER, organization="otra")
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}) as client:
            asked = {name: one.pseudonyms().of(NUMBER) for name, one in (("mine", mine), ("theirs", theirs))}
            found = {
                name: client.get(f"{V1}/assets", params={"site": one}).json()["items"]
                for name, one in asked.items()
            }

    assert asked["mine"] != asked["theirs"]
    assert (len(found["mine"]), len(found["theirs"])) == (0, 1)


def test_who_keeps_no_names_secret_is_asked_for_none(tmp_path: Path) -> None:
    """Masking numbers does not look into the store: the road of readings is as short as before."""
    with Service(tmp_path) as service:
        workspace = service.workspace("default")
        assert not workspace.has_personal
        masks = {id(workspace.mask()) for _ in range(3)}

    assert len(masks) == 1


def _document() -> dict[str, Any]:
    return {"site": PERSON, "where": f"fila 1\n{NUMBER}", "path": f"/x?site={quote(PERSON)}"}


@pytest.mark.parametrize("ascii_only", [True, False])
def test_names_are_found_in_every_notation(asked: Asked, ascii_only: bool) -> None:
    text = json.dumps(_document(), ensure_ascii=ascii_only)

    masked = asked.workspace.mask().text(text)

    assert not any(name in masked for name in HIDDEN)
    assert json.loads(masked)["site"] == asked.workspace.pseudonyms().of(PERSON)
