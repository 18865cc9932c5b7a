"""The sources of the settings, ready to be run: what each is, and how what it sends is read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sereno.contracts.options import Place
from sereno.contracts.source import PolledSource, PushedSource
from sereno.domain.errors import NotFound, SourceMisconfigured
from sereno.domain.signals import AssetKey
from sereno.flows.build import FileHints, Setup
from sereno.ingest.sources import build_source
from sereno.settings.sources import FolderSource, SourceSettings

__all__ = ["Feed", "WatchedFolder", "declared_feed", "declared_feeds"]

_COMMON = frozenset({"kind", "silent_after", "profile", "timezone", "site", "columns", "step"})
"""What the flow does for every source; the rest are options of its kind."""
_SECOND = timedelta(seconds=1)
_ONE_SIGNAL = ("opcua", "modbus")
"""Kinds whose records need not hold enough signals to tell their profile."""


@dataclass(frozen=True, slots=True)
class WatchedFolder:
    """A folder and which of its files are taken.

    Attributes:
        interval_s: Time between two looks [s].
    """

    path: Path
    pattern: str = "*"
    interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Feed:
    """A source of the settings.

    Attributes:
        source: What gives the readings.
        silent_after: Time without a sign of life that is an incident; never when None.
        profile, timezone: Of what it sends; None where the workspace decides.
        site: Of what names none.
        columns: What its columns are called here.
        step: Rhythm to which times are rounded down.
    """

    name: str
    kind: str
    source: PolledSource | PushedSource | WatchedFolder
    silent_after: timedelta | None = None
    profile: str | None = None
    timezone: str | None = None
    site: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    step: timedelta | None = None

    @property
    def key(self) -> AssetKey:
        """The source as what may be silent."""
        return AssetKey(self.site, self.name)

    @property
    def hints(self) -> FileHints:
        """What is known of its files."""
        return FileHints(timezone=self.timezone, profile=self.profile)


def declared_feeds(setup: Setup, store: str) -> list[Feed]:
    """All sources of the settings.

    Args:
        store: Address of the store, without its password: part of what others know us by.

    Raises:
        SettingsError: A source's kind or options are wrong.
    """
    return [_feed(name, one, setup, store) for name, one in setup.settings.sources.items()]


def declared_feed(setup: Setup, store: str, name: str) -> Feed:
    """The source of a name.

    Raises:
        NotFound: There is none.
    """
    known = setup.settings.sources
    if name not in known:
        hint = f"Sources are {', '.join(known)}." if known else "Declare it under `sources` in sereno.yaml."
        raise NotFound(what="source", id=name, hint=hint)
    return _feed(name, known[name], setup, store)


def _feed(name: str, said: SourceSettings, setup: Setup, store: str) -> Feed:
    profile = said.profile or setup.settings.profile
    _check_profile(name, said, profile, setup)
    return Feed(
        name=name,
        kind=said.kind,
        source=_source(name, said, setup.folder, store),
        silent_after=said.silent_after,
        profile=profile,
        timezone=said.timezone,
        site=said.site or name,
        columns=said.columns,
        step=said.step,
    )


def _source(
    name: str, said: SourceSettings, folder: Path, store: str
) -> PolledSource | PushedSource | WatchedFolder:
    if isinstance(said, FolderSource):
        return WatchedFolder(folder / said.path, said.pattern, said.interval / _SECOND)
    options = {
        key: value for key, value in said.model_dump(exclude=set(_COMMON)).items() if value is not None
    }
    digest = hashlib.sha256(f"{store}|{name}".encode()).hexdigest()[:12]
    return build_source(name, said.kind, options, place=Place(folder), identity=f"sereno-{digest}")


def _check_profile(name: str, said: SourceSettings, profile: str | None, setup: Setup) -> None:
    where = f"sources.{name}.profile"
    if profile is not None and profile not in setup.profiles:
        raise SourceMisconfigured(
            where=where, detail=f"there is no profile '{profile}', there are {', '.join(setup.profiles)}"
        )
    is_lone = said.kind in _ONE_SIGNAL or any("{signal}" in one for one in getattr(said, "topics", ()))
    if profile is None and is_lone:
        raise SourceMisconfigured(
            where=where,
            detail="single values do not tell what kind of asset they are of: name the profile",
        )
