"""A large file needs no more memory than a small one, whatever it repeats."""

import os
import sys
import tracemalloc
from datetime import datetime, timedelta

import pytest

from sereno.ingest import inspect_file, read_batches
from tests.ingest.builders import UTC, profiles
from tests.support.processes import ROOT, environment, run_code

SITE_ROWS = 100_000
SMALL, LARGE = 8, 32
"""Sites of files of 20 MB and 80 MB."""
BYTES_PER_MB = 1_000_000
GROWTH_MB = 4.0
"""With 8 bytes for each row the larger file would need 19 MB more."""
HUGE = 160
RSS_GROWTH_MB = 60.0
"""With 8 bytes for each row a file of 400 MB would need 120 MB more; the allocator alone varies by 20 MB."""
READ_ALONE = """
import sys
from pathlib import Path
from sereno.ingest import inspect_file, read_batches
from tests.ingest.builders import UTC, profiles

for batch in read_batches(inspect_file(Path(sys.argv[1]), profiles(), UTC)):
    pass
status = Path("/proc/self/status").read_text("ascii")
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""


def _write(path, n_sites, n_times=1):
    """A file with so many sites, pasted together from itself so many times."""
    start = datetime(2020, 1, 1)  # noqa: DTZ001 - as files write it
    stamps = [f"{start + timedelta(minutes=5 * i):%Y-%m-%d %H:%M}" for i in range(SITE_ROWS)]
    with path.open("w", encoding="utf-8") as file:
        file.write("Planta,Fecha,Consumo total (kWh)\n")
        for site in [*range(n_sites // n_times)] * n_times:
            file.write("".join(f"P{site},{stamp},1.5\n" for stamp in stamps))
    return path


def _n_good_and_peak_mb(path):
    tracemalloc.start()
    batches = read_batches(inspect_file(path, profiles(), UTC))
    n_good = sum(batch.totals.records_good for batch in batches)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return n_good, peak / BYTES_PER_MB


@pytest.mark.parametrize("n_times", [1, 2], ids=["nothing repeats", "pasted together twice"])
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch, n_times):
    monkeypatch.setattr("sereno.ingest.repeats.MAX_HELD_ROWS", SITE_ROWS)
    small, large = (_write(tmp_path / f"{n}.csv", n, n_times) for n in (SMALL, LARGE))

    n_small, small_mb = _n_good_and_peak_mb(small)
    n_large, large_mb = _n_good_and_peak_mb(large)

    assert (n_small, n_large) == (SMALL * SITE_ROWS // n_times, LARGE * SITE_ROWS // n_times)
    assert large_mb - small_mb < GROWTH_MB


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of one process")
@pytest.mark.parametrize("n_times", [1, 2], ids=["nothing repeats", "pasted together twice"])
def test_resident_memory_does_not_grow_with_the_file(tmp_path, n_times):
    env = environment(PYTHONPATH=f"{ROOT / 'src'}{os.pathsep}{ROOT}")
    peaks = []
    for n_sites in (LARGE, HUGE):
        ran = run_code(READ_ALONE, _write(tmp_path / f"{n_sites}.csv", n_sites, n_times), env=env)
        assert not ran.code, ran.err
        peaks.append(int(ran.out) * 1024 / BYTES_PER_MB)

    assert peaks[1] - peaks[0] < RSS_GROWTH_MB
