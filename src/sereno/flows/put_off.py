"""Judging what was put off, step by step: whoever comes between two steps does not wait for the rest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sereno.domain.failpoints import reach
from sereno.flows.assets import JUDGE
from sereno.flows.build import Setup
from sereno.flows.first_look import FirstLook
from sereno.flows.learning import ModelShelf
from sereno.flows.life import LifePolicy, Recorder
from sereno.flows.models import TrainedModel
from sereno.flows.score import Judging, begin_judging, finish_judging, score_assets
from sereno.flows.stretches import judge_next
from sereno.store import Store, StoredAsset, Transaction, WatchState

__all__ = ["Progress", "PutOff"]

_ROWS_IN_A_STEP = 16
_MANY_ROWS = 512
"""Of so many nobody expects to be done soon: they are judged in the longest stretches that there are."""
_MOST_IN_A_ROUND = 10_000


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step came to.

    Attributes:
        n_judged: Assets that it has finished.
        is_round_over: All that were put off when the round began have had their turn.
        is_done: Nothing is put off.
    """

    n_judged: int = 0
    is_round_over: bool = False
    is_done: bool = False


@dataclass(slots=True)
class _UnderWay:
    """An asset that is being judged, as it was when that began.

    Attributes:
        n_lost: Of the first look, by then.
        told: The earliest of its rows that came, or were told something, since.
    """

    judging: Judging
    state: WatchState | None
    model: TrainedModel | None
    n_lost: int
    told: datetime | None = None

    @property
    def asset(self) -> StoredAsset:
        return self.judging.asset

    def is_as_it_was(self, now: WatchState | None) -> bool:
        """Whether nobody has judged it since; that somebody asked for it does not count."""
        if now is None or self.state is None:
            return now is self.state
        return replace(now, again_from=None) == replace(self.state, again_from=None)


class PutOff:
    """Judges assets that were put off, one after the other, and none again before all had their turn.

    Args:
        first_look: What is kept at hand of assets whose rows were looked at.
    """

    def __init__(
        self, setup: Setup, store: Store, shelf: ModelShelf, first_look: FirstLook, policy: LifePolicy
    ) -> None:
        self._setup = setup
        self._store = store
        self._shelf = shelf
        self._first_look = first_look
        self._policy = policy
        self._round: list[int] | None = None
        """Assets that still have to be judged in this round; None between two."""
        self._under_way: _UnderWay | None = None

    def go_on(self) -> Progress:
        """The next step: begin with an asset, judge some of its rows, or keep what judging them gave.

        Raises:
            StoreError: The store refused; the asset is asked for as before.
        """
        one, self._under_way = self._under_way, None
        if one is None:
            return self._begin()
        course = one.judging.course
        if not course.is_done:
            most = _ROWS_IN_A_STEP if len(course.window) < _MANY_ROWS else None
            judge_next([course], self._setup.profiles[one.asset.profile], one.model, most=most)
            self._under_way = one
            return Progress()
        self._finish(one)
        return Progress(n_judged=1)

    def tell(self, first: Mapping[int, datetime]) -> None:
        """Rows of assets, by id from an instant on, came or are to be judged again."""
        one = self._under_way
        if one is not None and one.asset.id in first:
            told = first[one.asset.id]
            one.told = told if one.told is None else min(told, one.told)

    def _begin(self) -> Progress:
        with self._store.read() as tx:
            if self._round is None:
                self._round = tx.asked_again(JUDGE, limit=_MOST_IN_A_ROUND) or None
                if self._round is None:
                    return Progress(is_done=True)
            if not self._round:
                self._round = None
                return Progress(is_round_over=True)
            asset_id = self._round.pop(0)
            assets = tx.assets(ids=[asset_id])
            if assets and not self._store.is_shared:
                self._under_way = self._begun(tx, assets[0])
        if self._under_way is not None or not assets:
            return Progress()
        # On a server nobody can say what others write meanwhile. And what was asked in vain is asked no more.
        with self._store.begin() as tx:
            self._first_look.resume(tx)
            self._judge_whole(tx, assets[0])
        return Progress(n_judged=1)

    def _begun(self, tx: Transaction, asset: StoredAsset) -> _UnderWay | None:
        """An asset on its way; None where there is nothing to judge."""
        profile, model = self._setup.profiles[asset.profile], self._shelf.get(asset.profile)
        state = tx.watch_states([asset.id], JUDGE).get(asset.id)
        judging = begin_judging(tx, [asset], profile, model)
        return _UnderWay(judging[0], state, model, self._first_look.n_lost) if judging else None

    def _finish(self, one: _UnderWay) -> None:
        """Keep what was found; where others may have changed what it was found in, judge it anew at once."""
        asset, judging, model = one.asset, one.judging, one.model
        reach("put_off.before_keeping")
        with self._store.begin() as tx:
            self._first_look.resume(tx)
            tx.assets(asset.profile, sites={asset.key.site})  # at hand: then nobody asks whose it is
            is_same = one.is_as_it_was(tx.watch_states([asset.id], JUDGE).get(asset.id))
            is_same &= one.n_lost == self._first_look.n_lost and model is self._shelf.get(asset.profile)
            if not is_same:
                self._judge_whole(tx, asset)
                return
            recorder = self._recorder(tx)
            finish_judging(tx, [judging], model, recorder=recorder)
            recorder.settle()
            self._first_look.judged(tx, judging, model, one.told)

    def _judge_whole(self, tx: Transaction, asset: StoredAsset) -> None:
        """Judge all that is to be judged of an asset; then nothing is asked of it any more."""
        self._first_look.let_go([asset.id])
        tx.lock_assets([asset.id])
        recorder, profile = self._recorder(tx), self._setup.profiles[asset.profile]
        (outcome,) = score_assets(tx, [asset], profile, self._shelf.get(asset.profile), recorder=recorder)
        recorder.settle()
        state = None if outcome.n_rows else tx.watch_states([asset.id], JUDGE).get(asset.id)
        if state is not None:
            tx.save_watch_states({asset.id: replace(state, again_from=None)}, JUDGE)

    def _recorder(self, tx: Transaction) -> Recorder:
        return Recorder(tx, self._policy, now=self._setup.clock())
