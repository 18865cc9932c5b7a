"""`python -m benchmarks.reliability --kills N --json`: a watch killed -9 again and again, beside a calm one.

A real `sereno watch` takes files that arrive all the time and tells a webhook receiver on loopback that is at
times down. It is killed at random moments and started again. What it acknowledged must be stored, what is
stored must equal the undisturbed run, every incident must be told, and told again only under the same key.
"""

import argparse
import random
import shutil
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.common import Goal, Options, publish, tell
from benchmarks.reliability.feeding import Feed, build_feed, drop
from benchmarks.reliability.receiving import Receiver, receiver
from benchmarks.reliability.running import Watch, contents, readings_lost

ABOUT = "what kill -9 leaves: nothing lost, nothing doubled, everybody told"
KILLS, QUICK_KILLS = 100, 10
ROOFS, HISTORY_DAYS = 3, 60
DAYS, QUICK_DAYS = 30, 8
DRAIN_S, QUICK_DRAIN_S = 1800.0, 60.0
"""Time that the rest of the outbox gets at the end: after five refusals a message waits for eight minutes."""

WORK_S = 300.0
AT_START = 0.1
"""Share of kills while the watch is starting; the others come once it works."""
_UNSENT = "SELECT COUNT(*) FROM notification WHERE status IN ('queued', 'leased', 'held')"
_RETURNS = "SELECT COUNT(*) FROM incident_event WHERE kind = 'reopened' AND incident_id = ?"
_GIVEN_UP = "SELECT COUNT(*) FROM notification WHERE status = 'dead'"


@dataclass(slots=True)
class Outcome:
    """What a run left."""

    store: dict[str, list[str]]
    told: Receiver
    seconds: float
    first_s: float = 0.0
    """Until it said that the first file was stored."""
    kills: int = 0
    kills_at_work: int = 0
    acknowledged: set[str] = field(default_factory=set)
    lost: int = 0
    unsent: int = 0
    """Neither delivered nor given up."""
    given_up: int = 0
    unfounded: int = 0
    """Returns that were told beyond those that the log of the incident knows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the watch is disturbed."""

    feed: Feed
    folder: Path
    seed: int
    drain_s: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and publish."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=ABOUT)
    parser.add_argument("--kills", type=int, help=f"how often; {KILLS} otherwise, {QUICK_KILLS} with --quick")
    parser.add_argument("--seed", type=int, default=0, help="of the roofs, the moments and the receiver")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--quick", action="store_true", help="a small run, under a minute")
    parser.add_argument("--data", type=Path, help="not used: what arrives is simulated, up to today")
    given = parser.parse_args(arguments)
    options = Options(given.json, given.quick, given.data, None)
    n_kills = given.kills or (QUICK_KILLS if given.quick else KILLS)
    with tempfile.TemporaryDirectory(prefix="sereno-reliability-") as folder:
        figures = measure(Path(folder), n_kills=n_kills, seed=given.seed, is_quick=given.quick)
    publish(options, figures, _goals(figures))


