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

import numpy as np

from sereno.detect.lstm_errors import (
    HIGHEST_MEDIAN,
    Index,
    bounded,
    limits_of,
    spread_of,
    told_by,
    wander_of,
)
from sereno.detect.lstm_network import Float32Array, Network
from sereno.detect.lstm_scale import AssetScale, Sequences, fit_scale
from sereno.detect.lstm_trained import SegmentModel, TrainedLstm
from sereno.detect.lstm_training import CHOSEN, Lesson, Recipe, Trained, train_networks
from sereno.detect.options import NO_RESULT
from sereno.domain.errors import HistoryTooShort
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["SMOOTHING", "LstmDetector", "SegmentModel", "TrainedLstm"]

SEQUENCE = 30
HOURLY_SEQUENCE = 24
SMOOTHING, HOURLY_SMOOTHING = 5, 3
_HOUR = timedelta(hours=1)
_LATER_SHARE = 0.15
"""Share of each asset's rows, the last ones, that no weight is learnt from."""
_MIN_ENDS = 8
"""Training sequences below which nothing can be learnt."""
_OWN_CAP = 1.5
"""An asset's own limits lie between those of its segment divided and multiplied by this."""


@dataclass(frozen=True, slots=True)
class LstmDetector:
    """LSTM autoencoders, one per segment.

    Attributes:
        profile: Gives the signals their meaning.
        segments: Segment of each asset (by key, or by name as in settings); those that are not named share
            one with all that have the same signals and step. Assets of a segment with other signals form one
            of their own.
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
    segments: Mapping[AssetKey | str, str] = field(default_factory=dict)
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
        name = self.segments.get(window.asset, self.segments.get(str(window.asset)))
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
        spread = spread_of(
            [error[m.later] for error, m in zip(raw, one.members, strict=True) if len(m.later)]
        )
        spread = spread * wander_of([member.scaled[member.learnt] for member in one.members])
        errors = [bounded(error, spread) for error in raw]
        smoothing = self.smoothing or (HOURLY_SMOOTHING if one.members[0].is_hourly else SMOOTHING)
        common = _common_limits(errors, one.members, smoothing)
        scales = {}
        for error, member in zip(errors, one.members, strict=True):
            if len(member.learnt):
                own = np.clip(
                    limits_of(error, smoothing, member.learnt), common / _OWN_CAP, common * _OWN_CAP
                )
                own[2] = min(own[2], HIGHEST_MEDIAN)
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
    def scaled(self) -> FloatArray:
        return self.scale.scaled(self.window.values)

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
    return member.scaled - told_by(network, member.inputs, ends, member.length)


def _common_limits(errors: Sequence[FloatArray], members: Sequence[_Member], smoothing: int) -> FloatArray:
    """Limits of a segment, the middle ones of its members: of all rows, or of the later ones if higher."""
    own = [
        np.maximum(limits_of(error, smoothing, member.later), limits_of(error, smoothing, member.learnt))
        for error, member in zip(errors, members, strict=True)
        if len(member.later)
    ]
    limits: FloatArray = np.median(own, axis=0)
    return limits
