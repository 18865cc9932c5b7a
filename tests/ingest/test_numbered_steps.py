"""Hours with letters, hours from 0 to 24, half hours and quarters by number, one row each."""

from zoneinfo import ZoneInfo

import pytest

from sereno.domain.errors import AmbiguousData
from sereno.ingest import ReadOptions
from tests.ingest.builders import MADRID, UTC, codes, joined, read, write
from tests.ingest.test_days_in_lines import curve_of, expected, found_in

AUTUMN, SPRING = "2024-10-25", "2024-03-29"
"""Five days each, with the clock change of Madrid on the third."""


def labelled(days, labels_of, *, name="Hora"):
    """One row per step; `labels_of` names the steps of a day by how many it has."""
    lines = [f"Fecha;{name};Consumo (kWh)"]
    for day, steps in days.items():
        labels = labels_of(len(steps))
        assert len(labels) == len(steps)
        lines += [f"{day};{k};{v:.4f}".replace(".", ",") for k, (_, v) in zip(labels, steps, strict=True)]
    return "\n".join(lines) + "\n"


def numbers(first, last, *, twice, skipped, form="{}"):
    """Numbers of a day by its length: one comes as A and B in autumn, one is left out in spring."""

    def labels(count):
        found = []
        for k in range(first, last + 1):
            halves = ("A", "B") if count > last + 1 - first and k == twice else ("",)
            found += [form.format(f"{k}{h}") for h in halves]
        return [k for k in found if count >= last + 1 - first or k != form.format(skipped)]

    return labels


def counted(first, form="{}"):
    return lambda count: [form.format(k) for k in range(first, first + count)]


LABELS = {
    "third hour twice": numbers(1, 24, twice=3, skipped=3),
    "second hour twice": numbers(1, 24, twice=2, skipped=3),
    "from zero": numbers(0, 23, twice=2, skipped=2),
    "with H": numbers(1, 24, twice=3, skipped=3, form="H{}"),
    "small letters": lambda count: [k.lower() for k in numbers(1, 24, twice=3, skipped=3)(count)],
    "counted to 25": counted(1),
    "counted to H25": counted(1, "H{}"),
    "counted to 24 from zero": counted(0),
    "two digits": counted(1, "{:02d}"),
}


@pytest.mark.parametrize("start", [AUTUMN, SPRING], ids=["autumn", "spring"])
@pytest.mark.parametrize("labels_of", LABELS.values(), ids=list(LABELS))
def test_every_hour_of_a_clock_change_is_read_once(tmp_path, labels_of, start):
    days = curve_of(start, 5, "Europe/Madrid")
    assert found_in(write(tmp_path, labelled(days, labels_of)), MADRID) == expected(days)


@pytest.mark.parametrize("zone", ["Europe/Madrid", "Atlantic/Canary", "America/Santiago"])
def test_a_year_of_lettered_hours_loses_none(tmp_path, zone):
    days = curve_of("2024-01-01", 366, zone)
    long = next(steps for steps in days.values() if len(steps) == 25)
    local = [f"{time.astimezone(ZoneInfo(zone)):%H:%M}" for time, _ in long]
    twice = next(k for k in range(24) if local[k] == local[k + 1])
    short = next(steps for steps in days.values() if len(steps) == 23)
    clock = {f"{time.astimezone(ZoneInfo(zone)):%H}" for time, _ in short}
    skipped = next(k for k in range(24) if f"{k:02d}" not in clock)
    text = labelled(days, numbers(0, 23, twice=twice, skipped=skipped))
    assert found_in(write(tmp_path, text), ReadOptions(timezone=zone)) == expected(days)


def test_letters_in_clock_times_name_the_half(tmp_path):
    days = curve_of(AUTUMN, 5, "Europe/Madrid", minutes=15)
    lines = ["Fecha y hora;Demanda (MW)"]
    for day, steps in days.items():
        for i, (_, value) in enumerate(steps):
            shown = i if len(steps) == 96 or i < 12 else i - 4
            half = "" if len(steps) == 96 or shown // 4 != 2 else "AB"[i >= 12]
            lines.append(f"{day} {shown // 4}{half}:{15 * (shown % 4):02d};{value:.4f}".replace(".", ","))
    _, report, batches = read(write(tmp_path, "\n".join(lines) + "\n"))
    found = {time: row[0] / 1000 for (_, time), row in joined(batches).items()}
    assert found == pytest.approx(expected(days))
    assert "quality.ambiguous_date" not in codes(report)


STEPS = {
    "quarters to 100": (15, counted(1), "Periodo"),
    "quarters from zero": (15, counted(0), "Periodo"),
    "quarters under hour": (15, counted(1), "Hora"),
    "half hours": (30, counted(1), "Periodo"),
    "half hours named": (30, counted(1), "Media hora"),
}


@pytest.mark.parametrize("start", [AUTUMN, SPRING], ids=["autumn", "spring"])
@pytest.mark.parametrize(("minutes", "labels_of", "name"), STEPS.values(), ids=list(STEPS))
def test_numbers_beyond_25_are_shorter_steps(tmp_path, minutes, labels_of, name, start):
    days = curve_of(start, 5, "Europe/Madrid", minutes=minutes)
    assert found_in(write(tmp_path, labelled(days, labels_of, name=name)), MADRID) == expected(days)


def test_numbers_of_no_whole_day_ask_what_they_count(tmp_path):
    days = {day: steps[:60] for day, steps in curve_of("2024-06-10", 4, "Europe/Madrid", minutes=15).items()}
    with pytest.raises(AmbiguousData, match="'Cuarto' / 'Quarter'"):
        read(write(tmp_path, labelled(days, counted(0), name="Hora")))
    text = labelled(days, counted(0), name="Cuarto")
    assert found_in(write(tmp_path, text), MADRID) == expected(days)


def test_both_midnights_of_a_day_are_one_instant(tmp_path):
    lines = ["Fecha;Hora;Consumo (kWh)"]
    for d in (10, 11, 12):
        lines += [f"{d}/06/2024;{h};{d if h < 24 else d + 1},{h % 24}" for h in range(25)]
    _, report, _ = read(write(tmp_path, "\n".join(lines) + "\n"), UTC)
    assert report.totals.records_good == 73
    assert report.totals.duplicates_identical == 2
    assert report.totals.duplicates_conflicting == 0


def test_a_tariff_period_is_no_hour(tmp_path):
    lines = ["Fecha y hora;Consumo (kWh);Periodo"]
    lines += [f"13/06/2024 {h:02d}:00;{h},5;{1 + h // 8}" for h in range(24)]
    lines += [f"14/06/2024 {h:02d}:00;{h},5;{1 + h // 8}" for h in range(24)]
    plan, report, batches = read(write(tmp_path, "\n".join(lines) + "\n"), UTC)
    assert report.totals.records_good == 48
    assert batches[-1].readings.values[:24, 0].tolist() == [h + 0.5 for h in range(24)]
    assert [c.role.value for c in plan.layout.columns] == ["time", "signal", "unknown"]
