"""Several detectors as one: their scores are in one unit, so they can be compared and combined."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from sereno.contracts import Detector, TrainedDetector
from sereno.detect.members import calm_limits
from sereno.detect.registry import build_detector
from sereno.domain.archive import pack, unpack
from sereno.domain.judgement import Memory, Scores
from sereno.domain.readings import BoolArray, FloatArray, Window
from sereno.domain.signals import AssetKey, Profile

__all__ = ["EnsembleDetector", "TrainedEnsemble"]

MAXIMUM, MEAN = "maximum", "mean"
_LEAST = np.array([0.5])
_NAME = "ensemble"
_TOLD = ("contributions", "expected", "is_telling")
"""What the loudest member says of a row besides its score."""


@dataclass(frozen=True)
class EnsembleDetector:
    """Named members, each learning by itself; a row's score is the largest of theirs, or their mean.

    Attributes:
        profile: Given to each member.
        members: Names of the detectors.
        combine: `maximum` hears whoever speaks loudest, `mean` asks for agreement.
        member_options: Options of members, by their name.
        seed: Of the members that have one and no other in `member_options`.
    """

    profile: Profile
    members: tuple[str, ...] = ("robust", "pca")
    combine: str = MAXIMUM
    member_options: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.members or len(set(self.members)) < len(self.members) or _NAME in self.members:
            raise ValueError("'members' are names of other detectors, each once")
        if self.combine not in (MAXIMUM, MEAN):
            raise ValueError(f"'combine' is {MAXIMUM} or {MEAN} (found {self.combine!r})")
        strange = set(self.member_options) - set(self.members)
        if strange:
            raise ValueError(f"'member_options' name what is no member: {', '.join(sorted(strange))}")

    def fit(self, history: Sequence[Window]) -> "TrainedEnsemble":
        """Let each member learn `history`.

        Raises:
            HistoryTooShort: No asset has enough rows for one of the members.
        """
        return self.fit_parts(history, [np.ones(len(window), dtype=bool) for window in history])

    def fit_parts(self, history: Sequence[Window], use: Sequence[BoolArray]) -> "TrainedEnsemble":
        """As `fit`, from the rows marked in `use` alone."""
        trained = {name: one.fit_parts(history, use) for name, one in self._built().items()}
        plain = TrainedEnsemble(self.profile, trained, self.combine, {}, 1.0)
        scored: dict[AssetKey, list[FloatArray]] = {}
        for window, rows in zip(history, use, strict=True):
            if plain.knows(window.asset):
                scored.setdefault(window.asset, []).append(plain.score(window)[0].values[rows])
        limits = {key: _limit(parts) for key, parts in scored.items()}
        middle = float(np.median(list(limits.values()))) if limits else 1.0
        return TrainedEnsemble(self.profile, trained, self.combine, limits, middle)

    def _built(self) -> dict[str, Detector]:
        common = {"seed": self.seed}
        return {
            name: build_detector(
                name, self.profile, self.member_options.get(name, {}), common=common, where=_NAME
            )
            for name in self.members
        }

    def load(self, state: bytes) -> "TrainedEnsemble":
        """The trained detector that `TrainedEnsemble.dump` wrote."""
        return TrainedEnsemble.from_bytes(state, self.profile)


@dataclass(frozen=True)
class TrainedEnsemble:
    """Frozen; the trained members and what their combination is worth.

    Attributes:
        limits: Calm 99 % quantile of the combined score of each asset.
        limit: The same for an asset that training never saw.
    """

    profile: Profile
    members: Mapping[str, TrainedDetector]
    combine: str
    limits: Mapping[AssetKey, float]
    limit: float

    @property
    def lookback(self) -> timedelta:
        """The longest of the members'."""
        return max(member.lookback for member in self.members.values())

    def knows(self, asset: AssetKey) -> bool:
        """Whether every member saw this asset in training."""
        return all(member.knows(asset) for member in self.members.values())

    def score(self, window: Window, memory: Memory | None = None) -> tuple[Scores, Memory]:
        """Combined scores in units of their own calm 99 % quantile.

        A member that has nothing to say of a row is not heard. Contributions, what is expected and what is
        telling are those of the member that speaks loudest, which `voices` tells.
        """
        spoken: list[Scores] = []
        arrays: dict[str, np.ndarray] = {}
        for name, member in self.members.items():
            scores, after = member.score(window, _of_member(memory, name))
            spoken.append(scores)
            arrays |= {f"{_NAME}/{name}/{key}": array for key, array in after.arrays.items()}
        limit = self.limits.get(window.asset, self.limit)
        voices = np.stack([scores.values for scores in spoken], axis=1)
        combined = _combined(voices, self.combine) / limit
        loudest = np.where(np.isnan(voices), -1.0, voices).argmax(axis=1)
        every_row = np.arange(len(window))
        contributions, expected, telling = (
            np.stack([getattr(one, part) for one in spoken])[loudest, every_row] for part in _TOLD
        )
        heard = {name: one.values / limit for name, one in zip(self.members, spoken, strict=True)}
        changes = tuple({one: None for scores in spoken for one in scores.changes})
        scores = Scores(
            window.time, combined, contributions, expected, telling, voices=heard, changes=changes
        )
        return scores, Memory(arrays)

    def dump(self) -> bytes:
        """An archive of the members' archives; never a pickle."""
        keys = sorted(self.limits)
        header = {
            "members": list(self.members),
            "combine": self.combine,
            "assets": [[key.site, key.asset, self.limits[key]] for key in keys],
            "limit": self.limit,
        }
        states = {name: np.frombuffer(one.dump(), dtype=np.uint8) for name, one in self.members.items()}
        return pack(header, states)

    @classmethod
    def from_bytes(cls, state: bytes, profile: Profile) -> "TrainedEnsemble":
        """The detector that `dump` wrote.

        Raises:
            ArchiveError: The bytes are not such an archive.
            DetectorUnknown, ExtraMissing: A member is not installed here.
        """
        header, arrays = unpack(state)
        names: Iterable[str] = header["members"]  # type: ignore[assignment]
        described: Iterable[tuple[str, str, float]] = header["assets"]  # type: ignore[assignment]
        members = {
            name: build_detector(name, profile, where=_NAME).load(arrays[name].tobytes()) for name in names
        }
        limits = {AssetKey(site, asset): limit for site, asset, limit in described}
        return cls(profile, members, str(header["combine"]), limits, float(str(header["limit"])))


def _limit(parts: Sequence[FloatArray]) -> float:
    return float(calm_limits(np.concatenate(parts)[:, None], _LEAST)[0])


def _of_member(memory: Memory | None, name: str) -> Memory:
    """The member's own arrays, under the names that it gave them."""
    prefix = f"{_NAME}/{name}/"
    arrays = {} if memory is None else memory.arrays
    return Memory({key.removeprefix(prefix): a for key, a in arrays.items() if key.startswith(prefix)})


def _combined(voices: FloatArray, combine: str) -> FloatArray:
    """The largest or mean of the scores that are there (rows, members), NaN where none is; shape (rows,)."""
    is_heard = ~np.isnan(voices)
    known = np.where(is_heard, voices, 0.0)
    n_heard = is_heard.sum(axis=1)
    total = known.max(axis=1) if combine == MAXIMUM else np.add.accumulate(known, axis=1)[:, -1]
    if combine == MEAN:
        total = total / np.maximum(n_heard, 1)
    return np.where(n_heard > 0, total, np.nan)
