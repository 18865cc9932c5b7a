"""A trained pool: forecasts, learns a day more, and is written as arrays."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from sereno.calendars.days import DAY_COLUMNS
from sereno.contracts import TrainedForecaster
from sereno.domain.archive import ArchiveError, pack, unpack
from sereno.domain.calendar import DAY, step_end
from sereno.domain.errors import NothingToForecast, StepUnsupported
from sereno.domain.forecasts import QUANTILES, Forecast, Tier
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.forecast.bands import ORIGINS_PER_DAY, sizes
from sereno.forecast.boost import BOOST, BoostModel, BoostOptions
from sereno.forecast.features import LOOKBACK_DAYS
from sereno.forecast.following import Following
from sereno.forecast.mixing import effective, mixed, section_of
from sereno.forecast.naive import DAY_BEFORE, WEEK_BEFORE, last_known
from sereno.forecast.panel import Panel, build_panel, slots_of, steps_ahead
from sereno.forecast.pool import WEATHER, Learnt, Plan, Taught
from sereno.forecast.ridge import AS_YESTERDAY, OWN, POOLED, VARIANTS, RidgeModel, RidgeOptions, Sums
from sereno.forecast.succeeding import succeed

__all__ = ["TrainedPool", "load_pool"]

_OWN_DAYS = 28.0
"""Days with values from which on a meter has a model of its own."""
_LEVELS = np.array(QUANTILES)
_SPARE_DAYS = 3
_HOLIDAY_WIDTH = 2.0
"""Chosen by the interval score of five training months of a city."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A window that is to be forecast: its steps ahead, and where they lie on the clock on the wall."""

    window: Window
    time: TimeArray
    slots: np.ndarray
    cut: int
    """Slot after that of the last known value."""
    cut_off: np.datetime64


