"""The application answers with resources and problem documents."""

from pathlib import Path

from tests.api.serving import served


def test_sites_of_an_empty_workspace(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        answer = client.get("/api/v1/sites")

    assert (answer.status_code, answer.json()) == (200, [])
