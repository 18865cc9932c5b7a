"""The API does what its description says, whatever is asked (schemathesis): no 5xx, nothing undocumented."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, Response
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.serving import served
from tests.api.test_resources import V1, items

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = f"GET {V1}/events"
EVENT_STREAM = "text/event-stream"
WORKS = f"POST {V1}/jobs"
"""Begins processes: what it has begun is ended at once."""

NOT_YET = {"forecast.missing", "forecaster.missing", "model.missing"}
"""Codes of the 503 that say what is not there yet."""


@dataclass(frozen=True)
class Probed:
    """A server, and ids of what is there."""

    client: httpx.Client
    known: dict[str, object]

    @property
    def key(self) -> dict[str, str]:
        """The header by which one is let in."""
        return {"Authorization": self.client.headers["Authorization"]}


@pytest.fixture(scope="module", params=["empty", "fleet"])
def probed(
    request: pytest.FixtureRequest, fleet_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Probed]:
    """A server without anything in it, and one with incidents."""
    folder = tmp_path_factory.mktemp(request.param) / "workspace"
    if request.param == "empty":
        folder.mkdir()
    else:
        shutil.copytree(fleet_template, folder)
    with served(folder) as client:
        known: dict[str, object] = {}
        if request.param == "fleet":
            known = {
                "incident_id": items(client, "/incidents")[0]["id"],
                "asset_id": 2,
                "model_id": client.get(f"{V1}/models").json()[0]["id"],
            }
        yield Probed(client, known)


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_is_answered_that_is_not_described(probed: Probed, mode: GenerationMode) -> None:
    _probe(probed, mode, examples=3)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_nothing_is_answered_that_is_not_described_to_many_questions(
    probed: Probed, mode: GenerationMode
) -> None:
    _probe(probed, mode, examples=60)


def _probe(probed: Probed, mode: GenerationMode, *, examples: int) -> None:
    """Ask every operation for many things, and look at what it answers."""
    schema = schemathesis.openapi.from_url(str(probed.client.base_url.join("/openapi.json")))
    asked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        mine = settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        ask = partial(_ASK.get(operation.label, _check), probed)
        with suppress(Unsatisfiable):  # what takes no parameter cannot be asked wrongly
            mine(given(case=operation.as_strategy(mode))(_asking(ask)))()
        asked += 1
    assert asked > 40


def _asking(ask: Callable[[Case], None]) -> Callable[..., None]:
    def asked(case: Case) -> None:
        ask(case)

    return asked


def _check(probed: Probed, case: Case) -> None:
    """The answer to a case, and to the same of something that is there."""
    _answered(case, probed)
    there = {name: value for name, value in probed.known.items() if name in (case.path_parameters or {})}
    if there:
        case.path_parameters = {**(case.path_parameters or {}), **there}
        _answered(case, probed)
    if "asset_id" in probed.known and "asset_id" in (case.query or {}):
        case.query = {**(case.query or {}), "asset_id": probed.known["asset_id"]}
        _answered(case, probed)


def _check_stream(probed: Probed, case: Case) -> None:
    """The beginning of what does not end, or the error that it is refused with."""
    asked = case.as_transport_kwargs(base_url=str(probed.client.base_url))
    with probed.client.stream(
        case.method,
        asked["url"],
        params=asked["params"],
        headers={**_sendable(asked["headers"]), **probed.key},
    ) as answer:
        if answer.headers["content-type"].startswith(EVENT_STREAM):
            assert answer.status_code == 200
            assert next(answer.iter_text()).startswith("retry: ")
            return
        answer.read()
    assert 400 <= answer.status_code < 500, answer.text
    case.validate_response(answer, checks=CHECKS)


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """Those that a client would send."""
    return {name: value.strip() for name, value in headers.items() if value.isascii() and value.isprintable()}


def _check_job(probed: Probed, case: Case) -> None:
    """The answer to a case; a job that it began is ended."""
    answer = _answered(case, probed)
    if answer.status_code == 202:
        probed.client.post(f"{V1}/jobs/{answer.json()['id']}/cancel")


_ASK = {ENDLESS: _check_stream, WORKS: _check_job}


def _answered(case: Case, probed: Probed) -> Response:
    """The answer to somebody who is let in: who is not learns nothing of the rest."""
    answer = case.call(headers=probed.key)
    assert answer.status_code != 401
    is_not_yet = answer.status_code == 503 and answer.json()["code"] in NOT_YET
    assert answer.status_code < 500 or is_not_yet, f"{case.as_curl_command()}\n{answer.text}"
    case.validate_response(answer, checks=CHECKS)
    return answer