@dataclass(frozen=True, slots=True)
class TrainedPool:
    """What `learn` learnt, ready to forecast."""

    learnt: Learnt

    @property
    def lookback(self) -> timedelta:
        """History before the origin that a forecast makes use of."""
        return (LOOKBACK_DAYS + self.learnt.plan.ridge.days_ahead + _SPARE_DAYS) * DAY

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.learnt.keys

    def forecast(self, window: Window, origin: datetime, horizon: timedelta) -> Forecast:
        """See `TrainedForecaster`."""
        made = self.forecast_many([window], origin, horizon)
        if not made:
            raise NothingToForecast(
                signal=self.learnt.plan.signal, asset=str(window.asset), origin=isoformat(origin)
            )
        return made[0]

    def forecast_many(
        self, windows: Sequence[Window], origin: datetime, horizon: timedelta
    ) -> list[Forecast]:
        """See `TrainedForecaster`."""
        groups: dict[tuple[int, int, int], list[tuple[int, _Asked]]] = {}
        for place, window in enumerate(windows):
            asked = self._asked(window, origin, horizon)
            if asked is not None and len(asked.slots):
                key = asked.cut, int(asked.slots[0]), int(asked.slots[-1])
                groups.setdefault(key, []).append((place, asked))
        made: dict[int, Forecast] = {}
        for (cut, _, last), members in groups.items():
            quantiles, tiers = self._quantiles([one for _, one in members], cut, last)
            for row, (place, asked) in enumerate(members):
                chosen = quantiles[row, asked.slots - cut]
                made[place] = self._forecast(asked, origin, chosen, tiers[row, asked.slots - cut])
        return [made[place] for place in sorted(made)]

    def refit(self, history: Sequence[Window]) -> TrainedForecaster:
        """See `TrainedForecaster`."""
        return TrainedPool(succeed(self.learnt, history))

    def dump(self) -> bytes:
        """See `TrainedForecaster`."""
        return _dump(self.learnt)

    def _asked(self, window: Window, origin: datetime, horizon: timedelta) -> _Asked | None:
        """What is asked of a window; None where it holds no value before the origin."""
        step, signal = self.learnt.step, self.learnt.plan.signal
        if window.step != step:
            raise StepUnsupported(found=f"{window.step}, {step}")
        if signal not in window.signals:
            return None
        begin = to_numpy(origin)
        width = np.timedelta64(
            round((step + (DAY / 24 if step == DAY else timedelta(0))).total_seconds()), "s"
        )
        stop = int(np.searchsorted(window.time, begin - width, side="right"))
        while stop < len(window) and step_end(window.time[stop], step, window.zone) <= begin:
            stop += 1
        start = int(np.searchsorted(window.time, begin - np.timedelta64(self.lookback)))
        column = window.values[start:stop, window.signals.index(signal)]
        known = np.flatnonzero(np.isfinite(column))
        if not len(known):
            return None
        last = window.time[start + known[-1] : start + known[-1] + 1]
        ahead = steps_ahead(origin, horizon, step, window.zone, window)
        cut = int(slots_of(last, step, window.zone)[0]) + 1
        part = replace(_masked(window.rows(start, len(window)), stop - start, signal))
        slots = slots_of(ahead, step, window.zone)
        return _Asked(part, ahead, np.maximum(slots, cut), cut, step_end(last[0], step, window.zone))

    def _quantiles(self, asked: Sequence[_Asked], cut: int, last: int) -> tuple[FloatArray, np.ndarray]:
        """Quantiles (meters, steps, levels) and ranks of tiers (meters, steps) of the slots [cut, last]."""
        learnt, per_day = self.learnt, self.learnt.per_day
        n_steps = last + 1 - cut
        reach = LOOKBACK_DAYS + -(-n_steps // per_day) + 1
        span = cut // per_day - reach, last // per_day + 1
        panel = build_panel(
            [one.window for one in asked],
            learnt.plan.signal,
            days_ahead=0,
            country=learnt.plan.country,
            covariates=learnt.plan.covariates,
            span=span,
        )
        origin = cut - panel.first_slot
        panel = panel.until(origin)
        return self.quantiles([one.window.asset for one in asked], panel, origin, n_steps)

    def quantiles(
        self, assets: Sequence[AssetKey], panel: Panel, origin: int, n_steps: int
    ) -> tuple[FloatArray, np.ndarray]:
        """Quantiles (meters, steps, levels) and ranks of tiers (meters, steps) of the steps after a slot.

        Args:
            panel: Of these assets, with `lookback` before the origin and all steps in it.
            origin: Slot, counted from the panel's first; no value from it on may be there.
        """
        learnt, per_day = self.learnt, panel.per_day
        index = {key: row for row, key in enumerate(learnt.keys)}
        rows = np.array([index.get(key, -1) for key in assets])
        weights = self._weights(rows)
        said = learnt.taught.predict(panel, rows, np.array([origin]), n_steps, learnt.members)
        middle = mixed(said, weights, per_day)[:, 0]
        is_naive = np.isnan(middle) | self._is_silent(said, weights)
        tiers = np.where(is_naive, Tier.SEASONAL_NAIVE.rank, self._best(rows, weights)[:, None])
        naive = said[learnt.members.index(WEEK_BEFORE)][:, 0]
        naive = np.where(np.isnan(naive), last_known(panel, origin, n_steps), naive)
        wide = np.where(is_naive, self._ratio(rows)[:, None], 1.0)
        middle = np.where(is_naive, naive, middle)
        size = sizes(panel.values, np.array([origin]), per_day)
        spread = self._bands(rows, origin % per_day, n_steps) * wide[..., None]
        centre = spread[..., QUANTILES.index(0.5), None]
        spread = centre + (spread - centre) * _holiday_width(panel, origin, n_steps)[..., None]
        quantiles = middle[..., None] + size[..., None] * spread
        is_lost: BoolArray = np.logical_or.reduce(np.isnan(quantiles), axis=2)
        some = is_lost.any(axis=1)
        constant = _constant(panel.values[some, :origin])[:, None]
        quantiles[some] = np.where(is_lost[some, :, None], constant, quantiles[some])
        tiers = np.where(is_lost, Tier.CONSTANT.rank, tiers)
        positive = (rows < 0) | learnt.is_positive[rows]
        never = positive & ~(np.nan_to_num(panel.values) < 0).any(axis=1)
        quantiles = np.where(never[:, None, None], np.maximum(quantiles, 0.0), quantiles)
        return np.sort(quantiles, axis=2), tiers

    @property
    def _grown(self) -> np.ndarray:
        """Rows of the meters with a model of their own; of all where none has one."""
        grown: np.ndarray = np.flatnonzero(self.learnt.n_days >= _OWN_DAYS)
        return grown if len(grown) else np.arange(len(self.learnt.keys))

    def _weights(self, rows: np.ndarray) -> FloatArray:
        """Of each meter; one of few days has the fleet's, and the fleet's model in place of its own."""
        learnt = self.learnt
        fleet = learnt.weights[self._grown].mean(axis=0)
        fleet = fleet / np.maximum(fleet.sum(axis=1, keepdims=True), 1e-9)
        young = (rows < 0) | (learnt.n_days[rows] < _OWN_DAYS)
        weights: FloatArray = np.where(young[:, None, None], fleet[None], learnt.weights[rows])
        if OWN in learnt.members:
            own, pooled = learnt.members.index(OWN), learnt.members.index(POOLED)
            weights[young, :, pooled] += weights[young, :, own]
            weights[young, :, own] = 0.0
        return effective(weights)

    def _is_silent(self, said: Sequence[np.ndarray], weights: FloatArray) -> BoolArray:
        """Steps at which members with a model have weight and none of them says anything, (meters, steps)."""
        of_steps = weights[:, section_of(np.arange(said[0].shape[2]), self.learnt.per_day)]
        has_weight, speaks = np.zeros((2, *of_steps.shape[:2]), dtype=np.bool_)
        for place, (name, one) in enumerate(zip(self.learnt.members, said, strict=True)):
            if name not in (DAY_BEFORE, WEEK_BEFORE):
                counts = of_steps[:, :, place] > 0
                has_weight |= counts
                speaks |= counts & ~np.isnan(one[:, 0])
        silent: BoolArray = has_weight & ~speaks
        return silent

    def _best(self, rows: np.ndarray, weights: FloatArray) -> np.ndarray:
        """Rank of the tier that each meter's mixture is of, shape (meters,)."""
        members = self.learnt.members
        learnt = [i for i, name in enumerate(members) if name not in (DAY_BEFORE, WEEK_BEFORE)]
        own = [i for i in learnt if members[i] in (OWN, WEATHER)]
        is_learnt = weights[:, :, learnt].any(axis=(1, 2))
        is_own = weights[:, :, own].any(axis=(1, 2)) | (
            BOOST in members and self.learnt.n_days[rows] >= _OWN_DAYS
        )
        best: np.ndarray = np.where(
            is_own & is_learnt,
            Tier.HIERARCHICAL.rank,
            np.where(is_learnt, Tier.POOLED.rank, Tier.SEASONAL_NAIVE.rank),
        )
        return best

    def _ratio(self, rows: np.ndarray) -> FloatArray:
        ratio = self.learnt.naive_ratio
        found: FloatArray = np.where(rows >= 0, ratio[rows], np.median(ratio))
        return found

    def _bands(self, rows: np.ndarray, slot: int, n_steps: int) -> FloatArray:
        """Errors to add to the middle, in sizes of the meter, shape (meters, steps, levels)."""
        bands = self.learnt.bands
        part = slot * min(ORIGINS_PER_DAY, self.learnt.per_day) // self.learnt.per_day
        steps = np.minimum(np.arange(n_steps), bands.shape[2] - 1)
        table = bands[:, part][:, steps]
        grown = table[self._grown]
        middle = np.median if np.isfinite(grown).all() else np.nanmedian
        fleet = middle(grown, axis=0) if np.isfinite(grown).any() else grown[0]
        is_known = (
            (rows >= 0) & (self.learnt.n_days[rows] >= _OWN_DAYS) & np.isfinite(table[rows]).all(axis=(1, 2))
        )
        found: FloatArray = np.where(is_known[:, None, None], table[rows], fleet[None])
        return found

    def _forecast(
        self, asked: _Asked, origin: datetime, quantiles: FloatArray, tiers: np.ndarray
    ) -> Forecast:
        return Forecast(
            asset=asked.window.asset,
            signal=self.learnt.plan.signal,
            origin=origin,
            cut_off=from_numpy(asked.cut_off),
            step=self.learnt.step,
            time=asked.time,
            levels=QUANTILES,
            quantiles=quantiles,
            tier=list(Tier)[int(tiers.max())],
            model=self.learnt.plan.kind,
        )


def _masked(window: Window, stop: int, signal: str) -> Window:
    """The window without values of the signal from a row on."""
    values = window.values.copy()
    values[stop:, window.signals.index(signal)] = np.nan
    return replace(window, values=values)


def _holiday_width(panel: Panel, origin: int, n_steps: int) -> FloatArray:
    """How many times wider a band is, shape (meters, steps): few public holidays are in the last weeks."""
    days = np.minimum((origin + np.arange(n_steps)) // panel.per_day, panel.day_types.shape[1] - 1)
    is_holiday = panel.day_types[:, days, DAY_COLUMNS.index("holiday")] > 0
    return np.where(is_holiday, _HOLIDAY_WIDTH, 1.0)


def _constant(values: FloatArray) -> FloatArray:
    """Quantiles of all values of each meter, shape (meters, levels)."""
    found = np.full((len(values), len(_LEVELS)), np.nan)
    for row, known in enumerate(~np.isnan(values)):
        if known.any():
            found[row] = np.quantile(values[row, known], _LEVELS)
    return found


def _dump(learnt: Learnt) -> bytes:
    header = {
        "plan": asdict(learnt.plan),
        "step_s": learnt.step.total_seconds(),
        "keys": [[key.site, key.asset] for key in learnt.keys],
        "until": learnt.until,
        "n_taught": learnt.n_taught,
        "members": list(learnt.members),
        "ridges": list(learnt.taught.ridges),
        "boost_days": None if learnt.taught.boost is None else learnt.taught.boost.days_ahead,
    }
    arrays: dict[str, np.ndarray] = {
        "weights": learnt.weights,
        "errors": learnt.errors,
        "bands": learnt.bands,
        "naive_ratio": learnt.naive_ratio,
        "n_days": learnt.n_days,
        "is_positive": learnt.is_positive,
    }
    for name, model in learnt.taught.ridges.items():
        sums = learnt.taught.sums[name]
        arrays |= {f"ridge{name}/own": model.own, f"ridge{name}/pooled": model.pooled}
        arrays |= {
            f"ridge{name}/products": sums.products,
            f"ridge{name}/n_rows": sums.n_rows,
            f"ridge{name}/told": sums.told,
        }
        for variant, one in model.following.items():
            arrays |= {f"ridge{name}/{variant}/{part}": getattr(one, part) for part in _PARTS}
    if learnt.taught.boost is not None:
        arrays["boost"] = np.frombuffer(learnt.taught.boost.text.encode(), dtype=np.uint8)
    return pack(header, arrays)


_PARTS = ("own", "pooled", "gram", "cross")


def load_pool(state: bytes) -> TrainedPool:
    """The trained pool that `dump` wrote.

    Raises:
        ArchiveError: The bytes are no such archive.
    """
    header, arrays = unpack(state)
    try:
        return TrainedPool(_learnt(header, arrays))
    except (KeyError, TypeError, AttributeError) as error:
        raise ArchiveError(f"it is no forecaster ({error})") from error


def _learnt(header: dict, arrays: dict[str, np.ndarray]) -> Learnt:  # type: ignore[type-arg]
    said = dict(header["plan"])
    plan = Plan(
        **{
            **said,
            "members": tuple(said["members"]),
            "covariates": tuple(said["covariates"]),
            "ridge": RidgeOptions(**said["ridge"]),
            "boost": BoostOptions(**said["boost"]),
        }
    )
    ridges, sums = {}, {}
    for name in header["ridges"]:
        base = f"ridge{name}/"
        following = {
            variant: Following(**{part: arrays[f"{base}{variant}/{part}"] for part in _PARTS})
            for variant in (*VARIANTS, AS_YESTERDAY)
            if f"{base}{variant}/own" in arrays
        }
        ridges[name] = RidgeModel(arrays[f"{base}own"], arrays[f"{base}pooled"], following)
        products = arrays[f"{base}products"]
        told = arrays.get(f"{base}told", np.arange(products.shape[-1] - 1))  # once all of them were kept
        sums[name] = Sums(products, arrays[f"{base}n_rows"], told)
    boost = None
    if header["boost_days"] is not None:
        boost = BoostModel(arrays["boost"].tobytes().decode(), int(header["boost_days"]))
    own = {
        name: arrays[name] for name in ("weights", "errors", "bands", "naive_ratio", "n_days", "is_positive")
    }
    return Learnt(
        plan=plan,
        step=timedelta(seconds=header["step_s"]),
        keys=tuple(AssetKey(site, asset) for site, asset in header["keys"]),
        until=int(header["until"]),
        n_taught=int(header["n_taught"]),
        taught=Taught(ridges, sums, boost),
        members=tuple(header["members"]),
        **own,
    )
