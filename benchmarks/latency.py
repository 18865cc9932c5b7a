"""How long judging one record takes on an opened workspace, beside scikit-learn's one-row score.

A judged record is validated, judged by data, physics and behaviour, and explained in a Spanish sentence where
it is abnormal; nothing is stored. The drop-in class of the guide is timed with its commit.
"""

import csv
import gc
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

from benchmarks.common import (
    Goal,
    Options,
    child_environment,
    milliseconds,
    parse_options,
    publish,
    tell,
    timed,
    timed_with_cpu,
)
from benchmarks.solar_fleet import UNITS, Fleet, build_fleet
from sereno import Workspace
from sereno.detect.forest import flatten

__all__ = ["main"]

N_TREES = 100
RECORDS_AT_ONCE = 100
CALLS, QUICK_CALLS = 4_000, 200
BATCHES, QUICK_BATCHES = 50, 5
COMPAT_CALLS, QUICK_COMPAT_CALLS = 300, 20
WARM_UP = 50
ROUND = 20
"""Calls of one kind before those of the other: both meet the same busy moments."""
OPENINGS = 3

P99_MS = 1.0
HUNDRED_MS = 10.0
OPEN_S = 2.0
COMPAT_P99_MS = 10.0
COMPAT_HUNDRED_MS = 100.0
SCORE_DIFFERENCE = 1e-6

