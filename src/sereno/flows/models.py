"""The trained model of a profile: one artefact that holds all that scoring needs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.detect.peers import PeersDetector, TrainedPeers
from sereno.detect.robust import RobustDetector, TrainedRobust
from sereno.domain.archive import ArchiveError, digest_of, pack, unpack
from sereno.domain.errors import FileMissing, ModelCorrupt
from sereno.domain.judgement import Calibration, Memory, ModelCard
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import isoformat

__all__ = ["TrainedModel", "load_model", "save_model"]

_NO_STEP = "none"


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A detector with what makes its scores mean something.

    Attributes:
        calibrations: By step in seconds (`none` where the source has no rhythm).
        natural_repeats: Longest run of equal values that is normal, by asset and signal.
        peers: The levels of the assets and who is whose peer.
        drift_calibrations: Of these levels, by step.
        memories: What the detector remembered of each asset at the end of its history: where judging goes on
            when no store does.
    """

    card: ModelCard
    detector: TrainedRobust
    calibrations: Mapping[str, Calibration]
    natural_repeats: Mapping[AssetKey, Mapping[str, float]]
    peers: TrainedPeers
    drift_calibrations: Mapping[str, Calibration]
    memories: Mapping[AssetKey, Memory]

    def drift_calibration_of(self, step: timedelta | None) -> Calibration | None:
        """The calibration of slow drifts of assets with that step; None where history was too short."""
        return self.drift_calibrations.get(step_name(step))

    def calibration_of(self, step: timedelta | None) -> Calibration:
        """The calibration of assets with that step; the profile's own where it never saw the step."""
        return self.calibrations.get(step_name(step), self.card.calibration)


def step_name(step: timedelta | None) -> str:
    """A step as the key of a calibration."""
    return _NO_STEP if step is None else f"{step.total_seconds():g}"


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
        "drift_calibrations": {name: asdict(c) for name, c in model.drift_calibrations.items()},
        "natural_repeats": [
            [key.site, key.asset, dict(repeats)] for key, repeats in sorted(model.natural_repeats.items())
        ],
    }
    arrays = {
        "detector": np.frombuffer(model.detector.dump(), dtype=np.uint8),
        "peers": np.frombuffer(model.peers.dump(), dtype=np.uint8),
    }
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
    drifts = {n: Calibration(**c) for n, c in header["drift_calibrations"].items()}  # type: ignore[attr-defined]
    repeats: list[tuple[str, str, dict[str, float]]] = header["natural_repeats"]  # type: ignore[assignment]
    card |= {
        "trained_at": datetime.fromisoformat(str(card["trained_at"])),
        "assets": tuple(AssetKey(site, asset) for site, asset in card["assets"]),  # type: ignore[attr-defined]
        "signals": tuple(card["signals"]),  # type: ignore[arg-type]
        "calibration": Calibration(**card["calibration"]),  # type: ignore[arg-type]
        "digest": digest,
    }
    read = ModelCard(**card)  # type: ignore[arg-type]
    return TrainedModel(
        card=read,
        detector=RobustDetector(profile).load(arrays["detector"].tobytes()),
        calibrations=calibrations,
        peers=PeersDetector(profile).load(arrays["peers"].tobytes()),
        drift_calibrations=drifts,
        natural_repeats={AssetKey(site, asset): values for site, asset, values in repeats},
        memories={key: _memory(arrays, f"memory{i}/") for i, key in enumerate(read.assets)},
    )


def _memory(arrays: Mapping[str, np.ndarray], prefix: str) -> Memory:
    return Memory({name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)})
