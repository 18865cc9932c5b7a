"""The files of trained forecasters: what was learnt, with which options, and from readings until when."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from sereno.contracts import Forecaster, TrainedForecaster
from sereno.domain.archive import ArchiveError, pack, unpack
from sereno.domain.calendar import step_end
from sereno.domain.readings import Window
from sereno.domain.time import from_numpy, isoformat

__all__ = ["ADDED", "AS_OF", "KNOWN", "LEARNT", "Taught", "learnt_from", "load_or_learn"]

LEARNT, ADDED, KNOWN, AS_OF = "learnt", "days added", "known", "learnt as of the origin"
_STATE = "state"


@dataclass(frozen=True, slots=True)
class Taught:
    """A forecaster that is ready, and how it became so.

    Attributes:
        how: `LEARNT`, `ADDED`, `KNOWN` or `AS_OF`; only the last is not kept.
    """

    trained: TrainedForecaster
    how: str

    @property
    def id(self) -> str:
        """SHA-256 of what was learnt."""
        return hashlib.sha256(self.trained.dump()).hexdigest()


def load_or_learn(
    forecaster: Forecaster, path: Path, history: Sequence[Window], origin: datetime | None
) -> Taught:
    """What the file holds with the days since, where the options are the same; otherwise learnt and kept.

    What was learnt from days after the origin must not forecast it: then it is learnt from the days before,
    for this once, and the file stays as it is.

    Args:
        history: Nothing in it is later than the origin.

    Raises:
        HistoryTooShort: See `Forecaster.fit`.
    """
    options = _options(forecaster)
    before = _loaded(forecaster, path, options)
    if before is not None and origin is not None and before.until > origin:
        return Taught(forecaster.fit(history), AS_OF)
    is_known = before is not None and all(before.trained.knows(one.asset) for one in history if len(one))
    if before is None or not is_known:
        trained, how = forecaster.fit(history), LEARNT
    else:
        trained = before.trained.refit(history)
        how = KNOWN if trained.dump() == before.trained.dump() else ADDED
    if how != KNOWN:
        _keep(trained, path, options, learnt_from(history))
    return Taught(trained, how)


def learnt_from(history: Sequence[Window]) -> datetime:
    """End of the last row of all windows."""
    return max(from_numpy(step_end(one.time[-1], one.step, one.zone)) for one in history if len(one))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a file holds; `until` is the end of the readings that taught."""

    trained: TrainedForecaster
    until: datetime


def _options(forecaster: Forecaster) -> dict[str, object]:
    kind = type(forecaster)
    said = {name: _plain(value) for name, value in asdict(forecaster).items()}  # type: ignore[call-overload]
    return {"class": f"{kind.__module__}:{kind.__qualname__}", **said}


def _plain(value: object) -> object:
    """As JSON reads it back."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def _loaded(forecaster: Forecaster, path: Path, options: dict[str, object]) -> _Kept | None:
    """What the file holds; None where there is none, or it is of other options or cannot be used."""
    try:
        header, arrays = unpack(path.read_bytes())
        if header["options"] != options:
            return None
        until = datetime.fromisoformat(str(header["until"]))
        return _Kept(forecaster.load(arrays[_STATE].tobytes()), until)
    except (FileNotFoundError, ArchiveError, KeyError, ValueError):
        return None


def _keep(trained: TrainedForecaster, path: Path, options: dict[str, object], until: datetime) -> None:
    header = {"options": options, "until": isoformat(until)}
    state = np.frombuffer(trained.dump(), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(pack(header, {_STATE: state}))
    partial.replace(path)
