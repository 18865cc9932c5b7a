"""What becomes of a look for drift: verdicts are kept, the registry is told, and it is time for the next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sereno.domain.drift import AssetDrift, DriftKind, DriftStanding, DriftVerdict
from sereno.domain.jobs import JobState
from sereno.domain.registry import ForecasterCard, RegistryEntry, RegistryEvent
from sereno.domain.signals import AssetKey
from sereno.domain.time import isoformat
from sereno.flows.drifting import DriftReport
from sereno.flows.forecasters import ForecasterGroup
from sereno.flows.jobs import JobRunner
from sereno.store import Store, StoredForecaster, StoredModel, Transaction

__all__ = ["DRIFT", "ask_for_drift", "drift_document", "drift_line", "is_drift_due", "keep_drift"]

DRIFT = "drift"
"""Kind of the job."""
_TRIED_AGAIN = timedelta(days=1)
"""After a look that failed."""
_NAMED = 20
"""Assets that a line of the registry names; of others it gives the number."""

_Watched = tuple[int, AssetDrift]


def keep_drift(store: Store, report: DriftReport, at: datetime) -> None:
    """Keep the verdicts; what has newly drifted is noted with each champion that learnt it otherwise."""
    with store.begin() as tx:
        for profile, drifts in report.watched.items():
            ids = {one.key: one.id for one in tx.assets(profile)}
            found = [(ids[one.asset], one) for one in drifts if one.asset in ids]
            for entry in _entries(tx, profile, _new(tx, found), at):
                tx.add_registry_entry(entry)
            tx.save_drifts(found, at=at)


def drift_document(stored: DriftStanding) -> dict[str, Any]:
    """The last verdicts of one asset as every door shows them."""
    about = {"asset_id": stored.asset_id, "profile": stored.profile, "judged_at": isoformat(stored.judged_at)}
    return about | stored.drift.to_json()


def drift_line(stored: DriftStanding) -> dict[str, Any]:
    """The same without replays: for a list."""
    said = drift_document(stored)
    for verdict in said["verdicts"]:
        del verdict["replays"]
    return said


def is_drift_due(tx: Transaction, every: timedelta | None, now: datetime) -> bool:
    """Whether it is time to look for drift; a look that failed is tried again the next day."""
    if every is None:
        return False
    judged_at = tx.drift_judged_at()
    if judged_at is not None and now - judged_at < every:
        return False
    asked = [one for one in tx.jobs() if one.kind == DRIFT and one.state is not JobState.DONE]
    return not asked or now - asked[0].created_at >= min(every, _TRIED_AGAIN)


def ask_for_drift(store: Store, jobs: JobRunner, every: timedelta | None, now: datetime) -> None:
    """Ask for the job that looks for drift when it is time for it: however many engines ask, one an hour."""
    with store.read() as tx:
        is_due = is_drift_due(tx, every, now)
    if is_due:
        jobs.submit(DRIFT, {}, author="sereno", request_key=f"{DRIFT}/{now:%Y-%m-%dT%H}")


@dataclass(frozen=True, slots=True)
class _Stale:
    """An asset whose behaviour or forecasts have drifted."""

    asset: AssetKey
    signal: str
    verdict: DriftVerdict


def _new(tx: Transaction, found: Sequence[_Watched]) -> list[_Stale]:
    """What alarms now, and did not when it was last looked at."""
    known = {(one.asset_id, one.drift.target): one.drift.staleness for one in tx.drifts()}
    stale = []
    for asset_id, one in found:
        verdict, before = one.staleness, known.get((asset_id, one.target))
        is_known = before is not None and verdict is not None and before.since == verdict.since
        if verdict is not None and not is_known:
            stale.append(_Stale(one.asset, one.target, verdict))
    return stale


def _entries(tx: Transaction, profile: str, stale: Sequence[_Stale], at: datetime) -> Iterator[RegistryEntry]:
    for champion in (one for one in tx.versions() if one.is_active):
        told = [one for one in stale if _concerns(champion, profile, one)]
        if told:
            yield RegistryEntry(
                champion.card.profile, champion.card.id, RegistryEvent.DRIFT, at, "", "drift", _facts(told)
            )


def _concerns(champion: StoredModel | StoredForecaster, profile: str, stale: _Stale) -> bool:
    """Whether a champion learnt what no longer holds: forecasts err by a forecaster alone."""
    card = champion.card
    if stale.asset not in card.assets:
        return False
    if isinstance(card, ForecasterCard):
        return ForecasterGroup.of_card(card).profile == profile and card.signal == stale.signal
    return card.profile == profile and stale.verdict.kind is DriftKind.CONCEPT


def _facts(told: Sequence[_Stale]) -> Mapping[str, object]:
    return {
        "kinds": sorted({one.verdict.kind.value for one in told}),
        "level": max(one.verdict.level for one in told).name,
        "since": min(one.verdict.since for one in told),
        "assets": [str(one.asset) for one in told[:_NAMED]],
        "n_assets": len(told),
    }
