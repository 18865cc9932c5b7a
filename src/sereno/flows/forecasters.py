"""Trained forecasters: each as it was learnt, under its digest, and as it is now with the days added."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.contracts import Forecaster, TrainedForecaster
from sereno.domain.archive import ArchiveError, digest_of, pack, unpack
from sereno.domain.calendar import step_end
from sereno.domain.errors import ModelCorrupt
from sereno.domain.readings import Window
from sereno.domain.registry import ForecasterCard
from sereno.domain.time import from_numpy, isoformat
from sereno.domain.version import VERSION
from sereno.flows.build import MODELS_FOLDER, Setup
from sereno.flows.mlflow_export import log_training
from sereno.flows.models import write_whole
from sereno.flows.pinning import is_pinned
from sereno.flows.train import fingerprint_of
from sereno.forecast.registry import build_forecaster
from sereno.store import Store, StoredForecaster

__all__ = ["LEARNT_SUFFIX", "ForecasterGroup", "ForecasterShelf", "drop_current_forecasters"]

LEARNT_SUFFIX = ".learnt"
_CURRENT = ".forecaster"
_STATE = "state"
_GONE = "the file is gone"
_NOT_THE_ONE = "it is another training than the one that the store knows by this name"


@dataclass(frozen=True, slots=True)
class ForecasterGroup:
    """Assets that are forecast together, and what is asked for.

    Attributes:
        kind: Of the forecaster.
        options: As settings say them.
        days_ahead: Days that are learnt.
        country: Whose holidays count; empty for that of the zone.
    """

    profile: str
    signal: str
    step: timedelta
    kind: str
    options: Mapping[str, object]
    days_ahead: int
    country: str

    @property
    def name(self) -> str:
        """Whose versions its forecasters are, as `forecast-load-power-3600s-ridge-2d`."""
        step = f"{self.step.total_seconds():g}s"
        return f"forecast-{self.profile}-{self.signal}-{step}-{self.kind}-{self.days_ahead}d"

    def forecaster(self) -> Forecaster:
        """What learns.

        Raises:
            ForecasterUnknown, ForecasterMisconfigured, ExtraMissing: There is none such here.
        """
        common = {"days_ahead": self.days_ahead, "country": self.country}
        return build_forecaster(self.kind, self.signal, self.options, common=common)

    def settings(self) -> dict[str, object]:
        """All that what is learnt hangs on, as JSON holds it."""
        return {
            "kind": self.kind,
            "options": dict(self.options),
            "days_ahead": self.days_ahead,
            "country": self.country,
            "source": self.profile,
        }

    def is_of(self, card: ForecasterCard) -> bool:
        """Whether a version was learnt with the settings that are asked for now."""
        return json.dumps(card.settings, sort_keys=True) == json.dumps(self.settings(), sort_keys=True)

    @classmethod
    def of_card(cls, card: ForecasterCard) -> "ForecasterGroup":
        """What a version was learnt for."""
        said = card.settings
        options: Mapping[str, object] = said["options"]  # type: ignore[assignment]
        return cls(
            profile=str(said["source"]),
            signal=card.signal,
            step=timedelta(seconds=card.step_s),
            kind=str(said["kind"]),
            options=options,
            days_ahead=int(str(said["days_ahead"])),
            country=str(said["country"]),
        )


class ForecasterShelf:
    """The versions of a workspace's forecasters."""

    def __init__(self, setup: Setup, store: Store) -> None:
        self._setup = setup
        self._store = store

    def champion(self, group: str) -> StoredForecaster | None:
        """What forecasts a group; None before anything was learnt."""
        with self._store.read() as tx:
            return next((one for one in tx.forecasters(group) if one.is_active), None)

    def is_pinned(self, champion: StoredForecaster) -> bool:
        """Whether settings say that this version forecasts its group."""
        with self._store.read() as tx:
            return is_pinned(self._setup, tx, champion.card.profile)

    def stands(self, champion: StoredForecaster, asked: ForecasterGroup) -> bool:
        """Whether a champion goes on: it is what is asked for, or somebody chose it from what was asked for.

        Settings that no version has learnt with are learnt with, whoever was chosen before.
        """
        if asked.is_of(champion.card):
            return True
        with self._store.read() as tx:
            if is_pinned(self._setup, tx, asked.name):
                return True
            is_tried = any(asked.is_of(one.card) for one in tx.forecasters(asked.name))
            return is_tried and bool(tx.successions(asked.name)[-1].reason)

    def learn(
        self,
        group: ForecasterGroup,
        history: Sequence[Window],
        *,
        is_candidate: bool = False,
        reason: str = "",
    ) -> tuple[StoredForecaster, TrainedForecaster]:
        """Learn a version, and let it forecast from now on.

        Args:
            is_candidate: Another one forecasts on, if there is one; so does one that settings name.
            reason: Why it forecasts from now on; kept in its history.

        Raises:
            HistoryTooShort: No asset has readings of two days.
        """
        trained = group.forecaster().fit(history)
        data = trained.dump()
        card = self._card(group, history, digest_of(data))
        path = Path(MODELS_FOLDER) / f"{card.digest}{LEARNT_SUFFIX}"
        write_whole(self._setup.folder / path, data)
        self._keep_current(card, data, history)
        with self._store.begin() as tx:
            champion = next((one for one in tx.forecasters(group.name) if one.is_active), None)
            is_candidate = is_candidate or is_pinned(self._setup, tx, group.name)
            if is_candidate and champion is not None and champion.card.id == card.id:
                return champion, trained
            tx.save_forecaster(card, path.as_posix())
            is_champion = not is_candidate or champion is None
            if is_champion:
                tx.activate_model(card.id, reason=reason)
        log_training(self._setup, card, self._setup.folder / path)
        return StoredForecaster(card, path.as_posix(), is_champion), trained

    def current_path(self, card: ForecasterCard) -> Path:
        """Where a version lies with the days that it has learnt since."""
        return self._setup.folder / MODELS_FOLDER / f"{card.id}{_CURRENT}"

    def path(self, stored: StoredForecaster) -> Path:
        """The file that a version is read from now."""
        current = self.current_path(stored.card)
        return current if current.is_file() else self._setup.folder / stored.path

    def current(self, stored: StoredForecaster) -> TrainedForecaster | None:
        """A version with the days that it has learnt since, or as it was learnt; None where it is damaged."""
        try:
            kept = self._kept(stored)
            return self.as_learnt(stored) if kept is None else self._loader(stored).load(kept[0])
        except (ArchiveError, ModelCorrupt):
            return None

    def knows_until(self, stored: StoredForecaster) -> datetime:
        """End of the readings that a version has learnt from, with the days since; at least its last row."""
        try:
            kept = self._kept(stored)
        except ArchiveError:
            return stored.card.until
        return stored.card.until if kept is None else kept[1]

    def _kept(self, stored: StoredForecaster) -> tuple[bytes, datetime] | None:
        """What a version knows by now, and until when; None where it knows what it has learnt.

        Raises:
            ArchiveError: The file is broken.
        """
        path = self.current_path(stored.card)
        if not path.is_file():
            return None
        header, arrays = unpack(path.read_bytes())
        return arrays[_STATE].tobytes(), datetime.fromisoformat(str(header["until"]))

    def _keep_current(self, card: ForecasterCard, data: bytes, history: Sequence[Window]) -> None:
        until = max(from_numpy(step_end(one.time[-1], one.step, one.zone)) for one in history if len(one))
        state = {_STATE: np.frombuffer(data, dtype=np.uint8)}
        write_whole(self.current_path(card), pack({"until": isoformat(until)}, state))

    def as_learnt(self, stored: StoredForecaster) -> TrainedForecaster:
        """A version as training left it, verified.

        Raises:
            ModelCorrupt: Its artefact is not what the store says it is.
        """
        path = self._setup.folder / stored.path
        try:
            data = path.read_bytes()
            if digest_of(data) != stored.card.digest:
                raise ModelCorrupt(file=str(path), detail=_NOT_THE_ONE)
            return self._loader(stored).load(data)
        except FileNotFoundError as error:
            raise ModelCorrupt(file=str(path), detail=_GONE) from error
        except ArchiveError as error:
            raise ModelCorrupt(file=str(path), detail=str(error)) from error

    def add_days(
        self, stored: StoredForecaster, before: TrainedForecaster, history: Sequence[Window]
    ) -> tuple[TrainedForecaster, bool]:
        """A version with the days that came since, kept so; and whether there were any."""
        trained = before.refit(history)
        data = trained.dump()
        is_other = data != before.dump()
        if is_other:
            self._keep_current(stored.card, data, history)
        return trained, is_other

    @staticmethod
    def _loader(stored: StoredForecaster) -> Forecaster:
        return ForecasterGroup.of_card(stored.card).forecaster()

    def _card(self, group: ForecasterGroup, history: Sequence[Window], digest: str) -> ForecasterCard:
        filled = [window for window in history if len(window)]
        fingerprint = fingerprint_of(filled)
        identity = hashlib.sha256(
            f"{group.name}|{fingerprint}|{sorted(group.settings().items())}".encode()
        ).hexdigest()
        return ForecasterCard(
            id=f"{group.name}-{identity[:10]}",
            profile=group.name,
            detector=group.kind,
            signal=group.signal,
            step_s=group.step.total_seconds(),
            trained_at=self._setup.clock(),
            settings=group.settings(),
            fingerprint=fingerprint,
            digest=digest,
            assets=tuple(sorted(window.asset for window in filled)),
            until=max(from_numpy(window.time[-1]) for window in filled),
            metrics={"assets": float(len(filled)), "rows": float(sum(map(len, filled)))},
            code_version=VERSION,
        )


def drop_current_forecasters(folder: Path) -> None:
    """Let go of what versions have learnt since training; they learn it again when they are asked."""
    for path in (folder / MODELS_FOLDER).glob(f"*{_CURRENT}"):
        path.unlink(missing_ok=True)
