"""What is at hand of the transaction before is what the store holds, whoever writes in between."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.readings import Readings
from sereno.domain.signals import AssetKey
from sereno.settings.profiles import load_profiles
from sereno.store import FoundFlags, Store, StoredRows, Transaction

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
PLANT = AssetKey("Plant", "main")
PROFILE = load_profiles()["solar"]


def add(
    tx: Transaction, first: int, *values: float, signal: str = "generation", at: datetime = BEGAN
) -> None:
    """Hours of a signal from the first on."""
    ids = tx.ensure_assets([PLANT], profile="solar", zone="UTC")
    time = np.array([np.datetime64(BEGAN.replace(tzinfo=None), "us")] * len(values))
    time = time + np.arange(first, first + len(values)) * np.timedelta64(1, "h")
    readings = Readings(
        profile="solar",
        assets=(PLANT,),
        asset_index=np.zeros(len(values), dtype=np.int32),
        time=time,
        signals=(signal,),
        values=np.array(values)[:, None],
        quality=np.zeros((len(values), 1), dtype=np.int32),
    )
    tx.append(readings, PROFILE, ids, at=at)


def shown(rows: StoredRows) -> tuple[list[object], list[list[float]], list[list[int]]]:
    """Rows that can be compared."""
    return rows.time.tolist(), np.nan_to_num(rows.values, nan=-1.0).tolist(), rows.quality.tolist()


def asked(tx: Transaction, first: int) -> StoredRows:
    """The plant's rows from an hour on."""
    return tx.rows_since({1: BEGAN + timedelta(hours=first)}, "solar")[1]


def flag(tx: Transaction) -> None:
    """The third hour is marked."""
    at = np.array([np.datetime64("2026-01-01T02:00", "us")])
    found = FoundFlags(1, at, ("generation",), np.array([[1 << 10]], dtype=np.int32))
    tx.set_flags("solar", [found])


@pytest.mark.parametrize(
    "write",
    [
        lambda tx: add(tx, 3, 4.0, 5.0),
        lambda tx: add(tx, 1, 9.0),
        lambda tx: add(tx, 200, 1.0),
        lambda tx: add(tx, 3, *range(500)),
        lambda tx: tx.set_step(1, timedelta(hours=1)),
        flag,
        lambda tx: add(tx, 3, 4.0, signal="consumption"),
        lambda tx: tx.set_rolled_until(1, BEGAN + timedelta(hours=9)),
    ],
    ids=["next", "other", "later", "many", "step", "flags", "column", "figures"],
)
@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "does not"])
def test_what_is_at_hand_is_what_is_stored(
    store: Store, write: Callable[[Transaction], None], *, goes_on: bool
) -> None:
    with store.begin() as tx:
        tx.go_on()
        add(tx, 0, 1.0, 2.0, 3.0)
        asked(tx, 0)
        tx.assets("solar", sites=["Plant", "Nobody"])
    with store.begin() as tx:
        if goes_on:
            tx.go_on()
        write(tx)
    for first in (0, 2, 100):
        with store.begin() as tx:
            tx.go_on()
            at_hand, assets = asked(tx, first), tx.assets("solar", sites=["Plant", "Nobody"])
        with store.read() as tx:
            assert shown(at_hand) == shown(asked(tx, first))
            assert assets == tx.assets("solar", sites=["Plant"])


def undo(store: Store) -> None:
    """A transaction that adds an hour and fails."""
    with store.begin() as tx:
        tx.go_on()
        add(tx, 1, 2.0)
        1 / 0  # noqa: B018 - what fails does not matter


def test_what_was_undone_is_not_at_hand(store: Store) -> None:
    with store.begin() as tx:
        tx.go_on()
        add(tx, 0, 1.0)
        asked(tx, 0)
    with pytest.raises(ZeroDivisionError):
        undo(store)
    with store.begin() as tx:
        tx.go_on()
        assert len(asked(tx, 0)) == 1
        add(tx, 1, 3.0)
        assert asked(tx, 0).values[1, 0] == 3.0


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "does not"])
def test_figures_go_with_every_late_hour_whoever_set_them_anew(store: Store, *, goes_on: bool) -> None:
    for first in (2, 3, 1, 4):
        with store.begin() as tx:
            tx.go_on()
            add(tx, first, float(first), at=BEGAN + timedelta(days=9))
            until = tx.rolled_until(1)
            assert until is None or until <= BEGAN + timedelta(hours=first)
        with store.begin() as tx:
            if goes_on:
                tx.go_on()
            tx.set_rolled_until(1, BEGAN + timedelta(days=1))
    with store.begin() as tx:
        tx.go_on()
        for hour, left in ((7, 7), (8, 7), (6, 6)):
            add(tx, hour, float(hour), at=BEGAN + timedelta(days=9))
            assert tx.rolled_until(1) == BEGAN + timedelta(hours=left)
