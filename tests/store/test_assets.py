"""Sites and assets."""

from datetime import timedelta

import pytest

from sereno.domain.errors import NotFound
from sereno.domain.signals import AssetKey
from sereno.store import Store
from tests.store.builders import PUMP, ROOF


def test_assets_are_created_once(store: Store) -> None:
    with store.begin() as tx:
        first = tx.ensure_assets([ROOF, PUMP, ROOF], profile="solar", zone="Europe/Madrid")
    with store.begin() as tx:
        second = tx.ensure_assets([PUMP, ROOF], profile="solar", zone="UTC")

    assert first == second
    with store.read() as tx:
        assert [(one.key, one.zone) for one in tx.assets()] == [
            (PUMP, "Europe/Madrid"),
            (ROOF, "Europe/Madrid"),
        ]


def test_name_stands_for_one_asset_of_each_profile(store: Store) -> None:
    with store.begin() as tx:
        solar = tx.ensure_assets([ROOF], profile="solar", zone="UTC")
        load = tx.ensure_assets([ROOF], profile="load", zone="UTC")

    assert solar[ROOF] != load[ROOF]
    with store.read() as tx:
        assert [one.profile for one in tx.assets()] == ["load", "solar"]
        assert [one.id for one in tx.assets("load")] == [load[ROOF]]


def test_step_is_remembered_and_forgotten(store: Store) -> None:
    with store.begin() as tx:
        which = tx.ensure_assets([ROOF], profile="solar", zone="UTC")[ROOF]
        tx.set_step(which, timedelta(minutes=15))
        assert tx.assets()[0].step == timedelta(minutes=15)
        tx.set_step(which, None)
        assert tx.assets()[0].step is None


def test_unknown_asset_is_refused(store: Store) -> None:
    with store.begin() as tx, pytest.raises(NotFound):
        tx.set_step(999, None)


def test_many_and_strange_names_are_kept(store: Store) -> None:
    keys = [AssetKey(f"Sitio ñ {i}", "x'; DROP TABLE site; --") for i in range(700)]

    with store.begin() as tx:
        ids = tx.ensure_assets(keys, profile="gas", zone="UTC")
        assert tx.ensure_assets(keys[:3], profile="gas", zone="UTC") == {key: ids[key] for key in keys[:3]}

    assert len(set(ids.values())) == 700
