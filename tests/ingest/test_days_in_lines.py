"""Files with one line per day, and files that number the hours of a day."""

from datetime import UTC as UTC_ZONE
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sereno.domain.errors import AmbiguousData
from sereno.ingest import ReadOptions
from tests.ingest.builders import MADRID, codes, joined, read, write

ZONES = ("Europe/Madrid", "America/Lima", "America/Santiago", "America/Mexico_City", "Africa/Casablanca")
Days = dict[str, list[tuple[datetime, float]]]


def curve_of(first: str, n_days: int, zone: str, *, minutes: int = 60) -> Days:
    """By local date, every step that passes: its UTC start and a value that no other step has."""
    day = datetime.fromisoformat(first)
    tz = ZoneInfo(zone)
    days: Days = {}
    value = 0
    for _ in range(n_days):
        start = day.replace(tzinfo=tz).astimezone(UTC_ZONE)
        end = (day + timedelta(days=1)).replace(tzinfo=tz).astimezone(UTC_ZONE)
        steps = []
        while start < end:
            value += 1
            steps.append((start, value / 8))
            start += timedelta(minutes=minutes)
        days[day.strftime("%d/%m/%Y")] = steps
        day += timedelta(days=1)
    return days


def expected(days: Days) -> dict[str, float]:
    return {
        f"{time.replace(tzinfo=None).isoformat()}.000000": value
        for steps in days.values()
        for time, value in steps
    }


def found_in(path: Path, options: ReadOptions) -> dict[str, float]:
    _, report, batches = read(path, options)
    assert report.totals.records_quarantined == 0
    assert report.totals.duplicates_identical == report.totals.duplicates_conflicting == 0
    return {time: row[0] for (_, time), row in joined(batches).items()}


def matrix_text(days: Days, labels: list[str], *, name: str = "Fecha") -> str:
    lines = [";".join([name, *labels])]
    for day, steps in days.items():
        cells = [f"{v:.4f}".replace(".", ",") for _, v in steps]
        lines.append(";".join([day, *(cells + [""] * len(labels))[: len(labels)]]))
    return "\n".join(lines) + "\n"


SPANS = [f"{h:02d}:00-{h + 1:02d}:00" for h in range(24)]
HEADERS = {
    "spans": SPANS,
    "spans with a unit": [f"{s} (kWh)" for s in SPANS],
    "spans in words": [f"de {h} a {h + 1} h" for h in range(24)],
    "starts": [f"{h:02d}:00" for h in range(24)],
    "ends": [f"{h:02d}:00" for h in range(1, 25)],
    "ends at midnight": [f"{h % 24:02d}:00" for h in range(1, 25)],
    "letters": [f"H{h}" for h in range(1, 25)],
    "letters from zero": [f"H{h:02d}" for h in range(24)],
    "numbers": [f"{h}" for h in range(1, 25)],
    "words": [f"Hora {h}" for h in range(1, 25)],
    "english": [f"Hour {h} [kWh]" for h in range(1, 25)],
    "named": [f"Consumo H{h} (kWh)" for h in range(1, 25)],
    "twenty-five": [f"H{h}" for h in range(1, 26)],
    "quarters": [f"{m // 60:02d}:{m % 60:02d}" for m in range(0, 1440, 15)],
    "numbered quarters": [f"Q{k}" for k in range(1, 97)],
    "a hundred quarters": [f"{k}" for k in range(1, 101)],
}


@pytest.mark.parametrize("labels", HEADERS.values(), ids=list(HEADERS))
def test_a_line_per_day_becomes_a_reading_per_step(tmp_path, labels):
    days = curve_of("2023-06-10", 12, "Europe/Madrid", minutes=60 if len(labels) < 30 else 15)
    path = write(tmp_path, matrix_text(days, labels))
    assert found_in(path, MADRID) == expected(days)


def test_assets_beside_the_date_keep_their_own_days(tmp_path):
    days = curve_of("2023-06-10", 5, "Europe/Madrid")
    lines = ["CUPS;Día;" + ";".join(f"H{k}" for k in range(1, 25)) + ";Consumo total (kWh)"]
    for day, steps in days.items():
        for meter, factor in (("ES001", 1), ("ES002", 2)):
            cells = [f"{v * factor:.4f}".replace(".", ",") for _, v in steps]
            lines.append(";".join([meter, day, *cells, "999,9"]))
    _, report, batches = read(write(tmp_path, "\n".join(lines) + "\n"))
    rows = joined(batches)
    assert report.totals.records_good == 240
    for asset, factor in (("ES001", 1), ("ES002", 2)):
        own = {time: row[0] for (name, time), row in rows.items() if name == f"datos/{asset}"}
        assert own == pytest.approx({t: v * factor for t, v in expected(days).items()})
    assert "999" not in str(rows)


@pytest.mark.parametrize("zone", ["Europe/Madrid", "America/Santiago", "America/Lima"])
def test_days_of_a_clock_change_have_as_many_hours_as_pass(tmp_path, zone):
    days = curve_of("2023-01-01", 365, zone)
    path = write(tmp_path, matrix_text(days, [f"H{k}" for k in range(1, 26)]))
    assert found_in(path, ReadOptions(timezone=zone)) == expected(days)


def test_line_that_is_no_day_is_set_aside_once(tmp_path):
    days = curve_of("2023-06-10", 3, "Europe/Madrid")
    text = matrix_text(days, SPANS) + ";".join(["TOTAL", *["12,5"] * 24]) + "\n"
    _, report, batches = read(write(tmp_path, text))
    assert report.totals.records_good == 72
    assert codes(report)["read.total_row"] == 1
    assert [row.line for row in batches[-1].quarantine] == [5]


