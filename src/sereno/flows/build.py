"""Settings become objects here, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from pathlib import Path

from tzlocal import get_localzone_name

from sereno.contracts import Detector
from sereno.detect.registry import DEFAULT_DETECTOR, build_detector, check_detector_name
from sereno.detect.rules import CalibrationRule
from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.cleaning import Cleaning
from sereno.domain.errors import FileMissing, FileUnreadable, SettingsError, StoreOlder
from sereno.domain.facts import NO_FACTS, AssetFacts, ContractLimit
from sereno.domain.signals import ANY, SOURCE_PROFILE, AssetKey, Profile, Signal
from sereno.domain.time import Clock, system_clock
from sereno.flows.backup import finish_restore
from sereno.flows.exports import ExportPlan
from sereno.flows.life import HORIZON, LifePolicy
from sereno.flows.organizations import place_of
from sereno.flows.places import MODELS_FOLDER, PROFILES_FOLDER, STORE_FILE
from sereno.flows.silencing import declared_silences
from sereno.flows.telling import TellingRules, escalations
from sereno.flows.upgrading import upgrade_folder
from sereno.i18n.catalogue import machine_language
from sereno.ingest import ColumnMapping, FileMapping, ReadOptions
from sereno.prepare.gas import check_composition
from sereno.report.exports import TableFormat
from sereno.settings.identities import with_identities
from sereno.settings.mappings import MappingSettings, load_portals
from sereno.settings.profiles import load_profiles
from sereno.settings.reading import SETTINGS_FILE, LoadedSettings, load_settings
from sereno.settings.tree import (
    AssetSettings,
    ContractSettings,
    DetectorSettings,
    ExportSettings,
    Settings,
    StoreSettings,
)
from sereno.store import Store, open_store

__all__ = [
    "MODELS_FOLDER",
    "NO_HINTS",
    "FileHints",
    "Setup",
    "calibration_rule",
    "chosen_detector",
    "declared_facts",
    "export_plan",
    "has_store",
    "life_policy",
    "open_setup",
    "open_workspace_store",
    "read_options",
    "workspace_zone",
    "store_url",
]


_SOURCE = Profile(
    SOURCE_PROFILE,
    (Signal("readings", quantity="count", unit="", labels={"es": "lecturas", "en": "readings"}),),
    labels={"es": "fuente", "en": "source"},
)


@dataclass(frozen=True)
class Setup:
    """What the folder of an organization says, without its store.

    Attributes:
        root: The workspace that the organization is one of; the folder itself for `default`.
    """

    folder: Path
    loaded: LoadedSettings
    profiles: Mapping[str, Profile]
    clock: Clock
    language: str
    root: Path
    organization: str

    @property
    def settings(self) -> Settings:
        """The settings tree."""
        return self.loaded.tree

    @cached_property
    def incident_profiles(self) -> Mapping[str, Profile]:
        """Profiles of all that has incidents: of assets, and of what readings come from."""
        return {**self.profiles, SOURCE_PROFILE: _SOURCE}

    @cached_property
    def mappings(self) -> tuple[FileMapping, ...]:
        """How files of known shapes are read: the workspace's, then the portals that it does not replace."""
        return _file_mappings(self.settings.mappings, load_portals())


def open_setup(folder: Path, *, clock: Clock = system_clock, language: str | None = None) -> Setup:
    """Read settings and profiles of a workspace folder; creates nothing.

    A restore that was interrupted is completed first.

    Raises:
        SettingsError: Settings or a profile are wrong.
    """
    finish_restore(folder)
    loaded = load_settings(folder)
    root, organization = place_of(folder)
    facts = declared_facts(loaded.tree.assets)
    profiles = with_identities(load_profiles(folder / PROFILES_FOLDER), loaded)
    _check_detectors(loaded, profiles)
    return Setup(
        folder=folder,
        loaded=loaded,
        profiles={name: replace(profile, facts=facts) for name, profile in profiles.items()},
        clock=clock,
        language=language or loaded.tree.language or machine_language(),
        root=root,
        organization=organization,
    )


def declared_facts(assets: Mapping[str, AssetSettings]) -> Mapping[AssetKey, AssetFacts]:
    """The block `assets:` by key; each entry holds what is said of all, of its site and of itself.

    A name stands for a site (and for an asset named as its site), `Site/Asset` for one asset of it.

    Raises:
        SettingsError: A composition cannot be a gas.
    """
    said = {name: _facts(settings) for name, settings in assets.items()}
    for name, one in said.items():
        if one.composition:
            check_composition(one.composition, name)
    common = said.get(ANY, NO_FACTS)
    facts = {AssetKey(name, ANY): one.over(common) for name, one in said.items()}
    for name, one in said.items():
        cuts = [place for place, letter in enumerate(name) if letter == "/"]
        for cut in cuts:
            key = AssetKey(name[:cut], name[cut + 1 :])
            facts[key] = one.over(facts.get(AssetKey(key.site, ANY), common))
    return facts


