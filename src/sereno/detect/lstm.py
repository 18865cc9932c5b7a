"""LSTM autoencoders: a network per segment of assets, a scale per asset, an error per signal.

Each row is told from the sequence that ends in it, and only in it: what came before is context, so the score
falls with the first normal row after a fault and not a whole sequence later. A sequence never crosses a row
that is missing; single unknown cells are shown to the network as the asset's usual value and are not judged.
The error of a signal is measured in its errors on later rows than the network was trained on, so a signal
that wanders off by itself weighs little. Two statistics of the last few rows make the score: the mean error
(a shift) and the root mean squared error (a shake), the largest of all signals, in units of their calm 99 %
quantiles. Over a few rows rather than one, because noise leaves single rows strange; and counted from the
calm median on, because errors are never near 0 and an alarm must be able to end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from sereno.detect.lstm_network import Float32Array, Network
from sereno.detect.lstm_scale import AssetScale, Sequences, fit_scale, in_columns, in_window_order
from sereno.detect.lstm_training import CHOSEN, Lesson, Recipe, Trained, train_networks
from sereno.detect.options import NO_RESULT
from sereno.detect.pca import sum_in_order
from sereno.domain.archive import pack, unpack
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["SMOOTHING", "LstmDetector", "SegmentModel", "TrainedLstm"]

Index = npt.NDArray[np.intp]
SEQUENCE = 30
HOURLY_SEQUENCE = 24
SMOOTHING, HOURLY_SMOOTHING = 5, 3
_HOUR = timedelta(hours=1)
_LATER_SHARE = 0.15
"""Share of each asset's rows, the last ones, that no weight is learnt from."""
_MIN_ENDS = 8
"""Training sequences below which nothing can be learnt."""
_CALM_QUANTILE = 0.99
_BODY_QUANTILE = 0.95
_TAIL_CAP = 1.5
"""The 99 % quantile of a statistic is at most this many times its 95 % one: a fault in the history."""
_OWN_CAP = 1.5
"""An asset's own limits lie between those of its segment divided and multiplied by this."""
_NORMAL_95 = 1.959964
"""95 % quantile of the size of a standard normal variable."""
_MIN_SPREAD = 0.05
"""Least spread of the errors [spreads of the signal]: what repeats itself exactly is no reason for alarm."""
_LEAST_LIMITS = np.array([0.3, 0.5])
_HIGHEST_MEDIAN = 0.8
_MAX_ERROR = 1e6
_VALUES, _TIME = "lstm/values", "lstm/time"


