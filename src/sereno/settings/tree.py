"""The typed tree of `sereno.yaml`; every option has a unit, bounds, a default and one sentence."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

__all__ = [
    "AssetSettings",
    "DetectorSettings",
    "FolderSource",
    "IdentitySettings",
    "Limits",
    "Settings",
    "StoreSettings",
    "Tariff",
    "parse_duration",
]

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_duration(text: object) -> object:
    """A duration written as people do (`15min`, `1.5h`, `7d`); other values pass to pydantic unchanged."""
    if not isinstance(text, str):
        return text
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.strip().removesuffix(unit)
        if text.strip().endswith(unit) and number.strip().replace(".", "", 1).isdigit():
            return timedelta(seconds=float(number) * _UNITS[unit])
    raise ValueError("a duration is a number and one of s, min, h, d, w: for example 15min")


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class _Branch(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Branch):
    """Where readings and incidents live."""

    url: SecretStr | None = Field(
        default=None,
        description="Database address, sqlite:///… or postgresql://…; otherwise sereno.db in the workspace. "
        "DATABASE_URL of the environment or of a .env file is used when this is empty.",
    )


class DetectorSettings(_Branch):
    """How behaviour is learnt."""

    kind: Literal["robust"] = Field(default="robust", description="Detector used for behaviour.")
    seed: int = Field(default=0, ge=0, description="Seed of everything random in training.")
    trees: int = Field(default=100, ge=10, le=1000, description="Trees of the isolation forest.")


class Tariff(_Branch):
    """What energy costs, so that incidents have a price."""

    currency: str = Field(default="EUR", min_length=3, max_length=3, description="ISO 4217 code.")
    prices: dict[str, float] = Field(
        default_factory=dict, description="Price of one unit taken or lost, by unit: {kWh: 0.18, m³: 0.75}."
    )
    export_price: float | None = Field(default=None, ge=0, description="Price of one exported unit.")


class Limits(_Branch):
    """What a single file may cost before it is refused."""

    max_expanded_bytes: int = Field(
        default=8 * 2**30, gt=0, description="Size of a file after decompression [bytes]."
    )
    max_line_bytes: int = Field(default=2**20, gt=0, description="Length of one line [bytes].")


class FolderSource(_Branch):
    """A folder that other systems write files into."""

    kind: Literal["folder"] = Field(default="folder", description="Kind of source.")
    path: str = Field(description="Folder, relative to the workspace or absolute.")
    pattern: str = Field(default="*", description="Which file names are taken (shell pattern).")
    interval: Duration = Field(default=timedelta(seconds=60), description="Time between two looks, as 60s.")


MotorSignal = Literal[
    "current",
    "voltage",
    "active_power",
    "motor_temperature",
    "power_factor",
    "current_l1",
    "current_l2",
    "current_l3",
    "voltage_l1",
    "voltage_l2",
    "voltage_l3",
]
"""What the columns of a process file may be declared to be: in A, V, kW, °C; a power factor has no unit."""


class AssetSettings(_Branch):
    """What nobody can read in a file: where an asset is and how its meters count."""

    latitude: float | None = Field(default=None, ge=-90, le=90, description="Degrees north.")
    longitude: float | None = Field(default=None, ge=-180, le=180, description="Degrees east.")
    altitude_m: float | None = Field(default=None, ge=-500, le=9000, description="Height above the sea [m].")
    has_battery: bool | None = Field(
        default=None, description="Whether a battery may deliver through the generation meter at night."
    )
    pressure: Literal["gauge", "absolute"] | None = Field(
        default=None, description="What the gas pressure is above: the atmosphere, or vacuum."
    )
    volume: Literal["line", "corrected"] | None = Field(
        default=None, description="The gas volume as it flows, or already at base conditions."
    )
    base_temperature_c: float | None = Field(
        default=None, ge=-20, le=30, description="Temperature of the base conditions [°C], usually 0 or 15."
    )
    base_pressure_bar: float | None = Field(
        default=None, gt=0.8, lt=1.2, description="Absolute pressure of the base conditions [bar]."
    )
    compressibility: float | None = Field(
        default=None, gt=0.2, lt=2, description="Z at line conditions over Z at base conditions, if constant."
    )
    composition: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict, description="Mole fractions of the gas: {methane: 0.93, ethane: 0.05, …}."
    )
    phases: Literal[1, 3] | None = Field(default=None, description="Phases of a motor or feeder.")
    voltage: Literal["line", "phase"] | None = Field(
        default=None, description="A voltage of three phases between two lines, or between line and neutral."
    )
    power_factor: float | None = Field(
        default=None, gt=0, le=1, description="Power factor of a motor or feeder, where it is constant."
    )
    signals: dict[MotorSignal, str] = Field(
        default_factory=dict,
        description="Columns of a process file that are electric signals: {current: Amps, voltage: U12, …}.",
    )
    twin: str | None = Field(
        default=None, description="Asset that measures the same flow again, as `Site` or `Site/Asset`."
    )


class IdentitySettings(_Branch):
    """A balance that the signals of a profile must keep: the total is the sum of the parts."""

    total: str = Field(description="Signal that the parts must add up to, named as in the profile or file.")
    parts: list[str] = Field(min_length=1, description="Signals that add up to the total.")
    factors: dict[str, float] = Field(
        default_factory=dict, description="What a part is multiplied by, where it is not 1: {returned: -1}."
    )
    tolerance: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        description="Imbalance that opens an incident, as share of the largest term.",
    )
    resolution: float = Field(
        default=0.001, gt=0, description="Smallest step that the meters show, in the unit of the signals."
    )


class Settings(_Branch):
    """The settings of one workspace."""

    language: Literal["es", "en"] | None = Field(
        default=None, description="Language of sentences; without one, that of the machine, else Spanish."
    )
    timezone: str | None = Field(
        default=None, description="IANA zone of times written without one, for example Europe/Madrid."
    )
    profile: str | None = Field(
        default=None, description="Profile of files that do not say; otherwise by evidence."
    )
    budget: float = Field(
        default=0.25, gt=0, le=50, description="False alarms accepted per asset and week [episodes]."
    )
    store: StoreSettings = Field(default_factory=StoreSettings, description="The database.")
    detector: DetectorSettings = Field(
        default_factory=DetectorSettings, description="The behaviour detector."
    )
    tariff: Tariff | None = Field(default=None, description="Prices; without them incidents have no cost.")
    limits: Limits = Field(default_factory=Limits, description="Bounds on what a file may be.")
    sources: dict[str, FolderSource] = Field(
        default_factory=dict, description="What `sereno watch` runs, by name."
    )
    assets: dict[str, AssetSettings] = Field(
        default_factory=dict,
        description="Facts of sites and assets by name: `Site`, `Site/Asset`, or `*` for all.",
    )
    identities: dict[str, dict[str, IdentitySettings]] = Field(
        default_factory=dict,
        description="Balances by profile and name; each is judged as `physics.<name>`.",
    )
