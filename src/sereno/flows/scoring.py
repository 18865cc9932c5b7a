"""Judging the whole store, or what a batch touched."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sereno.contracts import MIN_ROWS
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy
from sereno.flows.assets import JUDGE
from sereno.flows.build import Setup, life_policy
from sereno.flows.engines import HeldLease
from sereno.flows.first_look import FirstLook
from sereno.flows.fleet import Neighbours, touched_with_peers
from sereno.flows.learning import ModelShelf
from sereno.flows.life import Recorder
from sereno.flows.put_off import PutOff
from sereno.flows.score import AssetOutcome, JudgedRows, score_assets
from sereno.flows.sharing import share_blocks
from sereno.flows.status import Status
from sereno.flows.twins import has_twins, touched_with_twins
from sereno.store import Appended, Store, StoredAsset, Transaction

__all__ = ["ScoreReport", "Scoring"]

_MOST_TOGETHER, _MOST_ROWS_TOGETHER = 250, 20_000
"""Assets, and new rows of theirs, that are judged together: what is held of them meanwhile is bounded."""


@dataclass(slots=True)
class ScoreReport:
    """What judging the store changed.

    Attributes:
        models: Model that judged behaviour, by profile; None where nothing has been trained.
        rows_until_behaviour: Rows that the best asset of an untrained profile still lacks for training.
        flags: Rows flagged beside their values, by reason; flags are not incidents.
        status: How much of the last data is abnormal; None where nothing has been judged.
    """

    n_assets: int = 0
    n_rows: int = 0
    n_detections: int = 0
    n_opened: int = 0
    models: dict[str, str | None] = field(default_factory=dict)
    rows_until_behaviour: dict[str, int] = field(default_factory=dict)
    flags: Counter[str] = field(default_factory=Counter)
    status: Status | None = None

    def add(self, outcome: AssetOutcome) -> None:
        """Count one asset in."""
        self.n_assets += 1
        self.n_rows += outcome.n_rows
        self.n_detections += outcome.n_detections
        self.n_opened += outcome.n_opened
        self.flags.update(outcome.flags)

    def to_json(self) -> dict[str, object]:
        """For `score --json`."""
        return {
            "assets": self.n_assets,
            "rows": self.n_rows,
            "detections": self.n_detections,
            "incidents_opened": self.n_opened,
            "models": self.models,
            "rows_until_behaviour": self.rows_until_behaviour,
            "flags": dict(self.flags),
            "status": None if self.status is None else self.status.to_json(),
        }


class Scoring:
    """Judges assets with the models on the shelf.

    Attributes:
        put_off: Judges what was put off.
    """

    def __init__(self, setup: Setup, store: Store, shelf: ModelShelf) -> None:
        self.setup = setup
        self._store = store
        self._shelf = shelf
        self._policy = life_policy(setup)
        self._first_look = FirstLook()
        self.put_off = PutOff(setup, store, shelf, self._first_look, self._policy)

    def score_all(self, told: Callable[[int, int], None] | None = None) -> ScoreReport:
        """Every asset, a transaction each; engines that do it at the same time share them block by block.

        Args:
            told: Hears before each asset how many are done, and of how many.
        """
        report, done = ScoreReport(), set[int]()
        with self._store.read() as tx:
            assets = tx.assets()

        def score_block(block: Sequence[StoredAsset], lease: HeldLease) -> None:
            for asset in (one for one in block if one.id not in done):
                if told is not None:
                    told(len(done), len(assets))
                self._score_asset(asset, lease, report)
                done.add(asset.id)

        share_blocks(self._store, "score", assets, score_block)
        return report

    def _score_asset(self, asset: StoredAsset, lease: HeldLease, report: ScoreReport) -> None:
        with self._store.begin() as tx:
            lease.hold(tx)
            tx.lock_assets([asset.id])
            recorder = self._recorder(tx)
            (outcome,) = self._score(tx, [asset], {}, recorder)
            recorder.settle()
        report.add(outcome)
        self._note_model(asset, report)

    def resume(self, tx: Transaction) -> None:
        """Go on with what is at hand, before anything is stored that is hurried."""
        self._first_look.resume(tx)

    def judge_touched(
        self,
        tx: Transaction,
        ids: Mapping[AssetKey, int],
        appended: Appended,
        profile: Profile,
        *,
        told: Callable[[JudgedRows], None] | None = None,
        puts_off: bool = False,
        hurried: Collection[AssetKey] = (),
    ) -> int:
        """Judge what a batch added, in the batch's own transaction, and what it tells of twins and peers.

        Args:
            told: Hears the judged rows of each asset.
            puts_off: Only ask for assets without rows in the batch to be judged again (`put_off`).
            hurried: Of these, rows that come next are only looked at, and asked to be judged.

        Returns:
            Assets that were put off.
        """
        first = {ids[key]: instant for key, instant in appended.first_touched.items()}
        assets, touched = self._concerned(tx, first, profile, set(appended.first_touched))
        n_asked = 0
        if puts_off:
            since = {one: from_numpy(at) for one, at in touched.items()}
            others = {one: at for one, at in since.items() if one not in first}
            if hurried:
                others = self._first_look.not_asked(others)
            n_asked = tx.ask_again(others, JUDGE) if others else 0
            self.put_off.tell(since)
            touched = {one: at for one, at in touched.items() if one in first}
        self._first_look.movements.let_go(appended.first_touched)
        at_hand = self._first_look.movements if hurried else None
        recorder, neighbours = self._recorder(tx), Neighbours(tx, assets, at_hand)
        now = [one for one in assets if one.id in touched]
        if hurried and not has_twins(profile):
            hasty = [one for one in now if one.id in first and one.key in hurried]
            model = self._shelf.get(profile.name)
            seen = self._first_look.look(tx, hasty, first, touched, profile, model, neighbours)
            n_asked += len(seen)
            now = [one for one in now if one.id not in seen]
            if told is not None:
                for judged in seen.values():
                    told(judged)
        self._first_look.let_go([one.id for one in now])
        n_rows = {ids[key]: len(times) for key, times in appended.new_times.items()}
        for together in self._groups(now, n_rows):
            keeps = told is not None
            for outcome in self._score(tx, together, touched, recorder, neighbours, keeps_judged=keeps):
                if told is not None:
                    told(outcome.judged)
        recorder.settle()
        return n_asked

    def judge_at_once(
        self, tx: Transaction, ids: Mapping[AssetKey, int], appended: Appended, profile: Profile
    ) -> None:
        """Judge all that a batch concerns, in the batch's own transaction."""
        self.judge_touched(tx, ids, appended, profile)

    def _recorder(self, tx: Transaction) -> Recorder:
        return Recorder(tx, self._policy, now=self.setup.clock())

    def lock_concerned(self, tx: Transaction, ids: Mapping[AssetKey, int], profile: Profile) -> None:
        """Keep other engines away from all that judging a batch may concern, until its transaction ends."""
        if not self._store.is_shared:
            return
        first = dict.fromkeys(ids.values(), np.datetime64(0, "us"))
        _, touched = self._concerned(tx, first, profile, set(ids))
        tx.lock_assets(list(touched))

    def _concerned(
        self, tx: Transaction, first: Mapping[int, np.datetime64], profile: Profile, keys: set[AssetKey]
    ) -> tuple[Sequence[StoredAsset], Mapping[int, np.datetime64]]:
        """Assets to look at, and the first instant of each of them that new rows concern, by id.

        Args:
            keys: Of the assets in `first`.
        """
        model = self._shelf.get(profile.name)
        if has_twins(profile):
            assets = tx.assets(profile.name)
            touched = touched_with_twins(first, profile, assets)
            return assets, touched_with_peers(touched, model, assets)
        asking = set[AssetKey]() if model is None else model.peers.peering.those_asking_any(keys)
        assets = tx.assets(profile.name, sites={key.site for key in keys | asking})
        return assets, touched_with_peers(first, model, assets)

    def _groups(
        self, assets: Sequence[StoredAsset], n_rows: Mapping[int, int]
    ) -> Iterator[list[StoredAsset]]:
        """Assets that are judged together: of one profile, not too much at a time.

        What the check of an asset marks is seen by its twin: where there are twins, each goes alone.

        Args:
            n_rows: New rows by id of the asset.
        """
        group: list[StoredAsset] = []
        n_in_group = 0
        for asset in assets:
            own, profile = n_rows.get(asset.id, 1), self.setup.profiles[asset.profile]
            is_full = len(group) >= _MOST_TOGETHER or n_in_group + own > _MOST_ROWS_TOGETHER
            if group and (is_full or group[0].profile != asset.profile or has_twins(profile)):
                yield group
                group, n_in_group = [], 0
            group.append(asset)
            n_in_group += own
        if group:
            yield group

    def _score(
        self,
        tx: Transaction,
        assets: Sequence[StoredAsset],
        touched: Mapping[int, np.datetime64],
        recorder: Recorder,
        neighbours: Neighbours | None = None,
        *,
        keeps_judged: bool = False,
    ) -> list[AssetOutcome]:
        """Judge assets of one profile together."""
        name = assets[0].profile
        return score_assets(
            tx,
            assets,
            self.setup.profiles[name],
            self._shelf.get(name),
            recorder=recorder,
            touched=touched,
            neighbours=neighbours,
            keeps_judged=keeps_judged,
        )

    def _note_model(self, asset: StoredAsset, report: ScoreReport) -> None:
        model = self._shelf.get(asset.profile)
        report.models[asset.profile] = None if model is None else model.card.id
        if model is None:
            with self._store.read() as tx:
                lacking = max(0, MIN_ROWS - len(tx.rows(asset.id, asset.profile)))
            known = report.rows_until_behaviour.get(asset.profile, lacking)
            report.rows_until_behaviour[asset.profile] = min(known, lacking)
