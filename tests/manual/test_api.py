"""The page about the API: both languages show the same commands, and each of them works."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.fleet import build_fleet
from tests.api.serving import served
from tests.support.processes import ROOT

PAGES = [ROOT / "docs" / "api.md", ROOT / "docs" / "es" / "api.md"]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def test_pages_show_the_same_code_under_as_many_headings() -> None:
    english, spanish = (page.read_text("utf-8") for page in PAGES)

    assert FENCE.findall(english) == FENCE.findall(spanish)
    assert len(re.findall(r"^## ", english, re.MULTILINE)) == len(re.findall(r"^## ", spanish, re.MULTILINE))


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_every_command_works(tmp_path: Path) -> None:
    commands = "\n".join(code for kind, code in FENCE.findall(PAGES[0].read_text("utf-8")) if kind == "sh")

    with served(build_fleet(tmp_path / "workspace")) as client:
        key = client.headers.get("authorization", "Bearer none").removeprefix("Bearer ")
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env={"SERENO": str(client.base_url).rstrip("/"), "KEY": key, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        incidents = client.get("/api/v1/incidents").json()["items"]

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "304\n" in ran.stdout
    assert (tmp_path / "incidents.csv").stat().st_size > 100
    assert [one["verdict"] for one in incidents].count("real") == 1
