"""Promise: a folder damaged in any of twenty ways is read as far as it can be, and the rest is named."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sereno.flows.workspace import Workspace
from tests.support.messy import KINDS, Messy, damaged_files
from tests.support.processes import sereno

Bounds = Mapping[str, tuple[float, float]]
MANY = float("inf")


@dataclass(frozen=True)
class Promise:
    """What a kind must give.

    Attributes:
        good: Least and most readings.
        totals: Least and most of other totals; names joined by `+` are added.
        codes: Least and most cells or rows of issues; codes joined by `+` are added.
    """

    good: tuple[float, float] = (0, MANY)
    totals: Bounds = field(default_factory=dict)
    codes: Bounds = field(default_factory=dict)
    is_refused: bool = False
    verdict: str = ""
    says: str = ""


QUARANTINED, CONFLICTING = "records_quarantined", "duplicates_conflicting"
STRANGE = "quality.not_a_number+quality.out_of_range+quality.sentinel+quality.converted_text"
PROMISES = {
    "01": Promise((240, 240), codes={"read.total_row": (2, 2)}),
    "02": Promise((480, 480), {QUARANTINED: (0, 0)}),
    "03": Promise((200, 200), says="Presión (bar)"),
    "04": Promise((120, 216), {QUARANTINED: (24, MANY), f"records_good+{QUARANTINED}": (240, 240)}),
    "05": Promise((240, 240), {"duplicates_identical": (10, 10), CONFLICTING: (10, 10)}),
    "06": Promise(totals={"duplicates_identical": (0, 0), CONFLICTING: (0, 0), QUARANTINED: (0, 0)}),
    "07": Promise((240, 240), codes={"read.missing_columns": (1, MANY)}),
    "08": Promise((240, 240), {"cells_missing": (30, 45), "cells_missing+cells_converted": (0, 60)}),
    "09": Promise((0, 0), codes={"read.empty": (1, MANY)}, is_refused=True),
    "10": Promise((0, 0), codes={"read.truncated": (1, MANY)}, is_refused=True),
    "11": Promise(totals={f"records_good+{QUARANTINED}": (240, 240)}, codes={STRANGE: (30, MANY)}),
    "12": Promise((0, 0), codes={"read.header_only": (1, MANY)}, verdict="warnings"),
    "13": Promise((60, 60)),
    "14": Promise((400, 400), codes={"quality.register_reset": (1, MANY), "quality.frozen": (1, MANY)}),
    "15": Promise(),
    "16": Promise((240, 240)),
    "17": Promise((233, MANY), {QUARANTINED: (0, 6)}),
    "18": Promise((0, 0), codes={"read.corrupt": (1, MANY)}, is_refused=True),
    "19": Promise((0, 0), codes={"read.too_large": (1, MANY)}, is_refused=True),
    "20": Promise(codes={"quality.future": (24, 24), "quality.unit_change": (1, MANY)}),
}


def shortcomings(messy: Messy, folder: Path) -> list[str]:
    """Where a file falls short of its kind's promise, by `check` and by loading it twice."""
    path = messy.write(folder)
    with Workspace.open(folder / "w", language="es") as workspace:
        (checked,) = workspace.check(path, timezone=messy.zone)
        (first,) = workspace.ingest(path, timezone=messy.zone)
        (second,) = workspace.ingest(path, timezone=messy.zone)
    promise = PROMISES[messy.kind]
    found = _outside(promise, checked.entry, messy.good)
    if checked.is_refused is not promise.is_refused:
        found.append("refused" if checked.is_refused else "not refused")
    if promise.verdict and checked.entry["verdict"] != promise.verdict:
        found.append(f"verdict {checked.entry['verdict']}")
    if promise.says not in json.dumps(checked.entry, ensure_ascii=False, allow_nan=False):
        found.append(f"does not say {promise.says}")
    if first.entry["totals"] != checked.entry["totals"]:
        found.append(f"ingest counts {first.entry['totals']}")
    if second.entry.get("readings_new", 0):
        found.append("a second load added readings")
    return found


