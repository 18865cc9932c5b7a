"""What a notifier looks after beside its lanes: tests of channels, silence, and what nobody has heard of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sereno.domain.incidents import Condition
from sereno.domain.time import isoformat
from sereno.flows.incidents import up_to_date
from sereno.flows.lanes import Lane
from sereno.flows.telling import (
    CLOSING,
    TellingRules,
    is_due,
    is_lasting,
    is_wanted,
    tell_lasting,
    tell_late,
)
from sereno.settings.alerting import DeadManSettings
from sereno.store import NewNotification, ReceiverState, Store, StoredAsset, Transaction

__all__ = ["BROKEN", "DEAD_MAN", "TEST", "Upkeep", "new_test"]

TEST, DEAD_MAN, BROKEN = "test", "dead_man", "channel_broken"
_NAMED = 5
"""Sites that a notice names; of others it gives the number."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """What is looked after, and for whom."""

    store: Store
    lanes: Mapping[str, Lane]
    dead_man: DeadManSettings
    rules: TellingRules

    def look(self, now: datetime) -> None:
        """Queue the tests, notices and late news that are due.

        Raises:
            StoreError: The store refused.
        """
        self._queue_tests(now)
        if self.dead_man.to:
            self._tell_silence(now)
        if self.rules.routes:
            self._tell_late(now)
            self._tell_lasting(now)

    def tell_broken(self, tx: Transaction, state: ReceiverState, now: datetime) -> None:
        """Let others know that a receiver refuses what it is sent."""
        key = f"{BROKEN}:{state.receiver}:{isoformat(state.broken_since)}"
        body = {"broken": state.receiver, "reason": state.broken_reason}
        others = [name for name in self.dead_man.to if name != state.receiver]
        tx.add_notifications(
            [NewNotification(f"{key}:{name}", name, BROKEN, now, body=body) for name in others]
        )

    def _queue_tests(self, now: datetime) -> None:
        """A channel that nothing has arrived through for long is tested; one that is used proves itself."""
        with self.store.read() as tx:
            states = tx.receiver_states()
        for lane in self.lanes.values():
            every, known = lane.settings.self_test, states.get(lane.name)
            if every is None or (known is not None and not _is_test_due(known, every, now)):
                continue
            with self.store.begin() as tx:
                state = tx.lock_receiver(lane.name, now)
                if state is not None and _is_test_due(state, every, now):
                    tx.add_notifications([new_test(lane.name, now)])
                    tx.save_receiver_state(replace(state, tested_at=now))

    def _tell_silence(self, now: datetime) -> None:
        """Tell of the sites whose time without readings has run out since somebody was last told."""
        with self.store.read() as tx:
            until, states = tx.judged_until(), tx.receiver_states()
        deadlines = {site: last + self.dead_man.after for site, last in until.items()}
        for name in self.dead_man.to:
            state = states.get(name) or ReceiverState(name, now)
            looked = state.looked_at
            silent = [s for s, end in deadlines.items() if end <= now and (looked is None or end > looked)]
            if not silent and looked is not None and now - looked < self.dead_man.after:
                continue
            with self.store.begin() as tx:
                known = tx.lock_receiver(name, now, waits=True) or state
                if silent:
                    tx.add_notifications([_silence(name, {s: until[s] for s in silent}, len(until), now)])
                tx.save_receiver_state(replace(known, looked_at=now))

    def _tell_late(self, now: datetime) -> None:
        """Tell of what goes on and nobody has heard of: it began as history, or was muted when it began."""
        wanted: list[tuple[str, StoredAsset]] = []
        with self.store.read() as tx:
            for incident in tx.untold_incidents():
                asset = tx.asset_of(incident.id)
                if is_wanted(incident, asset, self.rules, now):
                    wanted.append((incident.id, asset))
        for name, asset in wanted:
            with self.store.begin() as tx:
                # What has ended or was seen to in the meantime is not news.
                current = up_to_date(tx, tx.locked_incident(name), {asset.key: asset.id})
                is_active = current.condition is Condition.ACTIVE
                if is_active and is_due(current, asset, self.rules, now):
                    tell_late(tx, current, self.rules, now)

    def _tell_lasting(self, now: datetime) -> None:
        """Tell of what is back and stays, whoever heard that it was over."""
        with self.store.read() as tx:
            back = [(one.id, tx.asset_of(one.id)) for one in tx.incidents_told_over(CLOSING)]
        for name, asset in back:
            with self.store.begin() as tx:
                current = up_to_date(tx, tx.locked_incident(name), {asset.key: asset.id})
                if is_lasting(current, asset):
                    tell_lasting(tx, current, self.rules, now)


def new_test(receiver: str, now: datetime) -> NewNotification:
    """A test of a receiver."""
    return NewNotification(f"{TEST}:{receiver}:{isoformat(now)}", receiver, TEST, now)


def _is_test_due(state: ReceiverState, every: timedelta, now: datetime) -> bool:
    seen = [at for at in (state.since, state.accepted_at, state.tested_at) if at is not None]
    return state.disabled_at is None and now - max(seen) >= every


def _silence(receiver: str, silent: Mapping[str, datetime], n_sites: int, now: datetime) -> NewNotification:
    """The notice that sites have given no readings."""
    parts = [f"{site}={isoformat(last)}" for site, last in sorted(silent.items())]
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
    body = {
        "source": _names(sorted(silent)),
        "since": isoformat(max(silent.values())),
        "sites": sorted(silent)[:_MAX_LISTED],
        "sites_silent": len(silent),
        "sites_total": n_sites,
    }
    return NewNotification(f"{DEAD_MAN}:{receiver}:{digest}", receiver, DEAD_MAN, now, body=body)


def _names(sites: Sequence[str]) -> str:
    more = f" (+{len(sites) - _NAMED})" if len(sites) > _NAMED else ""
    return ", ".join(sites[:_NAMED]) + more


_MAX_LISTED = 100