def test_words_in_a_cell_are_a_missing_reading_and_empty_cells_none(tmp_path):
    days = curve_of("2023-06-10", 3, "Europe/Madrid")
    lines = matrix_text(days, SPANS).splitlines()
    cells = lines[1].split(";")
    cells[3], cells[7] = "n/d", ""
    lines[1] = ";".join(cells)
    _, report, _ = read(write(tmp_path, "\n".join(lines) + "\n"))
    assert report.totals.records_good == 71
    assert report.totals.cells_missing == 1


def test_batches_of_any_size_give_the_same_readings(tmp_path):
    days = curve_of("2023-06-10", 20, "Europe/Madrid")
    lines = matrix_text(days, SPANS).splitlines()
    lines.append(lines[4])
    changed = lines[6].split(";")
    changed[5] = "77,7"
    lines.append(";".join(changed))
    path = write(tmp_path, "\n".join(lines) + "\n")
    whole = joined(read(path)[2])
    parts = joined(read(path, ReadOptions(timezone="Europe/Madrid", batch_rows=31))[2])
    assert len(whole) == 480
    assert parts == whole


def hour_lines(days: Days, *, first: int = 1) -> str:
    lines = ["CUPS;Fecha;Hora;Consumo_kWh"]
    for day, steps in days.items():
        lines += [f"ES001;{day};{k};{v:.4f}".replace(".", ",") for k, (_, v) in enumerate(steps, start=first)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("zone", ZONES)
def test_a_year_of_numbered_hours_is_read_whole(tmp_path, zone):
    days = curve_of("2022-01-01", 365, zone)
    path = write(tmp_path, hour_lines(days))
    assert found_in(path, ReadOptions(timezone=zone)) == expected(days)


def test_hours_from_zero_start_at_midnight(tmp_path):
    days = curve_of("2023-06-10", 4, "Europe/Madrid")
    assert found_in(write(tmp_path, hour_lines(days, first=0)), MADRID) == expected(days)


def test_hours_that_fit_both_readings_ask_for_the_stamp(tmp_path):
    days = {day: steps[7:19] for day, steps in curve_of("2023-06-10", 4, "Europe/Madrid").items()}
    path = write(tmp_path, hour_lines(days, first=8))
    with pytest.raises(AmbiguousData, match="--stamp start / --stamp end"):
        read(path)
    assert found_in(path, ReadOptions(timezone="Europe/Madrid", stamp="end")) == expected(days)


def test_numbers_that_follow_the_clock_skip_its_missing_hour(tmp_path):
    """Hours 1, 2, 4 … 24 on the day that has no third hour on its clock."""
    days = curve_of("2023-03-25", 3, "Europe/Madrid")
    lines = ["Fecha;Hora;Consumo_kWh"]
    for day, steps in days.items():
        numbers = [k for k in range(1, 25) if len(steps) == 24 or k != 3]
        lines += [f"{day};{k};{v:.4f}".replace(".", ",") for k, (_, v) in zip(numbers, steps, strict=True)]
    path = write(tmp_path, "\n".join(lines) + "\n")
    assert found_in(path, MADRID) == expected(days)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    first=st.dates(date(2018, 1, 1), date(2025, 12, 1)),
    form=st.sampled_from(["naive", "offset", "numbers", "matrix"]),
)
def test_no_hour_is_dropped_or_doubled_in_any_zone(tmp_path, zone, first, form):
    """A few weeks around any day; naive files show the repeated hour twice in the order that it passed."""
    days = curve_of(first.isoformat(), 40, zone)
    if form == "numbers":
        text = hour_lines(days)
    elif form == "matrix":
        text = matrix_text(days, [f"H{k}" for k in range(1, 26)])
    else:
        lines = ["Fecha;Consumo_kWh"]
        for time, value in (step for steps in days.values() for step in steps):
            local = time.astimezone(ZoneInfo(zone))
            stamp = local.isoformat() if form == "offset" else local.strftime("%Y-%m-%d %H:%M")
            lines.append(f"{stamp};{value:.4f}")
        text = "\n".join(lines) + "\n"
    assert found_in(write(tmp_path, text), ReadOptions(timezone=zone)) == expected(days)


def test_numbers_beyond_the_day_are_set_aside(tmp_path):
    days = curve_of("2023-06-10", 3, "Europe/Madrid")
    text = hour_lines(days) + "ES001;12/06/2023;25;1,000\n"
    _, report, _ = read(write(tmp_path, text))
    assert report.totals.records_good == 72
    assert report.totals.records_quarantined == 1


def test_values_stay_what_they_were(tmp_path):
    random = np.random.default_rng(3)
    values = np.round(random.random((6, 24)) * 5, 3)
    lines = ["Fecha," + ",".join(f"{h:02d}:00" for h in range(24))]
    lines += [f"2023-06-{d + 1:02d}," + ",".join(map(str, row)) for d, row in enumerate(values.tolist())]
    _, _, batches = read(write(tmp_path, "\n".join(lines) + "\n"))
    assert batches[-1].readings.values[:, 0].tolist() == values.ravel().tolist()


@pytest.mark.parametrize("filler", ["", "0", "0,000"])
def test_the_cell_of_the_hour_that_spring_skips_is_no_reading(tmp_path, filler):
    days = curve_of("2023-03-24", 4, "Europe/Madrid")
    lines = ["Fecha;" + ";".join(f"{h:02d}:00" for h in range(24))]
    for day, steps in days.items():
        cells = [f"{v:.4f}".replace(".", ",") for _, v in steps]
        lines.append(";".join([day, *(cells if len(cells) == 24 else [*cells[:2], filler, *cells[2:]])]))
    path = write(tmp_path, "\n".join(lines) + "\n")
    assert found_in(path, MADRID) == expected(days)
    assert "quality.ambiguous_date" not in codes(read(path)[1])
