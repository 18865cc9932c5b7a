"""Forecasters by name: those of this package, and those that others declare as `sereno.forecasters`."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import cast

from sereno.contracts import Forecaster
from sereno.contracts.plugins import PluginBroken, Plugins, nearest_first
from sereno.domain.errors import ForecasterMisconfigured, ForecasterUnknown

__all__ = ["DEFAULT_FORECASTER", "ENTRY_POINTS", "build_forecaster", "forecaster_names"]

DEFAULT_FORECASTER = "ridge"
ENTRY_POINTS = "sereno.forecasters"
"""Group of entry points: the name of a forecaster, and the class that it is."""
_PLUGINS = Plugins(
    ENTRY_POINTS,
    {
        "ridge": "sereno.forecast.forecasters:RidgeForecaster",
        "seasonal_naive": "sereno.forecast.forecasters:NaiveForecaster",
        "boost": "sereno.forecast.forecasters:BoostForecaster",
        "mixed": "sereno.forecast.forecasters:MixedForecaster",
    },
)
NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


def forecaster_names() -> list[str]:
    """Names that can be asked for here, the package's own first."""
    return [*_PLUGINS.built_in, *_PLUGINS.declared()]


def build_forecaster(
    name: str,
    signal: str,
    options: Mapping[str, object] = NO_OPTIONS,
    *,
    common: Mapping[str, object] = NO_OPTIONS,
) -> Forecaster:
    """The forecaster of that name for a signal, with these options.

    Args:
        options: Values of its fields; an unknown one is an error.
        common: Values for those of its fields that have such a name; others are passed over.

    Raises:
        ForecasterUnknown: There is none of that name.
        ForecasterMisconfigured: It has no such option, or is not what a forecaster is.
    """
    kind = _class_of(name)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise ForecasterMisconfigured(name=name, detail="what its package declares is no dataclass")
    known = [one.name for one in fields(kind)][1:]
    if wrong := [option for option in options if option not in known]:
        raise ForecasterMisconfigured(
            name=name, detail=f"there is no option '{wrong[0]}' among {', '.join(known)}"
        )
    given = {key: value for key, value in common.items() if key in known} | dict(options)
    build = cast("Callable[..., Forecaster]", kind)
    try:
        return build(signal, **given)
    except (TypeError, ValueError) as error:
        raise ForecasterMisconfigured(name=name, detail=str(error)) from error


def _class_of(name: str) -> object:
    try:
        found = _PLUGINS.load(name)
    except PluginBroken as error:
        raise ForecasterMisconfigured(name=name, detail=str(error)) from error
    if found is None:
        raise ForecasterUnknown(name=name, known=nearest_first(name, forecaster_names()))
    return found
