"""`sereno serve` for the first time: one link, over TLS, that outlives a restart and dies with its use."""

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import trustme

from tests.support.processes import free_port, sereno, start_sereno, wait_until

PASSWORD = "cuatro palabras bien largas"


@contextmanager
def _served(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    with start_sereno("serve", "--port", port, workspace=folder) as process:
        try:
            wait_until(lambda: _answers(port), timeout=90)
            yield process
        finally:
            process.terminate()


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"https://127.0.0.1:{port}/healthz", verify=False).status_code == 200
    except httpx.TransportError:
        return False


def _link(process: "subprocess.Popen[str]") -> str | None:
    process.terminate()
    _, said = process.communicate(timeout=60)
    found = re.search(r"https://\S+/welcome\?\S+", said)
    return None if found is None else found[0]


def test_the_first_administrator_comes_by_a_link_that_outlives_a_restart(tmp_path: Path) -> None:
    folder, port = tmp_path / "w", free_port()
    folder.mkdir()
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    files = f"tls_certificate: {folder / 'server.pem'}, tls_key: {folder / 'server.pem'}"
    (folder / "sereno.yaml").write_text(f"service: {{{files}}}\n", "utf-8")
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with _served(folder, port) as process:
        link = _link(process)
    assert link is not None

    with _served(folder, port), httpx.Client(verify=trust) as client:
        page = client.get(link)
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        entered = client.post(
            f"https://127.0.0.1:{port}/welcome",
            data={**hidden, "name": "ana", "password": PASSWORD, "again": PASSWORD},
        )
        cookie = entered.headers["set-cookie"]
        assert entered.status_code == 303
        assert all(word in cookie for word in ("HttpOnly", "Secure", "SameSite=lax"))
        assert client.get(f"https://127.0.0.1:{port}/api/v1/me").json()["role"] == "admin"
        assert client.get(link).status_code == 410

    with _served(folder, port) as process:
        assert _link(process) is None
    noted = sereno("audit", "list", "--json", workspace=folder).document
    assert {one["action"] for one in noted} >= {"choose a password", "log in"}
    assert PASSWORD not in str(noted)
