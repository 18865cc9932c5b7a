"""What a source says of its own values: historians' qualities, distributors' estimates."""

import datetime as dt

import numpy as np
import pytest

from sereno.domain.errors import AmbiguousData
from sereno.domain.readings import Quality
from sereno.ingest.marks import Mark, MarkStyle, choose_marks, is_state, mark_of
from sereno.ingest.tags import tag_separator
from tests.ingest.builders import UTC, codes, read, write

GOOD, ESTIMATED, BAD, MISSING = 0, int(Quality.ESTIMATED), int(Quality.BAD), int(Quality.MISSING)
START = dt.datetime.fromisoformat("2025-01-01")


def history(header, marks, *, tag="PT-101", sep=",", form="%Y-%m-%d %H:%M:%S", values=None):
    """A historian's export with one tag and one row per mark; value k in row k."""
    lines = [header]
    for k, mark in enumerate(marks):
        stamp = (START + dt.timedelta(minutes=k)).strftime(form)
        value = values[k] if values else f"{k + 1}.5"
        lines.append(sep.join([tag, stamp, value if sep == "," else value.replace(".", ","), mark]))
    return "\n".join(lines) + "\n"


def cells_of(batches, signal):
    readings = batches[-1].readings
    j = readings.signals.index(signal)
    return readings.values[:, j].tolist(), readings.quality[:, j].tolist()


EXPORTS = {
    "pi": (
        "Tag,Timestamp,Value,Quality",
        ["Good", "Bad", "Questionable", "Substituted"],
        "%d-%b-%y %H:%M:%S",
    ),
    "pi long words": (
        "Point Name,Timestamp,Value,Status",
        ["Good", "Bad - Comm Fail", "Uncertain", '"Good, Substituted"'],
        "%m/%d/%Y %I:%M:%S %p",
    ),
    "letters": ("Tag,Timestamp,Value,Quality", list("GBQS"), "%Y-%m-%d %H:%M:%S"),
    "phd": ("TagName,DateTime,Value,Confidence", ["100", "0", "50", "99"], "%m/%d/%Y %H:%M:%S"),
    "phd without its word": (
        "TagName,DateTime,Value,Quality",
        ["100", "0", "50", "99"],
        "%Y-%m-%dT%H:%M:%SZ",
    ),
    "wonderware": ("TagName,DateTime,Value,OPCQuality", ["192", "0", "64", "88"], "%Y-%m-%d %H:%M:%S.000"),
    "opc": ("Item,Timestamp,Value,Quality", ["216", "24", "80", "64"], "%Y-%m-%d %H:%M:%S"),
    "opc ua": (
        "Item,Timestamp,Value,Quality",
        ["0", "2147483648", "1073741824", "1083179008"],
        "%Y-%m-%d %H:%M",
    ),
    "spanish": (
        "Punto,Fecha y hora,Valor,Calidad",
        ["Bueno", "Malo", "Dudoso", "Estimado"],
        "%d/%m/%Y %H:%M",
    ),
    "spanish letters": ("Etiqueta,Fecha,Valor,Estado", ["B", "M", "D", "D"], "%Y-%m-%d %H:%M"),
}


@pytest.mark.parametrize(("header", "marks", "form"), EXPORTS.values(), ids=list(EXPORTS))
def test_quality_of_a_historian_stays_beside_its_value(tmp_path, header, marks, form):
    plan, report, batches = read(write(tmp_path, history(header, marks * 5, form=form)), UTC)
    values, quality = cells_of(batches, "PT-101")
    assert (plan.profile.name, plan.layout.name) == ("process", "long")
    assert values == [k + 1.5 for k in range(20)]
    assert quality == [GOOD, BAD, ESTIMATED, ESTIMATED] * 5
    found = codes(report)
    assert (found["quality.source_bad"], found["quality.estimated"]) == (5, 10)
    assert report.totals.records_quarantined == 0


