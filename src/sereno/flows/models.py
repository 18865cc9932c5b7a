"""The trained model of a profile: one artefact that holds all that scoring needs."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.contracts import TrainedDetector
from sereno.detect.peers import PeersDetector, TrainedPeers
from sereno.detect.registry import build_detector
from sereno.detect.segmented import TrainedSegmented, load_detector
from sereno.domain.archive import ArchiveError, digest_of, pack, unpack
from sereno.domain.errors import FileMissing, ModelCorrupt
from sereno.domain.judgement import Calibration, Memory, ModelCard
from sereno.domain.segments import NO_SEGMENT, Segmentation
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import Span, isoformat

__all__ = ["Layout", "TrainedModel", "artefact_of", "load_model", "model_of", "save_model", "write_whole"]

_NO_STEP = "none"


@dataclass(frozen=True, slots=True)
class Layout:
    """The windows of an asset as a model learnt them.

    Attributes:
        signals: Columns, in the order of the detector's memory.
        until: Start of the last row of the history; None in models that did not say.
        left_out: Time in it that taught nothing.
    """

    signals: tuple[str, ...]
    zone: str
    step: timedelta | None
    until: datetime | None = None
    left_out: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A detector with what makes its scores mean something.

    Attributes:
        calibrations: By step in seconds (`none` where the source has no rhythm), and `@` and a segment.
        natural_repeats: Longest run of equal values that is normal, by asset and signal.
        peers: The levels of the assets and who is whose peer; the detector itself, where it is `peers`.
        drift_calibrations: Of these levels, by step.
        memories: What the detector remembered of each asset at the end of its history: where judging goes on
            when no store does.
        layouts: How the windows of each learnt asset looked.
        segments: Digest of the segmentation that it learnt with; empty where there was none.
        segment_of: Segment of each asset that has one.
    """

    card: ModelCard
    detector: TrainedDetector
    calibrations: Mapping[str, Calibration]
    natural_repeats: Mapping[AssetKey, Mapping[str, float]]
    peers: TrainedPeers
    drift_calibrations: Mapping[str, Calibration]
    memories: Mapping[AssetKey, Memory]
    layouts: Mapping[AssetKey, Layout]
    segments: str = ""
    segment_of: Mapping[AssetKey, str] = field(default_factory=dict)

    @property
    def follows_levels(self) -> bool:
        """Whether it judges levels of weeks, and no rows."""
        return isinstance(self.detector, TrainedPeers)

    def calibration_name(self, step: timedelta | None, asset: AssetKey) -> str:
        """The calibration that an asset has: that of its segment, where there is one, or of its step."""
        own = step_name(step, self.segment_of.get(asset, NO_SEGMENT))
        return own if own in self.calibrations else step_name(step)

    def calibration_of(self, step: timedelta | None, asset: AssetKey) -> Calibration:
        """The calibration of an asset's segment, else of its step, else the profile's own."""
        return self.calibrations.get(self.calibration_name(step, asset), self.card.calibration)

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

    def drift_calibration_of(self, step: timedelta | None) -> Calibration | None:
        """The calibration of slow drifts of assets with that step; None where history was too short."""
        return self.drift_calibrations.get(step_name(step))


def step_name(step: timedelta | None, segment: str = NO_SEGMENT) -> str:
    """A step, and a segment with it, as the key of a calibration."""
    name = _NO_STEP if step is None else f"{step.total_seconds():g}"
    return name if segment == NO_SEGMENT else f"{name}@{segment}"


def save_model(model: TrainedModel, path: Path) -> str:
    """Write the artefact whole or not at all; returns the digest that its card then carries."""
    data = artefact_of(model)
    write_whole(path, data)
    return digest_of(data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)


def artefact_of(model: TrainedModel) -> bytes:
    """All that scoring needs; equal models give equal bytes."""
    card = asdict(model.card) | {
        "trained_at": isoformat(model.card.trained_at),
        "assets": [[key.site, key.asset] for key in model.card.assets],
        "digest": "",
    }
    header = {
        "card": card,
        "calibrations": {name: asdict(c) for name, c in model.calibrations.items()},
        "drift_calibrations": {name: asdict(c) for name, c in model.drift_calibrations.items()},
        "natural_repeats": [
            [key.site, key.asset, dict(repeats)] for key, repeats in sorted(model.natural_repeats.items())
        ],
        "layouts": [_described(key, layout) for key, layout in sorted(model.layouts.items())],
    }
    if model.segments:
        listed = [[key.site, key.asset, name] for key, name in sorted(model.segment_of.items())]
        header |= {"segments": model.segments, "segment_of": listed}
    arrays = {"detector": np.frombuffer(model.detector.dump(), dtype=np.uint8)}
    if not model.follows_levels:
        arrays["peers"] = np.frombuffer(model.peers.dump(), dtype=np.uint8)
    for i, key in enumerate(model.card.assets):
        arrays |= {f"memory{i}/{name}": array for name, array in model.memories[key].arrays.items()}
    return pack(header, arrays)


