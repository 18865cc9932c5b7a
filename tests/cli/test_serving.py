"""`sereno serve`: what it tells whoever started it."""

import json
from pathlib import Path

import httpx

from tests.support.processes import free_port, start_sereno


def test_service_on_every_address_tells_one_that_can_be_opened(tmp_path: Path) -> None:
    port = free_port()
    process = start_sereno("serve", "--host", "0.0.0.0", "--port", port, "--json", workspace=tmp_path / "w")
    assert process.stdout is not None

    try:
        url = json.loads("".join(iter(process.stdout.readline, "}\n")) + "}")["url"]
        answer = httpx.get(f"{url}/healthz", trust_env=False)
    finally:
        process.terminate()
        _, told = process.communicate(timeout=60)

    assert url == f"http://localhost:{port}"
    assert answer.json()["status"] == "alive"
    assert f"http://localhost:{port}/welcome?token=" in told
