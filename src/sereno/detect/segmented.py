"""One detector per segment: assets that behave alike share shape and limits, and new ones start from them.

Wraps any detector. Every asset with a segment of two members or more is learnt with those alone; all others,
and strangers to the fleet, are judged by a detector of the whole fleet.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta

import numpy as np

from sereno.contracts import Detector, TrainedDetector
from sereno.contracts.detection import Asked, score_together
from sereno.detect.peers import PeersDetector
from sereno.domain.archive import pack, unpack
from sereno.domain.errors import HistoryTooShort
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, Window
from sereno.domain.segments import NO_SEGMENT
from sereno.domain.signals import AssetKey, Profile

__all__ = ["SegmentedDetector", "TrainedSegmented", "load_detector", "with_segments"]

_MIN_MEMBERS = 2
"""A segment of one has nothing to pool: its member shares with the fleet."""
_PARTS = "segment_parts"
_OWN = "segments"


def with_segments(detector: Detector, segment_of: Mapping[AssetKey, str]) -> Detector:
    """The detector, pooled by segment; itself where there are no segments.

    A detector that has `segments` of its own pools by itself; levels are each asset's own, beside peers of
    the whole fleet, and not pooled.
    """
    if not segment_of or isinstance(detector, PeersDetector):
        return detector
    if any(one.name == _OWN for one in fields(detector)):  # type: ignore[arg-type]
        return replace(detector, **{_OWN: segment_of})  # type: ignore[type-var]
    return SegmentedDetector(detector, segment_of)


def load_detector(detector: Detector, state: bytes) -> TrainedDetector:
    """The trained detector of an archive, pooled by segment or not.

    Raises:
        ArchiveError: The bytes are not such an archive.
    """
    header, _ = unpack(state)
    return SegmentedDetector(detector, {}).load(state) if _PARTS in header else detector.load(state)


@dataclass(frozen=True, slots=True)
class SegmentedDetector:
    """A detector fitted apart for each segment.

    Attributes:
        detector: What is fitted.
        segment_of: Segment of each asset that has one.
    """

    detector: Detector
    segment_of: Mapping[AssetKey, str]

    @property
    def profile(self) -> Profile:
        """Of the detector that is fitted."""
        return self.detector.profile

    def fit(self, history: Sequence[Window]) -> "TrainedSegmented":
        """Learn the fleet, then each segment."""
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedSegmented":
        """As `fit`, from the rows marked in `use` alone.

        Args:
            use: Rows to learn from, one array (rows,) per window.
        """
        parts = {NO_SEGMENT: self.detector.fit_parts(history, use)}
        sizes = Counter(self.segment_of.get(window.asset, NO_SEGMENT) for window in history)
        for name in sorted(sizes):
            if name == NO_SEGMENT or sizes[name] < _MIN_MEMBERS:
                continue
            chosen = [i for i, window in enumerate(history) if self.segment_of.get(window.asset) == name]
            try:
                parts[name] = self.detector.fit_parts([history[i] for i in chosen], [use[i] for i in chosen])
            except HistoryTooShort:  # its members are then judged with the fleet
                continue
        known = {window.asset for window in history}
        own = {asset: name for asset, name in self.segment_of.items() if asset in known}
        return TrainedSegmented(parts, own)

    def load(self, state: bytes) -> "TrainedSegmented":
        """The trained detector that `TrainedSegmented.dump` wrote."""
        header, arrays = unpack(state)
        names: list[str] = header[_PARTS]  # type: ignore[assignment]
        members: list[tuple[str, str, str]] = header["members"]  # type: ignore[assignment]
        return TrainedSegmented(
            {name: self.detector.load(arrays[f"part{i}"].tobytes()) for i, name in enumerate(names)},
            {AssetKey(site, asset): name for site, asset, name in members},
        )


@dataclass(frozen=True, slots=True)
class TrainedSegmented:
    """Frozen; a trained detector per segment, and that of the whole fleet."""

    parts: Mapping[str, TrainedDetector]
    segment_of: Mapping[AssetKey, str]

    @property
    def lookback(self) -> timedelta:
        """The longest that any part wants."""
        return max(part.lookback for part in self.parts.values())

    def part_of(self, asset: AssetKey) -> TrainedDetector:
        """What judges an asset: its segment, if that knows it or it is a stranger, else the fleet."""
        fleet = self.parts[NO_SEGMENT]
        part = self.parts.get(self.segment_of.get(asset, NO_SEGMENT), fleet)
        return part if part.knows(asset) or not fleet.knows(asset) else fleet

    def knows(self, asset: AssetKey) -> bool:
        """Whether training saw this asset."""
        return self.parts[NO_SEGMENT].knows(asset)

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Strangeness of each row by the asset's own part."""
        return self.part_of(window.asset).score(window, memory)

    def score_together(self, asked: Sequence[Asked]) -> list[tuple[Scores, Memory]]:
        """As `score`, of windows of many assets: those of a part in one call."""
        scored: dict[int, tuple[Scores, Memory]] = {}
        places: dict[int, list[int]] = {}
        parts = [self.part_of(window.asset) for window, _ in asked]
        for place, part in enumerate(parts):
            places.setdefault(id(part), []).append(place)
        for own in places.values():
            scored |= zip(own, score_together(parts[own[0]], [asked[one] for one in own]), strict=True)
        return [scored[place] for place in range(len(asked))]

    def with_assigned(self, segment_of: Mapping[AssetKey, str]) -> "TrainedSegmented":
        """The same detector that also knows the segment of later assets, and welcomes them there."""
        later = {asset: name for asset, name in segment_of.items() if asset not in self.segment_of}
        parts = dict(self.parts)
        for name in {*later.values(), NO_SEGMENT} & set(parts):
            welcome = getattr(parts[name], "with_newcomers", None)
            if welcome is not None:
                parts[name] = welcome(later)
        return replace(self, parts=parts, segment_of={**later, **self.segment_of})

    def dump(self) -> bytes:
        """The archives of the parts in one; never a pickle."""
        names = sorted(self.parts)
        members = [[key.site, key.asset, name] for key, name in sorted(self.segment_of.items())]
        arrays = {
            f"part{i}": np.frombuffer(self.parts[name].dump(), dtype=np.uint8) for i, name in enumerate(names)
        }
        return pack({_PARTS: names, "members": members}, arrays)