def load_model(path: Path, profiles: Mapping[str, Profile]) -> TrainedModel:
    """The model of an artefact, verified.

    Raises:
        DetectorUnknown, ExtraMissing: What learnt it is not installed here.
        FileMissing: There is no such file.
        ModelCorrupt: Not an artefact (a pickle, say), or altered.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise FileMissing(file=str(path)) from error
    return model_of(data, str(path), profiles)


def model_of(data: bytes, file: str, profiles: Mapping[str, Profile]) -> TrainedModel:
    """As `load_model`, from the bytes of an artefact.

    Args:
        file: Where they are from.
    """
    try:
        header, arrays = unpack(data)
        return _model(header, arrays, digest_of(data), profiles)
    except (ArchiveError, KeyError, TypeError, ValueError) as error:
        raise ModelCorrupt(file=file, detail=str(error)) from error


def _model(
    header: Mapping[str, object],
    arrays: Mapping[str, np.ndarray],
    digest: str,
    profiles: Mapping[str, Profile],
) -> TrainedModel:
    card: dict[str, object] = dict(header["card"])  # type: ignore[call-overload]
    profile = profiles[str(card["profile"])]
    calibrations = {n: Calibration.of_document(c) for n, c in header["calibrations"].items()}  # type: ignore[attr-defined]
    slow: dict[str, dict[str, object]] = header.get("drift_calibrations", {})  # type: ignore[assignment]
    drifts = {name: Calibration.of_document(one) for name, one in slow.items()}
    repeats: list[tuple[str, str, dict[str, float]]] = header["natural_repeats"]  # type: ignore[assignment]
    card |= {
        "trained_at": datetime.fromisoformat(str(card["trained_at"])),
        "assets": tuple(AssetKey(site, asset) for site, asset in card["assets"]),  # type: ignore[attr-defined]
        "signals": tuple(card["signals"]),  # type: ignore[arg-type]
        "calibration": Calibration.of_document(card["calibration"]),  # type: ignore[arg-type]
        "digest": digest,
    }
    read = ModelCard(**card)  # type: ignore[arg-type]
    plain = build_detector(read.detector, profile, where=read.id)
    detector = load_detector(plain, arrays["detector"].tobytes())
    members: list[tuple[str, str, str]] = header.get("segment_of", [])  # type: ignore[assignment]
    return TrainedModel(
        card=read,
        detector=detector,
        calibrations=calibrations,
        peers=detector if isinstance(detector, TrainedPeers) else _peers(profile, arrays),
        drift_calibrations=drifts,
        natural_repeats={AssetKey(site, asset): values for site, asset, values in repeats},
        memories={key: _memory(arrays, f"memory{i}/") for i, key in enumerate(read.assets)},
        layouts=dict(map(_layout, _layouts_in(header, arrays))),
        segments=str(header.get("segments", "")),
        segment_of={AssetKey(site, asset): name for site, asset, name in members},
    )


def _peers(profile: Profile, arrays: Mapping[str, np.ndarray]) -> TrainedPeers:
    """None in artefacts that did not know of peers."""
    if "peers" not in arrays:
        return TrainedPeers(profile, {})
    return PeersDetector(profile).load(arrays["peers"].tobytes())


def _layouts_in(
    header: Mapping[str, object], arrays: Mapping[str, np.ndarray]
) -> Iterable[Mapping[str, object]]:
    """Layouts of an artefact; before it held them itself, its detector's archive alone did."""
    if "layouts" not in header:
        header = {"layouts": unpack(arrays["detector"].tobytes())[0]["assets"]}
    layouts: Iterable[Mapping[str, object]] = header["layouts"]  # type: ignore[assignment]
    return layouts


def _described(key: AssetKey, layout: Layout) -> dict[str, object]:
    described: dict[str, object] = {
        "site": key.site,
        "asset": key.asset,
        "signals": list(layout.signals),
        "zone": layout.zone,
        "step_s": None if layout.step is None else layout.step.total_seconds(),
        "until": None if layout.until is None else layout.until.isoformat(),
    }
    if layout.left_out:
        described["left_out"] = [[first.isoformat(), last.isoformat()] for first, last in layout.left_out]
    return described


def _layout(described: Mapping[str, object]) -> tuple[AssetKey, Layout]:
    step, until = described["step_s"], described.get("until")
    layout = Layout(
        signals=tuple(described["signals"]),  # type: ignore[arg-type]
        zone=str(described["zone"]),
        step=None if step is None else timedelta(seconds=float(str(step))),
        until=None if until is None else datetime.fromisoformat(str(until)),
        left_out=tuple(_span(*one) for one in described.get("left_out", ())),  # type: ignore[attr-defined]
    )
    return AssetKey(str(described["site"]), str(described["asset"])), layout


def _span(first: str, last: str) -> Span:
    return datetime.fromisoformat(first), datetime.fromisoformat(last)


def _memory(arrays: Mapping[str, np.ndarray], prefix: str) -> Memory:
    return Memory({name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)})
