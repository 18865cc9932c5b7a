"""What an asset measures: signals, the identities that must balance, and the profile that holds both."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from sereno.domain.facts import NO_FACTS, AssetFacts

__all__ = [
    "ANY",
    "PHYSICS_CHECKS",
    "SOURCE_PROFILE",
    "AssetKey",
    "Identity",
    "Profile",
    "Signal",
    "SignalKind",
    "metered_name",
    "register_name",
]

ANY = "*"
"""Stands for every site or asset where facts are declared."""
PHYSICS_CHECKS = frozenset(
    {
        "night_generation",
        "night_flow",
        "active_power",
        "voltage_unbalance",
        "current_unbalance",
        "thermal",
        "pressure_kind",
        "base_volume",
        "twin_meter",
    }
)
"""Names of `physics.<name>` that are no balance, so that no balance may be called so."""
SOURCE_PROFILE = "source"
"""Profile of what readings come from: it may fall silent, and has no readings of its own."""
_REGISTER_SUFFIX = "_register"
_REGISTER_LABELS = {"es": "lectura acumulada de {name}", "en": "register of {name}"}


class SignalKind(StrEnum):
    """How a value relates to its timestamp."""

    INSTANT = "instant"
    INTERVAL = "interval"
    """A total over the step that starts at the timestamp."""
    CUMULATIVE = "cumulative"
    """A register that only grows."""


@dataclass(frozen=True, slots=True, order=True)
class AssetKey:
    """Names an asset as its users do: the site and the asset, as written in the file."""

    site: str
    asset: str

    def __str__(self) -> str:
        return self.site if self.site == self.asset else f"{self.site}/{self.asset}"


@dataclass(frozen=True, slots=True)
class Signal:
    """One magnitude of one asset.

    `is_ratio_scaled` says that deviations are judged as ratios (energy, volume) rather than as
    differences (temperature, voltage). `is_vital` says that a standstill at zero is a fault and never
    becomes the new normal level. More of an `is_gain` one is no
    trouble where it is not vital, and over weeks where it is. An `is_optional` one is
    not reported when a file lacks it. `beside` are names of another signal that mean this one where a second
    column holds the other. `least_deviation` [unit] and `least_share` (of the usual magnitude) are standard
    deviations below which behaviour is not judged: what regulators and weather do. `is_weather` is what
    surrounds an asset and explains it.
    """

    name: str
    quantity: str
    unit: str
    kind: SignalKind = SignalKind.INSTANT
    minimum: float | None = None
    maximum: float | None = None
    is_ratio_scaled: bool = False
    is_vital: bool = False
    is_gain: bool = False
    is_optional: bool = False
    aliases: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    beside: tuple[str, ...] = ()
    least_deviation: float = 0.0
    least_share: float = 0.0
    is_weather: bool = False

    def label(self, language: str) -> str:
        """The signal's name in a person's language; its identifier when the profile gives none."""
        return (self.labels or {}).get(language, self.name.replace("_", " "))


def register_name(signal: str) -> str:
    """Name of the raw signal that holds the readings of the register that counts a signal."""
    return signal + _REGISTER_SUFFIX


def metered_name(register: str) -> str:
    """Name of the signal that a register counts; the name itself when it is no register's."""
    return register.removesuffix(_REGISTER_SUFFIX)


@dataclass(frozen=True, slots=True)
class Identity:
    """A balance that the signals must keep: `total` = sum of `parts`, each times its factor.

    Attributes:
        factors: One per part; 1 for all when empty.
        tolerance: Imbalance over the largest term that the meters may show; None for that of energy meters
            of the usual class.
        resolution: Smallest step that the meters show [unit of the signals]; None for 1 Wh.
    """

    name: str
    total: str
    parts: tuple[str, ...]
    factors: tuple[float, ...] = ()
    tolerance: float | None = None
    resolution: float | None = None

    @property
    def signals(self) -> tuple[str, ...]:
        """Every signal that takes part, the total first."""
        return (self.total, *self.parts)

    @property
    def coefficients(self) -> tuple[float, ...]:
        """What each of `signals` is multiplied by so that all of them add up to 0: 1 for the total."""
        return (1.0, *(-factor for factor in self.factors or (1.0,) * len(self.parts)))


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of asset this is: data, never a code path.

    `is_open` profiles take every numeric column of a file as a signal of that name. `time_aliases`,
    `site_aliases` and `asset_aliases` are header names that carry the instant and the identity;
    columns named in `ignored` (row numbers, truth labels) are never signals. `facts` are what the workspace
    knows of its assets; an entry for a whole site or for all names them `ANY`. `detector` names what learns
    their behaviour where settings do not say; the general default when empty. `behaviour_share` of the budget
    of false alarms is spent on behaviour; what is left is for the checks that stand beside it. With
    `has_weekly_habits` what an asset has lately done at that hour of the week is no news.
    """

    name: str
    signals: tuple[Signal, ...]
    identities: tuple[Identity, ...] = ()
    step: timedelta | None = None
    is_open: bool = False
    time_aliases: tuple[str, ...] = ()
    site_aliases: tuple[str, ...] = ()
    asset_aliases: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    facts: Mapping[AssetKey, AssetFacts] = field(default_factory=dict)
    detector: str = ""
    behaviour_share: float = 1.0
    has_weekly_habits: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def signal_names(self) -> tuple[str, ...]:
        """Names of the signals in the order of the profile."""
        return tuple(signal.name for signal in self.signals)

    def facts_of(self, asset: AssetKey) -> AssetFacts:
        """What is known of an asset besides its readings: of itself, else of its site, else of all."""
        if not self.facts:
            return NO_FACTS
        for key in (asset, AssetKey(asset.site, ANY), AssetKey(ANY, ANY)):
            if key in self.facts:
                return self.facts[key]
        return NO_FACTS

    def signal(self, name: str) -> Signal:
        """The signal of that name, or the register of one; any other is unbounded and without unit."""
        for signal in self.signals:
            if signal.name == name:
                return signal
        metered = metered_name(name)
        if metered != name:
            return _register_of(self.signal(metered), name)
        return Signal(name=name, quantity="unknown", unit="")


def _register_of(signal: Signal, name: str) -> Signal:
    """The cumulative reading of a signal: the same unit, and no bounds, for a register only grows."""
    labels = {lang: text.format(name=signal.label(lang)) for lang, text in _REGISTER_LABELS.items()}
    return Signal(name, signal.quantity, signal.unit, SignalKind.CUMULATIVE, is_optional=True, labels=labels)
