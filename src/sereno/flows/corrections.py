"""Corrections: somebody knows better than the meter, says so, and can take it back."""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from sereno.domain.calendar import to_utc
from sereno.domain.corrections import NEEDS_AMOUNT, Correction, CorrectionKind
from sereno.domain.errors import InvalidCorrection, UnknownSignal
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import from_numpy, isoformat, to_numpy
from sereno.flows.named import named_assets, named_signal
from sereno.store import StoredAsset, StoredRows, Transaction

__all__ = ["CorrectionRequest", "CorrectionView", "add_correction", "find_corrections", "undo_correction"]

_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class CorrectionRequest:
    """What somebody wants to correct.

    Attributes:
        asset, signal: As people name them.
        start, end: The stretch [start, end); without a zone by the clock of the site. `end` is None for a
            single value.
        amount: Factor, offset or value in the signal's unit; None where the kind has none.
    """

    asset: str
    signal: str
    kind: CorrectionKind
    start: datetime
    end: datetime | None
    amount: float | None
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """A correction with the names that people know.

    Attributes:
        n_values: Raw values in its stretch; None where nobody counted.
    """

    correction: Correction
    asset: AssetKey
    unit: str
    n_values: int | None = None

    def to_json(self) -> dict[str, object]:
        """As `corrections --json` shows it."""
        one = self.correction
        document: dict[str, object] = {
            "id": one.id,
            "site": self.asset.site,
            "asset": self.asset.asset,
            "signal": one.signal,
            "kind": one.kind.value,
            "started_at": isoformat(one.started_at),
            "ended_at": isoformat(one.ended_at),
            "amount": one.amount,
            "unit": self.unit,
            "author": one.author,
            "reason": one.reason,
            "at": isoformat(one.at),
            "undone_at": isoformat(one.undone_at),
            "undone_by": one.undone_by,
            "undone_reason": one.undone_reason,
        }
        return document if self.n_values is None else document | {"values": self.n_values}


def add_correction(
    tx: Transaction, request: CorrectionRequest, profiles: Mapping[str, Profile], *, at: datetime
) -> CorrectionView:
    """Keep a correction beside the raw values, which stay as they are.

    Raises:
        UnknownAsset, UnknownSignal: Nothing has these names.
        InvalidCorrection: The stretch, the amount, the author or the reason makes no sense.
    """
    _check_saying(request)
    asset, rows, signal = _target(tx, request, profiles)
    start = _instant(request.start, asset.zone)
    end = start if request.end is None else _instant(request.end, asset.zone)
    if (request.kind is CorrectionKind.VALUE) != (request.end is None) or end < start:
        raise InvalidCorrection(detail=f"the stretch from {isoformat(start)} to {isoformat(end)} is empty")
    one = Correction(
        id=secrets.token_hex(_ID_BYTES),
        asset_id=asset.id,
        signal=signal,
        kind=request.kind,
        started_at=start,
        ended_at=end,
        amount=request.amount,
        author=request.author.strip(),
        reason=request.reason.strip(),
        at=at,
    )
    n_values = _values_in(one, rows)
    tx.add_correction(one)
    return CorrectionView(one, asset.key, profiles[asset.profile].signal(signal).unit, n_values)


def find_corrections(
    tx: Transaction, profiles: Mapping[str, Profile], *, asset: str | None = None, with_undone: bool = False
) -> list[CorrectionView]:
    """The corrections in the order in which they were made.

    Args:
        asset: Only those of the assets of this name.
        with_undone: Those that were taken back, too.

    Raises:
        UnknownAsset: Nothing has this name.
    """
    assets = tx.assets() if asset is None else named_assets(tx, asset)
    places = {one.id: one for one in assets}
    found = tx.corrections(with_undone=with_undone)
    return [_view(one, places[one.asset_id], profiles) for one in found if one.asset_id in places]


