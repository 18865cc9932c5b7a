"""Corrections stay beside the readings, and what was taken back stays known."""

from dataclasses import replace

import pytest

from sereno.domain.corrections import Correction, CorrectionKind
from sereno.domain.errors import NotFound
from sereno.store import Store, open_store
from sereno.store.migrate import SCHEMA
from sereno.store.opening import migrate_store
from tests.store.builders import (
    NOW,
    PUMP,
    START,
    STEP,
    a_batch,
    append,
    asset_id,
    query,
    stored,
    take_back_to_first_version,
)


def _a_correction(store: Store, **changes: object) -> Correction:
    one = Correction(
        id="0123456789abcdef",
        asset_id=asset_id(store),
        signal="generation",
        kind=CorrectionKind.FACTOR,
        started_at=START,
        ended_at=START + 4 * STEP,
        amount=1.5,
        author="Ana",
        reason="relación del transformador",
        at=NOW,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def _add(store: Store, *corrections: Correction) -> None:
    with store.begin() as tx:
        for one in corrections:
            tx.add_correction(one)


def test_correction_comes_back_as_it_was_and_readings_stay(store: Store) -> None:
    append(store, a_batch([[1, 2], [3, 4]]))
    one = _a_correction(store)

    _add(store, one)

    with store.read() as tx:
        assert tx.corrections() == [one]
        assert tx.correction("012345") == one
    assert stored(store).values.tolist() == [[1, 2], [3, 4]]


def test_undone_correction_is_listed_with_who_and_why(store: Store) -> None:
    _add(store, _a_correction(store))

    with store.begin() as tx:
        undone = tx.undo_correction("0123456789abcdef", at=NOW + STEP, by="Luis", reason="era correcto")
        again = tx.undo_correction("0123456789abcdef", at=NOW + 2 * STEP, by="Eva", reason="")

    assert (undone.undone_at, undone.undone_by, undone.undone_reason) == (NOW + STEP, "Luis", "era correcto")
    assert again == undone
    with store.read() as tx:
        assert tx.corrections() == []
        assert tx.corrections(with_undone=True) == [undone]


def test_corrections_come_in_the_order_in_which_they_were_made(store: Store) -> None:
    late = _a_correction(store, id="a" * 16, at=NOW + STEP)
    early = _a_correction(store, id="b" * 16)
    other = _a_correction(store, id="c" * 16, asset_id=asset_id(store, PUMP), signal="consumption")
    _add(store, late, early, other)

    with store.read() as tx:
        assert tx.corrections(asset_id=early.asset_id) == [early, late]
        assert tx.corrections(signal="consumption") == [other]


@pytest.mark.parametrize("wanted", ["ffffff", "01234", "0123456789"], ids=["none", "too short", "two"])
def test_id_that_names_no_single_correction_is_refused(store: Store, wanted: str) -> None:
    _add(store, _a_correction(store), _a_correction(store, id="0123456789abcdee"))

    with store.read() as tx, pytest.raises(NotFound):
        tx.correction(wanted)


def test_corrections_of_another_organization_are_not_seen(database_url: str, store: Store) -> None:
    _add(store, _a_correction(store))

    with open_store(database_url, organization="other") as other, other.begin() as tx:
        assert tx.corrections(with_undone=True) == []
        with pytest.raises(NotFound):
            tx.undo_correction("0123456789abcdef", at=NOW, by="x", reason="")


def test_store_of_the_first_version_is_upgraded_with_its_readings(database_url: str) -> None:
    with open_store(database_url) as store:
        append(store, a_batch([[1, 2]]))
    take_back_to_first_version(database_url)

    migrate_store(database_url)
    with open_store(database_url) as store:
        _add(store, _a_correction(store))

        assert stored(store).values.tolist() == [[1, 2]]
        with store.read() as tx:
            assert len(tx.corrections()) == 1
    version = query(database_url, "SELECT version_num FROM alembic_version")
    assert version == [{"version_num": f"{SCHEMA:04d}"}]


def test_reset_of_simulated_readings_takes_their_corrections_along(store: Store) -> None:
    append(store, a_batch([[1, 1]]), is_simulated=True)
    append(store, a_batch([[3, 3]], key=PUMP))
    _add(store, _a_correction(store), _a_correction(store, id="f" * 16, asset_id=asset_id(store, PUMP)))

    with store.begin() as tx:
        tx.reset_simulated()

    with store.read() as tx:
        assert [one.id for one in tx.corrections()] == ["f" * 16]
