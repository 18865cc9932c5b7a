"""Errors, tags, parameters, pages of the documentation: the same manners everywhere."""

import asyncio
import gzip
import logging
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from sereno.api.answers import cursor_of
from sereno.api.app import create_app
from sereno.flows.service import Service
from tests.api.test_resources import V1, items

PROBLEM = "application/problem+json"


async def asked(app: FastAPI, path: str) -> httpx.Response:
    """The answer of an application that nobody serves."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "request.path_unknown"),
        ("GET", f"{V1}/nowhere", 404, "request.path_unknown"),
        ("PUT", f"{V1}/incidents", 405, "request.method"),
        ("GET", f"{V1}/incidents?limit=0", 422, "request.malformed"),
        ("GET", f"{V1}/incidents?limit=100000", 422, "request.malformed"),
        ("GET", f"{V1}/incidents?sorted=worst", 422, "request.invalid"),
        ("GET", f"{V1}/incidents?since=2025-01-01T00:00:00", 422, "request.malformed"),
        ("GET", f"{V1}/incidents?cursor=%00", 422, "request.invalid"),
        ("GET", f"{V1}/assets/99999999999999999999", 422, "request.malformed"),
        ("GET", f"{V1}/assets/77", 404, "store.not_found"),
        ("GET", f"{V1}/series?asset_id=1&signal=pressure_of_tea", 422, "signal.unknown"),
        (
            "GET",
            f"{V1}/series?asset_id=1&from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z",
            422,
            "request.invalid",
        ),
        ("GET", f"{V1}/reports/asset?asset=nobody", 404, "asset.unknown"),
        ("GET", f"{V1}/jobs/none", 404, "store.not_found"),
    ],
)
def test_every_error_is_a_problem(
    looking: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = looking.request(method, path)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == PROBLEM
    assert answer.json()["status"] == status


def test_a_time_without_zone_is_told_so(looking: httpx.Client) -> None:
    (fault,) = looking.get(f"{V1}/incidents?until=2025-01-01").json()["errors"]

    assert fault["where"] == "query.until"
    assert "zone" in fault["detail"]


def test_times_of_other_zones_mean_the_instant(looking: httpx.Client) -> None:
    shown = looking.get(
        f"{V1}/series",
        params={"asset_id": 1, "from": "2024-03-01T01:00:00+01:00", "to": "2024-03-02T00:00:00Z"},
    ).json()

    assert shown["from"] == "2024-03-01T00:00:00Z"


def test_a_fault_of_ours_tells_nothing_but_where_to_look(
    fleet: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Service(fleet) as service:
        app = create_app(service)

        @app.get("/broken")
        def break_down() -> None:
            raise RuntimeError("password=hunter2")

        with caplog.at_level(logging.ERROR, "sereno"):
            answer = asyncio.run(asked(app, "/broken"))

    assert (answer.status_code, answer.json()["code"]) == (500, "fault")
    assert "hunter2" not in answer.text
    number = re.search(r"under (\w+)", answer.json()["detail"])
    assert number is not None
    assert number[1] in {getattr(record, "fault", "") for record in caplog.records}


def test_a_body_that_is_no_json_is_refused(looking: httpx.Client) -> None:
    answer = looking.post(
        f"{V1}/silences", content=b"{not json", headers={"content-type": "application/json"}
    )

    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)


@pytest.mark.parametrize(
    "path",
    [
        "/incidents",
        "/sites",
        "/assets",
        "/detections",
        "/silences",
        "/models",
        "/summary",
        "/series?asset_id=1",
    ],
)
def test_what_did_not_change_is_not_sent_again(acting: httpx.Client, path: str) -> None:
    first = acting.get(V1 + path)
    tag = first.headers["etag"]

    again = acting.get(V1 + path, headers={"If-None-Match": tag})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


def test_what_changed_is_sent_again(acting: httpx.Client) -> None:
    tag = acting.get(f"{V1}/incidents").headers["etag"]
    number = items(acting, "/incidents")[0]["id"]
    own = acting.get(f"{V1}/incidents/{number}").headers["etag"]

    acting.post(f"{V1}/incidents/{number}/acknowledge")

    assert acting.get(f"{V1}/incidents", headers={"If-None-Match": tag}).status_code == 200
    assert acting.get(f"{V1}/incidents/{number}", headers={"If-None-Match": own}).status_code == 200


def test_an_incident_that_did_not_change_is_not_sent_again(looking: httpx.Client) -> None:
    number = items(looking, "/incidents")[0]["id"]
    tag = looking.get(f"{V1}/incidents/{number}").headers["etag"]

    assert looking.get(f"{V1}/incidents/{number}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "W10",
        cursor_of(["newest", 1.0, "a"]),
        cursor_of(["worst"]),
        cursor_of([[[]]] * 7),
        "é",
        "A" * 3000,
    ],
)
def test_a_cursor_of_another_list_is_refused(looking: httpx.Client, cursor: str) -> None:
    answer = looking.get(f"{V1}/incidents", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_pages_of_the_documentation_need_nothing_from_elsewhere(looking: httpx.Client, page: str) -> None:
    shown = looking.get(page)
    files = re.findall(r'(?:src|href)="([^"]+)"', shown.text)

    assert len(files) >= 2
    assert not [file for file in files if file.startswith(("http", "//"))]
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    for file in files:
        assert looking.get("/" + file).status_code == 200, file


def test_files_are_sent_compressed_to_those_who_take_them_so(looking: httpx.Client) -> None:
    with looking.stream("GET", "/static/redoc.standalone.js", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())
    plain = looking.get("/static/redoc.standalone.js", headers={"Accept-Encoding": "identity"})

    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed) == plain.content


def test_every_operation_is_described(looking: httpx.Client) -> None:
    described = looking.get("/openapi.json").json()
    bare = [
        f"{method} {path}"
        for path, item in described["paths"].items()
        for method, one in item.items()
        if path.startswith(V1) and not (one.get("description") and one.get("tags"))
    ]
    silent = [
        f"{method} {path} {one['name']}"
        for path, item in described["paths"].items()
        for method, operation in item.items()
        for one in operation.get("parameters", [])
        if path.startswith(V1) and not one.get("description")
    ]

    assert (bare, silent) == ([], [])
    for item in described["paths"].values():
        for operation in item.values():
            assert {"422", "500"} <= set(operation["responses"])