_OPEN_AND_JUDGE = """
import json, sys
from sereno import Workspace
folder, record, units = json.loads(sys.argv[1])
with Workspace.open(folder, language="es") as workspace:
    workspace.score_records([record], units=units)
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    options = parse_options("latency", str(__doc__), arguments)
    with TemporaryDirectory(prefix="sereno-latency-") as scratch:
        tell("building, training and judging a fleet")
        fleet = build_fleet(Path(scratch) / "workspace", options)
        figures = _figures(fleet, options)
    publish(options, figures, _goals(figures))


def _figures(fleet: Fleet, options: Options) -> dict[str, object]:
    forest = IsolationForest(n_estimators=N_TREES, random_state=0).fit(fleet.rows)
    tell("opening the workspace")
    open_s = _open_seconds(fleet)
    with Workspace.open(fleet.folder, language="es") as workspace:
        tell("judging one record at a time")
        ours, theirs, share = _one_at_a_time(workspace, fleet, forest, options)
        tell(f"judging {RECORDS_AT_ONCE} records at a time")
        hundred = _many_at_a_time(workspace, fleet, options)
    one = milliseconds(ours)
    sklearn_ms = milliseconds(theirs)["p50"]
    tell("the drop-in class, with its commit")
    return {
        "one_record_ms": one,
        "hundred_records_ms": milliseconds(hundred)["p50"],
        "sklearn_one_row_ms": sklearn_ms,
        "ratio": round(sklearn_ms / one["p50"], 2),
        "max_score_difference": _max_difference(fleet, forest),
        "open_model_s": round(open_s, 3),
        **_compat(fleet, options),
        "abnormal_share": round(share, 3),
        "n_records": len(ours),
    }


def _goals(figures: Mapping[str, object]) -> dict[str, Goal]:
    def figure(name: str, part: str | None = None) -> float | None:
        value = figures[name]
        value = value.get(part) if isinstance(value, Mapping) and part else value
        return float(str(value)) if value is not None else None

    return {
        "one_record_p99_ms": Goal(figure("one_record_ms", "p99"), P99_MS),
        "hundred_records_ms": Goal(figure("hundred_records_ms"), HUNDRED_MS),
        "max_score_difference": Goal(figure("max_score_difference"), SCORE_DIFFERENCE),
        "open_model_s": Goal(figure("open_model_s"), OPEN_S),
        "compat_record_p99_ms": Goal(figure("compat_record_ms", "p99"), COMPAT_P99_MS),
        "compat_hundred_records_ms": Goal(figure("compat_hundred_records_ms"), COMPAT_HUNDRED_MS),
    }


def _open_seconds(fleet: Fleet) -> float:
    """A new process from its start to its first judged record: imports, store, model and all [s], median."""
    question = json.dumps([str(fleet.folder), fleet.records[0], dict(UNITS)])
    command = [sys.executable, "-c", _OPEN_AND_JUDGE, question]

    def open_and_judge() -> None:
        subprocess.run(command, check=True, env=child_environment())

    open_and_judge()  # compiles and caches
    return median(timed(open_and_judge) for _ in range(OPENINGS))


def _one_at_a_time(
    workspace: Workspace, fleet: Fleet, forest: IsolationForest, options: Options
) -> tuple[list[float], list[float], float]:
    """Durations of our whole judgement and of scikit-learn's score, in turns [s]; the abnormal share."""
    n_calls = QUICK_CALLS if options.is_quick else CALLS
    records = [fleet.records[i % len(fleet.records)] for i in range(n_calls)]
    for record in fleet.records[:WARM_UP]:
        _judge(workspace, [record])
        forest.score_samples(fleet.rows[:1])
    ours: list[float] = []
    theirs: list[float] = []
    n_abnormal = 0
    gc.collect()
    for start in range(0, n_calls, ROUND):
        for record in records[start : start + ROUND]:
            begun = perf_counter()
            n_abnormal += _judge(workspace, [record])
            ours.append(perf_counter() - begun)
        for row in range(max(1, ROUND // 10)):
            one = fleet.rows[(start + row) % len(fleet.rows), None]
            begun = perf_counter()
            forest.score_samples(one)
            theirs.append(perf_counter() - begun)
    return ours, theirs, n_abnormal / n_calls


def _many_at_a_time(workspace: Workspace, fleet: Fleet, options: Options) -> list[float]:
    durations = []
    for number in range(QUICK_BATCHES if options.is_quick else BATCHES):
        first = number * RECORDS_AT_ONCE
        batch = [fleet.records[(first + i) % len(fleet.records)] for i in range(RECORDS_AT_ONCE)]
        begun = perf_counter()
        _judge(workspace, batch)
        durations.append(perf_counter() - begun)
    return durations


def _judge(workspace: Workspace, records: Sequence[Mapping[str, object]]) -> int:
    """Judge records and say in a sentence what is wrong; how many are abnormal."""
    judged = workspace.score_records(records, units=UNITS)
    return len([workspace.describe(row) for row in judged if row.is_abnormal])


def _max_difference(fleet: Fleet, forest: IsolationForest) -> float:
    """Largest difference between our flat forest, one row and many rows at once, and scikit-learn's."""
    flat = flatten(forest)
    theirs = -forest.score_samples(fleet.rows)
    single = np.concatenate([flat.score(row[None]) for row in fleet.rows[:1000]])
    return float(
        max(np.abs(flat.score(fleet.rows) - theirs).max(), np.abs(single - theirs[: len(single)]).max())
    )


def _compat(fleet: Fleet, options: Options) -> dict[str, object]:
    """The guide's class, record by record, stored and committed; null where it is not there."""
    door = import_module("sereno.compat") if find_spec("sereno.compat") else None
    if not hasattr(door, "SistemaAlertasTiempoReal"):
        return dict.fromkeys(
            (
                "compat_record_ms",
                "compat_record_cpu_ms",
                "compat_hundred_records_ms",
                "compat_hundred_records_cpu_ms",
            )
        )
    return _time_compat(fleet, options)


def _time_compat(fleet: Fleet, options: Options) -> dict[str, object]:
    """On copies, because it stores; its alerts go nowhere."""
    n_calls = QUICK_COMPAT_CALLS if options.is_quick else COMPAT_CALLS
    with _guide_system(fleet, "single") as system:
        for record in fleet.records[:WARM_UP]:
            system.procesar_dato(dict(record))
        fresh = [dict(record) for record in fleet.records[WARM_UP : WARM_UP + n_calls]]
        single = [timed_with_cpu(lambda record=record: system.procesar_dato(record)) for record in fresh]
    with _guide_system(fleet, "hundred") as system:
        starts = range(0, len(fleet.records) - RECORDS_AT_ONCE, RECORDS_AT_ONCE)
        files = [_write_csv(Path(f"{i}.csv"), fleet.records[i : i + RECORDS_AT_ONCE]) for i in starts]
        hundred = [timed_with_cpu(lambda file=file: system.procesar_csv(file)) for file in files]
    (record, record_cpu), (many, many_cpu) = zip(*single, strict=True), zip(*hundred, strict=True)
    return {
        "compat_record_ms": milliseconds(record),
        "compat_record_cpu_ms": milliseconds(record_cpu),
        "compat_hundred_records_ms": milliseconds(many)["p50"],
        "compat_hundred_records_cpu_ms": milliseconds(many_cpu)["p50"],
    }


@contextmanager
def _guide_system(fleet: Fleet, name: str) -> Iterator[Any]:
    """The guide's class in a copy of the workspace, its artefact under the guide's name."""
    folder = fleet.folder.with_name(name)
    shutil.copytree(fleet.folder, folder)
    artefact = shutil.copy(next((folder / "models").iterdir()), folder / "modelo_multi_empresa.pkl")
    with redirect_stdout(StringIO()), chdir(folder):
        system = import_module("sereno.compat").SistemaAlertasTiempoReal(str(artefact))
        if not system.iniciar():
            raise SystemExit("sereno.compat could not open the model")
        yield system
        system.cerrar()


def _write_csv(path: Path, records: Sequence[Mapping[str, object]]) -> str:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    return str(path)


if __name__ == "__main__":
    main()
