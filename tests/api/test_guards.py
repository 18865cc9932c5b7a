"""What every request passes before a route sees it, and what every answer carries."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sereno.api.buckets import MAX_BUCKETS, Buckets
from sereno.api.guards import is_too_deep
from sereno.api.origin import client_address, is_local, is_secure
from sereno.domain.access import Role
from sereno.flows.service import Service
from sereno.settings.access import ServiceSettings
from tests.api.serving import key_for, listening, probed

SITES = "/api/v1/sites"


@contextmanager
def _limited(folder: Path, settings: str = "") -> Iterator[httpx.Client]:
    """A service with routes of our own that tell what reached them, asked by an administrator."""
    (folder / "sereno.yaml").write_text(f"service: {{{settings}}}\n", "utf-8")
    with Service(folder) as service, listening(service, probed) as address:
        headers = {"Authorization": f"Bearer {key_for(service)}"}
        with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
            yield client


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *(("127.0.0.1:1", 200), ("localhost", 200), ("[::1]:80", 200), ("10.1.2.3", 200)),
        *(("sereno.example.org", 200), ("a.plant.example", 200), ("LOCALHOST.", 200)),
        *(("evil.example", 400), ("plant.example", 400), ("xplant.example", 400), ("", 400)),
    ],
)
def test_only_known_names_are_answered(tmp_path: Path, host: str, status: int) -> None:
    with _limited(tmp_path, "allowed_hosts: [sereno.example.org, '*.plant.example']") as client:
        answer = client.get(SITES, headers={"Host": host})

    assert answer.status_code == status
    if status == 400:
        assert answer.json()["code"] == "access.host_unknown"


def test_a_large_body_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with _limited(tmp_path, "limits: {body_bytes: 1000}") as client:
        fits = client.post("/probe", content=b"x" * 1000, headers={"Content-Type": "text/csv"})
        large = client.post("/probe", content=b"x" * 1001, headers={"Content-Type": "text/csv"})
        chunked = client.post("/probe", content=(b"x" * 400 for _ in range(4)))

    assert (fits.status_code, fits.json()["bytes"]) == (200, 1000)
    assert [large.status_code, chunked.status_code] == [413, 413]
    assert large.json()["code"] == "request.too_large"


def test_a_body_in_pieces_arrives_whole(tmp_path: Path) -> None:
    with _limited(tmp_path) as client:
        answer = client.post("/probe", content=(b"x" * 100_000 for _ in range(10)))

    assert answer.json()["bytes"] == 1_000_000


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[" * 40 + "]" * 40, '{"a":' * 40 + "1" + "}" * 40],
    ids=["open", "list", "object"],
)
def test_deep_json_is_refused(tmp_path: Path, text: str) -> None:
    with _limited(tmp_path) as client:
        answer = client.post("/probe", content=text, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["code"] == "request.too_deep"


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        *(("1", 0), ("[]", 1), ("[[]]", 2), ('[{"a": [1, {}]}, [], []]', 4), ("[[],[[],[]],{}]", 3)),
        *(('["[[[[[[[[", "\\\\"]', 1), ('["\\"[[[["]', 1), ("[" + "{}," * 500 + "{}]", 2), ("[[[", 3)),
    ],
)
def test_depth_is_told_without_parsing(text: str, depth: int) -> None:
    assert not is_too_deep(text.encode(), max(depth, 1))
    if depth > 1:
        assert is_too_deep(text.encode(), depth - 1)


def test_large_headers_are_refused(tmp_path: Path) -> None:
    with _limited(tmp_path, "limits: {header_bytes: 4000}") as client:
        assert client.get(SITES, headers={"X-A": "a" * 4000}).status_code == 431
        assert client.get(SITES, headers={"X-A": "a" * 2000}).status_code == 200


def test_a_key_that_asks_too_often_waits_and_others_do_not(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("service: {limits: {key_rate: 0.001}}\n", "utf-8")
    with (
        Service(tmp_path) as service,
        listening(service) as address,
        httpx.Client(base_url=address) as client,
    ):
        one, other = ({"X-API-Key": key_for(service, role)} for role in (Role.ADMIN, Role.VIEWER))
        answers = [client.get(SITES, headers=one) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 429, 429]
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert answers[-1].json()["code"] == "access.too_many_requests"
        assert client.get(SITES, headers=other).status_code == 200


def test_an_address_that_asks_too_often_waits(tmp_path: Path) -> None:
    with _limited(tmp_path, "limits: {address_rate: 0.001}") as client:
        assert [client.get(SITES).status_code for _ in range(2)] == [200, 429]


def test_buckets_fill_at_their_rate_and_forget_the_oldest() -> None:
    now = 0.0
    buckets = Buckets(2.0, 3.0, clock=lambda: now)

    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    now = 0.5
    assert [buckets.take("a"), buckets.take("a"), buckets.take("b")] == [0, 0.5, 0]
    now = 1000.0
    assert [buckets.take("a") for _ in range(4)][-1] == 0.5
    for number in range(MAX_BUCKETS + 10):
        buckets.take(str(number))
    assert len(buckets) == MAX_BUCKETS


def test_every_answer_carries_the_headers_that_keep_browsers_safe(tmp_path: Path) -> None:
    with _limited(tmp_path) as client:
        answers = [client.get(path) for path in (SITES, "/login", "/nothing", "/api/v1/me")]
        answers.append(client.get(SITES, headers={"Host": "evil.example"}))

    for answer in answers:
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
        assert "strict-transport-security" not in answer.headers


def test_pages_of_others_may_not_read_answers(tmp_path: Path) -> None:
    with _limited(tmp_path) as client:
        answer = client.options(
            SITES, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
        )

    assert answer.status_code in {401, 405}
    assert not any(name.startswith("access-control") for name in answer.headers)


def _scope(client: str, **headers: str) -> dict[str, object]:
    said = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "scheme": "http", "client": (client, 1), "headers": said}


@pytest.mark.parametrize(
    ("peer", "said", "address"),
    [
        *(("203.0.113.9", "198.51.100.7", "203.0.113.9"), ("10.0.0.1", "198.51.100.7", "198.51.100.7")),
        *(("10.0.0.1", "127.0.0.1, 198.51.100.7", "198.51.100.7"), ("10.0.0.1", "", "10.0.0.1")),
        *(("10.0.0.1", "198.51.100.7, 10.0.0.2", "198.51.100.7"), ("10.0.0.1", "rubbish", "10.0.0.1")),
    ],
)
def test_proxies_are_believed_only_where_it_is_said(peer: str, said: str, address: str) -> None:
    trusted = ServiceSettings.model_validate({"trusted_proxies": ["10.0.0.0/24"]}).trusted_proxies

    assert client_address(_scope(peer, x_forwarded_for=said), trusted) == address
    assert client_address(_scope(peer, x_forwarded_for=said), []) == peer
    assert is_secure(_scope(peer, x_forwarded_proto="https"), trusted) is peer.startswith("10.")


@pytest.mark.parametrize(
    ("peer", "headers", "wanted"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8420"}, True),
        ("::1", {"host": "[::1]:8420"}, True),
        ("::ffff:127.0.0.1", {}, True),
        ("192.168.1.7", {"host": "127.0.0.1"}, False),
        ("127.0.0.1", {"x_forwarded_for": "127.0.0.1"}, False),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, False),
        ("127.0.0.1", {"via": "1.1 nginx"}, False),
        ("127.0.0.1", {"x_real_ip": "203.0.113.9"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "origin": "https://evil.example"}, False),
        ("127.0.0.1", {"host": "127.0.0.1", "sec_fetch_site": "cross-site"}, False),
        (
            "127.0.0.1",
            {"host": "a.example", "origin": "http://a.example", "sec_fetch_site": "same-origin"},
            True,
        ),
    ],
)
def test_local_is_a_program_of_this_machine(peer: str, headers: dict[str, str], wanted: bool) -> None:
    assert is_local(_scope(peer, **headers)) is wanted


def test_the_doors_of_this_machine_need_no_key_and_the_others_do(tmp_path: Path) -> None:
    with Service(tmp_path) as service, listening(service, probed) as address:
        viewer = key_for(service, Role.VIEWER)
        with httpx.Client(base_url=address) as client:
            own = client.post("/local")
            assert (own.status_code, own.json()) == (200, {"name": "loopback", "role": "source"})
            assert client.get("/figures").json() == {"role": "viewer"}
            assert client.get("/figures", headers={"Via": "1.1 proxy"}).status_code == 401
            assert client.post("/local", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 401
            assert client.post("/local", headers={"Origin": "https://evil.example"}).status_code == 401
            assert client.post("/local", headers={"X-API-Key": "ser_abcdefgh_x"}).status_code == 401
            assert client.post("/local", headers={"X-API-Key": viewer}).status_code == 403
            assert client.post("/probe").status_code == 401
            assert client.get(SITES).status_code == 401


def test_the_doors_of_this_machine_can_be_locked(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("service: {open_on_loopback: false}\n", "utf-8")
    with (
        Service(tmp_path) as service,
        listening(service, probed) as address,
        httpx.Client(base_url=address) as client,
    ):
        assert client.post("/local").status_code == 401


def test_a_source_key_writes_readings_of_its_sites_and_nothing_else(tmp_path: Path) -> None:
    with (
        Service(tmp_path) as service,
        listening(service, probed) as address,
        httpx.Client(base_url=address) as client,
    ):
        key = {"X-API-Key": key_for(service, Role.SOURCE, sites=["Planta 1"])}

        assert client.post("/write/Planta 1", headers=key).status_code == 200
        assert client.post("/write/Planta 2", headers=key).status_code == 404
        assert client.get(SITES, headers=key).status_code == 403
        assert client.post("/api/v1/keys", json={"name": "x"}, headers=key).status_code == 403
        for role, status in ((Role.VIEWER, 403), (Role.OPERATOR, 403), (Role.ENGINEER, 200)):
            other = {"X-API-Key": key_for(service, role)}
            assert client.post("/write/Planta 2", headers=other).status_code == status


def test_behind_a_trusted_proxy_with_tls_cookies_are_secure(tmp_path: Path) -> None:
    with _limited(tmp_path, "trusted_proxies: [127.0.0.1/32]") as client:
        secure = client.get(
            "/login", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
        )
        client.cookies.clear()
        plain = client.get("/login")

    assert "Secure" in secure.headers["set-cookie"]
    assert secure.headers["strict-transport-security"].startswith("max-age=")
    assert "Secure" not in plain.headers["set-cookie"]
