"""Everything physics says of a window: balances, and what cannot happen at night."""

from sereno.domain.judgement import Evidence, Memory
from sereno.domain.readings import QualityArray, Window
from sereno.domain.signals import Profile
from sereno.prepare.balance import check_identities
from sereno.prepare.night import check_night

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
    if profile.name != _NIGHT_PROFILE:
        return found, flags, Memory()
    night, carried = check_night(window, profile, memory)
    return (found if night is None else [*found, night]), flags, carried
