"""Values that cannot be, and codes that mean "no value", are counted when a file is read."""

import numpy as np
import pytest

from sereno.domain.readings import Quality
from sereno.ingest import ReadOptions
from sereno.ingest.ranges import is_sentinel
from tests.ingest.builders import codes, hours, read, write


def gas_file(folder, cells: list[str]):
    lines = [f"{t};{c};15,0;1,0" for t, c in zip(hours(len(cells)), cells, strict=True)]
    return write(
        folder, "Fecha y hora;Presión (bar);Temperatura (°C);Volumen (m³)\n" + "\n".join(lines) + "\n"
    )


def test_codes_and_impossible_values_are_counted_apart_and_kept(tmp_path):
    cells = ["4,0"] * 40
    cells[3], cells[9], cells[11] = "-9999", "-9999", "65535,0"
    cells[20], cells[21] = "-250,5", "1234567"
    _, report, batches = read(gas_file(tmp_path, cells))
    assert report.totals.records_good == 40
    assert codes(report)["quality.sentinel"] == 3
    assert codes(report)["quality.out_of_range"] == 2
    signals = batches[-1].readings.signals
    column = signals.index("pressure")
    assert batches[-1].readings.values[3, column] == -9999
    flagged = batches[-1].readings.quality[:, column] & int(Quality.SENTINEL)
    assert np.flatnonzero(flagged).tolist() == [3, 9, 11]
    assert report.verdict == "warnings"


def test_a_possible_value_is_no_code(tmp_path):
    """999 m³ is a lot of gas, not a code."""
    text = "Fecha y hora;Volumen (m³)\n" + "".join(f"{t};999\n" for t in hours(5))
    _, report, _ = read(write(tmp_path, text), ReadOptions(timezone="Europe/Madrid", profile="gas"))
    assert not {"quality.sentinel", "quality.out_of_range"} & set(codes(report))


def test_counts_do_not_depend_on_batches(tmp_path):
    random = np.random.default_rng(5)
    cells = ["4,5" if r > 0.2 else "-999" if r > 0.1 else "-300,25" for r in random.random(200).tolist()]
    path = gas_file(tmp_path, cells)
    whole = codes(read(path)[1])
    parts = codes(read(path, ReadOptions(timezone="Europe/Madrid", batch_rows=13))[1])
    assert whole["quality.sentinel"] == cells.count("-999")
    assert whole["quality.out_of_range"] == cells.count("-300,25")
    assert parts == whole


def test_units_are_converted_before_the_range_is_looked_at(tmp_path):
    """900 000 000 Wh are 900 000 kWh: possible; the same number of kWh is not."""
    for unit, n_out in (("Wh", 0), ("kWh", 2)):
        text = f"Fecha;Generación ({unit})\n" + "".join(f"{t};900000000\n" for t in hours(2))
        options = ReadOptions(timezone="Europe/Madrid", profile="solar")
        _, report, _ = read(write(tmp_path, text, name=f"{unit}.csv"), options)
        assert codes(report).get("quality.out_of_range", 0) == n_out


@pytest.mark.parametrize(
    "text", ["9999999999", "-9999", "-999.0", "99999,99", "65535", "2147483647", " -7999 "]
)
def test_known_codes(text):
    assert is_sentinel(text)


@pytest.mark.parametrize("text", ["99", "-99.5", "120000", "-25.4", "9998", "1e308", ""])
def test_other_numbers(text):
    assert not is_sentinel(text)
