"""The demonstration opens on one explained incident, and ends when it is told to."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.processes import wait_until

pytestmark = pytest.mark.slow


def test_demo_serves_its_worst_incident_until_it_is_interrupted(tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    command = ["demo", "--serve", "--port", "0", "--lang", "en", "--workspace", str(tmp_path / "w")]
    with said.open("wb") as out:
        process = subprocess.Popen([sys.executable, "-u", "-m", "sereno", *command], stdout=out, stderr=out)
    try:
        wait_until(lambda: "Ctrl+C" in said.read_text("utf-8") or process.poll() is not None, timeout=240)
        url = re.search(r"explained: (http\S+)", said.read_text("utf-8"))
        assert url is not None, said.read_text("utf-8")
        page = httpx.get(url[1], timeout=60, headers={"accept-language": "en"})
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=120)
    finally:
        process.kill()

    assert page.status_code == 200
    assert "critical" in page.text
    assert code == 130
    assert "Traceback" not in said.read_text("utf-8")
