"""Segments: assets that behave alike and may share shape, threshold and model."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.domain.signals import AssetKey

__all__ = ["NO_SEGMENT", "KCurve", "Segmentation", "scaled_profiles"]

NO_SEGMENT = ""
"""Segment of an asset that nobody has assigned: it belongs to the whole fleet."""
FAR = 3.0
"""Spreads beyond which all is equally far: one odd feature must not drown the others."""


def scaled_profiles(rows: FloatArray, center: FloatArray, spread: FloatArray) -> FloatArray:
    """Profiles in spreads from the center, at most `FAR`, shape (assets, features); unknown is average."""
    scaled: FloatArray = np.clip(np.nan_to_num((rows - center) / spread), -FAR, FAR)
    return scaled


@dataclass(frozen=True, slots=True)
class KCurve:
    """How well each number of segments fits.

    Attributes:
        ks: Numbers of segments that were tried, ascending.
        inertia: Sum of squared distances to the nearest centre, shape (ks,).
        silhouette: Mean silhouette, shape (ks,); NaN where it is not defined (one segment).
    """

    ks: tuple[int, ...]
    inertia: tuple[float, ...]
    silhouette: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The segments of a profile, fitted once; later assets are assigned to them without a refit.

    Attributes:
        features: Names of the columns of an asset's profile.
        center, spread: Robust scale of each feature, learnt from the fitted assets, shape (features,).
        centroids: In units of that scale, shape (segments, features).
        method: How the number of segments was chosen: `silhouette`, `elbow`, `fixed`, or `single` where there
            were too few assets to choose.
        fitted: Segment of each asset that the fit saw.
        assigned: Segment of each asset that came later.
        too_short: Assets whose history does not say what they are like, with the rows that they have.
    """

    profile: str
    features: tuple[str, ...]
    center: FloatArray
    spread: FloatArray
    centroids: FloatArray
    method: str
    curve: KCurve
    fitted: Mapping[AssetKey, int]
    assigned: Mapping[AssetKey, int] = field(default_factory=dict)
    too_short: Mapping[AssetKey, int] = field(default_factory=dict)

    @property
    def n_segments(self) -> int:
        """Number of segments."""
        return len(self.centroids)

    @property
    def digest(self) -> str:
        """SHA-256 of what was fitted: assigning a later asset does not change it."""
        return hashlib.sha256(json.dumps(self._fit(), sort_keys=True).encode()).hexdigest()

    def number_of(self, asset: AssetKey) -> int | None:
        """Number of an asset's segment; None where it has none."""
        return self.fitted.get(asset, self.assigned.get(asset))

    def segment_of(self, asset: AssetKey) -> str:
        """Name of an asset's segment; `NO_SEGMENT` where it has none."""
        number = self.number_of(asset)
        return NO_SEGMENT if number is None else str(number)

    def members(self) -> dict[AssetKey, int]:
        """Segment of every asset that has one, by asset."""
        return dict(sorted({**self.assigned, **self.fitted}.items()))

    def scaled(self, profile: FloatArray) -> FloatArray:
        """Profiles on the scale of the fit, shape (assets, features); see `scaled_profiles`."""
        return scaled_profiles(profile, self.center, self.spread)

    def nearest(self, profile: FloatArray) -> int:
        """Segment whose centre is nearest to one profile, shape (features,)."""
        distances = ((self.scaled(profile[None]) - self.centroids) ** 2).sum(axis=1)
        return int(np.argmin(distances))

    def with_assigned(self, asset: AssetKey, number: int) -> "Segmentation":
        """The segmentation that also knows a later asset."""
        return replace(self, assigned={**self.assigned, asset: number})

    def to_json(self) -> dict[str, object]:
        """All of it, with its digest."""
        return {
            **self._fit(),
            "digest": self.digest,
            "assigned": _listed(self.assigned),
            "too_short": _listed(self.too_short),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> "Segmentation":
        """The segmentation that `to_json` gave.

        Raises:
            ValueError: The document is not one, or was altered.
        """
        try:
            found = _read(dict(document))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is no segmentation ({error})") from error
        if found.digest != document["digest"]:
            raise ValueError("its content does not match its digest")
        return found

    def _fit(self) -> dict[str, object]:
        return {
            "profile": self.profile,
            "features": list(self.features),
            "center": self.center.tolist(),
            "spread": self.spread.tolist(),
            "centroids": self.centroids.tolist(),
            "method": self.method,
            "curve": {
                "k": list(self.curve.ks),
                "inertia": list(self.curve.inertia),
                "silhouette": [None if np.isnan(one) else one for one in self.curve.silhouette],
            },
            "fitted": _listed(self.fitted),
        }


def _listed(numbers: Mapping[AssetKey, int]) -> list[list[object]]:
    return [[key.site, key.asset, number] for key, number in sorted(numbers.items())]


def _mapping(listed: object) -> dict[AssetKey, int]:
    return {AssetKey(site, asset): int(number) for site, asset, number in listed}  # type: ignore[attr-defined]


def _read(document: Mapping[str, object]) -> Segmentation:
    curve: Mapping[str, list[float | None]] = document["curve"]  # type: ignore[assignment]
    features: list[str] = document["features"]  # type: ignore[assignment]
    arrays = [np.array(document[name], dtype=float) for name in ("center", "spread", "centroids")]
    return Segmentation(
        profile=str(document["profile"]),
        features=tuple(features),
        center=arrays[0],
        spread=arrays[1],
        centroids=arrays[2].reshape(-1, len(features)),
        method=str(document["method"]),
        curve=KCurve(
            tuple(int(k) for k in curve["k"] if k is not None),
            tuple(float(one) for one in curve["inertia"] if one is not None),
            tuple(np.nan if one is None else float(one) for one in curve["silhouette"]),
        ),
        fitted=_mapping(document["fitted"]),
        assigned=_mapping(document["assigned"]),
        too_short=_mapping(document["too_short"]),
    )
