"""Promise: files that come ten times as fast as usual are all taken, and cost no memory that grows."""

import re
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.flows.workspace import Workspace
from tests.journeys.worlds import declare, write_rows
from tests.support.builders import HOUR, a_roof
from tests.support.processes import start_sereno, wait_until
from tests.support.stores import count, sqlite_address

SITES, DAY_ROWS = 4, 24
MAX_GROWTH_KIB = 48 * 1024
"""What a process may take more at its highest than after the usual rate: caches and the allocator's slack."""


def day_of(roofs: list[Window], number: int, inbox: Path, parts: Path) -> None:
    """The number-th day of one of the roofs, renamed into the folder once it is whole."""
    roof = roofs[number % SITES]
    first = number // SITES * DAY_ROWS
    name = f"{roof.asset.site.replace(' ', '_')}_{number:05d}.csv"
    folder = parts / str(number)
    folder.mkdir(parents=True)
    write_rows(folder / name, roof.rows(first, first + DAY_ROWS), tail=()).replace(inbox / name)


def highest_kib(process: "subprocess.Popen[str]") -> int:
    """The most memory that a process has had [KiB]."""
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize(
    ("n_usual", "usual_s", "n_burst"),
    [(8, 0.4, 64), pytest.param(60, 5.0, 1200, marks=pytest.mark.slow)],
    ids=["seconds", "ten minutes"],
)
def test_burst_is_taken_whole_within_the_memory_of_the_usual_rate(
    tmp_path: Path, n_usual: int, usual_s: float, n_burst: int
) -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system does not tell the memory of a process")
    n_files = n_usual + n_burst
    rows = -(-n_files // SITES) * DAY_ROWS
    roofs = [a_roof(f"Planta {n + 1}", rows=rows, step=HOUR, zone="UTC") for n in range(SITES)]
    workspace, inbox = declare(tmp_path / "w"), tmp_path / "inbox"
    inbox.mkdir()
    Workspace.open(workspace).close()
    url = sqlite_address(workspace)
    watch = start_sereno("watch", inbox, "--interval", 1, "--json", workspace=workspace)
    try:
        for number in range(n_usual):
            day_of(roofs, number, inbox, tmp_path / "parts")
            signal.sigtimedwait([], usual_s)
        wait_until(lambda: count(url, "file_ledger") == n_usual, timeout=120)
        usual = highest_kib(watch)
        for number in range(n_usual, n_files):
            day_of(roofs, number, inbox, tmp_path / "parts")
            signal.sigtimedwait([], usual_s / 10)
        wait_until(lambda: count(url, "file_ledger") == n_files, timeout=300)
        highest = highest_kib(watch)
        watch.terminate()
        _, said = watch.communicate(timeout=60)
    finally:
        watch.kill()
        watch.communicate()

    assert watch.returncode == 0, said
    assert count(url, "reading_solar") == n_files * DAY_ROWS
    assert count(url, "quarantined_row") == 0
    assert highest - usual < MAX_GROWTH_KIB, (usual, highest)
    assert not any(np.isnan(roof.values).any() for roof in roofs)
