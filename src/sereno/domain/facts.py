"""What a workspace knows of an asset besides its readings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

__all__ = ["NO_FACTS", "AssetFacts", "ContractLimit"]


@dataclass(frozen=True, slots=True)
class ContractLimit:
    """What a contract lets a signal be.

    Attributes:
        maximum: Most in one step [unit of the signal]; None without a limit.
        hours: When it may be used at all, from and until [minutes of the local day]; always when empty.
        days: ISO weekdays on which it may be used, 1 for Monday; all when empty.
        outside: Most in one step outside these hours and days.
    """

    maximum: float | None = None
    hours: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()
    outside: float = 0.0


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """Declared facts of one asset; None where nobody has said.

    Attributes:
        latitude: Degrees north.
        longitude: Degrees east.
        altitude_m: Height above the sea [m]: the atmospheric pressure follows from it.
        has_battery: Whether a battery may deliver through the generation meter at night.
        pressure: What a gas pressure is above: `gauge` (the atmosphere) or `absolute` (vacuum).
        volume: At what conditions a gas volume is: `line` (as it flows) or `corrected` (already at base).
        base_temperature_c: Temperature of the base conditions [°C], usually 0 or 15.
        base_pressure_bar: Absolute pressure of the base conditions [bar].
        compressibility: Constant Z of the gas at line conditions over that at base conditions.
        composition: Mole fractions of the gas by component; Z follows from it.
        phases: 1 or 3, of a motor or feeder.
        voltage: Between what a voltage of three phases is measured: `line` (two lines) or `phase` (a line
            and neutral).
        power_factor: Power factor, where it is constant.
        signals: The column that holds each electric signal, where a file calls it otherwise.
        twin: The asset that measures the same flow again, as `Site/Asset`.
        contract: What the contract allows, by signal.
    """

    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    has_battery: bool | None = None
    pressure: str | None = None
    volume: str | None = None
    base_temperature_c: float | None = None
    base_pressure_bar: float | None = None
    compressibility: float | None = None
    composition: Mapping[str, float] = field(default_factory=dict)
    phases: int | None = None
    voltage: str | None = None
    power_factor: float | None = None
    signals: Mapping[str, str] = field(default_factory=dict)
    twin: str | None = None
    contract: Mapping[str, ContractLimit] = field(default_factory=dict)

    def over(self, general: "AssetFacts") -> "AssetFacts":
        """These facts, and where they say nothing those that hold more generally."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return replace(general, **{name: value for name, value in said.items() if value not in (None, {})})


NO_FACTS = AssetFacts()
