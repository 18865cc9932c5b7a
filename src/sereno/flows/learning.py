"""The models of a workspace: trained, kept on the shelf, taken from it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np

from sereno.domain.archive import digest_of
from sereno.domain.errors import FileMissing, HistoryTooShort, ModelCorrupt, ModelMissing, NoReadings
from sereno.domain.judgement import ModelCard
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import Span, to_numpy
from sereno.domain.version import VERSION
from sereno.flows.assets import whole_window
from sereno.flows.build import MODELS_FOLDER, Setup, calibration_rule, chosen_detector
from sereno.flows.lessons import rows_within
from sereno.flows.losses import write_losses
from sereno.flows.mlflow_export import log_training
from sereno.flows.models import TrainedModel, artefact_of, load_model, write_whole
from sereno.flows.pinning import is_pinned
from sereno.flows.segments import load_segmentation
from sereno.flows.train import TrainingPlan, train_profile
from sereno.store import Store, StoredAsset, StoredModel

__all__ = [
    "MODEL_SUFFIX",
    "ModelShelf",
    "learn",
    "rows_before",
    "shelve",
    "train_workspace",
    "training_history",
    "training_plan",
]

MODEL_SUFFIX = ".sereno"
_GONE = "the file is gone"
_NOT_THE_ONE = "it is another training than the one that the store knows by this name"


class ModelShelf:
    """The active model of each profile, loaded and verified once."""

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup = setup
        self._store = store
        self._loaded: dict[str, TrainedModel | None] = {}
        self._given: set[str] = set()
        self.n_forgotten = 0
        """How often all of them were looked at again."""

    def get(self, profile: str) -> TrainedModel | None:
        """The model that judges a profile; None before the first training.

        Raises:
            ModelCorrupt: Its artefact is not what the store says it is.
        """
        if profile not in self._loaded:
            with self._store.read() as tx:
                stored = tx.active_model(profile)
            model = self._loaded[profile] = None if stored is None else self.version(stored)
            return model
        return self._loaded.get(profile)

    def version(self, stored: StoredModel) -> TrainedModel:
        """Any version, loaded and verified.

        Raises:
            ModelCorrupt: Its artefact is not what the store says it is.
        """
        path = self._setup.folder / stored.path
        try:
            model = load_model(path, self._setup.profiles)
        except FileMissing as error:
            raise ModelCorrupt(file=str(path), detail=_GONE) from error
        if model.card.digest != stored.card.digest:
            raise ModelCorrupt(file=str(path), detail=_NOT_THE_ONE)
        return model.with_later(load_segmentation(self._setup.folder, model.card.profile))

    def refresh(self) -> bool:
        """Let go of models that another process has replaced since; those given to `use` stay.

        Returns:
            Whether there were any.
        """
        n_before = len(self._loaded)
        with self._store.read() as tx:
            for profile, model in list(self._loaded.items()):
                stored = tx.active_model(profile)
                is_current = (model and model.card.id) == (stored and stored.card.id)
                if profile not in self._given and not is_current:
                    del self._loaded[profile]
        return len(self._loaded) < n_before

    def use(self, model: TrainedModel) -> None:
        """Let a model judge its profile without the store knowing it."""
        self._loaded[model.card.profile] = model
        self._given.add(model.card.profile)

    def any(self) -> TrainedModel:
        """Some model, for judging records of unknown profile.

        Raises:
            ModelMissing: Nothing has been trained.
        """
        for profile in self._setup.profiles:
            model = self.get(profile)
            if model is not None:
                return model
        raise ModelMissing(workspace=str(self._setup.folder))

    def forget(self) -> None:
        """Look at the store again."""
        self._loaded.clear()
        self.n_forgotten += 1


def train_workspace(
    setup: Setup,
    store: Store,
    *,
    profile: str | None,
    detector: str | None,
    budget: float | None,
    before: datetime | None,
    told: Callable[[int, int], None] | None = None,
    is_candidate: bool = False,
) -> list[ModelCard]:
    """Train each profile that has assets; the new models become active together.

    Args:
        told: Hears before each profile how many are done, and of how many.
        is_candidate: Those that judge now go on; what is learnt waits to be compared with them.

    Raises:
        NoReadings: The store is empty, or has nothing of that profile.
        HistoryTooShort: No asset of any profile has enough readings.
        BudgetTooSmall: The asked budget cannot be supported.
        DetectorUnknown, ExtraMissing: The detector that was asked for is not here.
    """
    by_profile = _assets_by_profile(store, profile)
    if not by_profile:
        raise NoReadings(file=str(setup.folder), detail="nothing has been ingested yet")
    models, problem = [], None
    for n_done, (name, assets) in enumerate(by_profile.items()):
        if told is not None:
            told(n_done, len(by_profile))
        plan = training_plan(setup, setup.profiles[name], detector, budget)
        try:
            models.append(learn(store, assets, plan, before=before))
        except HistoryTooShort as error:
            problem = error
    if not models and problem is not None:
        raise problem
    return [shelve(setup, store, model, is_candidate=is_candidate) for model in models]


def _assets_by_profile(store: Store, profile: str | None) -> Mapping[str, Sequence[StoredAsset]]:
    with store.read() as tx:
        assets = tx.assets(profile)
    grouped: dict[str, list[StoredAsset]] = {}
    for asset in assets:
        grouped.setdefault(asset.profile, []).append(asset)
    return grouped


def training_plan(setup: Setup, profile: Profile, detector: str | None, budget: float | None) -> TrainingPlan:
    """How a profile is trained with the settings in force."""
    settings = setup.settings
    kind, chosen = chosen_detector(setup, profile, detector)
    found = load_segmentation(setup.folder, profile.name) if settings.segments.enabled else None
    return TrainingPlan(
        profile=profile,
        kind=kind,
        detector=chosen,
        rule=calibration_rule(setup),
        budget=settings.budget if budget is None else budget,
        is_budget_firm=budget is not None or "budget" in setup.loaded.origins,
        now=setup.clock(),
        code_version=VERSION,
        segments="" if found is None else found.digest,
        segment_of={} if found is None else {key: found.segment_of(key) for key in found.members()},
    )


def learn(
    store: Store, assets: Sequence[StoredAsset], plan: TrainingPlan, *, before: datetime | None = None
) -> TrainedModel:
    """The model of stored assets; what somebody found to be a fault in their history teaches nothing.

    Raises:
        HistoryTooShort, BudgetTooSmall: As `train_profile`.
    """
    plan = replace(plan, left_out=_found_faults(store, assets, now=plan.now))
    history = training_history(store, assets, before)
    try:
        return train_profile(history, plan)
    except HistoryTooShort as error:
        n_out = sum(int(rows_within(one, plan.left_out.get(one.asset, ())).sum()) for one in history)
        if not n_out:
            raise
        found = f"{n_out} rows of incidents closed as real or as a problem of the data do not count"
        raise HistoryTooShort(found=found, needed=str(error.facts["needed"])) from error


def _found_faults(
    store: Store, assets: Sequence[StoredAsset], *, now: datetime
) -> dict[AssetKey, tuple[Span, ...]]:
    """When each asset had what was closed as real or as a problem of the data; until now where it goes on."""
    keys = {asset.id: asset.key for asset in assets}
    with store.read() as tx:
        spans = tx.times_found_wrong(keys)
    return {
        keys[asset_id]: tuple((started_at, ended_at or now) for started_at, ended_at in found)
        for asset_id, found in spans.items()
    }


def training_history(store: Store, assets: Sequence[StoredAsset], before: datetime | None) -> list[Window]:
    """What there is to learn from, before an instant or at all."""
    windows = []
    for asset in assets:
        with store.read() as tx:
            window = whole_window(tx, asset)
        windows.append(rows_before(window, before))
    return [window for window in windows if len(window) and window.signals]


def rows_before(window: Window, before: datetime | None) -> Window:
    """The rows before an instant, or all."""
    return window if before is None else window.rows(0, int(np.searchsorted(window.time, to_numpy(before))))


def shelve(setup: Setup, store: Store, model: TrainedModel, *, is_candidate: bool = False) -> ModelCard:
    """Keep a model under the digest of its artefact, and let it judge from now on; gives its card.

    Args:
        is_candidate: Another one judges on, if there is one; so does one that settings name.
    """
    data = artefact_of(model)
    card = replace(model.card, digest=digest_of(data))
    path = Path(MODELS_FOLDER) / f"{card.digest}{MODEL_SUFFIX}"
    write_whole(setup.folder / path, data)
    write_losses(model, setup.folder / MODELS_FOLDER, setup.language)
    with store.begin() as tx:
        judges = tx.active_model(card.profile)
        is_candidate = is_candidate or is_pinned(setup, tx, card.profile)
        if is_candidate and judges is not None and judges.card.id == card.id:
            return judges.card
        tx.save_model(card, path.as_posix())
        if not is_candidate or judges is None:
            tx.activate_model(card.id)
    log_training(setup, card, setup.folder / path)
    return card
