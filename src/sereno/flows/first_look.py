"""Verdicts of rows that have just come, before what follows from them is worked out.

A verdict needs the checks of the row and little else. What follows, slow levels, detections and incidents,
costs more than the verdict and is the same however many rows it is worked out for: who waits for a verdict
need not wait for it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy
from sereno.flows.assets import JUDGE, Standing, next_window, resumed, standings_of
from sereno.flows.fleet import Neighbours
from sereno.flows.judge import Case, raised, weigh_windows
from sereno.flows.models import TrainedModel
from sereno.flows.score import JudgedRows
from sereno.prepare.checks import Checked
from sereno.store import Look, StoredAsset, Transaction

__all__ = ["FirstLook"]

_MOST_ROWS = 1_000
"""Rows of an asset that are looked at before they are judged: more are a history, and nobody waits for it."""
_UNDER_WAY = "episode/"
"""Begins the names of what is remembered of detections that go on: checks of rows look at them, too."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Where an asset stands after the rows that were looked at.

    Attributes:
        until: The last of them.
        is_asked: They are asked to be judged.
    """

    standing: Standing
    until: datetime
    model_id: str
    is_asked: bool = True


class FirstLook:
    """Looks at rows that come next and asks for them to be judged.

    Where assets stand is kept at hand from one transaction to the next, as long as nobody else writes.
    Not safe to share between threads that look.

    Attributes:
        n_lost: How often somebody else may have written since the transaction before.
    """

    def __init__(self) -> None:
        self.n_lost = 0
        self._known: dict[int, _Known] = {}
        self._seen: Look | None = None

    def resume(self, tx: Transaction) -> None:
        """Begin or go on in a transaction; what may have changed since the last one is let go."""
        look, before = tx.look(), self._seen
        if look is None or before is None or not (look == before or look.follows(before)):
            self._known.clear()
            self.n_lost += 1
        self._seen = look

    def let_go(self, asset_ids: Collection[int]) -> None:
        """These are judged in another way."""
        for asset_id in asset_ids:
            self._known.pop(asset_id, None)

    def judged(
        self, tx: Transaction, standing: Standing, memory: Memory, until: datetime, model_id: str
    ) -> None:
        """An asset has been judged as far as a row; rows that came meanwhile are asked for."""
        asset_id, known = standing.asset.id, self._known.get(standing.asset.id)
        span = tx.span(asset_id) if known is None else None
        newest = known.until if known is not None else until if span is None else span[1]
        if newest > until:
            tx.ask_next({asset_id: newest}, JUDGE)
        else:
            after = replace(standing, last_at=until, memory=memory, before=None)
            self._known[asset_id] = _Known(after, until, model_id, is_asked=False)

    def look(
        self,
        tx: Transaction,
        assets: Sequence[StoredAsset],
        first: Mapping[int, np.datetime64],
        touched: Mapping[int, np.datetime64],
        profile: Profile,
        model: TrainedModel | None,
        neighbours: Neighbours,
    ) -> dict[int, JudgedRows]:
        """What is said of the new rows of assets of one profile, by id; they are asked to be judged later.

        Assets without twins. Left out are those to be judged at once: from the beginning, or many rows.

        Args:
            first: The earliest instant of each asset that is new or other than it was, by id.
            touched: The same, where its peers have told something earlier: that is left to judging.
        """
        self.resume(tx)
        coming = []
        for standing in self._standings(tx, assets, first, touched, model):
            window = next_window(standing)
            if 0 < len(window) <= _MOST_ROWS:
                coming.append((standing, window))
        neighbours.expect([(standing.asset, window.time) for standing, window in coming], model)
        cases = [_case(tx, *one, model, neighbours) for one in coming]
        found: dict[int, JudgedRows] = {}
        for (standing, window), case, one in zip(
            coming, cases, weigh_windows(cases, profile, model), strict=True
        ):
            self._keep(standing, window, one, model)
            evidence = [raised(said, case.factors.get(said.check, 1.0)) for said in one.evidence]
            found[standing.asset.id] = [(one.window, evidence)]
        return found

    def _standings(
        self,
        tx: Transaction,
        assets: Sequence[StoredAsset],
        first: Mapping[int, np.datetime64],
        touched: Mapping[int, np.datetime64],
        model: TrainedModel | None,
    ) -> list[Standing]:
        """Where assets stand before their new rows, of those that have been judged before."""
        known = {
            asset.id: one
            for asset in assets
            if (one := self._known.pop(asset.id, None)) is not None
            and one.standing.asset == asset
            and one.model_id == _model_id(asset, model)
            and one.until < from_numpy(first[asset.id])
        }
        at_hand = {one.asset.id: one for one in resumed(tx, [one.standing for one in known.values()])}
        others = [asset for asset in assets if asset.id not in at_hand]
        judged = [
            one
            for asset, one in zip(others, standings_of(tx, others, model, first), strict=True)
            if one.last_at is not None and one.asset == asset
        ]
        asking = [one.asset.id for one in judged]
        asking += [one for one in at_hand if not known[one].is_asked or touched[one] < first[one]]
        tx.ask_next({one: from_numpy(touched[one]) for one in asking}, JUDGE)
        return [*at_hand.values(), *judged]

    def _keep(self, standing: Standing, window: Window, checked: Checked, model: TrainedModel | None) -> None:
        arrays = {name: part for name, part in standing.memory.arrays.items() if name.startswith(_UNDER_WAY)}
        until, memory = from_numpy(window.time[-1]), Memory({**arrays, **checked.memory.arrays})
        after = replace(standing, last_at=until, memory=memory, before=None)
        self._known[standing.asset.id] = _Known(after, until, _model_id(standing.asset, model))


def _case(
    tx: Transaction, standing: Standing, window: Window, model: TrainedModel | None, neighbours: Neighbours
) -> Case:
    reference = neighbours.reference(standing.asset, model, window.time)
    return Case(window, standing.memory, None, reference, tx.threshold_factors(standing.asset.id))


def _model_id(asset: StoredAsset, model: TrainedModel | None) -> str:
    return "" if model is None else model.id_for(asset.key)