def _outside(promise: Promise, entry: dict[str, Any], good: int | None) -> list[str]:
    totals, codes = entry["totals"], dict[str, int]()
    for issue in entry["issues"]:
        codes[issue["code"]] = codes.get(issue["code"], 0) + issue["count"]
    wanted = {"records_good": promise.good if good is None else (good, good)}
    return [
        f"{name} is {sum(counts.get(n, 0) for n in name.split('+'))}, not {least} to {most}: {totals} {codes}"
        for counts, bounds in ((totals, wanted | dict(promise.totals)), (codes, promise.codes))
        for name, (least, most) in bounds.items()
        if not least <= sum(counts.get(n, 0) for n in name.split("+")) <= most
    ]


SAMPLED = {
    name
    for group in (
        "01_mwh.xlsx 01_grand.xlsx 01_en.ods 02_punto.csv 02_kwh.csv 02_english.csv 03_mojibake.csv",
        "04_dos.csv 04_tres.csv 05_en_small.csv 05_us_999.999.csv 06_Santiago_30.csv 06_Casablanca_60.csv",
        "06_Mexico_City_15.csv 06_Madrid_60_reversed.csv 07_red.csv 07_en.csv 08_iso_1.csv 08_tab_2.csv",
        "09_blancos.csv 10_sin_cola.csv.gz 11_es_1.csv 11_iso_2.csv 12_libro.xlsx 12_unidades.csv 13_us.csv",
        "13_lineas.csv 14_twice.csv 14_daily.csv 15_h25.csv 15_quarters.csv 16_be_semicolon.csv",
        "03_euro.csv 16_le_bare.csv 17_tab_2.csv 17_us_0.csv 18_noise.xls 18_cut_0.6.ods 18_lying.zip",
        "20_es_all_1e+03_24.csv 20_en_1_1e+03_110.csv 20_us_all_1e+03_48.csv",
        "19_nested.csv.gz 19_commas.csv.gz",
    )
    for name in group.split()
}
SEEDS = (0, 1, 2)


@pytest.mark.parametrize("messy", [m for m in damaged_files() if m.name in SAMPLED], ids=lambda m: m.name)
def test_damaged_file_keeps_the_promise_of_its_kind(tmp_path: Path, messy: Messy) -> None:
    assert shortcomings(messy, tmp_path) == []


def test_every_kind_is_sampled() -> None:
    names = {messy.name for messy in damaged_files()}

    assert names >= SAMPLED
    assert {name[:2] for name in SAMPLED} == set(PROMISES)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", SEEDS)
def test_every_variant_keeps_the_promise_of_its_kind(
    tmp_path: Path, kind: Callable[[random.Random], Iterator[Messy]], seed: int
) -> None:
    found = {}
    for messy in kind(random.Random(f"{seed}/{kind.__name__}")):
        folder = tmp_path / messy.name.replace(".", "_")
        folder.mkdir()
        found[messy.name] = shortcomings(messy, folder)

    assert found
    assert {name: short for name, short in found.items() if short} == {}


@pytest.mark.parametrize("name", ["02_tab.csv", "06_Madrid_60.csv", "10_es_0.6.csv.gz", "19_zeros.csv.gz"])
def test_command_line_says_the_same_of_a_damaged_file(tmp_path: Path, name: str) -> None:
    (messy,) = (m for m in damaged_files() if m.name == name)
    path, promise = messy.write(tmp_path), PROMISES[messy.kind]
    options = ("--json", "--timezone", messy.zone)

    checked = sereno("check", path, *options, workspace=tmp_path / "w")
    sereno("ingest", path, *options, workspace=tmp_path / "w")
    again = sereno("ingest", path, *options, workspace=tmp_path / "w")

    assert checked.code == again.code == (3 if promise.is_refused else 0)
    assert _outside(promise, checked.document["files"][0], messy.good) == []
    assert sum(entry.get("readings_new", 0) for entry in again.document["files"]) == 0
    assert "Traceback" not in checked.err + again.err