def chosen_detector(setup: Setup, profile: Profile, kind: str | None = None) -> tuple[str, Detector]:
    """Name of the detector of a profile's behaviour, and the detector.

    The name is `kind`, or what settings say of the profile, of all, or what the profile itself names.

    Raises:
        DetectorUnknown, DetectorOptionUnknown, DetectorMisconfigured: There is none of that name and options.
        ExtraMissing: It needs an extra that is not installed.
    """
    common, key = setup.settings.detector, "detector"
    own = setup.settings.detectors.get(profile.name)
    if own is not None:
        common = common.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
        key = f"detectors.{profile.name}"
    named = common.kind or profile.detector or DEFAULT_DETECTOR
    name = kind or named
    detector = build_detector(
        name,
        profile,
        common.options if name == named else {},
        common={
            "seed": common.seed,
            "n_trees": common.trees,
            "country": setup.settings.forecast.country or "",
        },
        where=_origin(setup.loaded, key),
    )
    return name, detector


def calibration_rule(setup: Setup) -> CalibrationRule:
    """How the settings say that thresholds are found."""
    said = setup.settings.calibration
    return CalibrationRule(said.method, tuple(said.sigmas))


def _check_detectors(loaded: LoadedSettings, profiles: Mapping[str, Profile]) -> None:
    """That every detector in settings is there; its options are looked at when it is built."""
    said: dict[str, DetectorSettings] = {"detector": loaded.tree.detector}
    for name, settings in loaded.tree.detectors.items():
        key = f"detectors.{name}"
        if name not in profiles:
            detail = f"'{name}' is not a profile"
            hint = f"Profiles are {', '.join(profiles)}."
            raise SettingsError(where=f"{_origin(loaded, key)}: {key}", detail=detail, hint=hint)
        said[key] = settings
    for key, settings in said.items():
        if settings.kind is not None:
            check_detector_name(settings.kind, where=_origin(loaded, key))


def _origin(loaded: LoadedSettings, key: str) -> str:
    return loaded.origins.get(f"{key}.kind", loaded.origins.get(key, SETTINGS_FILE))


def _facts(settings: AssetSettings) -> AssetFacts:
    limits = {name: _limit(one) for name, one in settings.contract.items()}
    return AssetFacts(**settings.model_dump(exclude={"contract"}), contract=limits)


def _limit(settings: ContractSettings) -> ContractLimit:
    hours = [tuple(_minutes(end) for end in span.split("-")) for span in settings.hours]
    return ContractLimit(
        maximum=settings.maximum,
        hours=tuple((first, last) for first, last in hours),
        days=tuple(settings.days),
        outside=settings.outside,
    )


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


def export_plan(settings: ExportSettings) -> ExportPlan:
    """What the block `exports:` asks of an export of all assets."""
    cleaning = Cleaning(
        imputation=settings.imputation,
        max_gap=settings.max_gap,
        outliers=settings.outliers,
        treatment=settings.outlier_treatment,
        factor=settings.outlier_factor,
        normalization=settings.normalization,
        test_size=settings.test_size,
        validation_size=settings.validation_size,
    )
    return ExportPlan(
        cleaning=cleaning,
        with_corrections=settings.with_corrections,
        table_format=TableFormat(has_bom=settings.bom, has_decimal_comma=settings.decimal_comma),
    )


def life_policy(setup: Setup) -> LifePolicy:
    """What follows from events of incidents, as the settings say.

    Raises:
        SettingsError: Declared maintenance makes no sense.
    """
    said = setup.settings.incidents
    rules = TellingRules.of_settings(setup.settings, setup.incident_profiles)
    return LifePolicy(
        profiles=setup.incident_profiles,
        escalation=lambda incident, asset: [step.after for step in escalations(rules, incident, asset)],
        silences=declared_silences(setup.settings.maintenance, workspace_zone(setup)),
        acknowledge_for=said.acknowledge_for,
        unattended_after=said.unattended_after,
        horizon=max(HORIZON, rules.horizon or HORIZON),
    )


def workspace_zone(setup: Setup) -> str:
    """The time zone of the workspace: what the settings say, then the machine's."""
    return setup.settings.timezone or get_localzone_name() or "UTC"


