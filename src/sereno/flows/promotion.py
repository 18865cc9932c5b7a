"""A version becomes champion where it was better on days that neither had seen, or somebody forces it."""

from dataclasses import dataclass

from sereno.domain.errors import (
    ForcingNeedsReason,
    ModelUnclear,
    NotFound,
    NoVersionBefore,
    PromotionRefused,
    PromotionTooEarly,
    UsageError,
)
from sereno.domain.judgement import ModelCard
from sereno.domain.readings import Window
from sereno.domain.registry import (
    Comparison,
    ForecasterCard,
    ModelState,
    Opinion,
    RegistryEntry,
    RegistryEvent,
)
from sereno.evaluate.pairing import MIN_DAYS
from sereno.flows.assets import whole_window
from sereno.flows.build import Setup
from sereno.flows.forecast_trials import compare_forecasters
from sereno.flows.forecasters import ForecasterGroup, ForecasterShelf
from sereno.flows.learning import ModelShelf
from sereno.flows.pinning import refuse_if_pinned
from sereno.flows.standings import states_of
from sereno.flows.succession import RECALIBRATED_FROM, find_version, judged_before
from sereno.flows.train import sound_window
from sereno.flows.trials import compare_detectors
from sereno.store import Store, StoredForecaster, StoredModel

