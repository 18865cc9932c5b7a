"""Assets by the names that people give them."""

import pytest

from sereno.domain.errors import UnknownAsset
from sereno.domain.signals import AssetKey
from sereno.flows.named import named_places

KNOWN = [AssetKey("Sede", "Contador 1"), AssetKey("Sede", "Contador 2"), AssetKey("Tejado", "Tejado")]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("Sede/Contador 2", [1]),
        ("contador 1", [0]),
        ("SEDE", [0, 1]),
        ("Tejado", [2]),
        ("Tejado/Tejado", [2]),
    ],
)
def test_name_stands_for_an_asset_or_for_all_of_a_site(name: str, places: list[int]) -> None:
    assert named_places(KNOWN, name) == places


def test_name_of_nothing_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownAsset, match="Did you mean 'Sede/Contador 2'"):
        named_places(KNOWN, "Sede/Contador 3")
