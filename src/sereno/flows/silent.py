"""Sources that fell silent: an incident of each, which ends by itself when the source is heard of again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import nan

from sereno.domain.incidents import EventKind
from sereno.domain.judgement import Detection, IncidentKind, Severity
from sereno.domain.signals import SOURCE_PROFILE, AssetKey
from sereno.flows.feeds import Feed
from sereno.flows.life import LifePolicy, Recorder
from sereno.incidents.grouping import plan_steps
from sereno.store import Store, StoredAsset, Transaction

__all__ = ["SILENT", "SilenceWatch"]

SILENT = "source.silent"
_SIGNAL = "readings"


@dataclass(slots=True)
class SilenceWatch:
    """Looks after sources that should be heard of.

    Attributes:
        since: Since when each has been listened to; what was not listened to cannot be called silent.
        zone: Of sites that only a silent source has named so far.
    """

    store: Store
    policy: LifePolicy
    feeds: Sequence[Feed]
    zone: str
    since: dict[str, datetime] = field(default_factory=dict)

    def look(self, now: datetime) -> None:
        """Open the incidents of those that have been silent for too long, and end those that are over.

        Raises:
            StoreError: The store refused.
        """
        with self.store.read() as tx:
            open_ones = {
                asset.key: stored.detection
                for asset in tx.assets(SOURCE_PROFILE)
                for stored in tx.detections(asset.id, since=now)
                if stored.detection.ended_at is None
            }
            heard = {feed.name: tx.source_state(feed.name).heard_at for feed in self.feeds}
        for feed in self.feeds:
            told = open_ones.pop(feed.key, None)
            found = self._found(feed, heard[feed.name], told, now)
            if found is not None and found != told:
                self._record(feed.key, found, now)
        for key, told in open_ones.items():  # no longer declared
            self._record(key, replace(told, ended_at=now), now)

    def _found(
        self, feed: Feed, heard_at: datetime | None, told: Detection | None, now: datetime
    ) -> Detection | None:
        """What is to be said of a source; None where nothing is."""
        began = self.since.setdefault(feed.name, now)
        if told is not None and heard_at is not None and heard_at > told.started_at:
            return replace(told, ended_at=heard_at)
        if feed.silent_after is None:
            return None if told is None else replace(told, ended_at=now)
        last = max(began, heard_at or began) if told is None else told.started_at
        n_lengths = (now - last) // feed.silent_after
        if n_lengths < 1:
            return told
        if told is not None and told.n_rows == n_lengths:
            return told
        return _detection(feed.key, last if heard_at is None or told else heard_at, now, n_lengths)

    def _record(self, key: AssetKey, found: Detection, now: datetime) -> None:
        with self.store.begin() as tx:
            asset = _asset_of(tx, key, self.zone)
            tx.lock_assets([asset.id])
            tx.save_detection(asset.id, found)
            recorder = Recorder(tx, self.policy, now=now)
            known = tx.incidents(asset_id=asset.id, include_withdrawn=True)
            for step in plan_steps([found], [], known, step=None, now=now):
                if step.event.kind is EventKind.OPENED:
                    recorder.open(step.incident_id, step.group_key, asset, step.event)
                else:
                    recorder.append(step.incident_id, step.event, asset)
            recorder.settle()


def _asset_of(tx: Transaction, key: AssetKey, zone: str) -> StoredAsset:
    tx.ensure_assets([key], profile=SOURCE_PROFILE, zone=zone)
    return next(one for one in tx.assets(SOURCE_PROFILE, sites=[key.site]) if one.key == key)


def _detection(key: AssetKey, started_at: datetime, now: datetime, n_lengths: int) -> Detection:
    contributions: Mapping[str, float] = {_SIGNAL: 1.0}
    return Detection(
        asset=key,
        check=SILENT,
        kind=IncidentKind.DATA,
        cause=SILENT,
        severity=Severity.HIGH,
        started_at=started_at,
        ended_at=None,
        last_at=now,
        peak_at=started_at,
        signals=(_SIGNAL,),
        score=float(n_lengths),
        threshold=1.0,
        observed=nan,
        expected=nan,
        unit="",
        impact=nan,
        impact_unit="",
        n_rows=n_lengths,
        contributions=contributions,
    )
