"""Model cards."""

from datetime import timedelta

import pytest

from sereno.domain.errors import NotFound
from sereno.store import Store
from tests.store.builders import NOW, a_card


def test_models_come_newest_first_and_as_they_were(store: Store) -> None:
    old, new = a_card("a"), a_card("b", trained_at=NOW + timedelta(hours=1))

    with store.begin() as tx:
        tx.save_model(new, "models/b")
        tx.save_model(old, "models/a")
        tx.save_model(a_card("c", profile="gas"), "models/c")

    with store.read() as tx:
        found = tx.models("solar")
        assert [one.card for one in found] == [new, old]
        assert [one.path for one in found] == ["models/b", "models/a"]
        assert len(tx.models()) == 3


def test_one_model_judges_a_profile(store: Store) -> None:
    with store.begin() as tx:
        for name in ("a", "b"):
            tx.save_model(a_card(name), f"models/{name}")
        assert tx.active_model("solar") is None
        tx.activate_model("a")
        tx.activate_model("b")
        tx.save_model(a_card("b"), "elsewhere")

    with store.read() as tx:
        active = tx.active_model("solar")
        assert active is not None
        assert (active.card.id, active.path, active.is_active) == ("b", "elsewhere", True)
        assert [one.is_active for one in tx.models() if one.card.id == "a"] == [False]


def test_unknown_model_cannot_judge(store: Store) -> None:
    with store.begin() as tx, pytest.raises(NotFound):
        tx.activate_model("nobody")
