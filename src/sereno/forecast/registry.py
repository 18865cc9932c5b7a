"""Forecasters by name: those of this package, and those that others declare as `sereno.forecasters`."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import cast

from sereno.contracts import Forecaster
from sereno.domain.errors import ForecasterMisconfigured, ForecasterUnknown

__all__ = ["DEFAULT_FORECASTER", "ENTRY_POINTS", "build_forecaster", "forecaster_names"]

DEFAULT_FORECASTER = "ridge"
ENTRY_POINTS = "sereno.forecasters"
"""Group of entry points: the name of a forecaster, and the class that it is."""
_BUILT_IN: Mapping[str, str] = MappingProxyType(
    {
        "ridge": "RidgeForecaster",
        "seasonal_naive": "NaiveForecaster",
        "boost": "BoostForecaster",
        "mixed": "MixedForecaster",
    }
)
_MODULE = "sereno.forecast.forecasters"
NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


def forecaster_names() -> list[str]:
    """Names that can be asked for here, the package's own first."""
    declared = sorted(one.name for one in entry_points(group=ENTRY_POINTS) if one.name not in _BUILT_IN)
    return [*_BUILT_IN, *declared]


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
    if name in _BUILT_IN:
        return getattr(import_module(_MODULE), _BUILT_IN[name])
    found: EntryPoint | None = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None:
        names = forecaster_names()
        near = difflib.get_close_matches(name, names)
        known = ", ".join([*near, *(one for one in names if one not in near)])
        raise ForecasterUnknown(name=name, known=known)
    try:
        return found.load()
    except (ImportError, AttributeError) as error:
        detail = f"'{found.value}' cannot be imported ({error})"
        raise ForecasterMisconfigured(name=name, detail=detail) from error
