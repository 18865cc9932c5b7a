"""Watch states, checkpoints, detections."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from sereno.domain.errors import StoreError
from sereno.domain.judgement import Severity
from sereno.store import Store, WatchState
from tests.store.builders import NOW, START, STEP, a_detection, asset_id

STATES = [WatchState(NOW + timedelta(hours=hour), bytes([hour]), "m1") for hour in range(4)]


def test_watch_state_is_replaced_when_saved_again(store: Store) -> None:
    which = asset_id(store)

    with store.begin() as tx:
        assert tx.watch_state(which, "judge") is None
        tx.save_watch_state(which, "judge", WatchState(None, b"", ""))
        tx.save_watch_state(which, "judge", STATES[2])

    with store.read() as tx:
        assert tx.watch_state(which, "judge") == STATES[2]
        assert tx.watch_state(which, "other") is None


def test_checkpoint_is_the_newest_before_an_instant(store: Store) -> None:
    which = asset_id(store)

    with store.begin() as tx:
        tx.save_checkpoints(which, "judge", STATES)
        tx.save_checkpoints(which, "judge", STATES)

    with store.read() as tx:
        assert tx.checkpoint_before(which, "judge", NOW + timedelta(hours=2)) == STATES[1]
        assert tx.checkpoint_before(which, "judge", NOW) is None


def test_states_are_dropped_from_an_instant_on(store: Store) -> None:
    which = asset_id(store)
    far = NOW + timedelta(days=1)
    with store.begin() as tx:
        tx.save_watch_state(which, "judge", STATES[3])
        tx.save_checkpoints(which, "judge", STATES)

    with store.begin() as tx:
        tx.drop_states({which: NOW + timedelta(hours=1)}, ["judge"])
        assert tx.checkpoint_before(which, "judge", far) == STATES[0]
        assert tx.watch_state(which, "judge") == STATES[3]
        tx.drop_states({which: None}, ["judge"])
        assert tx.checkpoint_before(which, "judge", far) is None
        assert tx.watch_state(which, "judge") is None


def test_detection_comes_back_as_it_was(store: Store) -> None:
    which = asset_id(store)
    found = a_detection(score=math.inf, expected=math.nan, impact=math.nan, contributions={"generation": 1.0})

    with store.begin() as tx:
        number = tx.save_detection(which, found)

    with store.read() as tx:
        (stored,) = tx.detections(which)
    assert stored.id == number
    assert repr(stored.detection) == repr(found)


def test_detection_of_the_same_start_is_replaced(store: Store) -> None:
    which = asset_id(store)
    with store.begin() as tx:
        first = tx.save_detection(which, a_detection(end=None))
    ended = a_detection(end=9, severity=Severity.CRITICAL)

    with store.begin() as tx:
        assert tx.save_detection(which, ended) == first

    with store.read() as tx:
        assert [one.detection for one in tx.detections(which)] == [ended]


def test_second_open_detection_of_a_check_is_rejected(store: Store) -> None:
    which = asset_id(store)
    with store.begin() as tx:
        tx.save_detection(which, a_detection(end=None))

    with pytest.raises(StoreError), store.begin() as tx:
        tx.save_detection(which, a_detection(start=7, end=None))

    with store.begin() as tx:
        tx.save_detection(which, a_detection(start=7, end=None, check="quality.frozen"))


def test_detections_are_those_open_or_ended_since(store: Store) -> None:
    which = asset_id(store)
    old, late = a_detection(start=0, end=2), a_detection(start=10, end=12)
    is_open = replace(a_detection(start=1, end=None, check="quality.missing"))
    with store.begin() as tx:
        ids = [tx.save_detection(which, one) for one in (old, late, is_open)]

    with store.begin() as tx:
        since = tx.detections(which, since=START + 12 * STEP)
        assert [one.detection for one in since] == [is_open, late]
        tx.delete_detections([ids[1], 12345])
        assert [one.detection for one in tx.detections(which)] == [old, is_open]
