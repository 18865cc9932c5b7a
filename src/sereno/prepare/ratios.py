"""How much of its own energy a site uses, and how much of its needs that covers."""

from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray

__all__ = ["SelfUse", "self_use"]


@dataclass(frozen=True, slots=True)
class SelfUse:
    """Energy of a period, and its two ratios.

    Attributes:
        generation, consumption, self_consumption: Totals over the steps that have all three [kWh].
        self_consumption_ratio: Share of what is generated that is used on site; NaN without generation.
        self_sufficiency_ratio: Share of what is consumed that is generated on site; NaN without consumption.
        n_steps: Steps that have all three.
    """

    generation: float
    consumption: float
    self_consumption: float
    self_consumption_ratio: float
    self_sufficiency_ratio: float
    n_steps: int


def self_use(generation: FloatArray, consumption: FloatArray, self_consumption: FloatArray) -> SelfUse:
    """Self-consumption and self-sufficiency over the steps in which nothing is missing.

    Source:
        Luthander et al., Photovoltaic self-consumption in buildings: a review, Applied Energy 142 (2015): the
        energy used on site over that generated, and over that consumed.

    Args:
        generation: Energy generated [kWh per step], shape (rows,).
        consumption: Energy consumed [kWh per step], shape (rows,).
        self_consumption: Energy generated and used on site [kWh per step], shape (rows,).
    """
    meters = np.column_stack((generation, consumption, self_consumption))
    whole = meters[~np.isnan(meters).any(axis=1)]
    made, taken, used = whole.sum(axis=0).tolist()
    return SelfUse(
        generation=made,
        consumption=taken,
        self_consumption=used,
        self_consumption_ratio=used / made if made > 0 else float("nan"),
        self_sufficiency_ratio=used / taken if taken > 0 else float("nan"),
        n_steps=len(whole),
    )