__all__ = ["Promotion", "Registrar"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version that is champion now.

    Attributes:
        comparison: What it was promoted for; None where there was nobody to compare it with, where it had
            been champion before, or where it was forced.
    """

    card: ModelCard | ForecasterCard
    comparison: Comparison | None


@dataclass(frozen=True, slots=True)
class Registrar:
    """Compares and promotes the versions of a workspace."""

    setup: Setup
    store: Store
    shelf: ModelShelf

    def promote(
        self, version: str, *, actor: str = "", reason: str = "", is_forced: bool = False
    ) -> Promotion:
        """Let a version judge or forecast, if it is better than what does now.

        A version that was champion before comes back without a comparison.

        Raises:
            NotFound: There is no such version.
            PromotionRefused: It is not better; nothing was changed.
            PromotionTooEarly: That cannot be told yet; nothing was changed.
            ForcingNeedsReason: It is forced without a reason.
            VersionPinned: Settings name the version.
        """
        if is_forced and not reason.strip():
            raise ForcingNeedsReason(model=version)
        with self.store.read() as tx:
            found = find_version(tx, version)
            refuse_if_pinned(self.setup, tx, found.card.profile)
            states = states_of(tx, found.card.profile)
        known = states[found.card.id] in (ModelState.CHAMPION, ModelState.RETIRED)
        has_champion = ModelState.CHAMPION in states.values()
        comparison = None if known or is_forced or not has_champion else self.compare(version, actor=actor)
        if comparison is not None and comparison.opinion is not Opinion.BETTER:
            raise _refusal(comparison)
        with self.store.begin() as tx:
            tx.activate_model(found.card.id, actor=actor, reason=reason)
        return Promotion(found.card, comparison)

    def compare(self, version: str, *, actor: str = "") -> Comparison:
        """A version beside the champion on days that neither has seen; kept in the log.

        One that is not better is rejected from then on; of too few days nothing follows.

        Raises:
            NotFound: There is no such version.
            ModelCorrupt: An artefact is not what the store says it is.
        """
        with self.store.read() as tx:
            found = find_version(tx, version)
            every = tx.versions(found.card.profile)
        champion = next((one for one in every if one.is_active), found)
        comparison = self._compared(champion, found)
        is_decided = comparison.opinion in (Opinion.ALIKE, Opinion.WORSE)
        is_rejected = is_decided and champion.card.id != found.card.id
        event = RegistryEvent.REJECTED if is_rejected else RegistryEvent.COMPARED
        with self.store.begin() as tx:
            tx.add_registry_entry(
                RegistryEntry(
                    found.card.profile,
                    found.card.id,
                    event,
                    self.setup.clock(),
                    actor,
                    comparison.opinion.value,
                    {"comparison": comparison.to_json()},
                )
            )
        return comparison

    def decide(self, version: str) -> Comparison:
        """Compare a version, and let it judge or forecast where it is better.

        Raises:
            NotFound: There is no such version.
            ModelCorrupt: An artefact is not what the store says it is.
            VersionPinned: It is better, and settings name another.
        """
        comparison = self.compare(version)
        if comparison.opinion is Opinion.BETTER:
            with self.store.begin() as tx:
                refuse_if_pinned(self.setup, tx, find_version(tx, version).card.profile)
                told = f"better on {comparison.n_days} days that neither had seen"
                tx.activate_model(comparison.challenger, reason=told)
        return comparison

    def send_to_shadow(
        self, version: str, *, actor: str = "", reason: str = ""
    ) -> ModelCard | ForecasterCard:
        """Let a version judge or forecast beside the champion from now on, without anybody being told.

        Raises:
            NotFound: There is no such version.
            UsageError: It is the champion.
        """
        with self.store.begin() as tx:
            found = find_version(tx, version)
            card = found.card
            if found.is_active:
                raise UsageError(detail=f"{card.id} is the champion", command="models shadow")
            entry = RegistryEntry(
                card.profile, card.id, RegistryEvent.SHADOW, self.setup.clock(), actor, reason
            )
            tx.add_registry_entry(entry)
        return card

    def roll_back(self, profile: str | None, *, actor: str = "", reason: str = "") -> str:
        """Let the version judge, or forecast, again that did before the one of now; gives its id.

        Args:
            profile: A profile, or a group that is forecast together; only one profile has models when None.
            actor, reason: Who decided it and why; kept in its history.

        Raises:
            NoVersionBefore: It is the first.
            ModelUnclear: Several profiles have models and none was named.
            NotFound: There is no model.
            VersionPinned: Settings name the version of now.
        """
        with self.store.begin() as tx:
            versions = tx.models() if profile is None else tx.versions(profile)
            active = [one.card for one in versions if one.is_active]
            if len(active) > 1:
                raise ModelUnclear(profiles=", ".join(sorted(card.profile for card in active)))
            if not active:
                raise NotFound(what="model", id=profile or "*", hint="")
            refuse_if_pinned(self.setup, tx, active[0].profile)
            chain = judged_before(tx, active[0].profile)
            before = chain[-2] if len(chain) > 1 else _recalibrated_from(active[0])
            if before is None:
                raise NoVersionBefore(profile=active[0].profile)
            tx.activate_model(before, actor=actor, reason=reason)
        return before

    def _compared(
        self, champion: StoredModel | StoredForecaster, found: StoredModel | StoredForecaster
    ) -> Comparison:
        if isinstance(champion, StoredModel) and isinstance(found, StoredModel):
            profile = self.setup.profiles[champion.card.profile]
            one, other = self.shelf.version(champion), self.shelf.version(found)
            return compare_detectors(self.store, profile, one, other)
        assert isinstance(champion, StoredForecaster)
        assert isinstance(found, StoredForecaster)
        shelf = ForecasterShelf(self.setup, self.store)
        entrants = [(one.card.id, shelf.as_learnt(one), one.card.until) for one in (champion, found)]
        return compare_forecasters(self.windows_of(champion.card), champion.card.signal, *entrants)

    def windows_of(self, card: ForecasterCard) -> list[Window]:
        """The whole history of the assets that a forecaster's group forecasts, bad cells NaN."""
        group = ForecasterGroup.of_card(card)
        profile = self.setup.profiles[group.profile]
        windows = []
        with self.store.read() as tx:
            for asset in tx.assets(group.profile):
                window = whole_window(tx, asset)
                if window.step == group.step and group.signal in window.signals and len(window):
                    windows.append(sound_window(window, profile))
        return windows


def _recalibrated_from(card: ModelCard | ForecasterCard) -> str | None:
    """In stores that did not yet say who judged before."""
    named = card.settings.get(RECALIBRATED_FROM)
    return None if named is None else str(named)


def _refusal(found: Comparison) -> PromotionRefused:
    about: dict[str, str | float] = {
        "model": found.challenger,
        "champion": found.champion,
        "days": found.n_days,
    }
    if found.opinion is Opinion.TOO_FEW_DAYS:
        return PromotionTooEarly(**about, wanted=MIN_DAYS)
    figures = {name: _rounded(getattr(found, name)) for name in ("difference", "low", "high")}
    return PromotionRefused(**about, **figures)


def _rounded(figure: float) -> float:
    return float(f"{figure:.4g}")
