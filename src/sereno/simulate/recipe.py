"""What a kind of world is made of: its assets, their undisturbed courses and the faults they can have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey
from sereno.simulate.faults import FaultRule
from sereno.simulate.grid import Grid

__all__ = ["Recipe", "Streams", "numbered"]


@dataclass(frozen=True, slots=True)
class Streams:
    """Independent sources of chance: adding an asset or a fault leaves the other assets as they were.

    Attributes:
        shared: What the assets of a world have in common: weather, network.
        assets: One per asset.
    """

    shared: np.random.SeedSequence
    assets: tuple[np.random.SeedSequence, ...]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a world of one profile is made.

    Attributes:
        signals: Columns of a course, in canonical units.
        decimals: What the meters resolve, per signal; empty where the course is already in meter steps.
        step: Default step.
        n_assets: Default number of assets.
        fault_ratio: Default share of faulty rows; None places each fault once.
        name_assets: Identities of `n` assets.
        courses: Undisturbed courses of the assets of `streams`, each of shape (rows, signals).
        faults: Rules by name.
    """

    profile: str
    signals: tuple[str, ...]
    decimals: tuple[int, ...]
    step: timedelta
    n_assets: int
    fault_ratio: float | None
    name_assets: Callable[[int], tuple[AssetKey, ...]]
    courses: Callable[[Grid, Streams], list[FloatArray]]
    faults: Mapping[str, FaultRule]


def numbered(template: str, n_assets: int) -> tuple[AssetKey, ...]:
    """Assets named by `template` with `{n}` counted from 1; each is a site of its own."""
    names = [template.format(n=n) for n in range(1, n_assets + 1)]
    return tuple(AssetKey(site=name, asset=name) for name in names)
