"""The typed tree of `sereno.yaml`; every option has a unit, bounds, a default and one sentence."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, SecretStr, model_validator

from sereno.domain.cleaning import Imputation, Normalization, OutlierRule, OutlierTreatment
from sereno.settings.access import ServiceSettings
from sereno.settings.alerting import DeadManSettings, ReceiverName, ReceiverSettings, RouteSettings
from sereno.settings.branch import Branch, Duration
from sereno.settings.executing import ExecutorSettings
from sereno.settings.forecasting import ForecastSettings
from sereno.settings.keeping import LoggingSettings, PrivacySettings, RetentionSettings, StatusSettings
from sereno.settings.mappings import MappingSettings
from sereno.settings.patterns import PatternSettings
from sereno.settings.people import HOURS, IncidentSettings, MaintenanceSettings
from sereno.settings.pipeline import (
    AcceptanceSettings,
    CriticalitySettings,
    RunSettings,
    SegmentSettings,
)
from sereno.settings.reports import ReportSettings
from sereno.settings.retraining import DriftSettings, MlflowSettings, RetrainSettings
from sereno.settings.sources import SourceName, SourceSettings

__all__ = [
    "AssetSettings",
    "CalibrationSettings",
    "DetectorSettings",
    "ExportSettings",
    "IdentitySettings",
    "Limits",
    "RecalibrationSettings",
    "Settings",
    "StoreSettings",
    "Tariff",
]


class StoreSettings(Branch):
    """Where readings and incidents live."""

    url: SecretStr | None = Field(
        default=None,
        description="Database address, sqlite:///… or postgresql://…; otherwise sereno.db in the workspace. "
        "DATABASE_URL of the environment or of a .env file is used when this is empty.",
    )


class DetectorSettings(Branch):
    """How behaviour is learnt; a bare name stands for its kind."""

    kind: str | None = Field(
        default=None, description="Detector used for behaviour; without one, that of the profile."
    )
    seed: int = Field(default=0, ge=0, description="Seed of everything random in training.")
    trees: int = Field(default=100, ge=10, le=1000, description="Trees of the isolation forest.")
    options: dict[str, JsonValue] = Field(
        default_factory=dict, description="Further options of that detector by name, as its page lists them."
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, said: object) -> object:
        return {"kind": said} if isinstance(said, str) else said


class CalibrationSettings(Branch):
    """How a score gets its threshold; a bare name stands for its method."""

    method: Literal["auto", "conformal", "pot", "mean_3sigma", "sigma_bands"] = Field(
        default="auto",
        description="Rule for thresholds: auto, conformal and pot keep the budget; mean_3sigma and "
        "sigma_bands know none.",
    )
    sigmas: list[Annotated[float, Field(gt=0)]] = Field(
        default_factory=list,
        description="Standard deviations above the mean: of mean_3sigma one; of sigma_bands where low, "
        "medium, high and critical begin.",
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, said: object) -> object:
        return {"method": said} if isinstance(said, str) else said

    @model_validator(mode="after")
    def _suited(self) -> Self:
        wanted = {"mean_3sigma": 1, "sigma_bands": 4}.get(self.method, 0)
        if self.sigmas and (len(self.sigmas) != wanted or self.sigmas != sorted(set(self.sigmas))):
            raise ValueError(f"sigmas are {wanted} ascending numbers with the method {self.method}")
        return self


class RecalibrationSettings(Branch):
    """When thresholds are found anew; never unless said here or asked for."""

    every: Duration | None = Field(
        default=None, description="Time between two recalibrations while watching, as 7d; never without one."
    )


class Tariff(Branch):
    """What energy costs, so that incidents have a price."""

    currency: str = Field(default="EUR", min_length=3, max_length=3, description="ISO 4217 code.")
    prices: dict[str, float] = Field(
        default_factory=dict, description="Price of one unit taken or lost, by unit: {kWh: 0.18, m³: 0.75}."
    )
    export_price: float | None = Field(default=None, ge=0, description="Price of one exported unit.")
    co2_kg: dict[str, float] = Field(
        default_factory=dict, description="Emissions of one unit taken [kg CO2e], by unit: {kWh: 0.12}."
    )


class Limits(Branch):
    """What a single file may cost before it is refused."""

    max_expanded_bytes: int = Field(
        default=8 * 2**30, gt=0, description="Size of a file after decompression [bytes]."
    )
    max_line_bytes: int = Field(default=2**20, gt=0, description="Length of one line [bytes].")


class ExportSettings(Branch):
    """How exports are written and what is done to their values; what is judged is never touched."""

    imputation: Imputation = Field(
        default=Imputation.NONE,
        description="What stands in for missing values: none, interpolation, ffill, bfill or mean.",
    )
    max_gap: Duration | None = Field(
        default=None,
        description="Longest gap that is filled, as 6h; without one, a day or three steps, the longer.",
    )
    outliers: OutlierRule = Field(
        default=OutlierRule.NONE, description="Which values are outliers: none, iqr or robust_zscore."
    )
    outlier_treatment: OutlierTreatment = Field(
        default=OutlierTreatment.CLIP,
        description="What becomes of them: clip to the limit, or missing (and then imputed).",
    )
    outlier_factor: float | None = Field(
        default=None, gt=0, description="Multiple in that rule; without one 1.5 (iqr) or 3.5 (robust_zscore)."
    )
    normalization: Normalization = Field(
        default=Normalization.NONE,
        description="Scale of additional columns, learnt from the training rows: none, standard or min_max.",
    )
    test_size: float = Field(
        default=0.2, ge=0, lt=1, description="Share of an asset's rows, the last ones, that are for testing."
    )
    validation_size: float = Field(
        default=0.15, ge=0, lt=1, description="Share of the other rows, the last, that are for validation."
    )
    with_corrections: bool = Field(
        default=False, description="Whether corrected values stand for the raw ones."
    )
    pseudonyms: bool = Field(
        default=False, description="Whether pseudonyms stand for personal names and supply-point numbers."
    )
    bom: bool = Field(default=False, description="Begin CSV files with the mark by which Excel knows UTF-8.")
    decimal_comma: bool = Field(
        default=False, description="Decimal comma and semicolons in CSV files, as Excel in Spanish expects."
    )


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


class ContractSettings(Branch):
    """What a contract lets one signal be: more, or use at another time, is told."""

    maximum: float | None = Field(
        default=None, gt=0, description="Most in one step, in the unit of the signal."
    )
    hours: list[Annotated[str, Field(pattern=HOURS)]] = Field(
        default_factory=list, description="Local hours of use, as 06:00-22:00; always when empty."
    )
    days: list[Annotated[int, Field(ge=1, le=7)]] = Field(
        default_factory=list, description="Days of use, 1 for Monday to 7 for Sunday; all when empty."
    )
    outside: float = Field(
        default=0.0, ge=0, description="Most in one step at other times, in the unit of the signal."
    )


class AssetSettings(Branch):
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
    contract: dict[str, ContractSettings] = Field(
        default_factory=dict, description="What the contract allows, by signal: {power: {maximum: 50}}."
    )


class IdentitySettings(Branch):
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


class Settings(Branch):
    """The settings of one workspace."""

    organization: str | None = Field(
        default=None,
        description="Organization whose folder this is; `sereno organizations add` writes it, nobody else.",
    )
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
    service: ServiceSettings = Field(
        default_factory=ServiceSettings, description="Who may ask the service, and how much."
    )
    store: StoreSettings = Field(default_factory=StoreSettings, description="The database.")
    detector: DetectorSettings = Field(
        default_factory=DetectorSettings, description="The behaviour detector."
    )
    detectors: dict[str, DetectorSettings] = Field(
        default_factory=dict,
        description="The behaviour detector of a profile, where it is another: {process: ewma}.",
    )
    calibration: CalibrationSettings = Field(
        default_factory=CalibrationSettings, description="How thresholds are found."
    )
    recalibration: RecalibrationSettings = Field(
        default_factory=RecalibrationSettings, description="When thresholds are found anew."
    )
    model_version: list[str] = Field(
        default_factory=list,
        description="Versions that judge and forecast, whatever is learnt later: ids, or how they begin. "
        "MODEL_VERSION of the environment comes first, with commas between.",
    )
    retrain: RetrainSettings = Field(
        default_factory=RetrainSettings, description="When models are learnt anew."
    )
    drift: DriftSettings = Field(default_factory=DriftSettings, description="When drift is looked for.")
    mlflow: MlflowSettings = Field(
        default_factory=MlflowSettings, description="Where trainings are also told."
    )
    forecast: ForecastSettings = Field(
        default_factory=ForecastSettings, description="How meters are forecast."
    )
    executor: ExecutorSettings = Field(
        default_factory=ExecutorSettings, description="Where the blocks of a lake are worked on."
    )
    tariff: Tariff | None = Field(default=None, description="Prices; without them incidents have no cost.")
    limits: Limits = Field(default_factory=Limits, description="Bounds on what a file may be.")
    sources: dict[SourceName, SourceSettings] = Field(
        default_factory=dict, description="Where readings come from, by name."
    )
    exports: ExportSettings = Field(
        default_factory=ExportSettings, description="What `sereno export` writes and how."
    )
    mappings: dict[str, MappingSettings] = Field(
        default_factory=dict, description="How files of one shape are read, by name."
    )
    assets: dict[str, AssetSettings] = Field(
        default_factory=dict,
        description="Facts of sites and assets by name: `Site`, `Site/Asset`, or `*` for all.",
    )
    identities: dict[str, dict[str, IdentitySettings]] = Field(
        default_factory=dict,
        description="Balances by profile and name; each is judged as `physics.<name>`.",
    )
    segments: SegmentSettings = Field(
        default_factory=SegmentSettings, description="Assets that behave alike."
    )
    criticality: CriticalitySettings = Field(
        default_factory=CriticalitySettings, description="Criticality of abnormal hours in exports."
    )
    acceptance: AcceptanceSettings = Field(
        default_factory=AcceptanceSettings, description="Goals that an evaluation is compared with."
    )
    incidents: IncidentSettings = Field(
        default_factory=IncidentSettings, description="How long incidents wait for people."
    )
    status: StatusSettings = Field(
        default_factory=StatusSettings, description="When the share of abnormal records is too high."
    )
    patterns: PatternSettings = Field(
        default_factory=PatternSettings, description="What the pictures of usual patterns show."
    )
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="How long things are kept."
    )
    privacy: PrivacySettings = Field(default_factory=PrivacySettings, description="Personal names.")
    logging: LoggingSettings = Field(default_factory=LoggingSettings, description="The log file.")
    maintenance: dict[str, MaintenanceSettings] = Field(
        default_factory=dict, description="Planned work of which nobody is told, by name."
    )
    run: RunSettings = Field(default_factory=RunSettings, description="The whole journey of `sereno run`.")
    receivers: dict[ReceiverName, ReceiverSettings] = Field(
        default_factory=dict, description="Who can be told, by name."
    )
    routes: list[RouteSettings] = Field(
        default_factory=list, description="Who is told of which incidents; nobody without any."
    )
    reports: dict[ReceiverName, ReportSettings] = Field(
        default_factory=dict, description="Reports that are mailed on a schedule, by name."
    )
    notify_horizon: Duration | None = Field(
        default=None,
        description="Only what was active so recently is told, as 24h; without one 24h or two steps of the "
        "asset, the longer.",
    )
    dead_man: DeadManSettings = Field(
        default_factory=DeadManSettings, description="What happens when nothing happens any more."
    )
