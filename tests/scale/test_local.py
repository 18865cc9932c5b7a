"""The pool of processes: order, progress, errors, lost workers."""

import multiprocessing
import os

import pytest

from sereno.domain.errors import InternalFault, WorkerLost
from sereno.scale.local import MOST_ATTEMPTS, LocalExecutor
from tests.scale.works import AlwaysKilled, KilledOnce, failing, squared


def test_results_come_in_order_from_other_processes():
    told = []

    found = list(LocalExecutor(2).map(squared, range(6), told=lambda *one: told.append(one)))

    assert [result for result, _ in found] == [0, 1, 4, 9, 16, 25]
    assert os.getpid() not in {pid for _, pid in found}
    assert told == [(done, 6) for done in range(1, 7)]


def test_no_worker_works_here():
    assert list(LocalExecutor(0).map(squared, [3])) == [(9, os.getpid())]


def test_nothing_to_do_starts_nothing():
    assert list(LocalExecutor(2).map(squared, [])) == []


def test_lost_worker_costs_only_its_item(tmp_path):
    work = KilledOnce(tmp_path / "killed", at=2)

    found = list(LocalExecutor(2).map(work, range(6)))

    assert found == [0, 1, 4, 9, 16, 25]
    assert work.mark.exists()
    assert {(tmp_path / f"{n}.log").read_text() for n in range(6)} == {"x"}


def test_item_that_ends_every_worker_is_given_up_after_the_others_before_it():
    found = []

    with pytest.raises(WorkerLost) as caught:
        found.extend(LocalExecutor(1).map(AlwaysKilled(at=1), range(3)))

    assert caught.value.facts == {"block": "1", "attempts": MOST_ATTEMPTS}


def test_what_a_function_raises_is_raised_here_and_ends_the_workers():
    with pytest.raises(KeyError, match="two"):
        list(LocalExecutor(2).map(failing, range(6)))

    assert not [one for one in multiprocessing.active_children() if one.name == "sereno-worker"]


def test_error_that_cannot_travel_is_told_by_its_text():
    with pytest.raises(InternalFault, match="Stubborn: no way"):
        list(LocalExecutor(1).map(raise_stubborn, [1]))


class Stubborn(Exception):
    """Cannot be made anew from its arguments."""

    def __init__(self, *, reason):
        super().__init__(reason)


def raise_stubborn(_number):
    raise Stubborn(reason="no way")
