"""What is installed beside sereno, and whether it is what it says it needs."""

import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from sereno.domain.version import VERSION
from sereno.i18n.catalogue import sentence
from sereno.settings.tree import Settings

__all__ = ["Finding", "look_at_installation", "wanted_extras"]

_OLDEST, _FIRST_UNTRIED = (3, 11), (3, 14)
_OF_DEVELOPERS = frozenset({"bench", "dev", "docs"})
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")
_AT_LEAST = re.compile(r">=\s*([\d.]+)")
_DEEP, _BOOST = {"lstm"}, {"boost", "mixed"}
_SOURCE_EXTRAS = {"opcua", "modbus"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: Of it, the same in every language.
        value: What was found.
        is_well: Whether it is as it should be.
    """

    name: str
    value: str | int
    is_well: bool = True

    def to_json(self) -> dict[str, object]:
        """For `doctor --json`."""
        return {"name": self.name, "value": self.value, "ok": self.is_well}


@dataclass(frozen=True, slots=True)
class _Needed:
    """A package that sereno names, for all or for an extra."""

    name: str
    least: str
    extra: str
    is_conditional: bool

    @property
    def found(self) -> str | None:
        """Its version here; None where it is not."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None

    @property
    def is_well(self) -> bool:
        """Whether it is here and new enough."""
        found = self.found
        return found is not None and _numbers(found) >= _numbers(self.least)


def look_at_installation(
    settings: Settings | None, language: str, *, requirements: Sequence[str] | None = None
) -> Iterator[Finding]:
    """Python, the packages that are needed, the extras, and which the settings want and lack.

    Args:
        settings: None where they cannot be read.
        requirements: As packages declare them; those of the installed sereno when None.
    """
    needed = [_read(one) for one in (_declared() if requirements is None else requirements)]
    yield Finding("sereno", VERSION)
    yield Finding("python", sys.version.split()[0], _OLDEST <= sys.version_info[:2] < _FIRST_UNTRIED)
    yield Finding("platform", platform.platform())
    for one in needed:
        if not one.extra and (one.found or not one.is_conditional):
            yield Finding(one.name, _described(one, language), one.is_well)
    wanted = {} if settings is None else wanted_extras(settings)
    for extra, packages in _extras(needed).items():
        is_here = all(one.is_well for one in packages)
        value = ", ".join(_described(one, language) for one in packages)
        if not is_here:
            key = "doctor.extra.wanted" if extra in wanted else "doctor.extra.missing"
            value = sentence(key, language, extra=extra, setting=wanted.get(extra, ""))
        yield Finding(f"extra {extra}", value, is_here or extra not in wanted)


def wanted_extras(settings: Settings) -> Mapping[str, str]:
    """The extras without which the settings cannot be done, with the setting that needs each."""
    wanted: dict[str, str] = {}
    detectors = {"detector.kind": settings.detector.kind} | {
        f"detectors.{profile}.kind": one.kind for profile, one in settings.detectors.items()
    }
    deep = [name for name, kind in detectors.items() if kind in _DEEP]
    if deep:
        wanted["deep"] = deep[0]
    if settings.forecast.kind in _BOOST:
        wanted["boost"] = "forecast.kind"
    if settings.mlflow.url is not None:
        wanted["mlflow"] = "mlflow.url"
    url = settings.store.url
    if url is not None and url.get_secret_value().startswith("postgres"):
        wanted["postgres"] = "store.url"
    sources = {name: one.kind for name, one in settings.sources.items()}
    return wanted | {kind: f"sources.{name}" for name, kind in sources.items() if kind in _SOURCE_EXTRAS}


def _declared() -> Sequence[str]:
    try:
        return requires("sereno") or ()
    except PackageNotFoundError:  # run from a folder that was never installed
        return ()


def _read(requirement: str) -> _Needed:
    what, _, marker = requirement.partition(";")
    name, least, extra = _NAME.match(what.strip()), _AT_LEAST.search(what), _EXTRA.search(marker)
    assert name is not None
    # Beside its extra, a marker speaks of versions of Python and of systems.
    rest = _EXTRA.sub("", marker).strip(" ()and")
    return _Needed(name[0], least[1] if least else "0", extra[1] if extra else "", bool(rest))


def _extras(needed: Sequence[_Needed]) -> Mapping[str, Sequence[_Needed]]:
    found: dict[str, list[_Needed]] = {}
    for one in needed:
        if one.extra and one.extra not in _OF_DEVELOPERS:
            found.setdefault(one.extra, []).append(one)
    return found


def _described(one: _Needed, language: str) -> str:
    found = one.found
    if found is None:
        return sentence("doctor.package.missing", language, name=one.name, least=one.least)
    if not one.is_well:
        return sentence("doctor.package.old", language, name=one.name, found=found, least=one.least)
    return f"{one.name} {found}" if one.extra else found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