@dataclass(frozen=True, slots=True)
class SegmentModel:
    """What the assets of a segment share.

    Attributes:
        length: Rows of a sequence.
        smoothing: Rows over which errors are taken together.
        spread: Of the errors of each signal [spreads of the asset], shape (signals,).
        losses: Training and validation loss of each epoch, shape (epochs, 2).
        recipe: Hyper-parameters that were chosen, by name.
        pooled: The scale of an asset that training never saw.
    """

    signals: tuple[str, ...]
    length: int
    smoothing: int
    network: Network
    spread: FloatArray
    losses: FloatArray
    recipe: Mapping[str, float]
    pooled: AssetScale

    def to_parts(self) -> tuple[dict[str, object], dict[str, np.ndarray]]:
        """What JSON holds and what arrays hold of it."""
        text = {
            "signals": list(self.signals),
            "length": self.length,
            "smoothing": self.smoothing,
            "recipe": dict(self.recipe),
            "pooled": self.pooled.to_json(),
        }
        arrays = {"spread": self.spread, "losses": self.losses}
        arrays |= {f"network/{name}": array for name, array in self.network.to_arrays().items()}
        return text, arrays | {f"pooled/{name}": array for name, array in self.pooled.to_arrays().items()}

    @classmethod
    def of(cls, text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "SegmentModel":
        """The model that `to_parts` described."""
        return cls(
            signals=tuple(text["signals"]),
            length=int(text["length"]),
            smoothing=int(text["smoothing"]),
            network=Network.from_arrays(_group(arrays, "network/")),
            spread=arrays["spread"],
            losses=arrays["losses"],
            recipe=text["recipe"],
            pooled=AssetScale.of(text["pooled"], _group(arrays, "pooled/")),
        )


@dataclass(frozen=True, slots=True)
class LstmDetector:
    """LSTM autoencoders, one per segment.

    Attributes:
        profile: Gives the signals their meaning.
        segments: Segment of each asset; those that are not named share one with all that have the same
            signals and step. Assets of a segment with other signals form one of their own.
        sequence: Rows of a sequence; None for 30, or 24 where a step lasts an hour or more.
        encoding_dim: Size of the code.
        learning_rate: First step size of Adam.
        epochs: Passes over the training sequences, at most.
        batch_size: Sequences of one step.
        grid: Values to choose among by the loss on later rows: lists under any of `encoding_dim`,
            `learning_rate`, `epochs`, `batch_size`.
        patience: Epochs without gain after which training stops.
        patience_lr: Epochs without gain after which the learning rate is halved.
        smoothing: Rows over which errors are taken together; None for 5, or 3 where a step lasts an hour or
            more.
        dropped: Share of the cells that the encoder does not see while it learns.
        max_sequences: Sequences of a segment that are learnt from; a seeded draw of more.
        seed: Of everything random.
        workers: Processes that train segments side by side; the result is the same.
    """

    profile: Profile
    segments: Mapping[AssetKey, str] = field(default_factory=dict)
    sequence: int | None = None
    encoding_dim: int = 16
    learning_rate: float = 5e-3
    epochs: int = 20
    batch_size: int = 64
    grid: Mapping[str, Sequence[float]] = field(default_factory=dict)
    patience: int = 5
    patience_lr: int = 2
    smoothing: int | None = None
    dropped: float = 0.1
    max_sequences: int = 8_192
    seed: int = 0
    workers: int = field(default=1, metadata=NO_RESULT)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.grid) - set(CHOSEN))
        if unknown:
            raise ValueError(f"the grid has no parameter '{unknown[0]}'")
        if self.sequence is not None and self.sequence < 2:
            raise ValueError(f"a sequence has at least 2 rows (found {self.sequence})")

    def fit(self, history: Sequence[Window]) -> "TrainedLstm":
        """Learn each segment of `history`; cells that are NaN teach nothing.

        Raises:
            ExtraMissing: The extra `deep` is not installed.
            HistoryTooShort: No segment has enough rows without a gap.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedLstm":
        """As `fit`, from sequences of which every row is marked in `use`.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        members = [self._member(window, rows) for window, rows in zip(history, use, strict=True)]
        groups: dict[str, list[_Member]] = {}
        for member in members:
            groups.setdefault(member.segment, []).append(member)
        classes = [_Class(name, tuple(group)) for name, group in sorted(groups.items())]
        taught = [one for one in classes if one.n_training >= _MIN_ENDS and one.n_later]
        if not taught:
            found = max((one.n_training for one in classes), default=0)
            needed = f"{_MIN_ENDS} sequences without a gap"
            raise HistoryTooShort(found=f"{found} sequences to train on", needed=needed)
        trained = train_networks([self._lesson(one) for one in taught], workers=self.workers)
        models, scales = {}, {}
        for one, result in zip(taught, trained, strict=True):
            models[one.name], own = self._model(one, result)
            scales.update(own)
        return TrainedLstm(self.profile, scales, models)

    def _member(self, window: Window, use: BoolArray) -> "_Member":
        length = self.sequence or (HOURLY_SEQUENCE if _is_hourly(window.step) else SEQUENCE)
        name = self.segments.get(window.asset)
        kind = f"{', '.join(window.signals)} · {window.step}"
        segment = kind if name is None else f"{name} · {kind}"
        scale = fit_scale(window, use, segment)
        inputs = scale.inputs(window.values, window.time)
        ends = Sequences.of(window.time, window.values, window.step, length).within(use)
        n_later = max(1, round(_LATER_SHARE * len(ends)))
        later = ends[len(ends) - n_later :]
        training = ends[: max(0, len(ends) - n_later - length + 1)]
        return _Member(window.asset, segment, length, window, scale, inputs, training, later)

    def _lesson(self, one: "_Class") -> Lesson:
        rng = np.random.default_rng([self.seed, *one.name.encode()])
        offsets = np.cumsum([0, *(len(member.inputs) for member in one.members)])
        ends = [member.training + at for member, at in zip(one.members, offsets[:-1], strict=True)]
        later = [member.later + at for member, at in zip(one.members, offsets[:-1], strict=True)]
        return Lesson(
            name=one.name,
            inputs=np.concatenate([member.inputs for member in one.members]),
            is_known=np.concatenate([~np.isnan(member.window.values) for member in one.members]),
            ends=_drawn(np.concatenate(ends), self.max_sequences, rng),
            later=_drawn(np.concatenate(later), round(_LATER_SHARE * self.max_sequences), rng),
            length=one.members[0].length,
            seed=self.seed,
            recipes=self._recipes(),
        )

    def _recipes(self) -> tuple[Recipe, ...]:
        axes = [tuple(self.grid.get(name, (getattr(self, name),))) for name in CHOSEN]
        recipes = []
        for encoding_dim, learning_rate, epochs, batch_size in product(*axes):
            chosen = (int(encoding_dim), float(learning_rate), int(epochs), int(batch_size))
            recipes.append(Recipe(*chosen, self.patience, self.patience_lr, self.dropped))
        return tuple(recipes)

    def _model(self, one: "_Class", trained: Trained) -> tuple[SegmentModel, dict[AssetKey, AssetScale]]:
        """Spread of the errors and limits, from the rows after those that weights were learnt from."""
        raw = [_errors(member, trained.network) for member in one.members]
        spread = _spread(np.concatenate([error[m.later] for error, m in zip(raw, one.members, strict=True)]))
        errors = [_bounded(error, spread) for error in raw]
        smoothing = self.smoothing or (HOURLY_SMOOTHING if one.members[0].is_hourly else SMOOTHING)
        common = _common_limits(errors, one.members, smoothing)
        scales = {}
        for error, member in zip(errors, one.members, strict=True):
            if len(member.learnt):
                own = np.clip(_limits(error, smoothing, member.learnt), common / _OWN_CAP, common * _OWN_CAP)
                own[2] = min(own[2], _HIGHEST_MEDIAN)
                scales[member.asset] = replace(member.scale, limits=own)
        model = SegmentModel(
            signals=one.members[0].window.signals,
            length=one.members[0].length,
            smoothing=smoothing,
            network=trained.network,
            spread=spread,
            losses=trained.losses,
            recipe=trained.recipe.chosen,
            pooled=AssetScale.middle(list(scales.values()), common),
        )
        return model, scales

    def load(self, state: bytes) -> "TrainedLstm":
        """The trained detector that `TrainedLstm.dump` wrote; needs no framework."""
        return TrainedLstm.from_bytes(state, self.profile)