def measure(folder: Path, *, n_kills: int, seed: int, is_quick: bool) -> dict[str, object]:
    """The figures of one disturbed run beside one that was left alone."""
    port = _free_port()
    tell("learning")
    feed = build_feed(
        folder,
        roofs=ROOFS,
        history=HISTORY_DAYS,
        days=max(QUICK_DAYS if is_quick else DAYS, -(-(n_kills + 1) // ROOFS)),
        seed=seed,
        settings=_settings(port),
    )
    drain_s = QUICK_DRAIN_S if is_quick else DRAIN_S
    tell(f"{len(feed.files)} files, undisturbed")
    calm = _undisturbed(Plan(feed, folder / "calm", seed, drain_s), port)
    tell(f"undisturbed in {calm.seconds:.1f} s; now with {n_kills} kills")
    # On the way to its second file, on average: of the kills at work about half find something stored.
    longest_s = 2 * (calm.first_s + calm.seconds / n_kills)
    shaken = _killed(Plan(feed, folder / "shaken", seed, drain_s), port, n_kills, longest_s)
    return _figures(calm, shaken)


def _settings(port: int) -> str:
    options = f"{{url: 'http://127.0.0.1:{port}/hook', allow_private: true}}"
    budget = "{messages: 10000, per: 10min}"
    hook = f"{{kind: webhook, options: {options}, budget: {budget}, self_test: null}}"
    return f"receivers:\n  hook: {hook}\nroutes:\n  - {{to: [hook]}}\nnotify_horizon: 3650d\n"


def _undisturbed(plan: Plan, port: int) -> Outcome:
    workspace, inbox = _begun(plan)
    with receiver(port, seed=plan.seed, is_shaky=False) as told:
        drop(plan.feed.files, inbox, first=0)
        watch = Watch(workspace, inbox, plan.folder / "said")
        watch.wait_for_work()
        began = time.monotonic()
        times: list[float] = []

        def is_done() -> bool:
            if not times and watch.acknowledged():
                times.append(time.monotonic() - began)
            return _is_done(workspace, plan)

        watch.wait(is_done, WORK_S)
        found = _finished(plan, told, time.monotonic() - began)
        found.first_s = times[0] if times else found.seconds
        return found


def _killed(plan: Plan, port: int, n_kills: int, longest_s: float) -> Outcome:
    """Files arrive before each start; the last ones come after the last kill: each kill finds work."""
    workspace, inbox = _begun(plan)
    chance, files = random.Random(plan.seed), plan.feed.files
    n_dropped, n_killed, n_at_work, acknowledged, lost = 0, 0, 0, set[str](), 0
    began = time.monotonic()
    with receiver(port, seed=plan.seed, is_shaky=True) as told:
        for number in range(n_kills):
            n_left, kills_left = len(files) - 1 - n_dropped, n_kills - number
            n_next = min(n_left, chance.randint(0, 2 * -(-n_left // kills_left)))
            drop(files[n_dropped : n_dropped + n_next], inbox, first=n_dropped)
            n_dropped += n_next
            watch = Watch(workspace, inbox, plan.folder / "said")
            is_at_work = chance.random() >= AT_START and watch.wait_for_work()
            is_killed = watch.kill(chance.uniform(0.0, longest_s))
            n_killed += is_killed
            n_at_work += is_killed and is_at_work
            acknowledged = watch.acknowledged()
            lost = max(
                lost, readings_lost(workspace / "sereno.db", [f for f in files if f.name in acknowledged])
            )
            if number % 10 == 9:
                tell(f"{number + 1} kills, {len(acknowledged)} of {len(files)} files stored")
        drop(files[n_dropped:], inbox, first=n_dropped)
        Watch(workspace, inbox, plan.folder / "said").wait(lambda: _is_done(workspace, plan), WORK_S)
        found = _finished(plan, told, time.monotonic() - began)
    found.kills, found.kills_at_work, found.acknowledged = n_killed, n_at_work, acknowledged
    found.lost = max(lost, readings_lost(workspace / "sereno.db", list(files)))
    return found


def _begun(plan: Plan) -> tuple[Path, Path]:
    workspace, inbox = plan.folder / "w", plan.folder / "inbox"
    shutil.copytree(plan.feed.start, workspace)
    inbox.mkdir()
    return workspace, inbox


def _finished(plan: Plan, told: Receiver, seconds: float) -> Outcome:
    """The store, once everybody has been told; a shaky receiver makes senders wait."""
    workspace, inbox = plan.folder / "w", plan.folder / "inbox"
    if _ask(workspace, _UNSENT):
        Watch(workspace, inbox, plan.folder / "said").wait(
            lambda: _ask(workspace, _UNSENT) == 0, plan.drain_s
        )
    unsent, given_up = _ask(workspace, _UNSENT), _ask(workspace, _GIVEN_UP)
    unfounded = sum(max(0, told.returns[one] - _ask(workspace, _RETURNS, one)) for one in told.returns)
    store = contents(workspace / "sereno.db")
    return Outcome(store, told, seconds, unsent=unsent, given_up=given_up, unfounded=unfounded)


def _is_done(workspace: Path, plan: Plan) -> bool:
    n_start = _ask(plan.feed.start, "SELECT COUNT(*) FROM file_ledger")
    n_done = _ask(workspace, "SELECT COUNT(*) FROM file_ledger WHERE status = 'done'")
    return n_done == n_start + len(plan.feed.files)


def _ask(workspace: Path, query: str, *values: str) -> int:
    with closing(sqlite3.connect(workspace / "sereno.db", timeout=30)) as connection:
        return int(connection.execute(query, values).fetchone()[0])


def _figures(calm: Outcome, shaken: Outcome) -> dict[str, object]:
    apart = {name for name in {*calm.store, *shaken.store} if calm.store.get(name) != shaken.store.get(name)}
    if apart:
        tell(f"differs: {', '.join(sorted(apart))}")
    missing = (calm.told.incidents - shaken.told.incidents) | (calm.told.ended - shaken.told.ended)
    tell(f"never told: {len(missing)}, still waiting: {shaken.unsent}, given up: {shaken.given_up}")
    return {
        "kills": shaken.kills,
        "acknowledged_lost": shaken.lost,
        "incidents_duplicated": _duplicated(shaken, calm),
        "notifications_lost": len(missing) + shaken.unsent + shaken.given_up,
        "repeats_same_key": shaken.told.repeats_same_key,
        "repeats_new_key": shaken.told.repeats_new_key,
        "returns_told": sum(shaken.told.returns.values()),
        "returns_unfounded": shaken.unfounded,
        "equal_to_undisturbed": not apart,
        "kills_at_work": shaken.kills_at_work,
        "files_before_last_kill": len(shaken.acknowledged),
        "files": len(shaken.store["file_ledger"]),
        "incidents": len(calm.store["incident"]),
        "incidents_told": len(calm.told.incidents),
        "ends_told": len(calm.told.ended),
        "messages": len(shaken.told.keys),
        "undisturbed_s": round(calm.seconds, 1),
        "disturbed_s": round(shaken.seconds, 1),
    }


def _duplicated(shaken: Outcome, calm: Outcome) -> int:
    """Incidents beyond those of the undisturbed run, of the same group and start, and openings told twice."""
    extra = Counter(map(_identity, shaken.store["incident"])) - Counter(
        map(_identity, calm.store["incident"])
    )
    return extra.total()


def _identity(row: str) -> tuple[str, ...]:
    kept = ("'asset_id'", "'group_key'", "'started_at'")
    return tuple(part for part in row.split("), (") if part.lstrip("[(").startswith(kept))


def _free_port() -> int:
    import socket

    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _goals(figures: dict[str, object]) -> dict[str, Goal]:
    limits = (
        "acknowledged_lost",
        "incidents_duplicated",
        "notifications_lost",
        "repeats_new_key",
        "returns_unfounded",
    )
    values = {name: figures[name] for name in limits}
    goals = {name: Goal(None if value is None else float(str(value)), 0.0) for name, value in values.items()}
    return goals | {
        "equal_to_undisturbed": Goal(float(bool(figures["equal_to_undisturbed"])), 1.0, is_floor=True)
    }


if __name__ == "__main__":
    main()