def has_store(setup: Setup) -> bool:
    """Whether there is a store to look into, so that looking does not create one."""
    return _store_settings(setup).url is not None or (setup.root / STORE_FILE).is_file()


def store_url(setup: Setup) -> str:
    """The address of the store that the settings name; of the embedded one in the workspace otherwise."""
    said = _store_settings(setup).url
    if said is not None:
        return said.get_secret_value()
    return f"sqlite:///{(setup.root / STORE_FILE).resolve()}"


def _store_settings(setup: Setup) -> StoreSettings:
    """What the root of the workspace says: all its organizations share its store."""
    if setup.organization == DEFAULT_ORGANIZATION:
        return setup.settings.store
    return load_settings(setup.root).tree.store


def open_workspace_store(setup: Setup) -> Store:
    """The store of a workspace; an embedded one that an older version wrote is backed up and upgraded.

    Whatever is recorded of incidents in it is told as the settings say, in the same transaction.

    Raises:
        StoreOlder: An older version wrote the store of a server, which `sereno upgrade` migrates.
        StoreError: It cannot be opened; see `sereno.store.open_store`.
    """
    rules = TellingRules.of_settings(setup.settings, setup.incident_profiles)
    url = store_url(setup)
    if _store_settings(setup).url is None:
        try:
            setup.folder.mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise FileUnreadable(file=str(setup.folder), detail="no permission to create it") from error
        except (FileExistsError, NotADirectoryError) as error:
            raise FileMissing(file=str(setup.folder)) from error
    opened = partial(open_store, url, organization=setup.organization, before_commit=rules.tell_recorded)
    try:
        return opened()
    except StoreOlder:
        if not url.startswith("sqlite:"):
            raise
    upgrade_folder(setup.root, url, at=setup.clock())
    return opened()


@dataclass(frozen=True, slots=True)
class FileHints:
    """What a person says of files that do not say it themselves.

    Attributes:
        timezone: IANA zone of times written without one.
        profile: Name of the profile.
        decimal: `.` or `,`.
        date_order: `dmy` or `mdy`.
        stamp: `start` or `end`: what a time says of its step.
        mapping: Name of the mapping that the files must be read by.
    """

    timezone: str | None = None
    profile: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    stamp: str | None = None
    mapping: str | None = None


NO_HINTS = FileHints()


def read_options(setup: Setup, hints: FileHints = NO_HINTS) -> ReadOptions:
    """How files of this workspace are read: what the caller says, then the settings, then the machine."""
    settings = setup.settings
    zone = hints.timezone or settings.timezone
    return ReadOptions(
        timezone=zone or workspace_zone(setup),
        is_timezone_assumed=zone is None,
        profile=hints.profile or settings.profile,
        decimal=hints.decimal,
        date_order=hints.date_order,
        stamp=hints.stamp,
        max_expanded_bytes=settings.limits.max_expanded_bytes,
        max_line_bytes=settings.limits.max_line_bytes,
        mappings=setup.mappings,
        mapping=hints.mapping,
        said=frozenset(one.name for one in fields(hints) if getattr(hints, one.name) is not None),
        now=setup.clock(),
    )


def _file_mappings(
    own: Mapping[str, MappingSettings], portals: Mapping[str, MappingSettings]
) -> tuple[FileMapping, ...]:
    """The mappings of the workspace, then those of the portals that it does not replace by name."""
    found = [_file_mapping(name, one, is_portal=False) for name, one in own.items()]
    found += [_file_mapping(name, one, is_portal=True) for name, one in portals.items() if name not in own]
    return tuple(found)


def _file_mapping(name: str, said: MappingSettings, *, is_portal: bool) -> FileMapping:
    return FileMapping(
        name=name,
        fingerprint=tuple(said.match.columns),
        pattern=said.match.file or "",
        columns={
            source: ColumnMapping(
                role=column.role or "",
                signal=column.signal or "",
                unit=column.unit or "",
                asset=column.asset or "",
                is_register=column.kind == "register",
            )
            for source, column in said.columns.items()
        },
        profile=said.profile or "",
        delimiter=said.delimiter or "",
        header_row=said.header_row,
        decimal=said.decimal or "",
        thousands=said.thousands,
        date_order=said.date_order or "",
        timezone=said.timezone or "",
        stamp=said.stamp or "",
        site=said.site or "",
        step_s=said.step.total_seconds() if said.step else None,
        sheets=tuple(said.sheets),
        is_portal=is_portal,
    )
