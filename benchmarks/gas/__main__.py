"""Inject faults into real gas clients and their network, and say what sereno finds of them."""

import argparse
import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import yaml

from benchmarks.common import DATA_VARIABLE, Goal, Options, publish, tell
from benchmarks.faults.injecting import Fault
from benchmarks.faults.known import Known, known_trouble
from benchmarks.faults.placing import TRAIN_SHARE, Event, Planner, n_slots, rest_of
from benchmarks.faults.rounds import Base, Round, learn_history, run_round
from benchmarks.faults.scoring import Found, Outcome, false_incidents, judge_event, rates, site_months
from benchmarks.faults.series import Series, Skip, find_series
from benchmarks.gas.injecting import GAS_FAULTS, TWIN_FAULTS
from benchmarks.gas.labels import label_figures
from benchmarks.gas.network import (
    CONTROL,
    NetworkEvent,
    network_of,
    network_values,
    plan_network,
    told_of,
    with_control,
)
from benchmarks.gas.trivial import trivial_figures
from sereno import Workspace
from sereno.domain.signals import Profile

FOLDER, PATTERN, LABELS = "gas_industrial", "clientes_horario*", "ground_truth.csv"
RECALL, SIGNAL_RIGHT, FALSE_PER_MONTH, PER_COMMON_CAUSE = 0.90, 0.95, 1.0, 2.0
REPEATS, QUICK_REPEATS = 4, 1
NETWORK_EVENTS, QUICK_NETWORK_EVENTS = 8, 2
QUICK_CLIENTS = 4
ALL_FAULTS: Mapping[str, Fault] = {**GAS_FAULTS, **TWIN_FAULTS}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is injected where.

    Attributes:
        clients: The clients, without check meters.
        rounds: Events of each copy.
        twin_rounds: The same for the copy in which every client has a check meter.
        network: Falls of the common pressure, all in one more copy.
    """

    clients: tuple[Series, ...]
    rounds: tuple[tuple[Event, ...], ...]
    twin_rounds: tuple[tuple[Event, ...], ...]
    network: tuple[NetworkEvent, ...]
    known: tuple[Known, ...]
    skips: tuple[Skip, ...]


@dataclass(frozen=True, slots=True)
class Results:
    """What each copy gave, in the order of the plan."""

    untouched: Round
    rounds: tuple[Round, ...]
    untouched_twins: Round
    twin_rounds: tuple[Round, ...]
    network: Round


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    begun = perf_counter()
    options, seed, detail = _options(arguments)
    assert options.data is not None
    tell("reading the clients")
    plan = make_plan(options.data, seed, is_quick=options.is_quick)
    if not plan.clients:
        raise SystemExit(
            f"no gas clients in {options.data / FOLDER}: " + "; ".join(s.why for s in plan.skips)
        )
    with TemporaryDirectory(prefix="sereno-gas-") as scratch:
        results = _run(Path(scratch), plan, seed)
    outcomes = _outcomes(plan, results)
    false = {
        one.name: _unseen(false_incidents(results.untouched.incidents, one, plan.known), one)
        for one in plan.clients
    }
    figures = {
        **_event_figures(outcomes),
        **_false_figures(plan, false),
        "common_cause": _network_figures(plan, results),
        "detectors": trivial_figures(plan.clients, outcomes, false, ALL_FAULTS, seed),
        "labels": label_figures(options.data / FOLDER / LABELS, plan.clients, results.untouched.incidents),
        "clients": len(plan.clients),
        "client_hours": sum(len(one.time) for one in plan.clients),
        "train_share": TRAIN_SHARE,
        "faults": {name: fault.to_json() for name, fault in ALL_FAULTS.items()},
        "is_faithful": all(one.is_faithful for one in (results.untouched, *results.rounds)),
        "skipped": [one.to_json() for one in plan.skips],
    }
    if detail is not None:
        detail.write_text(_detail(outcomes, false), "utf-8")
    publish(options, {"seed": seed, **figures, "seconds": round(perf_counter() - begun, 1)}, _goals(figures))


def make_plan(data: Path, seed: int, *, is_quick: bool) -> Plan:
    """The clients of a folder, and the events that the seed puts into them."""
    found, skips = find_series(data, (FOLDER,), pattern=PATTERN)
    clients = [one for one in found if one.profile == "gas" and "volume" in one.signals and not one.is_daily]
    if is_quick:
        clients = network_of(clients)[:QUICK_CLIENTS] or clients[:QUICK_CLIENTS]
    with TemporaryDirectory(prefix="sereno-gas-") as scratch, Workspace.open(scratch) as workspace:
        profile = workspace.profiles["gas"]
    known = [trouble for one in clients for trouble in known_trouble(one, profile)]
    repeats = QUICK_REPEATS if is_quick else REPEATS
    rounds, cannot = _planned(clients, profile, known, (GAS_FAULTS, repeats, seed))
    twin_rounds, cannot_drift = _planned(clients, profile, known, (TWIN_FAULTS, repeats, seed))
    network = plan_network(network_of(clients), QUICK_NETWORK_EVENTS if is_quick else NETWORK_EVENTS, seed)
    return Plan(
        tuple(clients),
        rounds,
        twin_rounds,
        tuple(network),
        tuple(known),
        (*skips, *cannot, *cannot_drift),
    )


def _planned(
    clients: Sequence[Series],
    profile: Profile,
    known: Sequence[Known],
    how: tuple[Mapping[str, Fault], int, int],
) -> tuple[tuple[tuple[Event, ...], ...], list[Skip]]:
    """The events of each copy, and what cannot be carried."""
    faults, repeats, seed = how
    copies: dict[int, list[Event]] = defaultdict(list)
    skips: list[Skip] = []
    for one in clients:
        if n_slots(one) < 1:
            continue
        planned, cannot = Planner(one, profile, known, seed, faults=faults).plan(repeats)
        skips += cannot
        for number, events in enumerate(planned):
            copies[number] += events
    return tuple(tuple(copies[number]) for number in sorted(copies)), skips


def _options(arguments: Sequence[str] | None) -> tuple[Options, int, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gas", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="each fault once, in a few clients")
    parser.add_argument("--seed", type=int, default=1, help="places and strengths of the faults")
    parser.add_argument("--data", type=Path, help=f"folder that holds {FOLDER}, otherwise {DATA_VARIABLE}")
    parser.add_argument("--detail", type=Path, help="file for one JSON object per event and false incident")
    given = parser.parse_args(arguments)
    folder = given.data or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if folder is None:
        raise SystemExit(f"say where {FOLDER} lies: --data DIR or {DATA_VARIABLE}")
    return Options(given.json, given.quick, folder, None), given.seed, given.detail


def _run(scratch: Path, plan: Plan, seed: int) -> Results:
    """Every copy of both workspaces, on all cores."""
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    tell(f"learning the history of {len(plan.clients)} clients, alone and with check meters")
    controls = [with_control(one, seed) for one in plan.clients]
    twin_folder = scratch / "twins"
    _declare_twins(twin_folder / "workspace", plan.clients)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        alone = pool.submit(learn_history, scratch / "alone", plan.clients)
        pairs = pool.submit(learn_history, twin_folder, (*plan.clients, *controls))
        jobs = _submitted(pool, alone.result(), [(), *plan.rounds, tuple(_network_events(plan))])
        twin_jobs = _submitted(pool, pairs.result(), [(), *plan.twin_rounds])
        tell(f"{len(jobs) + len(twin_jobs)} copies on {workers} cores")
        untouched, *rounds, network = [job.result() for job in jobs]
        untouched_twins, *twin_rounds = [job.result() for job in twin_jobs]
    return Results(untouched, tuple(rounds), untouched_twins, tuple(twin_rounds), network)


def _submitted(
    pool: ProcessPoolExecutor, base: Base, copies: Sequence[Sequence[Event]]
) -> list[Future[Round]]:
    return [
        pool.submit(run_round, base, number, events, in_pieces=False) for number, events in enumerate(copies)
    ]


def _declare_twins(folder: Path, clients: Sequence[Series]) -> None:
    """As a user does: which asset measures the flow of each client again."""
    folder.mkdir(parents=True)
    assets = {one.key.site: {"twin": f"{one.key.site}{CONTROL}"} for one in clients}
    (folder / "sereno.yaml").write_text(yaml.safe_dump({"assets": assets}, allow_unicode=True), "utf-8")


def _network_events(plan: Plan) -> list[Event]:
    """The falls of the network as changes of each of its clients."""
    events = []
    for one in plan.clients:
        values = network_values(one, plan.network)
        for event in plan.network:
            start, stop = np.searchsorted(one.time, [event.first, event.last]).tolist()
            if one.name in event.clients and stop > start:
                changed = values[start:stop]
                what = f"-{event.share:.1%}"
                events.append(
                    Event(
                        fault="network_sag",
                        series=one.name,
                        start=start,
                        stop=stop,
                        first=event.first,
                        last=event.last,
                        values=changed,
                        altered=("pressure",),
                        allowed=frozenset({"pressure"}),
                        magnitude=what,
                    )
                )
    return events


def _outcomes(plan: Plan, results: Results) -> list[Outcome]:
    by_name = {one.name: one for one in plan.clients}
    pairs = [
        *(
            (events, found, results.untouched)
            for events, found in zip(plan.rounds, results.rounds, strict=True)
        ),
        *(
            (events, found, results.untouched_twins)
            for events, found in zip(plan.twin_rounds, results.twin_rounds, strict=True)
        ),
    ]
    return [
        judge_event(event, by_name[event.series], found.incidents, untouched.incidents, faults=ALL_FAULTS)
        for events, found, untouched in pairs
        for event in events
    ]


def _event_figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in outcomes:
        groups[one.event.fault].append(one)
    overall = rates(outcomes)
    return {
        "event_recall": overall["recall"],
        "kind_right": overall["kind_right"],
        "signal_right": overall["signal_right"],
        "cause_exact": overall["cause_exact"],
        "incidents_per_found": overall["incidents_per_found"],
        "events": overall["n"],
        "by_fault": {name: rates(groups[name]) for name in sorted(groups)},
    }


def _unseen(found: Sequence[Found], series: Series) -> list[Found]:
    """The incidents of the rows that the model had not learnt from."""
    return [one for one in found if one.first >= series.time[rest_of(series)]]


def _false_figures(plan: Plan, false: Mapping[str, Sequence[Found]]) -> dict[str, object]:
    months = {one.name: site_months(one) * (1 - TRAIN_SHARE) for one in plan.clients}
    causes = Counter(one.cause for own in false.values() for one in own)
    return {
        "false_per_client_month": round(sum(map(len, false.values())) / sum(months.values()), 4),
        "false_by_client": {
            name: {"false": len(own), "client_months": round(months[name], 1)} for name, own in false.items()
        },
        "false_by_cause": dict(causes.most_common()),
    }


def _network_figures(plan: Plan, results: Results) -> dict[str, object]:
    """How many incidents each fall of the whole network makes."""
    told = [told_of(event, results.network.incidents, results.untouched.incidents) for event in plan.network]
    found = [one for one in told if one]
    return {
        "clients": len(plan.network[0].clients) if plan.network else 0,
        "events": len(told),
        "found": len(found),
        "incidents_per_event": round(sum(map(len, found)) / len(found), 2) if found else None,
    }


def _goals(figures: Mapping[str, object]) -> dict[str, Goal]:
    common = figures["common_cause"]
    assert isinstance(common, Mapping)
    return {
        "event_recall": Goal(_number(figures["event_recall"]), RECALL, is_floor=True),
        "signal_right": Goal(_number(figures["signal_right"]), SIGNAL_RIGHT, is_floor=True),
        "false_per_client_month": Goal(_number(figures["false_per_client_month"]), FALSE_PER_MONTH),
        "incidents_per_common_cause": Goal(_number(common["incidents_per_event"]), PER_COMMON_CAUSE),
    }


def _detail(outcomes: Sequence[Outcome], false: Mapping[str, Sequence[Found]]) -> str:
    events = [one.to_json() for one in outcomes]
    unexplained = [{"series": name, **one.to_json()} for name, own in false.items() for one in own]
    return json.dumps({"events": events, "false": unexplained}, ensure_ascii=False, indent=1)


def _number(value: object) -> float | None:
    return value if isinstance(value, float) else None


if __name__ == "__main__":
    main()
