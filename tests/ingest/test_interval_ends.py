"""Times that end their steps: told by names, by texts, by whole days or by the caller."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sereno.domain.errors import AmbiguousData
from sereno.ingest import ReadOptions
from tests.ingest.builders import MADRID, codes, joined, read, write
from tests.ingest.test_days_in_lines import curve_of, expected, found_in

MADRID_TZ = ZoneInfo("Europe/Madrid")
SUMMER = "2024-06-10"


def rows_of(days):
    return [(day, time, value) for day, steps in days.items() for time, value in steps]


def local(time, *, shift=timedelta(0)):
    return (time + shift).astimezone(MADRID_TZ)


def table(header, rows):
    return "\n".join([header, *rows, ""])


def end_lines(days, minutes, *, form="%d/%m/%Y %H:%M"):
    step = timedelta(minutes=minutes)
    return [f"{local(t, shift=step):{form}};{v:.4f}".replace(".", ",") for _, t, v in rows_of(days)]


@pytest.mark.parametrize("minutes", [60, 30, 15])
@pytest.mark.parametrize(
    "name",
    ["Fecha fin", "Hasta", "Fecha y hora final", "Final del periodo", "Period end", "Interval end", "end"],
)
def test_a_name_says_that_times_are_ends(tmp_path, name, minutes):
    days = curve_of(SUMMER, 4, "Europe/Madrid", minutes=minutes)
    lines = end_lines(days, minutes)[5:]
    path = write(tmp_path, table(f"{name};Consumo (kWh)", lines))
    found = expected(days)
    assert found_in(path, MADRID) == dict(list(found.items())[5:])
    _, report, _ = read(path)
    issue = next(i for i in report.issues if i.code == "read.interval_end")
    assert (issue.facts["minutes"], issue.facts["detail"]) == (str(minutes), f"'{name}'")


@pytest.mark.parametrize("minutes", [60, 15])
@pytest.mark.parametrize("is_mixed", [False, True], ids=["in order", "mixed"])
def test_whole_days_that_begin_a_step_late_may_be_ends_and_the_caller_decides(tmp_path, minutes, is_mixed):
    """A piece of a longer series that happens to be cut there looks the same and must join the others."""
    days = curve_of(SUMMER, 3, "Europe/Madrid", minutes=minutes)
    lines = end_lines(days, minutes)
    lines = np.random.default_rng(5).permutation(lines).tolist() if is_mixed else lines
    path = write(tmp_path, table("Fecha;Consumo (kWh)", lines))
    step = np.timedelta64(minutes, "m")

    found = found_in(path, MADRID)
    _, report, _ = read(path)
    decided = found_in(path, replace(MADRID, stamp="end"))

    assert {str(np.datetime64(time) - step): value for time, value in found.items()} == expected(days)
    assert next(i for i in report.issues if i.code == "read.ambiguous").facts["setting"]
    assert decided == expected(days)


def test_whole_days_that_begin_at_midnight_are_starts(tmp_path):
    days = curve_of(SUMMER, 3, "Europe/Madrid")
    lines = [f"{local(t):%d/%m/%Y %H:%M};{v:.4f}".replace(".", ",") for _, t, v in rows_of(days)]
    path = write(tmp_path, table("Fecha;Consumo (kWh)", lines))
    assert found_in(path, MADRID) == expected(days)
    assert "read.interval_end" not in codes(read(path)[1])


def test_order_of_mixed_rows_proves_nothing(tmp_path):
    days = curve_of("2024-06-18", 2, "Europe/Madrid")
    lines = [f"{local(t):%d/%m/%Y %H:%M};{v:.4f}".replace(".", ",") for _, t, v in rows_of(days)]
    for seed in range(60):
        mixed = np.random.default_rng(seed).permutation(lines).tolist()
        path = write(tmp_path, table("Fecha;Consumo (kWh)", mixed))

        assert found_in(path, MADRID) == expected(days), seed


def test_part_of_a_day_proves_nothing(tmp_path):
    days = curve_of(SUMMER, 3, "Europe/Madrid")
    lines = end_lines(days, 60)[3:-2]
    found = found_in(write(tmp_path, table("Fecha;Consumo (kWh)", lines)), MADRID)
    assert min(found) == "2024-06-10T02:00:00.000000"


@pytest.mark.parametrize("names", ["Fecha;Hora", "fecha;hora", "Fecha lectura;Hora"])
def test_24_00_closes_the_day(tmp_path, names):
    days = curve_of(SUMMER, 3, "Europe/Madrid")
    lines = [
        f"{day};{k:02d}:00;{v:.4f}".replace(".", ",")
        for day, steps in days.items()
        for k, (_, v) in enumerate(steps, start=1)
    ]
    assert found_in(write(tmp_path, table(f"{names};Consumo (kWh)", lines)), MADRID) == expected(days)


@pytest.mark.parametrize("is_backwards", [False, True], ids=["forwards", "backwards"])
@pytest.mark.parametrize("minutes", [60, 15])
def test_midnight_last_of_its_date_closes_it(tmp_path, minutes, is_backwards):
    days = curve_of(SUMMER, 4, "Europe/Madrid", minutes=minutes)
    step = timedelta(minutes=minutes)
    lines = [f"{day};{local(t, shift=step):%H:%M};{v:.4f}".replace(".", ",") for day, t, v in rows_of(days)]
    path = write(tmp_path, table("Fecha;Hora;Consumo (kWh)", lines[::-1] if is_backwards else lines))
    assert found_in(path, MADRID) == expected(days)


def test_midnight_and_noon_are_starts(tmp_path):
    lines = [f"{d:02d}/06/2024 {h:02d}:00;{d},{h}" for d in range(13, 20) for h in (0, 12)]
    found = found_in(write(tmp_path, table("Fecha;Consumo (kWh)", lines)), MADRID)
    assert min(found) == "2024-06-12T22:00:00.000000"


@pytest.mark.parametrize("names", ["Desde;Hasta", "Fecha inicio;Fecha fin", "Start;End", "Hasta;Desde"])
def test_of_both_ends_the_start_is_the_instant(tmp_path, names):
    days = curve_of(SUMMER, 3, "Europe/Madrid")
    lines = []
    for _, time, value in rows_of(days):
        pair = [f"{local(time):%d/%m/%Y %H:%M}", f"{local(time, shift=timedelta(hours=1)):%d/%m/%Y %H:%M}"]
        cells = pair[::-1] if names == "Hasta;Desde" else pair
        lines.append(";".join([*cells, f"{value:.4f}".replace(".", ",")]))
    path = write(tmp_path, table(f"{names};Consumo (kWh)", lines))
    assert found_in(path, MADRID) == expected(days)


def test_an_end_before_its_start_is_set_aside(tmp_path):
    lines = [f"{d}/06/2024 10:00;{d}/06/2024 11:00;{d},5" for d in range(10, 30)]
    lines[4] = "14/06/2024 10:00;13/06/2024 11:00;14,5"
    _, report, batches = read(write(tmp_path, table("Desde;Hasta;Consumo (kWh)", lines)))
    assert report.totals.records_good == 19
    assert [(row.line, row.reason) for row in batches[-1].quarantine] == [(6, "read.broken_row")]


@pytest.mark.parametrize("minutes", [60, 15])
@pytest.mark.parametrize("first", ["2024-10-25", "2024-03-29"], ids=["autumn", "spring"])
@pytest.mark.parametrize("way", ["by the clock", "by name", "with offset"])
def test_ends_of_a_clock_change_are_neither_lost_nor_doubled(tmp_path, first, minutes, way):
    """By the clock 02:00 comes twice in autumn; where an end is the start plus a step, 03:00 does."""
    days = curve_of(first, 5, "Europe/Madrid", minutes=minutes)
    step = timedelta(minutes=minutes)
    lines = []
    for _, time, value in rows_of(days):
        named = local(time).replace(tzinfo=None) + step
        shown = named if way == "by name" else local(time, shift=step)
        form = "%Y-%m-%dT%H:%M:%S%z" if way == "with offset" else "%d/%m/%Y %H:%M"
        lines.append(f"{shown:{form}};{value:.4f}".replace(".", ","))
    assert found_in(write(tmp_path, table("Fecha fin;Consumo (kWh)", lines)), MADRID) == expected(days)


def test_the_caller_has_the_last_word(tmp_path):
    days = curve_of(SUMMER, 3, "Europe/Madrid")
    ends = write(tmp_path, table("Fecha fin;Consumo (kWh)", end_lines(days, 60)))
    shifted = found_in(ends, ReadOptions(timezone="Europe/Madrid", stamp="start"))
    assert min(shifted) == "2024-06-09T23:00:00.000000"
    lines = end_lines(days, 60, form="%Y-%m-%d %H:%M")[4:9]
    part = write(tmp_path, table("Fecha;Consumo (kWh)", lines), name="parte.csv")
    asked = found_in(part, ReadOptions(timezone="Europe/Madrid", stamp="end"))
    assert asked == dict(list(expected(days).items())[4:9])


def test_days_are_days_whatever_they_are_called(tmp_path):
    lines = [f"{d}/06/2024;{d},5" for d in range(1, 29)]
    _, report, batches = read(write(tmp_path, table("Fecha fin;Consumo (kWh)", lines)))
    assert report.totals.records_good == 28
    assert str(batches[-1].readings.time[0])[:16] == "2024-05-31T22:00"


def test_an_end_without_a_step_asks(tmp_path):
    with pytest.raises(AmbiguousData, match="--stamp start"):
        read(write(tmp_path, table("Fecha fin;Consumo (kWh)", ["13/06/2024 11:00;5,5"])))


def test_states_at_instants_are_not_moved(tmp_path):
    lines = [f"{local(t):%Y-%m-%d %H:%M};{v}" for _, t, v in rows_of(curve_of(SUMMER, 3, "Europe/Madrid"))]
    lines = [*lines[1:], "2024-06-13 00:00;7.5"]
    _, report, batches = read(write(tmp_path, table("Fecha;Nivel del tanque", lines)))
    assert min(time for _, time in joined(batches)) == "2024-06-09T23:00:00.000000"
    assert "read.interval_end" not in codes(report)


def test_24_minutes_are_not_the_end_of_a_day(tmp_path):
    lines = [f"2025-01-{d} 14:24:00;{d}" for d in range(10, 30)]
    _, report, _ = read(write(tmp_path, table("Fecha;Consumo (kWh)", lines)))
    assert "read.interval_end" not in codes(report)
