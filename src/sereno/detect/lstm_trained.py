"""A trained LSTM autoencoder: a network and its limits per segment, a scale per asset; needs NumPy alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from sereno.detect.lstm_errors import bounded, from_median, largest, shares_of, smoothed, told_by
from sereno.detect.lstm_network import Network
from sereno.detect.lstm_scale import AssetScale, Sequences, in_columns, in_window_order
from sereno.domain.archive import pack, unpack
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import FloatArray, TimeArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["SegmentModel", "TrainedLstm"]

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
        errors = bounded(scale.scaled(values) - told, model.spread)
        shift, shake = (part[n_before:] for part in smoothed(errors, model.smoothing))
        parts = np.stack([largest(shift), largest(shake)], axis=1) / scale.limits[:2]
        guilty = np.where((parts[:, 0] >= parts[:, 1])[:, None], shift, shake)
        expected = told[n_before:] * scale.spread + scale.centre
        scores = Scores(
            time=window.time,
            values=from_median(parts.max(axis=1), scale.limits[2]),
            contributions=in_window_order(window, model.signals, shares_of(guilty)),
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
        return told_by(model.network, scale.inputs(values, time), ends[ends >= first], model.length)

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


def _group(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}
