"""Learning anew under guard: in the shadow first, champion only if it is better, never on bad data.

One step at a time for each profile and each group that is forecast together; what is done is in the log of
the registry and in the log of what was done. Nothing is done twice when two engines look at the same time:
each step asks the store again how things stand.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np

from sereno.domain.audit import Act, Door, acting
from sereno.domain.calendar import local_time
from sereno.domain.errors import HistoryTooShort, ModelMissing, SerenoError
from sereno.domain.judgement import Memory, ModelCard
from sereno.domain.readings import Window
from sereno.domain.registry import ForecasterCard, Opinion, RegistryEntry, RegistryEvent
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import to_numpy
from sereno.flows.drift_watch import ask_for_drift
from sereno.flows.forecasters import ForecasterGroup, ForecasterShelf
from sereno.flows.jobs import JobRunner
from sereno.flows.learning import learn, shelve, training_history, training_plan
from sereno.flows.promotion import Registrar
from sereno.flows.shadowing import forget_shadow, judge_shadows, shadow_detectors
from sereno.flows.standings import shadows_of
from sereno.prepare.checks import NO_REPEATS, check_window
from sereno.settings.tree import Settings
from sereno.store import StoredForecaster, StoredModel, Transaction

__all__ = [
    "RetrainStep",
    "Retrainer",
    "has_models_to_look_after",
    "learn_forecaster",
    "learns_by_itself",
    "look_after_models",
]

log = logging.getLogger(__name__)

RETRAIN = "retrain"
"""Kind of the job."""
_COMPARED_EVERY = timedelta(days=1)
_LEARNING = (RegistryEvent.LEARNT, RegistryEvent.POSTPONED, RegistryEvent.REJECTED)


class Outcome(StrEnum):
    """What a step did."""

    NOT_DUE = "not_due"
    TOO_FEW_DAYS = "too_few_days"
    BAD_DATA = "bad_data"
    UNCHANGED = "unchanged"
    """The same data and settings gave the same version."""
    LEARNT = "learnt"
    """A candidate is in the shadow."""
    WAITING = "waiting"
    """A version in the shadow has too few days yet."""
    PROMOTED = "promoted"
    REJECTED = "rejected"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RetrainStep:
    """What was done about one profile or group.

    Attributes:
        model: The version that it is about; empty where there is none.
    """

    profile: str
    outcome: Outcome
    model: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """For `--json` and for the job."""
        return {
            "profile": self.profile,
            "outcome": self.outcome.value,
            "model": self.model,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Retrainer:
    """Looks after the models of a workspace."""

    registrar: Registrar

    def due(self) -> list[str]:
        """Profiles and groups of which it is time to do something, told from clocks alone."""
        with self.registrar.store.read() as tx:
            champions = [one for one in tx.versions() if one.is_active]
            return [one.card.profile for one in champions if self._is_due(tx, one)]

    def look(self, *, is_asked: bool = False) -> list[RetrainStep]:
        """Do the next step for each profile and group.

        Args:
            is_asked: Somebody asks: as if the time since the last training had passed.

        Raises:
            ModelMissing: Nothing has been learnt yet.
        """
        with self.registrar.store.read() as tx:
            champions = [one for one in tx.versions() if one.is_active]
            due = {one.card.profile for one in champions if is_asked or self._is_due(tx, one)}
        if is_asked and not champions:
            raise ModelMissing(workspace=str(self.registrar.setup.folder))
        return [self._step(one) for one in champions if one.card.profile in due]

    def _is_due(self, tx: Transaction, champion: StoredModel | StoredForecaster) -> bool:
        settings, now = self.registrar.setup.settings.retrain, self.registrar.setup.clock()
        if not learns_by_itself(self.registrar.setup.settings):
            return False
        entries = tx.registry(champion.card.profile)
        shadows = shadows_of(tx, champion.card.profile)
        if shadows:
            own = [one for one in entries if one.model_id in shadows]
            begun = [one.at for one in own if one.event is RegistryEvent.SHADOW]
            tried = [one.at for one in own if one.event is RegistryEvent.COMPARED]
            is_over = now - max(begun) >= settings.shadow
            return is_over and (not tried or now - max(tried) >= _COMPARED_EVERY)
        waits = _COMPARED_EVERY if _is_postponed(entries) else settings.every
        if self._has_drifted(champion, entries):
            # Before so many days have passed there cannot be so many new ones.
            soonest = timedelta(days=settings.min_new_days)
            waits = soonest if waits is None else min(waits, soonest)
        return waits is not None and now - _last_tried(champion, entries) >= waits

    def _has_drifted(
        self, champion: StoredModel | StoredForecaster, entries: Sequence[RegistryEntry]
    ) -> bool:
        """Whether the watch for drift has told something since the champion, or another one, last learnt."""
        if not self.registrar.setup.settings.retrain.on_drift:
            return False
        since = _last_tried(champion, entries)
        return any(one.event is RegistryEvent.DRIFT and one.at > since for one in entries)

    def _step(self, champion: StoredModel | StoredForecaster) -> RetrainStep:
        """One step; what goes wrong with one group is no reason to leave the others alone."""
        profile = champion.card.profile
        with acting(Act("sereno", "", Door.ENGINE, "retrain", profile)):
            try:
                step = self._next(champion)
            except SerenoError as error:
                step = RetrainStep(profile, Outcome.FAILED, facts={"code": error.code, "error": str(error)})
        log.info("retraining looked", extra=step.to_json())
        return step

    def _next(self, champion: StoredModel | StoredForecaster) -> RetrainStep:
        profile = champion.card.profile
        with self.registrar.store.read() as tx:
            shadows = shadows_of(tx, profile)
            cause = "drift" if self._has_drifted(champion, tx.registry(profile)) else "time"
        if shadows:
            return self._decided(profile, shadows[-1])
        windows, until = self._unseen(champion)
        n_days, n_wanted = _whole_days(windows, until), self.registrar.setup.settings.retrain.min_new_days
        if n_days < n_wanted:
            return RetrainStep(profile, Outcome.TOO_FEW_DAYS, facts={"days": n_days, "wanted": n_wanted})
        bad, most = self._bad_share(champion, windows, until), self.registrar.setup.settings.retrain.max_bad
        if bad > most:
            facts = {"bad": round(bad, 4), "most": most, "days": n_days}
            self._postpone(profile, facts)
            return RetrainStep(profile, Outcome.BAD_DATA, facts=facts)
        card = self._learn(champion)
        if card.id == champion.card.id:
            return RetrainStep(profile, Outcome.UNCHANGED, card.id)
        self.registrar.send_to_shadow(card.id, reason=cause)
        return RetrainStep(
            profile, Outcome.LEARNT, card.id, {"days": n_days, "bad": round(bad, 4), "cause": cause}
        )

    def _decided(self, profile: str, version: str) -> RetrainStep:
        comparison = self.registrar.decide(version)
        outcome = {
            Opinion.BETTER: Outcome.PROMOTED,
            Opinion.TOO_FEW_DAYS: Outcome.WAITING,
        }.get(comparison.opinion, Outcome.REJECTED)
        if outcome is not Outcome.WAITING:
            with self.registrar.store.begin() as tx:
                forget_shadow(tx, version)
        return RetrainStep(profile, outcome, version, comparison.to_json())

    def _postpone(self, profile: str, facts: Mapping[str, object]) -> None:
        now = self.registrar.setup.clock()
        entry = RegistryEntry(profile, "", RegistryEvent.POSTPONED, now, "", "data quality", facts)
        with self.registrar.store.begin() as tx:
            tx.add_registry_entry(entry)

    def _learn(self, champion: StoredModel | StoredForecaster) -> ModelCard | ForecasterCard:
        setup, store = self.registrar.setup, self.registrar.store
        if isinstance(champion, StoredForecaster):
            return learn_forecaster(self.registrar, champion.card)
        profile = setup.profiles[champion.card.profile]
        with store.read() as tx:
            assets = tx.assets(profile.name)
        plan = training_plan(setup, profile, None, None)
        return shelve(setup, store, learn(store, assets, plan), is_candidate=True)

    def _unseen(
        self, champion: StoredModel | StoredForecaster
    ) -> tuple[list[Window], Mapping[AssetKey, datetime]]:
        """The whole history of the assets that a champion knows, and until when it knows each."""
        if isinstance(champion, StoredForecaster):
            windows = self.registrar.windows_of(champion.card)
            known = [one for one in windows if one.asset in champion.card.assets]
            return known, {one.asset: champion.card.until for one in known}
        model, store = self.registrar.shelf.version(champion), self.registrar.store
        with store.read() as tx:
            assets = [one for one in tx.assets(champion.card.profile) if one.key in model.layouts]
        until = {key: layout.until or champion.card.trained_at for key, layout in model.layouts.items()}
        return training_history(store, assets, None), until

    def _bad_share(
        self,
        champion: StoredModel | StoredForecaster,
        windows: Sequence[Window],
        until: Mapping[AssetKey, datetime],
    ) -> float:
        """Share of the new values that are missing or bad."""
        name = champion.card.profile
        if isinstance(champion, StoredForecaster):
            name = ForecasterGroup.of_card(champion.card).profile
        profile = self.registrar.setup.profiles[name]
        counts = np.array([_bad_cells(window, until[window.asset], profile) for window in windows])
        n_bad, n_cells = counts.reshape(-1, 2).sum(axis=0)
        return float(n_bad / n_cells) if n_cells else 1.0


def learn_forecaster(registrar: Registrar, champion: ForecasterCard) -> ForecasterCard:
    """A candidate for the group of a champion, with the options in force; nobody listens to it yet."""
    group, settings = ForecasterGroup.of_card(champion), registrar.setup.settings.forecast
    is_asked = group.kind == settings.kind
    wanted = ForecasterGroup(
        group.profile,
        group.signal,
        group.step,
        group.kind,
        settings.options if is_asked else group.options,
        group.days_ahead,
        settings.country or "",
    )
    windows = registrar.windows_of(champion)
    if not windows:
        raise HistoryTooShort(found="nothing", needed="readings of two days")
    shelf = ForecasterShelf(registrar.setup, registrar.store)
    return shelf.learn(wanted, windows, is_candidate=True)[0].card


def learns_by_itself(settings: Settings) -> bool:
    """Whether models are learnt anew without being asked: from time to time, or where drift is watched."""
    retrain = settings.retrain
    return retrain.every is not None or (retrain.on_drift and settings.drift.every is not None)


def has_models_to_look_after(registrar: Registrar) -> bool:
    """Whether drift is watched, models are learnt anew at all, or a detector judges in the shadow."""
    settings = registrar.setup.settings
    if learns_by_itself(settings) or settings.drift.every is not None:
        return True
    with registrar.store.read() as tx:
        return bool(shadow_detectors(tx))


def look_after_models(registrar: Registrar, jobs: JobRunner) -> None:
    """Let the shadows judge what is new, and ask for the jobs that look for drift and learn anew in time.

    However many engines look: one job of each kind is asked for within the hour.
    """
    judge_shadows(registrar.store, registrar.shelf, registrar.setup.profiles)
    setup = registrar.setup
    ask_for_drift(registrar.store, jobs, setup.settings.drift.every, setup.clock())
    if Retrainer(registrar).due():
        hour = registrar.setup.clock().strftime("%Y-%m-%dT%H")
        jobs.submit(RETRAIN, {}, author="sereno", request_key=f"{RETRAIN}/{hour}")


def _last_tried(champion: StoredModel | StoredForecaster, entries: Sequence[RegistryEntry]) -> datetime:
    """When the champion, or another one instead of it, was last learnt or to be learnt."""
    return max([champion.card.trained_at, *(one.at for one in entries if one.event in _LEARNING)])


def _is_postponed(entries: Sequence[RegistryEntry]) -> bool:
    tried = [one.event for one in entries if one.event in _LEARNING]
    return tried[-1:] == [RegistryEvent.POSTPONED]


def _whole_days(windows: Sequence[Window], until: Mapping[AssetKey, datetime]) -> int:
    """Most local days with values that any asset has after the end of what is known of it."""
    most = 0
    for window in windows:
        later = window.time > to_numpy(until[window.asset])
        known = later & ~np.isnan(window.values).all(axis=1)
        days = local_time(window.time[known], window.zone).astype("datetime64[D]")
        most = max(most, len(np.unique(days)))
    return most


def _bad_cells(window: Window, until: datetime, profile: Profile) -> tuple[int, int]:
    """New values that are missing or bad, and all that there should be."""
    first = int(np.searchsorted(window.time, to_numpy(until), side="right"))
    new = window.rows(first, len(window))
    if not len(new):
        return 0, 0
    clean = check_window(new, profile, Memory(), natural_repeats=NO_REPEATS).clean
    return int(np.isnan(clean.values).sum()), clean.values.size