def test_many_tags_meet_at_their_instants(tmp_path):
    tags = ("FIC101.PV", "TIC102.PV", "XV-3")
    rows = [
        f"{tag};{START + dt.timedelta(minutes=k):%d/%m/%Y %H:%M};{k},{j};{'Malo' if k == j else 'Bueno'}"
        for k in range(30)
        for j, tag in enumerate(tags)
    ]
    path = write(tmp_path, "\n".join(["Punto;Fecha y hora;Valor;Calidad", *rows, ""]), name="CALDERA.csv")
    _, report, batches = read(path, UTC)
    readings = batches[-1].readings
    assert set(readings.signals) == set(tags)
    assert [(a.site, a.asset) for a in readings.assets] == [("CALDERA", "CALDERA")]
    assert len(readings) == 30
    for j, tag in enumerate(tags):
        _, quality = cells_of(batches, tag)
        assert np.flatnonzero(quality).tolist() == [j]
    assert report.totals.records_good == 90


STATES = ["No Data", "Bad Input", "I/O Timeout", "Pt Created", "Shutdown", "[-11059] No Good Data"]


def test_states_in_place_of_numbers_are_missing_and_said(tmp_path):
    values = [*STATES, *(f"{k}.25" for k in range(20))]
    text = history("Tag,Timestamp,Value", [""] * 26, values=values).replace(",\n", "\n")
    _, report, batches = read(write(tmp_path, text), UTC)
    found, quality = cells_of(batches, "PT-101")
    assert np.isnan(found[:6]).all()
    assert found[6:] == [k + 0.25 for k in range(20)]
    assert quality == [MISSING] * 6 + [GOOD] * 20
    issue = next(i for i in report.issues if i.code == "quality.source_bad")
    assert issue.count == 6
    assert "'No Data', 'Bad Input'" in issue.facts["examples"]


def test_a_tag_that_begins_with_bad_hours_is_still_a_number(tmp_path):
    values = ["No Data"] * 300 + [f"{k}.25" for k in range(20)]
    text = history("Tag,Timestamp,Value,Quality", ["Bad"] * 300 + ["Good"] * 20, values=values)
    _, report, batches = read(write(tmp_path, text), UTC)
    assert report.totals.cells_missing == 300
    assert np.nansum(batches[-1].readings.values) == sum(k + 0.25 for k in range(20))


@pytest.mark.parametrize("marks", [["0"], ["0", "1"], ["B"], ["0", "16"]], ids=str)
def test_codes_that_mean_two_things_ask_for_a_name(tmp_path, marks):
    with pytest.raises(AmbiguousData, match="'OPC Quality' / 'Confidence'"):
        read(write(tmp_path, history("Tag,Timestamp,Value,Quality", marks * 10)), UTC)


@pytest.mark.parametrize(
    ("name", "marks", "expected"),
    [
        ("OPC Quality", ["0", "16"], [BAD, BAD]),
        ("Confidence", ["0", "16"], [BAD, ESTIMATED]),
        ("Good", ["0", "1"], [BAD, GOOD]),
        ("Bad", ["0", "1"], [GOOD, BAD]),
        ("Estimada", ["0", "1"], [GOOD, ESTIMATED]),
    ],
)
def test_the_name_that_was_asked_for_decides(tmp_path, name, marks, expected):
    _, _, batches = read(write(tmp_path, history(f"Tag,Timestamp,Value,{name}", marks * 10)), UTC)
    assert cells_of(batches, "PT-101")[1] == expected * 10


def test_marks_that_nobody_knows_are_said(tmp_path):
    marks = ["Good"] * 20 + ["Chato"] * 3
    _, report, batches = read(write(tmp_path, history("Tag,Timestamp,Value,Quality", marks)), UTC)
    assert cells_of(batches, "PT-101")[1] == [GOOD] * 23
    assert codes(report)["quality.unknown_mark"] == 3


@pytest.mark.parametrize(
    ("tags", "separator"),
    [
        (["UNIT1.PT-101", "UNIT1.TT-101", "UNIT2.PT-101", "UNIT2.TT-101"], "."),
        (["N/U1/flow", "N/U2/flow"], "/"),
        (["FIC101.PV", "TIC102.PV", "FIC101.SP", "TIC102.SP"], ""),
        (["UNIT1.PT-101", "UNIT1.TT-102", "UNIT2.PT-201"], ""),
        (["UNIT1.PT-101", "LAB"], ""),
        (["PT-101"], ""),
    ],
)
def test_tags_are_taken_apart_only_with_proof(tags, separator):
    assert tag_separator(tags) == separator


