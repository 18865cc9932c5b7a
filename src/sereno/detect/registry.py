"""Detectors by name: those of this package, and those that other packages declare as `sereno.detectors`."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.util import find_spec
from types import MappingProxyType

from sereno.contracts import Detector
from sereno.contracts.plugins import PluginBroken, Plugins, nearest_first
from sereno.detect.options import NO_RESULT
from sereno.domain.errors import DetectorMisconfigured, DetectorOptionUnknown, DetectorUnknown, ExtraMissing
from sereno.domain.signals import Profile

__all__ = [
    "DEFAULT_DETECTOR",
    "ENTRY_POINTS",
    "build_detector",
    "check_detector_name",
    "detector_names",
    "options_of",
]

DEFAULT_DETECTOR = "robust"
ENTRY_POINTS = "sereno.detectors"
"""Group of entry points: the name of a detector, and the class that it is."""
_PLUGINS = Plugins(
    ENTRY_POINTS,
    {
        "robust": "sereno.detect.robust:RobustDetector",
        "ewma": "sereno.detect.ewma:EwmaDetector",
        "pca": "sereno.detect.pca_detector:PcaDetector",
        "forest": "sereno.detect.forest_detector:ForestDetector",
        "seasonal": "sereno.detect.seasonal:SeasonalDetector",
        "expected": "sereno.detect.expected:ExpectedDetector",
        "lstm": "sereno.detect.lstm:LstmDetector",
        "peers": "sereno.detect.peers:PeersDetector",
        "ensemble": "sereno.detect.ensemble:EnsembleDetector",
    },
)
_EXTRAS: Mapping[str, str] = MappingProxyType({"lstm": "deep"})
_PROFILE = "profile"
NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


def detector_names() -> list[str]:
    """Names that can be asked for here, the package's own first."""
    return [*filter(_is_here, _PLUGINS.built_in), *_PLUGINS.declared()]


def check_detector_name(name: str, *, where: str) -> None:
    """Whether such a detector can be asked for, without importing it.

    Raises:
        DetectorUnknown: There is none of that name.
    """
    if not _is_here(name) and name not in detector_names():
        raise _unknown(name, where)


def build_detector(
    name: str,
    profile: Profile,
    options: Mapping[str, object] = NO_OPTIONS,
    *,
    common: Mapping[str, object] = NO_OPTIONS,
    where: str = "detector",
) -> Detector:
    """The detector of that name with these options.

    Args:
        options: Values of its fields; an unknown one is an error.
        common: Values for those of its fields that have such a name, a seed say; others are passed over.
        where: Where the name was asked for, as an error says it.

    Raises:
        DetectorUnknown: There is none of that name.
        DetectorOptionUnknown: It has no such option.
        DetectorMisconfigured: An option has no such value, or the class is not what a detector is.
        ExtraMissing: It needs an extra that is not installed.
    """
    kind = _class_of(name, where)
    defaults = _defaults(kind)
    for option in options:
        if option not in defaults:
            known = nearest_first(option, defaults)
            raise DetectorOptionUnknown(where=where, name=name, option=option, known=known)
    chosen = {key: value for key, value in common.items() if key in defaults} | dict(options)
    given = {key: _checked(name, key, value, defaults[key], where) for key, value in chosen.items()}
    try:
        detector: Detector = kind(profile, **given)
    except (TypeError, ValueError) as error:
        raise DetectorMisconfigured(where=where, name=name, detail=str(error)) from error
    return detector


def options_of(detector: Detector) -> dict[str, object]:
    """The options of a detector that what it learns hangs on, defaults included, as JSON can hold them."""
    return {
        one.name: _as_json(getattr(detector, one.name))
        for one in fields(detector)  # type: ignore[arg-type]
        if one.name != _PROFILE and not NO_RESULT.items() <= one.metadata.items()
    }


def _is_here(name: str) -> bool:
    module = _PLUGINS.built_in.get(name, "").partition(":")[0]
    return bool(module) and find_spec(module) is not None


def _class_of(name: str, where: str) -> type:
    try:
        kind = _PLUGINS.load(name)
    except PluginBroken as error:
        raise DetectorMisconfigured(where=where, name=name, detail=str(error)) from error
    except ModuleNotFoundError as error:
        if name in _EXTRAS and _is_here(name):
            raise ExtraMissing(feature=f"The detector '{name}'", extra=_EXTRAS[name]) from error
        raise _unknown(name, where) from error
    if kind is None:
        raise _unknown(name, where)
    if not (isinstance(kind, type) and is_dataclass(kind)):
        detail = "what its package declares is no dataclass"
        raise DetectorMisconfigured(where=where, name=name, detail=detail)
    return kind


def _unknown(name: str, where: str) -> DetectorUnknown:
    return DetectorUnknown(where=where, name=name, known=nearest_first(name, detector_names()))


def _defaults(kind: type) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in fields(kind):
        if one.name != _PROFILE:
            found[one.name] = one.default if one.default_factory is MISSING else one.default_factory()
    return found


def _checked(name: str, option: str, value: object, default: object, where: str) -> object:
    """The value, if it is of the kind of the default; a whole number will do for any number."""
    value = tuple(value) if isinstance(value, list) else value
    kind = type(default)
    fits = isinstance(value, kind) and isinstance(value, bool) == isinstance(default, bool)
    if kind in (bool, int, float, str, tuple) and not fits:
        if kind is not float or not isinstance(value, int) or isinstance(value, bool):
            detail = f"'{option}' is a {kind.__name__} (found {value!r})"
            raise DetectorMisconfigured(where=where, name=name, detail=detail)
        return float(value)
    return value


def _as_json(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
