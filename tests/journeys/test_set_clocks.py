"""Promise: whatever is done to the clock of a machine, nothing fires early, late or twice.

The engines are processes of their own whose wall clock is the machine's plus what a file says.
"""

import multiprocessing
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from sereno.domain.time import system_clock
from sereno.domain.timers import Timer, TimerKind
from sereno.flows.life import LifePolicy
from sereno.flows.timers import Tender
from sereno.store import Store, open_store
from tests.flows.outbox import open_one
from tests.support.builders import PROFILES
from tests.support.postgres import fresh_database
from tests.support.processes import wait_until

FAR = timedelta(days=30)
STEPS = (3600, 0, -3600, -3590, 5, 0, 40_000, -40_000)
"""What the wall clock shows beyond the machine's, one after the other [s]; all apart by more than drift."""
EXACT = timedelta(seconds=1)
_FORKS = multiprocessing.get_context("forkserver")


def look_on(url: str, folder: Path, name: str) -> None:
    """What an engine does about timers, without its pauses, until a file says that it is enough."""
    looks = 0

    def clock() -> datetime:
        return system_clock() + timedelta(seconds=float((folder / "ahead").read_text("ascii")))

    with open_store(url) as store:
        tender = Tender(store, LifePolicy(PROFILES), clock)
        while not (folder / "enough").exists():
            tender.look()
            looks += 1
            _put(folder / name, str(looks))


def _put(path: Path, text: str) -> None:
    fresh = path.with_suffix(".part")
    fresh.write_text(text, "ascii")
    fresh.replace(path)


@contextmanager
def engines(url: str, folder: Path, count: int) -> Iterator[list[Path]]:
    """Engines that have begun to look; where each says how often it has."""
    seen = [folder / f"looks {number}" for number in range(count)]
    processes = [_FORKS.Process(target=look_on, args=(url, folder, path.name), daemon=True) for path in seen]
    for process in processes:
        process.start()
    try:
        wait_until(lambda: all(path.exists() for path in seen), timeout=60)
        yield seen
    finally:
        (folder / "enough").touch()
        for process in processes:
            process.join(60)
            process.kill()


def _looked_again(seen: list[Path]) -> None:
    """Return when every engine has looked twice more: once it may have begun before."""
    before = [int(path.read_text("ascii")) for path in seen]
    wait_until(
        lambda: all(int(path.read_text("ascii")) >= n + 2 for path, n in zip(seen, before, strict=True)),
        timeout=60,
    )


def _due(store: Store) -> datetime:
    with store.read() as tx:
        (timer,) = tx.timers()
    return timer.due_at


@pytest.mark.parametrize("rounds", [1, pytest.param(25, marks=pytest.mark.slow)])
def test_clock_that_two_engines_see_set_moves_what_is_due_once(
    postgres_server: str, tmp_path: Path, rounds: int
) -> None:
    steps = list(STEPS) * rounds
    random.Random(rounds).shuffle(steps)
    _put(tmp_path / "ahead", "0")
    with fresh_database(postgres_server) as url, open_store(url) as store:
        open_one(store, at=system_clock())
        due = system_clock() + FAR
        with store.begin() as tx:
            tx.set_timer(Timer("incident-1", TimerKind.CALM, due))
        with engines(url, tmp_path, 2) as seen:
            found = []
            for ahead in steps:
                _put(tmp_path / "ahead", str(ahead))
                _looked_again(seen)
                found.append(_due(store) - due - timedelta(seconds=ahead))

    assert max(map(abs, found)) < EXACT


def test_clock_that_is_set_while_no_engine_runs_is_seen_by_the_next(
    postgres_server: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_server) as url, open_store(url) as store:
        open_one(store, at=system_clock())
        due = system_clock() + FAR
        with store.begin() as tx:
            tx.set_timer(Timer("incident-1", TimerKind.CALM, due))
        for ahead in (0, 3600):
            _put(tmp_path / "ahead", str(ahead))
            with engines(url, tmp_path, 1) as seen:
                _looked_again(seen)
            for path in [*seen, tmp_path / "enough"]:
                path.unlink()
        moved = _due(store) - due

    assert abs(moved - timedelta(hours=1)) < EXACT
