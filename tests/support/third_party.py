"""A detector as another package would bring it: how far a row is from each signal's own median."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.contracts import MIN_ROWS
from sereno.domain.archive import pack, unpack
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

Learnt = dict[AssetKey, tuple[tuple[str, ...], FloatArray]]
"""Signals, and median, spread and calm limit of each, shape (3, signals)."""


@dataclass(frozen=True)
class MedianDetector:
    """Distance from the median.

    Attributes:
        quantile: Of the calm distances, that scores are in units of.
    """

    profile: Profile
    quantile: float = 0.99

    def fit(self, history: Sequence[Window]) -> "TrainedMedian":
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedMedian":
        learnt: Learnt = {}
        for window, rows in zip(history, use, strict=True):
            values = window.values[rows & ~np.isnan(window.values).any(axis=1)]
            if len(values) >= MIN_ROWS:
                median, spread = np.median(values, axis=0), values.std(axis=0) + 1e-9
                limit = np.quantile((np.abs(values - median) / spread).max(axis=1), self.quantile)
                learnt[window.asset] = window.signals, np.stack([median, spread, np.full(len(median), limit)])
        if not learnt:
            raise HistoryTooShort(found="too little", needed=f"{MIN_ROWS} rows")
        return TrainedMedian(self.profile, learnt)

    def load(self, state: bytes) -> "TrainedMedian":
        header, arrays = unpack(state)
        keys = [AssetKey(*pair) for pair in header["assets"]]
        signals = [tuple(names) for names in header["signals"]]
        return TrainedMedian(
            self.profile,
            {k: (s, arrays[f"a{i}"]) for i, (k, s) in enumerate(zip(keys, signals, strict=True))},
        )


@dataclass(frozen=True)
class TrainedMedian:
    profile: Profile
    learnt: Learnt

    @property
    def lookback(self) -> timedelta:
        return timedelta(0)

    def knows(self, asset: AssetKey) -> bool:
        return asset in self.learnt

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:  # noqa: ARG002
        signals, figures = self.learnt.get(window.asset) or next(iter(self.learnt.values()))
        median, spread, limit = np.full((3, len(window.signals)), np.nan)
        for s, name in enumerate(window.signals):
            if name in signals:
                median[s], spread[s], limit[s] = figures[:, signals.index(name)]
        distance = np.abs(window.values - median) / spread / limit
        known = np.nan_to_num(distance)
        total = np.maximum(np.add.accumulate(known, axis=1)[:, -1:], 1e-300)
        values = np.where(np.isnan(distance).all(axis=1), np.nan, known.max(axis=1))
        expected = np.broadcast_to(median, distance.shape).copy()
        telling = np.ones(distance.shape, dtype=bool)
        return Scores(window.time, values, known / total, expected, telling), Memory()

    def dump(self) -> bytes:
        keys = sorted(self.learnt)
        header = {"assets": [[k.site, k.asset] for k in keys], "signals": [self.learnt[k][0] for k in keys]}
        return pack(json.loads(json.dumps(header)), {f"a{i}": self.learnt[k][1] for i, k in enumerate(keys)})


@contextmanager
def declared(
    folder: Path, monkeypatch: pytest.MonkeyPatch, group: str = "sereno.detectors", **places: str
) -> Iterator[None]:
    """A package, as an installer leaves it, that declares extensions by name; none is installed."""
    about = folder / "third_party-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n", "utf-8")
    lines = [f"{name} = {place}" for name, place in places.items()]
    (about / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]), "utf-8")
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield
