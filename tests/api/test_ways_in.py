"""No request can make the service look around in its own network, nor learn what stands there."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sereno.domain.access import Role
from sereno.flows.service import Service
from tests.api.serving import key_for, listening, served
from tests.notify.servers import Receiver, Reply, http_receiver

V1 = "/api/v1"
ADDRESS_WORDS = ("url", "host", "address", "endpoint", "broker", "server", "smarthost", "proxy", "webhook")
SETTINGS = """\
receivers:
  dentro: {{kind: webhook, options: {{url: "{inside}/secret"}}}}
  desvio: {{kind: webhook, options: {{url: "{detour}/hook", allow_private: true}}}}
  nombre: {{kind: webhook, options: {{url: "http://localhost:{port}/secret"}}}}
"""


@pytest.fixture
def inside() -> Iterator[Receiver]:
    """A server of this network that nobody may be led to."""
    with http_receiver() as found:
        yield found


@pytest.fixture
def asking(tmp_path: Path, inside: Receiver) -> Iterator[httpx.Client]:
    """An administrator's client of a service whose receivers lead inside, or to who leads there."""
    with http_receiver(Reply(302, b"", {"Location": f"{inside.url}/secret"})) as detour:
        port = httpx.URL(inside.url).port
        text = SETTINGS.format(inside=inside.url, detour=detour.url, port=port)
        (tmp_path / "w").mkdir()
        (tmp_path / "w" / "sereno.yaml").write_text(text, "utf-8")
        with served(tmp_path / "w") as client:
            yield client


@pytest.mark.parametrize(
    ("receiver", "outcome"), [("dentro", "refused"), ("nombre", "refused"), ("desvio", "refused")]
)
def test_a_test_never_reaches_what_is_inside(
    asking: httpx.Client, inside: Receiver, receiver: str, outcome: str
) -> None:
    answer = asking.post(f"{V1}/receivers/{receiver}/test").raise_for_status().json()

    assert answer["outcome"] == outcome
    assert inside.got == []


def test_a_test_tells_nothing_of_what_answered(asking: httpx.Client) -> None:
    told = [asking.post(f"{V1}/receivers/{name}/test").text for name in ("dentro", "desvio")]

    assert not any("secret" in one for one in told)


def test_only_administrators_may_try_addresses(fleet_template: Path, tmp_path: Path) -> None:
    shutil.copytree(fleet_template, tmp_path / "w")
    with Service(tmp_path / "w") as service, listening(service) as address:
        for role in (Role.VIEWER, Role.OPERATOR, Role.ENGINEER, Role.SOURCE):
            headers = {"Authorization": f"Bearer {key_for(service, role)}"}
            refused = httpx.post(f"{address}{V1}/receivers/guardia/test", headers=headers)
            assert refused.status_code == 403


def test_no_request_says_an_address(looking: httpx.Client) -> None:
    """Whoever adds such a field calls `check_outside` with it, tests that, and names it here."""
    schema = looking.get("/openapi.json").json()

    found = {
        (path, name)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
        if method != "parameters"
        for name in _asked(operation, schema)
        if any(word in name.lower() for word in ADDRESS_WORDS)
    }

    assert found == set()


def test_a_field_with_an_address_is_found() -> None:
    body = {"type": "object", "properties": {"options": {"$ref": "#/components/schemas/Way"}}}
    schema = {"components": {"schemas": {"Way": {"properties": {"hook_url": {"type": "string"}}}}}}

    found = _asked({"requestBody": {"content": {"application/json": {"schema": body}}}}, schema)

    assert set(found) == {"options", "hook_url"}


def _asked(operation: dict[str, Any], schema: dict[str, Any]) -> Iterator[str]:
    """The names of all that a request can say."""
    for one in operation.get("parameters", []):
        yield one["name"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from _fields(content.get("schema", {}), schema, set())


def _fields(part: Any, schema: dict[str, Any], seen: set[str]) -> Iterator[str]:
    if isinstance(part, list):
        for one in part:
            yield from _fields(one, schema, seen)
    if not isinstance(part, dict):
        return
    reference = part.get("$ref")
    if reference is not None and reference not in seen:
        seen.add(reference)
        yield from _fields(schema["components"]["schemas"][reference.rpartition("/")[2]], schema, seen)
    for name, inner in part.get("properties", {}).items():
        yield name
        yield from _fields(inner, schema, seen)
    for key in ("items", "anyOf", "allOf", "oneOf", "additionalProperties"):
        yield from _fields(part.get(key), schema, seen)