@dataclass(frozen=True, slots=True)
class TrainedLstm:
    """Frozen; everything that scoring needs, without the framework that trained it."""

    profile: Profile
    assets: Mapping[AssetKey, AssetScale]
    segments: Mapping[str, SegmentModel]

    @property
    def lookback(self) -> timedelta:
        """None: the rows before are in its memory."""
        return timedelta(0)

    @property
    def losses(self) -> Mapping[str, FloatArray]:
        """Training and validation loss of each epoch by segment, shape (epochs, 2)."""
        return {name: model.losses for name, model in self.segments.items()}

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return asset in self.assets

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row in units of the calm 99 % quantile; NaN until a sequence is whole.

        An asset that training never saw is judged by the segment whose signals it shares.
        """
        scale, model = self._of(window)
        values, time = in_columns(window, model.signals), window.time
        n_before = 0
        if memory is not None and _VALUES in memory.arrays:
            before = memory.arrays[_VALUES]
            n_before = len(before)
            values = np.concatenate([before, values])
            time = np.concatenate([memory.arrays[_TIME], time])
        told = self._told(values, time, scale, model, first=n_before - model.smoothing + 1)
        errors = _bounded(scale.scaled(values) - told, model.spread)
        shift, shake = (part[n_before:] for part in _smoothed(errors, model.smoothing))
        parts = np.stack([_largest(shift), _largest(shake)], axis=1) / scale.limits[:2]
        guilty = np.where((parts[:, 0] >= parts[:, 1])[:, None], shift, shake)
        expected = told[n_before:] * scale.spread + scale.centre
        scores = Scores(
            time=window.time,
            values=_from_median(parts.max(axis=1), scale.limits[2]),
            contributions=in_window_order(window, model.signals, _shares(guilty)),
            expected=in_window_order(window, model.signals, expected),
            is_telling=~np.isnan(window.values),
        )
        n_kept = model.length + model.smoothing - 2
        return scores, Memory({_VALUES: values[-n_kept:], _TIME: time[-n_kept:]})

    def _of(self, window: Window) -> tuple[AssetScale, SegmentModel]:
        """The asset's own scale and its segment's model; for a stranger those of the nearest kind."""
        known = self.assets.get(window.asset)
        if known is not None:
            return known, self.segments[known.segment]

        def nearness(model: SegmentModel) -> tuple[int, bool]:
            return len(set(model.signals) & set(window.signals)), model.pooled.step == window.step

        model = max(self.segments.values(), key=nearness)
        return model.pooled, model

    def _told(
        self, values: FloatArray, time: TimeArray, scale: AssetScale, model: SegmentModel, *, first: int
    ) -> FloatArray:
        """What the network makes of each row from `first` on, as spreads, (rows, signals)."""
        ends = Sequences.of(time, values, scale.step, model.length).ends
        return _told(model.network, scale.inputs(values, time), ends[ends >= first], model.length)

    def dump(self) -> bytes:
        """An archive of arrays and a JSON index; never a pickle."""
        arrays: dict[str, np.ndarray] = {}
        assets, segments = [], []
        for i, (key, scale) in enumerate(sorted(self.assets.items())):
            assets.append({"site": key.site, "asset": key.asset, **scale.to_json()})
            arrays |= {f"a{i}/{name}": array for name, array in scale.to_arrays().items()}
        for i, (name, model) in enumerate(sorted(self.segments.items())):
            text, parts = model.to_parts()
            segments.append({"name": name, **text})
            arrays |= {f"s{i}/{name}": array for name, array in parts.items()}
        return pack({"assets": assets, "segments": segments}, arrays)

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedLstm":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
        """
        found, arrays = unpack(state)
        header: Mapping[str, Any] = found
        assets = {
            AssetKey(text["site"], text["asset"]): AssetScale.of(text, _group(arrays, f"a{i}/"))
            for i, text in enumerate(header["assets"])
        }
        segments = {
            text["name"]: SegmentModel.of(text, _group(arrays, f"s{i}/"))
            for i, text in enumerate(header["segments"])
        }
        return cls(profile, assets, segments)