def test_equipment_in_tags_becomes_assets(tmp_path):
    rows = [
        f"UNIT{u}.{name},{START + dt.timedelta(minutes=k):%Y-%m-%d %H:%M},{u}{k}.5,Good"
        for k in range(10)
        for u in (1, 2)
        for name in ("PT", "TT")
    ]
    path = write(tmp_path, "\n".join(["Tag,Timestamp,Value,Quality", *rows, ""]), name="REFINERIA.csv")
    _, report, batches = read(path, UTC)
    readings = batches[-1].readings
    assert [(a.site, a.asset) for a in readings.assets] == [("REFINERIA", "UNIT1"), ("REFINERIA", "UNIT2")]
    assert set(readings.signals) == {"PT", "TT"}
    assert report.totals.records_good == 40
    assert not np.isnan(readings.values).any()


METERED = {
    "r and e": ("Metodo_obtencion", "R", "E"),
    "words": ("REAL/ESTIMADO", "Real", "Estimado"),
    "datadis": ("metodoObtencion", "Real", "Estimada"),
    "initials": ("R/E", "R", "E"),
    "yes": ("Lectura estimada", "N", "S"),
    "no": ("Lectura real", "Sí", "No"),
    "kind": ("Tipo de lectura", "Telemedida", "Perfilada"),
    "codes": ("Estimada", "0", "1"),
}


@pytest.mark.parametrize(("name", "real", "estimated"), METERED.values(), ids=list(METERED))
def test_estimates_of_a_distributor_are_marked(tmp_path, name, real, estimated):
    lines = [f"CUPS;Fecha;Hora;Consumo_kWh;{name}"]
    lines += [
        f"ES1;{d:02d}/06/2025;{h};{d},{h};{estimated if h == 7 else real}"
        for d in range(13, 16)
        for h in range(1, 25)
    ]
    _, report, batches = read(write(tmp_path, "\n".join(lines) + "\n"))
    quality = batches[-1].readings.quality[:, 0]
    assert np.flatnonzero(quality == ESTIMATED).tolist() == [6, 30, 54]
    assert not np.delete(quality, [6, 30, 54]).any()
    assert codes(report)["quality.estimated"] == 3
    assert "read.unknown_columns" not in codes(report)


def test_marks_reach_every_asset_of_a_wide_table(tmp_path):
    lines = ["Fecha,Zone 1 Power (kW),Zone 2 Power (kW),Calidad"]
    lines += [f"2025-01-01 {h:02d}:00,{h}.5,{h}.25,{'Malo' if h == 3 else 'Bueno'}" for h in range(24)]
    _, _, batches = read(write(tmp_path, "\n".join(lines) + "\n"), UTC)
    readings = batches[-1].readings
    assert len(readings.assets) == 2
    assert readings.quality[:, 0].tolist() == ([0] * 3 + [BAD] + [0] * 20) * 2


def test_a_status_that_is_measured_stays_a_signal(tmp_path):
    lines = ["Fecha,Nivel del tanque,Calidad"] + [
        f"2025-01-01 {h:02d}:00,{h}.5,{90 + h % 11}" for h in range(24)
    ]
    plan, _, batches = read(write(tmp_path, "\n".join(lines) + "\n"), UTC)
    assert plan.profile.name == "process"
    assert set(batches[-1].readings.signals) == {"Nivel del tanque", "Calidad"}


@pytest.mark.parametrize(
    ("text", "style", "mark"),
    [
        ("Not good", MarkStyle.WORDS, Mark.BAD),
        ("No válido", MarkStyle.WORDS, Mark.BAD),
        ("Good [annotated]", MarkStyle.WORDS, Mark.GOOD),
        ("", MarkStyle.WORDS, Mark.GOOD),
        ("I/O Timeout", MarkStyle.WORDS, Mark.BAD),
        ("192", MarkStyle.OPC, Mark.GOOD),
        ("28", MarkStyle.OPC, Mark.BAD),
        ("68", MarkStyle.OPC, Mark.ESTIMATED),
    ],
)
def test_meaning_of_one_mark(text, style, mark):
    assert mark_of(text, style) is mark


def test_words_that_are_states_and_words_that_are_not():
    assert all(map(is_state, [*STATES, "Comm Fail", "Intf Shut", "sin datos"]))
    assert not any(map(is_state, ["abierta", "ON", "12,5", "", "Bomba parada"]))
    assert choose_marks("Quality", {"B", "M"}) is MarkStyle.SPANISH
