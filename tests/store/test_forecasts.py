"""Forecasts in the store: as they were made, of their own organization."""

from dataclasses import replace

import numpy as np
import pytest

from sereno.domain.errors import NotFound
from sereno.domain.forecasts import QUANTILES, Forecast, Tier
from sereno.domain.time import to_numpy
from sereno.store import Store, open_store
from tests.store.builders import ROOF, START, STEP, asset_id

MADE = Forecast(
    asset=ROOF,
    signal="generation",
    origin=START,
    cut_off=START - STEP,
    step=STEP,
    time=to_numpy(START) + np.arange(3) * np.timedelta64(STEP),
    levels=QUANTILES,
    quantiles=np.arange(21.0).reshape(3, 7),
    tier=Tier.POOLED,
    model="ridge",
)


@pytest.fixture
def which(store: Store) -> int:
    which = asset_id(store)
    with store.begin() as tx:
        tx.add_forecasts([(which, MADE)], model_id="abc", at=START)
        tx.add_forecasts([(which, replace(MADE, origin=START + STEP))], model_id="abc", at=START + STEP)
    return which


def test_forecasts_come_back_newest_first_as_they_were_made(store: Store, which: int) -> None:
    with store.read() as tx:
        found = tx.forecasts(which)
        later = tx.forecasts(which, signal="generation", since=START + STEP)

    assert [one.forecast.origin for one in found] == [START + STEP, START]
    assert found[1].forecast.to_json() == MADE.to_json()
    assert (found[1].model_id, found[1].at) == ("abc", START)
    assert [one.forecast.origin for one in later] == [START + STEP]


def test_a_forecast_made_again_takes_the_place_of_the_first(store: Store, which: int) -> None:
    with store.begin() as tx:
        tx.add_forecasts([(which, replace(MADE, tier=Tier.CONSTANT))], model_id="def", at=START + 2 * STEP)

    with store.read() as tx:
        again = tx.forecasts(which)[1]
    assert (again.forecast.tier, again.model_id) == (Tier.CONSTANT, "def")


@pytest.mark.usefixtures("store")
def test_forecasts_of_another_organization_are_not_seen(database_url: str, which: int) -> None:
    with open_store(database_url, organization="other") as other, other.begin() as tx:
        with pytest.raises(NotFound):
            tx.forecasts(which)
        with pytest.raises(NotFound):
            tx.add_forecasts([(which, MADE)], model_id="abc", at=START)
