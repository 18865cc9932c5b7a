"""Readings as they came (columnar, many assets) and the regular window of one asset."""

from dataclasses import dataclass
from datetime import timedelta
from enum import IntFlag

import numpy as np
import numpy.typing as npt

from sereno.domain.arrays import micros_of
from sereno.domain.signals import AssetKey

__all__ = [
    "JUDGED",
    "BoolArray",
    "FloatArray",
    "MarkedValue",
    "Quality",
    "QualityArray",
    "Readings",
    "TimeArray",
    "Window",
]

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.datetime64]
BoolArray = npt.NDArray[np.bool_]
QualityArray = npt.NDArray[np.int32]


class Quality(IntFlag):
    """Reason flags beside each raw value; 0 is good. Bits are stored, so they never change meaning."""

    GOOD = 0
    MISSING = 1
    CONVERTED = 2
    """Text that was turned into a number by a stated rule."""
    OUT_OF_RANGE = 4
    FROZEN = 8
    IMBALANCE = 16
    """An identity of the profile is broken by more than the meters' resolution."""
    CONFLICT = 32
    """Another reading of the same instant gave a different value."""
    BAD = 64
    """The source itself said so."""
    ESTIMATED = 128
    """Nobody read the meter: whoever sent the value reckoned it."""
    SENTINEL = 256
    """A code that instruments write for "no value"."""
    SPIKE = 512
    """Far beyond anything that the signal has shown."""
    SWAPPED_SIGN = 1024
    SWAPPED_CHANNELS = 2048
    RESET = 4096
    """The register began anew: replaced, or set back."""
    ROLLOVER = 8192
    """The register passed its last digit."""
    CATCH_UP = 16384
    """Holds what earlier steps kept back."""
    STEP = 32768
    """The register stepped back."""
    UNIT_CHANGE = 65536
    """In another unit than the readings before."""
    CLOCK_SHIFT = 131072
    """Read while the clock was off."""


JUDGED = (
    Quality.OUT_OF_RANGE
    | Quality.FROZEN
    | Quality.IMBALANCE
    | Quality.SPIKE
    | Quality.SWAPPED_SIGN
    | Quality.SWAPPED_CHANNELS
    | Quality.RESET
    | Quality.ROLLOVER
    | Quality.CATCH_UP
    | Quality.STEP
    | Quality.UNIT_CHANGE
    | Quality.CLOCK_SHIFT
)
"""What judging found: judging again, or another value, takes it back. Other flags come from the source."""


class MarkedValue(float):
    """A value of a record with what its source says of it; NaN for one that could not be read.

    Example:
        >>> MarkedValue(20.5, Quality.BAD) + 1, MarkedValue(20.5, Quality.BAD).quality.name
        (21.5, 'BAD')
    """

    __slots__ = ("quality",)

    quality: Quality

    def __new__(cls, value: float, quality: Quality) -> "MarkedValue":
        """A value with its mark."""
        marked = super().__new__(cls, value)
        marked.quality = quality
        return marked


@dataclass(frozen=True, slots=True)
class Readings:
    """A columnar batch: one row per asset and instant, raw and in canonical units.

    Attributes:
        profile: Name of the profile that gives the signals their meaning.
        assets: The assets in the batch.
        asset_index: Position in `assets`, shape (rows,), int32.
        time: UTC start of the step, datetime64[us], shape (rows,).
        signals: Column names.
        values: Shape (rows, signals); NaN where nothing was read.
        quality: `Quality` bits, int32, shape (rows, signals).
    """

    profile: str
    assets: tuple[AssetKey, ...]
    asset_index: npt.NDArray[np.int32]
    time: TimeArray
    signals: tuple[str, ...]
    values: FloatArray
    quality: QualityArray

    def __len__(self) -> int:
        return len(self.time)

    @property
    def n_values(self) -> int:
        """Number of values that are there (a reading is one value of one signal)."""
        return int(np.count_nonzero(~np.isnan(self.values)))

    def of_asset(self, index: int) -> "Readings":
        """The rows of one asset, in time order."""
        rows = np.flatnonzero(self.asset_index == index)
        return self.take(rows[np.argsort(self.time[rows], kind="stable")])

    def take(self, rows: npt.NDArray[np.intp]) -> "Readings":
        """The chosen rows, with the assets that they are of."""
        present, index = np.unique(self.asset_index[rows], return_inverse=True)
        return Readings(
            profile=self.profile,
            assets=tuple(self.assets[one] for one in present.tolist()),
            asset_index=index.astype(np.int32),
            time=self.time[rows],
            signals=self.signals,
            values=self.values[rows],
            quality=self.quality[rows],
        )


@dataclass(frozen=True, slots=True)
class Window:
    """A regular grid of one asset: rows are steps, columns are signals; a gap is rows of NaN.

    `time` holds UTC starts. With `step` None the source has no regular rhythm and rows stand as they came.
    A step of whole days follows the calendar of `zone`, so its length in hours may vary.
    """

    asset: AssetKey
    profile: str
    signals: tuple[str, ...]
    time: TimeArray
    values: FloatArray
    quality: QualityArray
    step: timedelta | None
    zone: str = "UTC"

    def __len__(self) -> int:
        return len(self.time)

    @property
    def micros(self) -> npt.NDArray[np.int64]:
        """Starts in microseconds since 1970, shape (rows,); not to be written to."""
        return micros_of(self.time)

    def rows(self, start: int, stop: int) -> "Window":
        """The rows [start, stop) as a window of the same asset."""
        return Window(
            asset=self.asset,
            profile=self.profile,
            signals=self.signals,
            time=self.time[start:stop],
            values=self.values[start:stop],
            quality=self.quality[start:stop],
            step=self.step,
            zone=self.zone,
        )
