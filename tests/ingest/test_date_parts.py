"""Dates whose year, month and day stand in columns of their own."""

import numpy as np
import pytest

from sereno.ingest import ReadOptions
from tests.ingest.builders import codes, read, write

UTC = ReadOptions(timezone="UTC", profile="load")


def instants(tmp_path, text: str) -> list[str]:
    _, report, batches = read(write(tmp_path, text), UTC)
    assert "read.broken_row" not in codes(report)
    return np.datetime_as_string(batches[-1].readings.time, unit="m").tolist()


@pytest.mark.parametrize(
    ("header", "first"),
    [
        ("Año;Mes;Día;Hora;kWh", 1),
        ("AÑO;MES;DIA;HORA;kWh", 0),
        ("Year;Month;Day;Hour;kWh", 0),
    ],
)
def test_days_of_numbered_hours(tmp_path, header, first):
    rows = [f"2024;{m};{d};{h + first};1,{h}" for m in (2, 11) for d in (1, 28) for h in range(24)]

    found = instants(tmp_path, "\n".join([header, *rows]) + "\n")

    assert len(found) == 96
    assert (found[0], found[24], found[-1]) == ("2024-02-01T00:00", "2024-02-28T00:00", "2024-11-28T23:00")


def test_order_of_the_columns_does_not_matter_nor_do_short_years(tmp_path):
    rows = [f"{1 + d};3;24;{4 + d % 3},5" for d in range(20)]

    found = instants(tmp_path, "\n".join(["Día;Mes;Año;kWh", *rows]) + "\n")

    assert (found[0], found[-1]) == ("2024-03-01T00:00", "2024-03-20T00:00")


def test_months_begin_on_their_first_day(tmp_path):
    rows = [f"{y};{m};{100 + m},5" for y in (2022, 2023) for m in range(1, 13)]

    found = instants(tmp_path, "\n".join(["Ejercicio;Mes;Energía (kWh)", *rows]) + "\n")

    assert (found[0], found[1], found[-1]) == ("2022-01-01T00:00", "2022-02-01T00:00", "2023-12-01T00:00")


def test_a_date_beside_the_parts_is_what_counts(tmp_path):
    rows = [f"2024-05-{1 + d:02d};2024;5;{1 + d};{d},5" for d in range(20)]

    found = instants(tmp_path, "\n".join(["Fecha;Año;Mes;Día;kWh", *rows]) + "\n")

    assert (found[0], found[-1]) == ("2024-05-01T00:00", "2024-05-20T00:00")


def test_a_day_that_is_none_is_set_aside_alone(tmp_path):
    rows = [f"2024;2;{d};1,5" for d in range(20, 32)]

    _, report, batches = read(write(tmp_path, "\n".join(["Año;Mes;Día;kWh", *rows]) + "\n"), UTC)

    assert codes(report)["read.broken_row"] == 2
    assert len(batches[-1].readings) == 10
