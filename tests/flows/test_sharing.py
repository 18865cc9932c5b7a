"""Engines on one PostgreSQL share work by blocks of assets; what a dead one had goes to another."""

import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import LeaseLost
from sereno.flows import sharing
from sereno.flows.engines import leased
from sereno.flows.sharing import share_blocks
from sereno.flows.workspace import Workspace
from sereno.store import Store, open_store
from tests.support.builders import NOW, a_fleet, a_roof, readings_of
from tests.support.postgres import fresh_database

SITES = 6
DEADLY = """
import os, signal, sys
from sereno.flows import sharing
from sereno.flows.sharing import share_blocks
from sereno.store import open_store
sharing.BLOCK_ASSETS = 2
with open_store(sys.argv[1]) as store, store.read() as tx:
    share_blocks(store, "work", tx.assets(), lambda block, lease: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.fixture
def url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    with fresh_database(postgres_server, template=postgres_template) as found:
        yield found


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "BLOCK_ASSETS", 2)


def _fill(store: Store) -> None:
    with store.begin() as tx:
        for number in range(SITES):
            roof = a_roof(f"Planta {number}")
            tx.ensure_assets([roof.asset], profile="solar", zone="UTC")


def _assets(store: Store) -> list:
    with store.read() as tx:
        return tx.assets()


def test_two_engines_do_every_block_at_once_and_each_asset_in_one_hand(url: str) -> None:
    both, lock = threading.Barrier(2, timeout=60), threading.Lock()
    busy, most, done = Counter(), Counter(), {"a": set(), "b": set()}
    waited = set()

    def engine(name: str) -> None:
        def work(block, lease) -> None:
            first = block[0].id
            with lock:
                busy[first] += 1
                most[first] = max(most[first], busy[first])
                is_new = first not in done["a"] | done["b"]
                if is_new:
                    done[name].add(first)
            if name not in waited:  # each holds a block before either goes on
                waited.add(name)
                both.wait()
            with store.begin() as tx:
                lease.hold(tx)
            with lock:
                busy[first] -= 1

        with open_store(url) as store:
            share_blocks(store, "work", _assets(store), work)

    with open_store(url) as filling:
        _fill(filling)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(engine, "ab"))

    assert set(most.values()) == {1}
    assert len(done["a"] | done["b"]) == SITES // 2
    assert done["a"]
    assert done["b"]


def test_block_of_an_engine_that_was_killed_goes_to_another(url: str) -> None:
    with open_store(url) as store:
        _fill(store)
        killed = subprocess.run([sys.executable, "-c", DEADLY, url], check=False, timeout=120)
        done: list[int] = []
        share_blocks(store, "work", _assets(store), lambda block, _: done.extend(one.id for one in block))

        assert killed.returncode == -signal.SIGKILL
        assert sorted(done) == [one.id for one in sorted(_assets(store), key=lambda one: one.id)]


def test_block_of_an_engine_that_is_silent_elsewhere_is_done_last(url: str) -> None:
    with open_store(url) as store:
        _fill(store)
        first = _assets(store)[0].id
        with store.begin() as tx:
            tx.take_lease(f"work/{first}", "another machine", length=timedelta(seconds=2))
        done: list[int] = []
        share_blocks(store, "work", _assets(store), lambda block, _: done.append(block[0].id))

        assert done[-1] == first
        assert len(done) == SITES // 2


def test_block_that_was_lost_on_the_way_is_taken_again(url: str) -> None:
    tried: list[int] = []

    def work(block, lease) -> None:
        tried.append(block[0].id)
        if tried.count(block[0].id) == 1 and len(tried) == 2:
            raise LeaseLost(name="work")

    with open_store(url) as store:
        _fill(store)
        share_blocks(store, "work", _assets(store), work)

    assert [tried.count(one) for one in tried] == [1, 2, 1, 2]


def test_scores_of_two_engines_are_those_of_one(url: str, tmp_path: Path) -> None:
    fleet = a_fleet(SITES, rows=120)
    settings = f"timezone: Europe/Madrid\ndetector: {{trees: 10}}\nstore: {{url: '{url}'}}\n"
    (tmp_path / "sereno.yaml").write_text(settings, "utf-8")
    with Workspace.open(tmp_path, clock=lambda: NOW) as workspace:
        workspace.add(readings_of(*fleet), zone="Europe/Madrid")
    with (
        Workspace.open(tmp_path, clock=lambda: NOW) as one,
        Workspace.open(tmp_path, clock=lambda: NOW) as two,
    ):
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda engine: engine.score(), (one, two)))
        again = one.score()

    assert sum(report.n_rows for report in reports) == SITES * 120
    assert [report.n_assets for report in reports] == [SITES, SITES]
    assert again.n_rows == 0


def test_nobody_shares_an_embedded_store(tmp_path: Path) -> None:
    done: list[int] = []
    with open_store(f"sqlite:///{tmp_path / 'sereno.db'}") as store:
        _fill(store)
        with leased(store, "work/1"):
            share_blocks(store, "work", _assets(store), lambda block, _: done.append(len(block)))

    assert done == [2] * (SITES // 2)
