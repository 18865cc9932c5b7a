"""A store whose incidents are told, and what happens to them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from sereno.domain.incidents import EventKind, Incident, IncidentEvent
from sereno.domain.judgement import Detection, Severity
from sereno.domain.signals import AssetKey
from sereno.flows.telling import TellingRules
from sereno.settings.reading import load_settings
from sereno.settings.tree import Settings
from sereno.store import Store, StoredNotification, Transaction, open_store
from tests.support.builders import DAY, HOUR, NOW, PLANT, PROFILES, a_detection

MINUTE = timedelta(minutes=1)


def settings_of(folder: Path, text: str) -> Settings:
    """Settings as a workspace would read them."""
    (folder / "sereno.yaml").write_text(text, "utf-8")
    return load_settings(folder, {}).tree


def receivers(*names: str, kind: str = "webhook", **options: object) -> dict[str, object]:
    """Receivers of one kind with the same options."""
    return {name: {"kind": kind, **options} for name in names}


def all_to(*names: str, **changes: object) -> str:
    """Settings by which these receivers are told of everything."""
    return yaml.safe_dump({"receivers": receivers(*names, **changes), "routes": [{"to": list(names)}]})


@contextmanager
def told_store(url: str, settings: Settings) -> Iterator[Store]:
    """A store whose incidents are told as settings say."""
    rules = TellingRules.of_settings(settings, PROFILES)
    with open_store(url, before_commit=rules.tell_recorded) as store:
        yield store


def a_failure(
    *, severity: Severity = Severity.MEDIUM, last: datetime = NOW, hours: int | None = None, **changes: object
) -> Detection:
    """A roof that has made nothing for three hours until `last`; over after so many hours with `hours`."""
    start = last - 3 * HOUR
    ended = None if hours is None else start + hours * HOUR
    found = a_detection(severity=severity, started_at=start, ended_at=ended, last_at=last, peak_at=start)
    return replace(found, **changes)  # type: ignore[arg-type]


def open_one(
    store: Store,
    incident_id: str = "incident-1",
    *,
    detection: Detection | None = None,
    at: datetime = NOW,
    profile: str = "solar",
) -> Incident:
    """Open an incident about an asset that is there or is made."""
    with store.begin() as tx:
        return open_in(tx, incident_id, detection=detection, at=at, profile=profile)


def open_in(
    tx: Transaction,
    incident_id: str = "incident-1",
    *,
    detection: Detection | None = None,
    at: datetime = NOW,
    profile: str = "solar",
) -> Incident:
    """The same in a transaction that goes on."""
    detection = detection or a_failure()
    key: AssetKey = detection.asset
    which = tx.ensure_assets([key], profile=profile, zone="Europe/Madrid")[key]
    tx.set_step(which, HOUR)
    tx.save_detection(which, detection)
    event = IncidentEvent(EventKind.OPENED, at, detection.started_at, detection=detection)
    return tx.open_incident(incident_id, f"group-{incident_id}", which, event)


def happen(
    store: Store,
    kind: EventKind,
    incident_id: str = "incident-1",
    *,
    detection: Detection | None = None,
    at: datetime = NOW,
    **facts: str,
) -> Incident:
    """Let something happen to an incident."""
    event_time = detection.last_at if detection is not None else at
    with store.begin() as tx:
        if detection is not None:
            which = tx.ensure_assets([detection.asset], profile="solar", zone="Europe/Madrid")
            tx.save_detection(which[detection.asset], detection)
        return tx.append_event(
            incident_id, IncidentEvent(kind, at, event_time, detection=detection, facts=facts)
        )


def outbox(store: Store, receiver: str | None = None) -> list[StoredNotification]:
    """What is in the outbox, oldest first."""
    with store.read() as tx:
        found = tx.notifications()[::-1]
    return [one for one in found if receiver in (None, one.receiver)]


def told(store: Store, receiver: str | None = None) -> list[str]:
    """The events in the outbox, oldest first."""
    return [one.event for one in outbox(store, receiver)]


def plants(count: int) -> list[AssetKey]:
    """So many roofs, each on its own site."""
    return [AssetKey(f"Planta {n}", f"Planta {n}") for n in range(10, 10 + count)]


__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "NOW",
    "PLANT",
    "Mapping",
    "a_failure",
    "all_to",
    "happen",
    "open_one",
    "outbox",
    "plants",
    "receivers",
    "settings_of",
    "told",
    "told_store",
]
