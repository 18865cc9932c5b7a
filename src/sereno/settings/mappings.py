"""How files of one shape are read, as `sereno.yaml` and the package's portals say it."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import yaml
from pydantic import Field

from sereno.settings.branch import Branch, Duration

__all__ = ["ColumnMappingSettings", "MappingSettings", "MatchSettings", "PortalSettings", "load_portals"]


class MatchSettings(Branch):
    """Which files a mapping is for: all that is said must hold."""

    columns: list[str] = Field(default_factory=list, description="Header names that the file must have.")
    file: str | None = Field(
        default=None, description="Shell pattern of the file's name; a file that fits it must fit the rest."
    )


class ColumnMappingSettings(Branch):
    """What one column is."""

    signal: str | None = Field(default=None, description="Signal of the profile that its values are.")
    unit: str | None = Field(default=None, description="Unit of its values, over what the file writes.")
    kind: Literal["difference", "register"] = Field(
        default="difference",
        description="Whether values are of their step, or a meter's cumulative register.",
    )
    asset: str | None = Field(default=None, description="Asset that the column is of, in wide tables.")
    role: (
        Literal[
            "year",
            "month",
            "time",
            "time_of_day",
            "end",
            "site",
            "asset",
            "register",
            "value",
            "unit",
            "ignored",
        ]
        | None
    ) = Field(default=None, description="What a column is that holds no signal.")


class MappingSettings(Branch):
    """How files of one shape are read; what is not said is decided by evidence."""

    match: MatchSettings = Field(default_factory=MatchSettings, description="Which files it is for.")
    profile: str | None = Field(default=None, description="Profile of the file.")
    sheets: list[str] = Field(
        default_factory=list, description="Names of the sheets that are read (shell patterns); all without."
    )
    delimiter: Literal[";", ",", "|", "\t"] | None = Field(default=None, description="Sign between cells.")
    header_row: int | None = Field(default=None, ge=1, description="Line of the column names, from 1.")
    decimal: Literal[".", ","] | None = Field(default=None, description="Decimal sign of all numbers.")
    thousands: Literal["", ".", ","] = Field(default="", description="Sign between thousands.")
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(default=None, description="Order of the dates.")
    timezone: str | None = Field(default=None, description="IANA zone of times written without one.")
    stamp: Literal["start", "end"] | None = Field(
        default=None, description="What a time says of its step, where the file itself cannot tell."
    )
    step: Duration | None = Field(
        default=None, description="Length of the step, as 15min, for power where energy is meant."
    )
    site: str | None = Field(default=None, description="Site of rows that name none.")
    columns: dict[str, ColumnMappingSettings] = Field(
        default_factory=dict, description="What each column is, by its name in the file."
    )


class PortalSettings(MappingSettings):
    """A mapping that comes with the package, with where its rules are documented."""

    name: str = Field(description="Name of the portal.")
    source: list[str] = Field(min_length=1, description="Where the header and the rules are documented.")


@cache
def load_portals() -> Mapping[str, PortalSettings]:
    """The portals that the package knows, by name."""
    folder = resources.files("sereno.settings").joinpath("portals")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    portals = [PortalSettings.model_validate(yaml.load(f.read_text("utf-8"), Loader=loader)) for f in files]
    return MappingProxyType({portal.name: portal for portal in portals})
