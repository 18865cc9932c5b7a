"""Versions of what was learnt: cards, comparison, promotion, export, learning anew."""

from datetime import datetime, timedelta
from pathlib import Path

from sereno.domain.errors import NotFound
from sereno.domain.judgement import ModelCard
from sereno.domain.registry import ForecasterCard
from sereno.flows.desks.desk import Desk
from sereno.flows.forecasters import ForecasterShelf
from sereno.flows.mlflow_export import export_mlflow
from sereno.flows.model_files import export_version, import_version
from sereno.flows.promotion import Registrar
from sereno.flows.reproducing import Reproduction, reproduce
from sereno.flows.retraining import (
    Retrainer,
    RetrainStep,
    has_models_to_look_after,
    learn_forecaster,
    look_after_models,
)
from sereno.flows.sheets import sheet_of, version_lines
from sereno.flows.succession import find_version, model_history

__all__ = ["VersionDesk"]

_LOOKED_EVERY = timedelta(minutes=1)


class VersionDesk(Desk):
    """Keeps the versions of detectors and forecasters."""

    _looked_at: datetime | None = None

    def models(self) -> list[ModelCard]:
        """Cards of all trained models, newest first."""
        with self._store.read() as tx:
            return [stored.card for stored in tx.models()]

    def active_models(self) -> dict[str, str]:
        """Id of the model that judges, by profile."""
        with self._store.read() as tx:
            return {stored.card.profile: stored.card.id for stored in tx.models() if stored.is_active}

    def model_card(self, version: str) -> ModelCard | ForecasterCard:
        """The card of a version, by its id or the beginning of it.

        Raises:
            NotFound: There is no such version, or several begin so.
        """
        with self._store.read() as tx:
            return find_version(tx, version).card

    def versions(self) -> list[dict[str, object]]:
        """Every version of every detector and forecaster, newest first, and where it stands."""
        with self._store.read() as tx:
            return version_lines(tx)

    def model_sheet(self, version: str) -> dict[str, object]:
        """All that is known of a version, by its id or the beginning of it, and how it did in the shadow.

        Raises:
            NotFound: There is no such version, or several begin so.
        """
        with self._store.read() as tx:
            return sheet_of(tx, find_version(tx, version))

    def model_history(self, model_id: str) -> list[dict[str, object]]:
        """What was decided about the models of a model's profile, by whom and why, oldest first.

        Raises:
            NotFound: There is no such model, or several begin so.
        """
        with self._store.read() as tx:
            return model_history(tx, find_version(tx, model_id).card)

    @property
    def registrar(self) -> Registrar:
        """Compares, promotes and sends to the shadow."""
        return Registrar(self._setup, self._store, self._models)

    def promote_model(
        self, model_id: str, *, actor: str = "", reason: str = "", is_forced: bool = False
    ) -> ModelCard | ForecasterCard:
        """Let a version judge or forecast, if on days that neither has seen it is better than what does now.

        Args:
            actor, reason: Who decided it and why; told to those who listen.
            is_forced: Without a comparison; needs a reason.

        Raises:
            NotFound: There is no such version, or several begin so.
            PromotionRefused: It is not better, or that cannot be told yet.
            ForcingNeedsReason: See `is_forced`.
            VersionPinned: Settings name the version.
        """
        promotion = self.registrar.promote(model_id, actor=actor, reason=reason, is_forced=is_forced)
        self._look_again()
        return promotion.card

    def roll_back_model(
        self, profile: str | None = None, *, actor: str = "", reason: str = ""
    ) -> ModelCard | ForecasterCard:
        """Let the version judge, or forecast, again that did before the one of now.

        Args:
            profile: Whose model, or the group of a forecaster; need not be said where only one profile has
                any.
            actor, reason: Who decided it and why; told to those who listen.

        Raises:
            NoVersionBefore, ModelUnclear: There is no model before, or more than one.
            NotFound: There is no model.
            VersionPinned: Settings name the version.
        """
        version = self.registrar.roll_back(profile, actor=actor, reason=reason)
        self._look_again()
        with self._store.read() as tx:
            return find_version(tx, version).card

    def learn_forecaster(self, group: str) -> ForecasterCard:
        """Learn a candidate for a group that is forecast together; its champion forecasts on.

        Raises:
            NotFound: Nothing forecasts such a group.
            HistoryTooShort: No asset has readings of two days.
        """
        champion = ForecasterShelf(self._setup, self._store).champion(group)
        if champion is None:
            raise NotFound(what="model", id=group, hint="")
        return learn_forecaster(self.registrar, champion.card)

    def reproduce(self, version: str | None = None) -> list[Reproduction]:
        """Do a training, or that of every champion, again in two fresh processes, and write a report.

        Raises:
            NotFound: There is no such version.
            ModelMissing: Nothing has been trained.
        """
        return reproduce(self._setup, self._store, version)

    def export_mlflow(self, version: str, folder: str | Path) -> Path:
        """Write a version as a pyfunc that MLflow loads.

        Raises:
            NotFound: There is no such version, or several begin so.
            ExportTargetTaken: There is something in the folder.
            ExtraMissing: MLflow is not installed.
        """
        with self._store.read() as tx:
            stored = find_version(tx, version)
        return export_mlflow(self._setup, stored, Path(folder))

    def export_model(self, version: str, file: str | Path) -> Path:
        """Write a version into one file for `import_model` elsewhere; a file of that name gives way.

        Raises:
            NotFound: There is no such version, or several begin so.
            ModelCorrupt: Its artefact is gone or was altered.
            SystemRefused: The file cannot be written there.
        """
        with self._store.read() as tx:
            stored = find_version(tx, version)
        return export_version(self._setup, stored, Path(file))

    def import_model(self, file: str | Path) -> ModelCard | ForecasterCard:
        """Take in what `export_model` wrote, as a candidate; one that is here already stays as it is.

        Raises:
            FileMissing: There is no such file.
            ModelCorrupt: It is no such file, was altered, or another training has its name here.
            NotFound: Its profile is not here.
            DetectorUnknown, ForecasterUnknown, ExtraMissing: What learnt it is not installed here.
        """
        return import_version(self._setup, self._store, Path(file))

    def retrain(self, *, is_asked: bool = False) -> list[RetrainStep]:
        """The next step of learning anew for each profile and group that it is time for.

        Args:
            is_asked: Whether or not it is time; every other guard holds.

        Raises:
            ModelMissing: Nothing has been learnt yet.
        """
        steps = Retrainer(self.registrar).look(is_asked=is_asked)
        self._look_again()
        return steps

    def look_after_models(self) -> None:
        """Let the shadows judge what is new, and ask for the jobs that are due: drift, learning anew."""
        look_after_models(self.registrar, self._jobs)

    @property
    def is_look_at_models_due(self) -> bool:
        """Whether there is something to look after, and nobody here has done so for a while."""
        if self._looked_at is not None and self.now() - self._looked_at < _LOOKED_EVERY:
            return False
        self._looked_at = self.now()
        return has_models_to_look_after(self.registrar)
