"""Inject named faults into the solar and gas series of a folder and say what sereno finds of them."""

import argparse
import json
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.common import DATA_VARIABLE, Goal, Options, publish, tell
from benchmarks.faults.injecting import FAULTS
from benchmarks.faults.isolation import RULE
from benchmarks.faults.known import Known, known_trouble
from benchmarks.faults.placing import TRAIN_SHARE, Event, Planner, n_slots, rest_of
from benchmarks.faults.rounds import DAILY_PIECES, FINE_PIECES, Base, Round, learn_history, run_round
from benchmarks.faults.scoring import Outcome, false_incidents, judge_event, rates, site_months
from benchmarks.faults.series import Series, Skip, find_series
from benchmarks.faults.simulated import write_simulated
from sereno import Workspace
from sereno.detect.robust import MIN_ROWS

RECALL, SIGNAL_RIGHT, FALSE_PER_MONTH = 0.90, 0.95, 1.0
REPEATS, QUICK_REPEATS = 4, 1
LONG_SERIES_FACTOR = 2
"""Series that take several faults in one copy get more of each."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is injected where.

    Attributes:
        rounds: Events of each round; at most a few of each series.
    """

    series: tuple[Series, ...]
    rounds: tuple[tuple[Event, ...], ...]
    known: tuple[Known, ...]
    skips: tuple[Skip, ...]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    begun = perf_counter()
    options, seed, detail = _options(arguments)
    with TemporaryDirectory(prefix="sereno-faults-") as scratch:
        data = options.data or _simulated(Path(scratch) / "data", seed)
        tell("reading the series")
        plan = make_plan(data, seed, QUICK_REPEATS if options.is_quick else REPEATS)
        if not plan.series:
            raise SystemExit(f"no solar or gas series in {data}: " + "; ".join(s.why for s in plan.skips))
        tell(f"learning the history of {len(plan.series)} series")
        base = learn_history(Path(scratch), plan.series)
        untouched, rounds = _run_all(base, plan, in_pieces=not options.is_quick)
    outcomes = _outcomes(plan, untouched, rounds, are_pieces=not options.is_quick)
    figures = _figures(plan, untouched, rounds, outcomes)
    if detail is not None:
        detail.write_text(_detail(plan, untouched, outcomes), "utf-8")
    publish(
        options,
        {"seed": seed, **figures, "seconds": round(perf_counter() - begun, 1)},
        {
            "recall": Goal(_number(figures["recall"]), RECALL, is_floor=True),
            "signal_right": Goal(_number(figures["signal_right"]), SIGNAL_RIGHT, is_floor=True),
            "false_per_site_month": Goal(_number(figures["false_per_site_month"]), FALSE_PER_MONTH),
        },
    )


def make_plan(data: Path, seed: int, repeats: int) -> Plan:
    """The series of a folder, and the events that the seed puts into them."""
    series, skips = find_series(data)
    with TemporaryDirectory(prefix="sereno-faults-") as scratch, Workspace.open(scratch) as workspace:
        profiles = workspace.profiles
    rounds: dict[int, list[Event]] = defaultdict(list)
    known: list[Known] = []
    carried = []
    for one in series:
        if rest_of(one) < MIN_ROWS:
            skips.append(Skip(one.name, None, f"{len(one.time)} rows are too few to learn from"))
            continue
        carried.append(one)
        profile = profiles[one.profile]
        own = known_trouble(one, profile)
        known += own
        n_each = repeats * (LONG_SERIES_FACTOR if n_slots(one) > 1 else 1)
        copies, cannot = Planner(one, profile, own, seed).plan(n_each)
        skips += cannot
        for number, events in enumerate(copies):
            rounds[number] += events
    return Plan(tuple(carried), tuple(map(tuple, rounds.values())), tuple(known), tuple(skips))


