"""Everything physics says of a window: balances, dark nights, machines, gas and flow that never rests."""

import numpy as np

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import QualityArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.balance import check_identities
from sereno.prepare.contract import check_contract
from sereno.prepare.gas_checks import check_gas
from sereno.prepare.motor_checks import check_motor
from sereno.prepare.night import check_night
from sereno.prepare.night_flow import check_night_flow

__all__ = ["check_physics"]

_NIGHT_PROFILE = "solar"


def check_physics(
    window: Window, profile: Profile, memory: Memory
) -> tuple[list[Evidence], QualityArray, Memory]:
    """Evidence of physics that is broken, in one pass over the next rows of an asset.

    Returns:
        The evidence, quality bits to keep beside the raw values (rows, signals), and the memory for the next
        window.
    """
    found, flags = check_identities(window, profile)
    kept: dict[str, np.ndarray] = {}
    if profile.name == _NIGHT_PROFILE:
        night, carried = check_night(window, profile, memory)
        found += [] if night is None else [night]
        kept |= carried.arrays
    for check in (check_motor, check_gas, check_night_flow, check_contract):
        more, carried = check(window, profile, memory)
        found += more
        kept |= carried.arrays
    return found, flags, Memory(kept)
