"""The trained model of a profile: one artefact that holds all that scoring needs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.contracts import TrainedDetector
from sereno.detect.robust import AssetModel, RobustDetector, TrainedRobust
from sereno.detect.segmented import TrainedSegmented, load_detector
from sereno.domain.archive import ArchiveError, digest_of, pack, unpack
from sereno.domain.errors import FileMissing, ModelCorrupt
from sereno.domain.judgement import Calibration, Memory, ModelCard
from sereno.domain.segments import NO_SEGMENT, Segmentation
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import isoformat

__all__ = ["TrainedModel", "load_model", "save_model"]

_NO_STEP = "none"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A detector with what makes its scores mean something.

    Attributes:
        calibrations: By step in seconds (`none` where the source has no rhythm), and `@` and a segment.
        natural_repeats: Longest run of equal values that is normal, by asset and signal.
        memories: What the detector remembered of each asset at the end of its history: where judging goes on
            when no store does.
        segments: Digest of the segmentation that it learnt with; empty where there was none.
        segment_of: Segment of each asset that has one.
    """

    card: ModelCard
    detector: TrainedDetector
    calibrations: Mapping[str, Calibration]
    natural_repeats: Mapping[AssetKey, Mapping[str, float]]
    memories: Mapping[AssetKey, Memory]
    segments: str = ""
    segment_of: Mapping[AssetKey, str] = field(default_factory=dict)

    def calibration_of(self, step: timedelta | None, asset: AssetKey) -> Calibration:
        """The calibration of an asset's segment, else of its step, else the profile's own."""
        return self.calibrations.get(self.calibration_name(step, asset), self.card.calibration)

    def calibration_name(self, step: timedelta | None, asset: AssetKey) -> str:
        """Name of the calibration of an asset's segment where that has one, else of its step."""
        own = step_name(step, self.segment_of.get(asset, NO_SEGMENT))
        return own if own in self.calibrations else step_name(step)

    @property
    def layouts(self) -> Mapping[AssetKey, AssetModel]:
        """How the windows of each learnt asset looked."""
        fleet = self.detector
        if isinstance(fleet, TrainedSegmented):
            fleet = fleet.parts[NO_SEGMENT]
        return fleet.assets if isinstance(fleet, TrainedRobust) else {}

    def id_for(self, asset: AssetKey) -> str:
        """What judges an asset: this model, and for a later asset the segment that it starts from."""
        segment = self.segment_of.get(asset, NO_SEGMENT)
        is_later = segment != NO_SEGMENT and not self.detector.knows(asset)
        return f"{self.card.id}@{segment}" if is_later else self.card.id

    def with_later(self, found: Segmentation | None) -> "TrainedModel":
        """The model that also knows to which of its segments later assets were assigned."""
        if found is None or found.digest != self.segments or not isinstance(self.detector, TrainedSegmented):
            return self
        later = {key: found.segment_of(key) for key in found.assigned if key not in self.segment_of}
        return replace(
            self,
            detector=self.detector.with_assigned(later),
            segment_of={**later, **self.segment_of},
        )


def step_name(step: timedelta | None, segment: str = NO_SEGMENT) -> str:
    """A step, and a segment with it, as the key of a calibration."""
    name = _NO_STEP if step is None else f"{step.total_seconds():g}"
    return name if segment == NO_SEGMENT else f"{name}@{segment}"


def save_model(model: TrainedModel, path: Path) -> str:
    """Write the artefact whole or not at all; returns the digest that its card then carries."""
    card = asdict(model.card) | {
        "trained_at": isoformat(model.card.trained_at),
        "assets": [[key.site, key.asset] for key in model.card.assets],
        "digest": "",
    }
    header = {
        "card": card,
        "calibrations": {name: asdict(c) for name, c in model.calibrations.items()},
        "natural_repeats": [
            [key.site, key.asset, dict(repeats)] for key, repeats in sorted(model.natural_repeats.items())
        ],
    }
    if model.segments:
        listed = [[key.site, key.asset, name] for key, name in sorted(model.segment_of.items())]
        header |= {"segments": model.segments, "segment_of": listed}
    arrays = {"detector": np.frombuffer(model.detector.dump(), dtype=np.uint8)}
    for i, key in enumerate(model.card.assets):
        arrays |= {f"memory{i}/{name}": array for name, array in model.memories[key].arrays.items()}
    data = pack(header, arrays)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)
    return digest_of(data)


def load_model(path: Path, profiles: Mapping[str, Profile]) -> TrainedModel:
    """The model of an artefact, verified.

    Raises:
        FileMissing: There is no such file.
        ModelCorrupt: Not an artefact (a pickle, say), or altered.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(file=str(path)) from error
    try:
        header, arrays = unpack(data)
        return _model(header, arrays, digest_of(data), profiles)
    except (ArchiveError, KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(file=str(path), detail=str(error)) from error


def _model(
    header: Mapping[str, object],
    arrays: Mapping[str, np.ndarray],
    digest: str,
    profiles: Mapping[str, Profile],
) -> TrainedModel:
    card: dict[str, object] = dict(header["card"])  # type: ignore[call-overload]
    profile = profiles[str(card["profile"])]
    calibrations = {n: Calibration(**c) for n, c in header["calibrations"].items()}  # type: ignore[attr-defined]
    repeats: list[tuple[str, str, dict[str, float]]] = header["natural_repeats"]  # type: ignore[assignment]
    card |= {
        "trained_at": datetime.fromisoformat(str(card["trained_at"])),
        "assets": tuple(AssetKey(site, asset) for site, asset in card["assets"]),  # type: ignore[attr-defined]
        "signals": tuple(card["signals"]),  # type: ignore[arg-type]
        "calibration": Calibration(**card["calibration"]),  # type: ignore[arg-type]
        "digest": digest,
    }
    read = ModelCard(**card)  # type: ignore[arg-type]
    members: list[tuple[str, str, str]] = header.get("segment_of", [])  # type: ignore[assignment]
    return TrainedModel(
        card=read,
        detector=load_detector(RobustDetector(profile), arrays["detector"].tobytes()),
        calibrations=calibrations,
        natural_repeats={AssetKey(site, asset): values for site, asset, values in repeats},
        memories={key: _memory(arrays, f"memory{i}/") for i, key in enumerate(read.assets)},
        segments=str(header.get("segments", "")),
        segment_of={AssetKey(site, asset): name for site, asset, name in members},
    )


def _memory(arrays: Mapping[str, np.ndarray], prefix: str) -> Memory:
    return Memory({name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)})
