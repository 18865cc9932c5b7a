"""What a lake holds: whose rows, of which profile, in which blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sereno.domain.errors import MissingColumns, NoReadings
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.build import Setup
from sereno.flows.twins import has_twins, twin_key
from sereno.scale.blocks import Block, cut_blocks
from sereno.scale.lake import Lake

__all__ = ["LakeRequest", "blocks_of", "lake_blocks", "lake_of", "lake_profile"]


@dataclass(frozen=True, slots=True)
class LakeRequest:
    """What to work on, and where results go.

    Attributes:
        lake, output: Local paths or addresses.
        profile: What kind of assets they are; by the columns without it.
        before: Learn only from what was read before this instant.
        detector, budget: As of `train`.
        keeps_scores: Whether the score of every row is written, too.
    """

    lake: str
    output: str
    profile: str | None = None
    detector: str | None = None
    budget: float | None = None
    before: datetime | None = None
    keeps_scores: bool = False


def lake_profile(setup: Setup, wanted: LakeRequest) -> Profile:
    """The profile that is asked for, or whose signals are most of the columns.

    Raises:
        MissingColumns: No column is a signal.
        NoReadings: There is no profile of that name.
    """
    name = wanted.profile or setup.settings.profile
    if name is not None and name not in setup.profiles:
        raise NoReadings(file=wanted.lake, detail=f"'{name}' is not a profile")
    columns = lake_of(setup, wanted).columns()
    if name is None:
        fits = {one.name: len(set(one.signal_names) & set(columns)) for one in setup.profiles.values()}
        name = max(fits, key=lambda one: fits[one])
        if not fits[name]:
            hint = "Name the columns as the signals, or give --profile."
            raise MissingColumns(file=wanted.lake, profile=name, found=", ".join(columns), hint=hint)
    return setup.profiles[name]


def lake_blocks(setup: Setup, wanted: LakeRequest, profile: Profile) -> list[Block]:
    """All assets of a lake in blocks; those of a site stay together, and a meter and its twin.

    Raises:
        NoReadings: There are none.
    """
    keys = lake_of(setup, wanted).keys()
    if not keys:
        raise NoReadings(file=wanted.lake, detail="there is no row")
    return blocks_of(setup, keys, profile)


def blocks_of(setup: Setup, keys: Sequence[AssetKey], profile: Profile) -> list[Block]:
    """Assets in blocks; those of a site stay together, and a meter and its twin."""
    size = setup.settings.executor.block_assets
    return cut_blocks(profile.name, keys, size=size, together=_bound(keys, profile))


def lake_of(setup: Setup, wanted: LakeRequest) -> Lake:
    """The lake, read with the time zone of the settings."""
    return Lake(wanted.lake, setup.settings.timezone or "UTC")


def _bound(keys: Sequence[AssetKey], profile: Profile) -> Callable[[AssetKey], str]:
    """What an asset stays together with, by name: its site, or the site of the twin before it."""
    if not has_twins(profile):
        return lambda key: key.site
    sites = {key.site: key.site for key in keys}
    for key in keys:
        twin = twin_key(key, profile, keys)
        if twin is not None:
            first = min(sites[key.site], sites[twin.site])
            sites = {
                site: first if to in (sites[key.site], sites[twin.site]) else to for site, to in sites.items()
            }
    return lambda key: sites[key.site]