def _options(arguments: Sequence[str] | None) -> tuple[Options, int, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="each fault once per series")
    parser.add_argument("--seed", type=int, default=1, help="places and strengths of the faults")
    parser.add_argument(
        "--data",
        type=Path,
        help=f"folder with solar_home, gas_home, solar_daily, otherwise {DATA_VARIABLE}, otherwise simulated",
    )
    parser.add_argument("--detail", type=Path, help="file for one JSON object per event and false incident")
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    return Options(given.json, given.quick, folder, None), given.seed, given.detail


def _simulated(folder: Path, seed: int) -> Path:
    tell("no data given: simulating some")
    return write_simulated(folder, seed)


def _run_all(base: Base, plan: Plan, *, in_pieces: bool) -> tuple[Round, list[Round]]:
    """The untouched copy, and each round, on all cores."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    tell(f"{len(plan.rounds)} rounds on {workers} cores")
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(run_round, base, n, events, in_pieces=in_pieces)
            for n, events in enumerate([(), *plan.rounds])
        ]
        untouched, *rounds = [job.result() for job in jobs]
    return untouched, rounds


def _outcomes(plan: Plan, untouched: Round, rounds: Sequence[Round], *, are_pieces: bool) -> list[Outcome]:
    by_name = {one.name: one for one in plan.series}
    return [
        judge_event(
            event,
            by_name[event.series],
            found.incidents,
            untouched.incidents,
            read=found.read if are_pieces else None,
        )
        for events, found in zip(plan.rounds, rounds, strict=True)
        for event in events
    ]


def _figures(
    plan: Plan, untouched: Round, rounds: Sequence[Round], outcomes: Sequence[Outcome]
) -> dict[str, object]:
    overall = rates(outcomes)
    return {
        **overall,
        **_false_figures(plan, untouched),
        "by_fault": _by(outcomes, lambda one: one.event.fault),
        "by_folder": _by(outcomes, lambda one: one.event.series.split("/", maxsplit=1)[0]),
        "faults": {name: fault.to_json() for name, fault in FAULTS.items()},
        "rule": {"signal": RULE, "train_share": TRAIN_SHARE, "delay": DELAY},
        "zones": {one.name: one.zone for one in plan.series},
        "is_faithful": untouched.is_faithful and all(one.is_faithful for one in rounds),
        "refused": sorted({name for one in rounds for name in one.refused}),
        "known_real": [one.to_json() for one in plan.known],
        "skipped": [one.to_json() for one in plan.skips],
    }


def _false_figures(plan: Plan, untouched: Round) -> dict[str, object]:
    """Over all judged rows, and over those that the model had not learnt from."""
    false = {one.name: false_incidents(untouched.incidents, one, plan.known) for one in plan.series}
    months = {one.name: site_months(one) for one in plan.series}
    n_unseen = sum(
        incident.first >= one.time[rest_of(one)] for one in plan.series for incident in false[one.name]
    )
    n_false, n_months = sum(map(len, false.values())), sum(months.values())
    return {
        "false_per_site_month": round(n_false / n_months, 4),
        "false_per_site_month_unseen": round(n_unseen / (n_months * (1 - TRAIN_SHARE)), 4),
        "false_by_series": {
            name: {"false": len(own), "site_months": round(months[name], 1)} for name, own in false.items()
        },
    }


DELAY = (
    "delay_steps: rows of the fault that had been read when its incident was there, measured by feeding "
    f"{DAILY_PIECES} rows of it (daily) or {FINE_PIECES} (finer), not in quick runs; dated_late_steps: from "
    "the start of the fault to the start that the incident is dated, never below 0"
)


def _by(outcomes: Sequence[Outcome], key: Callable[[Outcome], str]) -> Mapping[str, object]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[key(one)].append(one)
    return {name: rates(groups[name]) for name in sorted(groups)}


def _detail(plan: Plan, untouched: Round, outcomes: Sequence[Outcome]) -> str:
    events = [one.to_json() for one in outcomes]
    false = [
        {"series": one.name, **incident.to_json()}
        for one in plan.series
        for incident in false_incidents(untouched.incidents, one, plan.known)
    ]
    return json.dumps({"events": events, "false": false}, ensure_ascii=False, indent=1)


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


if __name__ == "__main__":
    main()
