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
from sereno.flows.fleet import Movements, Neighbours
from sereno.flows.judge import Case, raised, weigh_windows
from sereno.flows.models import TrainedModel
from sereno.flows.score import JudgedRows, Judging
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
        asked_from: From when on rows are asked to be judged; None where none are.
        factors: What people's verdicts multiplied its thresholds by, by check.
    """

    standing: Standing
    until: datetime
    model_id: str
    asked_from: datetime | None
    factors: Mapping[str, float]


class FirstLook:
    """Looks at rows that come next and asks for them to be judged.

    Where assets stand is kept at hand from one transaction to the next, as long as nobody else writes.
    Not safe to share between threads that look.

    Attributes:
        n_lost: How often somebody else may have written since the transaction before.
        movements: What assets show their peers, as long as whoever stores rows lets go of it.
    """

    def __init__(self) -> None:
        self.n_lost = 0
        self.movements = Movements()
        self._known: dict[int, _Known] = {}
        self._seen: Look | None = None

    def resume(self, tx: Transaction) -> None:
        """Begin or go on in a transaction; what may have changed since the last one is let go."""
        look, before = tx.look(), self._seen
        if look is None or before is None or not (look == before or look.follows(before)):
            self._known.clear()
            self.movements.clear()
            self.n_lost += 1
        self._seen = look
        tx.go_on()

    def let_go(self, asset_ids: Collection[int]) -> None:
        """These are judged in another way."""
        for asset_id in asset_ids:
            self._known.pop(asset_id, None)

    def not_asked(self, first: Mapping[int, datetime]) -> dict[int, datetime]:
        """Those assets of which rows from an instant on are not known to be asked for already."""
        return {one: at for one, at in first.items() if not self._is_asked(self._known.get(one), at)}

    def judged(
        self, tx: Transaction, judging: Judging, model: TrainedModel | None, told: datetime | None
    ) -> None:
        """An asset has been judged as far as a row; what came meanwhile is asked for.

        Args:
            told: The earliest of its rows that came, or were told something, since that began.
        """
        asset, last = judging.standing.asset, judging.course.stretches[-1]
        known, until = self._known.pop(asset.id, None), last.last_at
        span = tx.span(asset.id) if known is None else None
        newest = known.until if known is not None else until if span is None else span[1]
        waiting = [newest] if newest > until else []
        waiting += [told] if told is not None and told <= until else []
        asked_from = min(waiting, default=None)
        if asked_from is not None:
            tx.ask_next({asset.id: asked_from}, JUDGE)
        if newest <= until:
            after = replace(judging.standing, last_at=until, memory=last.memory, before=None)
            factors = judging.course.beside.factors
            self._known[asset.id] = _Known(after, until, _model_id(asset, model), asked_from, factors)
        elif known is not None:
            self._known[asset.id] = replace(known, asked_from=asked_from)

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
        coming = []
        for one in self._standings(tx, assets, first, touched, model):
            window = next_window(one.standing)
            if 0 < len(window) <= _MOST_ROWS:
                coming.append((one, window))
        neighbours.expect([(one.standing.asset, window.time) for one, window in coming], model)
        cases = [_case(*one, model, neighbours) for one in coming]
        found: dict[int, JudgedRows] = {}
        for (one, _), case, checked in zip(coming, cases, weigh_windows(cases, profile, model), strict=True):
            self._known[one.standing.asset.id] = _after(one, case, checked)
            evidence = [raised(said, one.factors.get(said.check, 1.0)) for said in checked.evidence]
            found[one.standing.asset.id] = [(checked.window, evidence)]
        return found

    def _standings(
        self,
        tx: Transaction,
        assets: Sequence[StoredAsset],
        first: Mapping[int, np.datetime64],
        touched: Mapping[int, np.datetime64],
        model: TrainedModel | None,
    ) -> list[_Known]:
        """Where assets stand before their new rows, of those that have been judged before."""
        known = {
            asset.id: one
            for asset in assets
            if (one := self._known.pop(asset.id, None)) is not None
            and one.standing.asset == asset
            and one.model_id == _model_id(asset, model)
            and one.until < from_numpy(first[asset.id])
        }
        going_on = resumed(tx, [one.standing for one in known.values()])
        found = {one.asset.id: replace(known[one.asset.id], standing=one) for one in going_on}
        others = [asset for asset in assets if asset.id not in found]
        for asset, standing in zip(others, standings_of(tx, others, model, first), strict=True):
            if standing.last_at is not None and standing.asset == asset:
                factors = tx.threshold_factors(asset.id)
                found[asset.id] = _Known(standing, standing.last_at, _model_id(asset, model), None, factors)
        told = {asset_id: from_numpy(touched[asset_id]) for asset_id in found}
        asking = {asset_id: at for asset_id, at in told.items() if not self._is_asked(found[asset_id], at)}
        tx.ask_next(asking, JUDGE)
        return [replace(one, asked_from=asking.get(name, one.asked_from)) for name, one in found.items()]

    @staticmethod
    def _is_asked(known: _Known | None, at: datetime) -> bool:
        """Whether rows from an instant on are known to be asked for."""
        return known is not None and known.asked_from is not None and known.asked_from <= at


def _case(known: _Known, window: Window, model: TrainedModel | None, neighbours: Neighbours) -> Case:
    reference = neighbours.reference(known.standing.asset, model, window.time)
    return Case(window, known.standing.memory, None, reference, known.factors)


def _after(known: _Known, case: Case, checked: Checked) -> _Known:
    """Where an asset stands after rows that were looked at."""
    arrays = {name: part for name, part in case.memory.arrays.items() if name.startswith(_UNDER_WAY)}
    until, memory = from_numpy(case.window.time[-1]), Memory({**arrays, **checked.memory.arrays})
    return replace(
        known, standing=replace(known.standing, last_at=until, memory=memory, before=None), until=until
    )


def _model_id(asset: StoredAsset, model: TrainedModel | None) -> str:
    return "" if model is None else model.id_for(asset.key)