def undo_correction(
    tx: Transaction,
    correction_id: str,
    profiles: Mapping[str, Profile],
    *,
    at: datetime,
    author: str,
    reason: str,
) -> CorrectionView:
    """Take a correction back; it stays in the list of those that were.

    Raises:
        NotFound: No correction, or several, begin like that.
        InvalidCorrection: It was taken back before.
    """
    if not tx.correction(correction_id).is_active:
        raise InvalidCorrection(detail=f"{correction_id} was taken back before")
    one = tx.undo_correction(correction_id, at=at, by=author.strip(), reason=reason.strip())
    asset = next(each for each in tx.assets() if each.id == one.asset_id)
    return _view(one, asset, profiles)


def _check_saying(request: CorrectionRequest) -> None:
    if not request.reason.strip() or not request.author.strip():
        raise InvalidCorrection(detail="it needs an author and a reason")
    is_wanted = request.kind in NEEDS_AMOUNT
    if is_wanted != (request.amount is not None):
        needs = "needs an amount" if is_wanted else "takes no amount"
        raise InvalidCorrection(detail=f"a correction of kind {request.kind.value} {needs}")
    if request.amount is not None and not math.isfinite(request.amount):
        raise InvalidCorrection(detail=f"{request.amount} is not a number to correct with")
    if request.kind is CorrectionKind.FACTOR and request.amount == 0:
        raise InvalidCorrection(detail="a factor of 0 would erase the values: say that they are missing")


def _target(
    tx: Transaction, request: CorrectionRequest, profiles: Mapping[str, Profile]
) -> tuple[StoredAsset, StoredRows, str]:
    """The one asset of that name that has the signal, with its rows."""
    unknown: UnknownSignal | None = None
    found = []
    for asset in named_assets(tx, request.asset):
        rows = tx.rows(asset.id, asset.profile)
        present = [name for name, has in zip(rows.signals, _has_values(rows), strict=True) if has]
        try:
            signal = named_signal(profiles[asset.profile], present, request.signal, str(asset.key))
        except UnknownSignal as error:
            unknown = error
        else:
            found.append((asset, rows, signal))
    if len(found) > 1:
        names = ", ".join(str(asset.key) for asset, _, _ in found)
        raise InvalidCorrection(detail=f"'{request.asset}' stands for several assets: {names}")
    if not found and unknown is not None:
        raise unknown
    return found[0]


def _has_values(rows: StoredRows) -> list[bool]:
    has: list[bool] = np.asarray(~np.isnan(rows.values).all(axis=0)).tolist()
    return has


def _values_in(one: Correction, rows: StoredRows) -> int:
    """Raw values that the correction is about; an interpolation needs some on both sides instead."""
    has_value = ~np.isnan(rows.values[:, rows.signals.index(one.signal)])
    start, end = to_numpy(one.started_at), to_numpy(one.ended_at)
    if one.kind is CorrectionKind.VALUE:
        is_inside = rows.time == start
    else:
        is_inside = (rows.time >= start) & (rows.time < end)
    n_values = int(np.count_nonzero(has_value & is_inside))
    if one.kind is CorrectionKind.INTERPOLATE:
        if not (has_value & (rows.time < start)).any() or not (has_value & (rows.time >= end)).any():
            raise InvalidCorrection(detail="there is no value on both sides of the stretch to draw a line")
    elif one.kind is CorrectionKind.VALUE:
        if not is_inside.any():
            raise InvalidCorrection(detail=f"there is no reading at {isoformat(one.started_at)}")
    elif not n_values:
        raise InvalidCorrection(
            detail=f"there is no value from {isoformat(one.started_at)} to {isoformat(one.ended_at)}"
        )
    return n_values


def _instant(given: datetime, zone: str) -> datetime:
    """UTC instant; a time without a zone is one of the site's clock."""
    if given.tzinfo is not None:
        return from_numpy(to_numpy(given))
    return from_numpy(to_utc(np.array([given], dtype="datetime64[us]"), zone)[0])


def _view(one: Correction, asset: StoredAsset, profiles: Mapping[str, Profile]) -> CorrectionView:
    return CorrectionView(one, asset.key, profiles[asset.profile].signal(one.signal).unit)
