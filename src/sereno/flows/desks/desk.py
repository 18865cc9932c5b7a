"""An opened workspace: what every desk of it works with."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sereno.domain.errors import ModelError, SerenoError, SettingsError, UsageError
from sereno.domain.masking import Mask
from sereno.domain.privacy import Pseudonyms
from sereno.domain.signals import Profile
from sereno.domain.time import Clock, system_clock
from sereno.flows.build import Setup, export_plan, open_setup, open_workspace_store, workspace_zone
from sereno.flows.changes import ChangeFeed
from sereno.flows.exports import ExportPlan
from sereno.flows.incident_lists import IncidentBook
from sereno.flows.jobs import JobRunner
from sereno.flows.learning import ModelShelf
from sereno.flows.logs import logging_to
from sereno.flows.models import TrainedModel
from sereno.flows.naming import NameBook, known_names, pseudonyms_of, secrets_of
from sereno.flows.pinning import pin_versions
from sereno.flows.predicting import Predictor
from sereno.flows.records_path import RecordPath
from sereno.flows.scoring import Scoring
from sereno.settings.tree import Settings
from sereno.store import Store

__all__ = ["Desk"]


class Desk:
    """What every part of a workspace works with: settings, store, and what is kept at hand of them."""

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup = setup
        self._store = store
        self._models = ModelShelf(setup, store)
        self._records = RecordPath(setup, store, self._models)
        self._predictor = Predictor(setup, store)
        self._book = IncidentBook(store, setup.incident_profiles, lambda: self.settings.tariff)
        self._names = NameBook(setup, store)
        self._changes = ChangeFeed(store)
        self._jobs = JobRunner(
            setup.folder, store, clock=setup.clock, language=setup.language, done=self._look_again
        )
        self._kept_scoring: Scoring | None = None

    @classmethod
    def open(
        cls, folder: str | Path = ".", *, clock: Clock = system_clock, language: str | None = None
    ) -> Self:
        """The workspace of a folder, created on first use.

        Args:
            clock: Gives the current instant; another one for tests and replays.
            language: `es` or `en`; otherwise as the settings or the machine say.

        Raises:
            SettingsError: `sereno.yaml` is wrong.
            StoreError: The store cannot be opened.
            PinnedVersionMissing: Settings name a version of a model that is not there.
        """
        setup = open_setup(Path(folder), clock=clock, language=language)
        store = open_workspace_store(setup)
        try:
            pin_versions(setup, store)
        except SerenoError:
            store.close()
            raise
        return cls(setup, store)

    def close(self) -> None:
        """End what it has begun, and give back the store."""
        self._jobs.close()
        self._changes.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Where the workspace lies."""
        return self._setup.folder

    @property
    def setup(self) -> Setup:
        """What the folder says: settings, profiles, language."""
        return self._setup

    @property
    def organization(self) -> str:
        """The organization whose workspace it is."""
        return self._setup.organization

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._setup.settings

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles in force, by name."""
        return self._setup.profiles

    @property
    def language(self) -> str:
        """The language of sentences."""
        return self._setup.language

    @property
    def store(self) -> Store:
        """The store, for what has no method here."""
        return self._store

    def now(self) -> datetime:
        """The current instant, by the workspace's clock."""
        return self._setup.clock()

    @property
    def zone(self) -> str:
        """The time zone of the workspace."""
        return workspace_zone(self._setup)

    @property
    def output_folder(self) -> Path:
        """Where results of the whole journey are written."""
        return self.folder / self.settings.run.output

    @property
    def export_plan(self) -> ExportPlan:
        """What the settings ask of exports."""
        plan = export_plan(self.settings.exports)
        return self.without_names(plan) if self.settings.exports.pseudonyms else plan

    def without_names(self, plan: ExportPlan) -> ExportPlan:
        """The plan for somebody who may not see personal names: pseudonyms stand for them."""
        masked = replace(plan.table_format, masked=self.pseudonyms().text)
        return replace(plan, table_format=masked)

    def model(self, profile: str) -> TrainedModel | None:
        """The model that judges a profile; None before the first training."""
        return self._models.get(profile)

    def usable_model(self, profile: str) -> TrainedModel | None:
        """As `model`; None also where it cannot be used here, which is no reason not to show an incident."""
        try:
            return self._models.get(profile)
        except (ModelError, SettingsError, UsageError):
            return None

    @property
    def changes(self) -> ChangeFeed:
        """What changes, for those who listen."""
        return self._changes

    @property
    def jobs(self) -> JobRunner:
        """Long work, one at a time."""
        return self._jobs

    def pseudonyms(self) -> Pseudonyms:
        """What stands for the personal names of this workspace where somebody may not see them."""
        return pseudonyms_of(self._setup, known_names(self._store))

    @property
    def has_personal(self) -> bool:
        """Whether the settings say that names of sites or assets are personal."""
        return self._names.has_personal

    def mask(self) -> Mask:
        """What hides personal names and supply-point numbers in any text."""
        return self._names.mask()

    def names_behind(self) -> Mapping[str, str]:
        """The name that each pseudonym stands for, for those who ask by one."""
        return self._names.behind()

    def logging(self) -> AbstractContextManager[Path | None]:
        """Write the log of this process as the settings say, as long as the context lasts."""
        names, hidden = self.pseudonyms(), secrets_of(self._setup)
        return logging_to(self.folder, self.settings.logging, names, hidden)

    def _scoring(self) -> Scoring:
        if self._kept_scoring is None or self._kept_scoring.setup is not self._setup:
            self._kept_scoring = Scoring(self._setup, self._store, self._models)
        return self._kept_scoring

    def _look_again(self) -> None:
        self._models.forget()
        self._records.forget()
