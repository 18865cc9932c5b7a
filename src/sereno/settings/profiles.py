"""Profiles are data: the package's own YAML files, and the user's beside `sereno.yaml`."""

from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sereno.domain.errors import SettingsError
from sereno.domain.signals import Identity, Profile, Signal, SignalKind

__all__ = ["load_profiles"]


class _SignalData(BaseModel):
    model_config = ConfigDict(extra="forbid")

    quantity: str
    unit: str
    kind: SignalKind = SignalKind.INSTANT
    minimum: float | None = None
    maximum: float | None = None
    ratio_scaled: bool = False
    vital: bool = False
    gain: bool = False
    optional: bool = False
    labels: dict[str, str] = Field(default_factory=dict)
    aliases: list[str] = Field(default_factory=list)
    beside: list[str] = Field(default_factory=list)
    least_deviation: float = Field(default=0.0, ge=0)
    least_share: float = Field(default=0.0, ge=0)
    weather: bool = False


class _IdentityData(BaseModel):
    model_config = ConfigDict(extra="forbid")

    total: str
    parts: list[str] = Field(min_length=1)


class _ProfileData(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    labels: dict[str, str] = Field(default_factory=dict)
    signals: dict[str, _SignalData]
    identities: dict[str, _IdentityData] = Field(default_factory=dict)
    step_s: float | None = Field(default=None, gt=0)
    open: bool = False
    time_aliases: list[str] = Field(default_factory=list)
    site_aliases: list[str] = Field(default_factory=list)
    asset_aliases: list[str] = Field(default_factory=list)
    ignored: list[str] = Field(default_factory=list)
    detector: str = ""
    behaviour_share: float = Field(default=1.0, gt=0, le=1)
    weekly_habits: bool = False


def load_profiles(folder: Path | None = None) -> Mapping[str, Profile]:
    """The package's profiles, and those of `folder` over them.

    Args:
        folder: A workspace's `profiles/` folder with more YAML files of the same shape; may be absent.

    Raises:
        SettingsError: A file is not a valid profile; names file and key.
    """
    own = _package_profiles()
    if folder is None or not folder.is_dir():
        return own
    more = {p.name: p for p in (_read(f.read_text("utf-8"), str(f)) for f in sorted(folder.glob("*.yaml")))}
    return MappingProxyType({**own, **more})


@cache
def _package_profiles() -> Mapping[str, Profile]:
    folder = resources.files("sereno.settings").joinpath("profiles")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    profiles = [_read(file.read_text("utf-8"), file.name) for file in files]
    return MappingProxyType({profile.name: profile for profile in profiles})


def _read(text: str, where: str) -> Profile:
    try:
        data = _ProfileData.model_validate(yaml.load(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise SettingsError(where=where, detail=f"not valid YAML ({error})", hint="") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SettingsError(where=f"{where}: {key}", detail=str(first["msg"]), hint="") from error
    _check_identities(data, where)
    return _profile(data)


def _check_identities(data: _ProfileData, where: str) -> None:
    for name, identity in data.identities.items():
        for signal in (identity.total, *identity.parts):
            if signal not in data.signals:
                raise SettingsError(
                    where=f"{where}: identities.{name}",
                    detail=f"'{signal}' is not a signal of the profile",
                    hint=f"Signals are {', '.join(data.signals)}.",
                )


def _profile(data: _ProfileData) -> Profile:
    return Profile(
        name=data.name,
        signals=tuple(_signal(name, signal) for name, signal in data.signals.items()),
        identities=tuple(Identity(n, i.total, tuple(i.parts)) for n, i in data.identities.items()),
        step=None if data.step_s is None else timedelta(seconds=data.step_s),
        is_open=data.open,
        time_aliases=tuple(data.time_aliases),
        site_aliases=tuple(data.site_aliases),
        asset_aliases=tuple(data.asset_aliases),
        ignored=tuple(data.ignored),
        labels=data.labels,
        detector=data.detector,
        behaviour_share=data.behaviour_share,
        has_weekly_habits=data.weekly_habits,
    )


def _signal(name: str, data: _SignalData) -> Signal:
    return Signal(
        name=name,
        quantity=data.quantity,
        unit=data.unit,
        kind=data.kind,
        minimum=data.minimum,
        maximum=data.maximum,
        is_ratio_scaled=data.ratio_scaled,
        is_vital=data.vital,
        is_gain=data.gain,
        is_optional=data.optional,
        aliases=tuple(data.aliases),
        beside=tuple(data.beside),
        least_deviation=data.least_deviation,
        least_share=data.least_share,
        is_weather=data.weather,
        labels=data.labels,
    )


# CSafeLoader reads a profile about eight times faster; absent only where PyYAML was built without libyaml.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