@dataclass(frozen=True, slots=True)
class _Member:
    """An asset in training: its inputs and the last rows of its earlier and later sequences."""

    asset: AssetKey
    segment: str
    length: int
    window: Window
    scale: AssetScale
    inputs: Float32Array
    training: Index
    later: Index

    @property
    def learnt(self) -> Index:
        return np.concatenate([self.training, self.later])

    @property
    def is_hourly(self) -> bool:
        return _is_hourly(self.window.step)


@dataclass(frozen=True, slots=True)
class _Class:
    """A segment in training."""

    name: str
    members: tuple[_Member, ...]

    @property
    def n_training(self) -> int:
        return sum(len(member.training) for member in self.members)

    @property
    def n_later(self) -> int:
        return sum(len(member.later) for member in self.members)


def _is_hourly(step: timedelta | None) -> bool:
    return step is not None and step >= _HOUR


def _drawn(ends: Index, limit: int, rng: np.random.Generator) -> Index:
    return ends if len(ends) <= limit else np.sort(rng.choice(ends, limit, replace=False))


def _errors(member: _Member, network: Network) -> FloatArray:
    """Values less what the network makes of them [spreads], NaN where no sequence ends, (rows, signals)."""
    window = member.window
    ends = Sequences.of(window.time, window.values, window.step, member.length).ends
    return member.scale.scaled(window.values) - _told(network, member.inputs, ends, member.length)


