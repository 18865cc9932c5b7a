"""Every detector that can be asked for by name keeps the contract."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from sereno.contracts import TrainedDetector
from sereno.detect.registry import build_detector, detector_names
from sereno.domain.errors import ExtraMissing
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey
from sereno.settings.profiles import load_profiles
from sereno.testing import a_calm_history, check_detector
from tests.support.builders import DAY, LINE
from tests.support.third_party import MedianDetector, TrainedMedian

Judged = tuple[Scores, Memory]
PROFILES = load_profiles()
SMALL: Mapping[str, Mapping[str, object]] = {
    "robust": {"n_trees": 10},
    "forest": {"n_trees": 10},
    "lstm": {"epochs": 2},
}
"""Options with which a detector learns in a moment."""


SUITED: Mapping[str, Sequence[str]] = {"peers": ["solar"]}
"""Profiles with something to follow, where not every one has."""
YEARS = {"peers"}
"""Detectors that need years before they say anything."""
CASES = [(name, profile) for name in detector_names() for profile in SUITED.get(name, ["solar", "process"])]


@pytest.mark.parametrize(("name", "profile"), CASES)
def test_detector_keeps_the_contract(name: str, profile: str) -> None:
    history = a_calm_history(PROFILES[profile], n_rows=1400, step=DAY) if name in YEARS else None
    try:
        detector = build_detector(name, PROFILES[profile], SMALL.get(name, {}))
        check_detector(detector, history)
    except ExtraMissing as missing:
        pytest.skip(str(missing))


def test_detector_of_another_package_keeps_the_contract() -> None:
    check_detector(MedianDetector(LINE))


@dataclass(frozen=True)
class _Broken(TrainedMedian):
    """A trained detector that breaks one promise."""

    @classmethod
    def of(cls, sound: TrainedMedian) -> "_Broken":
        return cls(sound.profile, sound.learnt)

    def sound(self, window: Window) -> Scores:
        return super().score(window)[0]


class _LooksAhead(_Broken):
    def score(self, window: Window, memory: Memory | None = None) -> Judged:  # noqa: ARG002
        scores = self.sound(window)
        return replace(scores, values=np.maximum(scores.values, np.nanmean(scores.values))), Memory()


class _TakesGapsForZero(_Broken):
    def score(self, window: Window, memory: Memory | None = None) -> Judged:  # noqa: ARG002
        scores = self.sound(window)
        return replace(scores, values=np.nan_to_num(scores.values)), Memory()


class _Uncalibrated(_Broken):
    def score(self, window: Window, memory: Memory | None = None) -> Judged:  # noqa: ARG002
        scores = self.sound(window)
        return replace(scores, values=100.0 * scores.values), Memory()


class _RemembersEverything(_Broken):
    def score(self, window: Window, memory: Memory | None = None) -> Judged:
        before = (memory or Memory()).arrays.get("everything/rows", window.values[:0])
        return self.sound(window), Memory({"everything/rows": np.concatenate([before, window.values])})


class _PassesOthersOn(_Broken):
    def score(self, window: Window, memory: Memory | None = None) -> Judged:
        return self.sound(window), memory or Memory()


class _KnowsAll(_Broken):
    def knows(self, asset: AssetKey) -> bool:  # noqa: ARG002
        return True


@dataclass(frozen=True)
class _BrokenDetector(MedianDetector):
    """Learns a detector that breaks one promise."""

    kind: type[_Broken] = _Broken

    def fit_parts(self, history: Sequence[Window], use: Sequence[np.ndarray]) -> TrainedMedian:
        return self.kind.of(super().fit_parts(history, use))

    def load(self, state: bytes) -> TrainedDetector:
        return self.kind.of(super().load(state))


class _Thawed(TrainedMedian):
    lookback = timedelta(0)
    __setattr__ = object.__setattr__


@dataclass(frozen=True)
class _Forgetful(MedianDetector):
    """Learns otherwise each time."""

    def fit_parts(self, history: Sequence[Window], use: Sequence[np.ndarray]) -> TrainedMedian:
        trained = super().fit_parts(history, use)
        noise = np.random.default_rng().uniform(1, 1.001)
        return TrainedMedian(self.profile, {k: (s, noise * f) for k, (s, f) in trained.learnt.items()})


@dataclass(frozen=True)
class _ThawedDetector(MedianDetector):
    """Learns something that can be changed."""

    def fit_parts(self, history: Sequence[Window], use: Sequence[np.ndarray]) -> TrainedMedian:
        trained = super().fit_parts(history, use)
        return _Thawed(trained.profile, trained.learnt)


@dataclass(frozen=True)
class _Undocumented(MedianDetector):
    pass


_Undocumented.__doc__ = ""


@dataclass
class _Mutable:
    """Hyper-parameters that anybody may change."""

    profile: object


@pytest.mark.parametrize(
    ("detector", "said"),
    [
        (_BrokenDetector(LINE, kind=_LooksAhead), "streamed in pieces"),
        (_BrokenDetector(LINE, kind=_TakesGapsForZero), "a row without any value has a score"),
        (_BrokenDetector(LINE, kind=_Uncalibrated), "calm 99 % quantile"),
        (_BrokenDetector(LINE, kind=_RemembersEverything), "the memory grows"),
        (_BrokenDetector(LINE, kind=_PassesOthersOn), "arrays of another detector"),
        (_BrokenDetector(LINE, kind=_KnowsAll), "an asset that it never saw"),
        (_Forgetful(LINE), "`fit_parts` of all rows is not `fit`"),
        (_ThawedDetector(LINE), "is not frozen"),
        (_Undocumented(LINE), "no docstring"),
        (_Mutable(LINE), "is not frozen"),
    ],
    ids=lambda case: getattr(case, "kind", type(case)).__name__ if not isinstance(case, str) else "",
)
def test_broken_promise_is_named(detector: MedianDetector, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_detector(detector)


def test_detector_that_depends_on_the_process_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "by_process.py").write_text(
        "import os\n"
        "from dataclasses import dataclass\n"
        "from tests.support.third_party import MedianDetector, TrainedMedian\n"
        "@dataclass(frozen=True)\n"
        "class ByProcess(MedianDetector):\n"
        "    '''Learns otherwise in every process.'''\n"
        "    def fit_parts(self, history, use):\n"
        "        learnt = super().fit_parts(history, use).learnt\n"
        "        factor = 1 + (os.getpid() % 1000) * 1e-6\n"
        "        return TrainedMedian(self.profile, {k: (s, factor * f) for k, (s, f) in learnt.items()})\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from by_process import ByProcess

    with pytest.raises(AssertionError, match="another process"):
        check_detector(ByProcess(LINE))
