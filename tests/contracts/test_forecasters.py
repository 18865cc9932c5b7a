"""Every forecaster that is registered here keeps the contract."""

from collections.abc import Mapping

import pytest

from sereno.forecast.registry import build_forecaster, forecaster_names
from sereno.testing.forecasters import check_forecaster

SMALL: Mapping[str, Mapping[str, object]] = {
    "boost": {"rows": 4_000, "trees": 40, "days_ahead": 1},
    "mixed": {"rows": 3_000, "trees": 20, "days_ahead": 1},
}


@pytest.mark.parametrize("name", sorted(forecaster_names()))
def test_forecaster_keeps_the_contract(name: str) -> None:
    if name in SMALL:
        pytest.importorskip("lightgbm")
    check_forecaster(build_forecaster(name, "power", SMALL.get(name, {})))