def _told(network: Network, inputs: Float32Array, ends: Index, length: int) -> FloatArray:
    told = np.full((len(inputs), len(network.output_bias)), np.nan)
    if len(ends):
        told[ends] = network.reconstruct(inputs, ends, length)
    return told


def _spread(errors: FloatArray) -> FloatArray:
    """Spread of the errors of each signal, that of a signal without any 1, shape (signals,)."""
    columns = [np.abs(column[~np.isnan(column)]) for column in errors.T]
    body = [np.quantile(one, _BODY_QUANTILE) / _NORMAL_95 if len(one) else 1.0 for one in columns]
    return np.maximum(body, _MIN_SPREAD)


def _bounded(errors: FloatArray, spread: FloatArray) -> FloatArray:
    return np.clip(errors / spread, -_MAX_ERROR, _MAX_ERROR)


def _smoothed(errors: FloatArray, n_rows: int) -> tuple[FloatArray, FloatArray]:
    """Mean and root mean square of the errors of the last rows, unknown ones as none, (rows, signals) both.

    NaN where the row itself is unknown.
    """
    known = np.nan_to_num(errors)
    total, squares = known.copy(), known * known
    for back in range(1, n_rows):
        earlier = known[: max(len(known) - back, 0)]
        total[back:] += earlier
        squares[back:] += earlier * earlier
    nothing = np.where(np.isnan(errors), np.nan, 0.0)
    return total / n_rows + nothing, np.sqrt(squares / n_rows) + nothing


def _largest(errors: FloatArray) -> FloatArray:
    """Size of the largest error of each row; NaN where none is known."""
    sizes = np.where(np.isnan(errors), -1.0, np.abs(errors)).max(axis=1, initial=-1.0)
    return np.where(sizes < 0, np.nan, sizes)


def _shares(errors: FloatArray) -> FloatArray:
    """Share of each signal in the squared errors of a row; NaN where nothing was judged."""
    squares = np.nan_to_num(errors) ** 2
    total = sum_in_order(squares)[:, None]
    shares = squares / np.where(total > 0, total, 1.0)
    is_unknown: BoolArray = np.asarray(np.isnan(errors).all(axis=1))
    return np.where(is_unknown[:, None], np.nan, shares)


def _limits(errors: FloatArray, smoothing: int, rows: Index) -> FloatArray:
    """What the statistics are divided by so that the calm 99 % quantile of the larger is 1, and its median.

    Held down where a fault sits among those rows.
    """
    parts = [_largest(part)[rows] for part in _smoothed(errors, smoothing)]
    each = np.maximum([_calm_limit(part) for part in parts], _LEAST_LIMITS)
    together = np.max([part / limit for part, limit in zip(parts, each, strict=True)], axis=0)
    joint = max(_calm_limit(together), 1.0)
    return np.array([*(each * joint), min(float(np.median(together)) / joint, _HIGHEST_MEDIAN)])


def _from_median(statistic: FloatArray, median: float) -> FloatArray:
    """0 up to the calm median, still 1 at the calm 99 % quantile."""
    return np.maximum((statistic - median) / (1.0 - median), 0.0)


def _common_limits(errors: Sequence[FloatArray], members: Sequence[_Member], smoothing: int) -> FloatArray:
    """Limits of a segment: of all its rows, or of the later ones where these are less well known."""
    offsets = np.cumsum([0, *(len(error) for error in errors)])[:-1]
    pooled = np.concatenate(errors)
    later = np.concatenate([m.later + at for m, at in zip(members, offsets, strict=True)])
    learnt = np.concatenate([m.learnt + at for m, at in zip(members, offsets, strict=True)])
    limits: FloatArray = np.maximum(_limits(pooled, smoothing, later), _limits(pooled, smoothing, learnt))
    return limits


def _calm_limit(values: FloatArray) -> float:
    return float(min(np.quantile(values, _CALM_QUANTILE), _TAIL_CAP * np.quantile(values, _BODY_QUANTILE)))


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
