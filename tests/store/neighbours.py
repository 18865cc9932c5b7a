"""Two organizations whose things have the same names, and what the one could ask for of the other."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import MetaData, create_engine, make_url, select

from sereno.contracts.notification import Answer, Outcome
from sereno.contracts.source import Item
from sereno.domain.access import Role
from sereno.domain.accounts import ApiKey, LoginSession, OneTimeLink, User
from sereno.domain.adjustments import Adjustment
from sereno.domain.audit import Act, Bringer
from sereno.domain.changes import ChangeKind
from sereno.domain.corrections import Correction, CorrectionKind
from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel, DriftVerdict
from sereno.domain.forecasts import QUANTILES, Forecast, Tier
from sereno.domain.incidents import EventKind
from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.domain.jobs import Job, JobState
from sereno.domain.judgement import RegimeChange
from sereno.domain.registry import ForecasterCard, RegistryEntry, RegistryEvent
from sereno.domain.rollups import RollUp, Span
from sereno.domain.silences import Matcher, Silence
from sereno.domain.timers import Timer, TimerKind
from sereno.store import (
    FileEntry,
    FoundFlags,
    NewNotification,
    ReceiverState,
    Store,
    StoredAttempt,
    Transaction,
    WatchState,
)
from sereno.store.incident_pages import IncidentQuery, Prices
from sereno.store.leases import Lease
from sereno.store.listing import DetectionQuery, NotificationQuery
from sereno.store.requests import AnsweredRequest
from sereno.store.shadows import ShadowStanding
from tests.store.builders import (
    NOW,
    ROOF,
    SOLAR,
    START,
    a_batch,
    a_card,
    a_detection,
    an_event,
)

SECRET = "secreto"
FIGURE = 777.125
"""Stands in everything that only the first organization may see."""

HOUR = timedelta(hours=1)


@dataclass
class Things:
    """What an organization has, by what it is called in the parameters of a transaction."""

    values: dict[str, object]

    def arguments(self, method: Callable[..., object]) -> tuple[list[object], dict[str, object]]:
        """What to call a method of a transaction with.

        Raises:
            AssertionError: A parameter is new: say in `fill` what a neighbour would give for it.
        """
        positional: list[object] = []
        named: dict[str, object] = {}
        for name, parameter in inspect.signature(method).parameters.items():
            if name == "self":
                continue
            key = f"{method.__name__}.{name}"
            known = key if key in self.values else name
            assert known in self.values or parameter.default is not parameter.empty, key
            if known not in self.values:
                continue
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[name] = self.values[known]
            elif parameter.kind is not parameter.VAR_KEYWORD:
                positional.append(self.values[known])
        return positional, named


def methods() -> dict[str, Callable[..., Any]]:
    """Everything that a transaction can do."""
    found = inspect.getmembers(Transaction, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


def fill(store: Store) -> Things:  # noqa: PLR0915 - one statement per thing
    """Something of everything."""
    with store.begin() as tx:
        ids = tx.ensure_assets([ROOF], profile="solar", zone="UTC")
        mine = ids[ROOF]
        batch = a_batch([[FIGURE, 2.0], [FIGURE, 4.0]])
        tx.append(batch, SOLAR, ids, at=NOW)
        tx.append(a_batch([[FIGURE, 3.0]]), SOLAR, ids, at=NOW)
        found = a_detection(end=None, observed=FIGURE)
        detection = tx.save_detection(mine, found)
        tx.open_incident("a" * 16, "g", mine, an_event())
        tx.append_event("a" * 16, an_event(EventKind.COMMENTED, actor=SECRET, facts={"text": SECRET}))
        over = replace(an_event(), detection=replace(found, check="over", ended_at=NOW))
        tx.open_incident("b" * 16, "over", mine, over)
        tx.append_event("b" * 16, replace(over, kind=EventKind.CLEARED))
        explained = an_event(EventKind.INHIBITED, facts={"parent": "a" * 16})
        tx.append_event("b" * 16, explained)
        state = WatchState(START, SECRET.encode(), "m")
        tx.save_watch_state(mine, "behaviour", state)
        tx.save_checkpoints(mine, "behaviour", [state])
        regime = RegimeChange(ROOF, "generation", START, FIGURE, 2.0)
        tx.add_regime_changes({mine: [regime]})
        tx.set_timer(Timer("a" * 16, TimerKind.ESCALATE, NOW, 1))
        tx.add_notifications(
            [
                NewNotification("key", "ana", "opened", NOW, "a" * 16, 2, {"text": SECRET}),
                NewNotification("kept", "ana", "opened", NOW, "a" * 16, 2, {"text": SECRET}),
            ]
        )
        tx.lock_receiver("ana", NOW)
        tx.save_receiver_state(ReceiverState("ana", NOW, broken_since=NOW, broken_reason=SECRET))
        leased = tx.lease_head("ana", NOW, until=NOW + HOUR, owner=SECRET)
        assert leased is not None
        attempt = StoredAttempt(leased.id, 1, NOW, FIGURE, Answer(Outcome.ACCEPTED, "200", SECRET))
        tx.record_attempt(leased, attempt, changes={"status": "sent", "sent_at": NOW})
        other = tx.lease_head("ana", NOW, until=NOW + HOUR, owner=SECRET)
        assert other is not None
        tx.save_file(FileEntry("f" * 64, SECRET, 1, "done", {}, 1, NOW))
        tx.add_quarantine("f" * 64, [QuarantinedRow(1, "read.broken_row", SECRET)])
        tx.add_issues("f" * 64, [DataIssue("quality.spike", SECRET, 1, {})])
        tx.add_metric(1, 1, FIGURE, SECRET, NOW)
        card = replace(a_card(), metrics={"explained": FIGURE})
        tx.save_model(card, SECRET)
        tx.activate_model(card.id)
        silence = Silence("s" * 16, NOW, None, Matcher(), SECRET, SECRET, NOW)
        tx.add_silence(silence)
        kind, end = CorrectionKind.FACTOR, START + HOUR
        correction = Correction("c" * 16, mine, "generation", kind, START, end, FIGURE, SECRET, SECRET, NOW)
        tx.add_correction(correction)
        adjustment = Adjustment("j" * 16, mine, "behaviour", FIGURE, "a" * 16, SECRET, NOW)
        tx.add_adjustment(adjustment)
        user = User("u" * 16, "ana", Role.ADMIN, True, NOW, SECRET)
        tx.add_user(user)
        session = LoginSession("t" * 64, user.id, NOW, NOW, NOW + 999 * HOUR, SECRET)
        tx.add_session(session)
        link = OneTimeLink("l" * 64, "ana", NOW, NOW + 999 * HOUR)
        tx.add_link(link)
        key = ApiKey("p" * 8, "gateway", SECRET, Role.SOURCE, (SECRET,), True, SECRET, NOW)
        tx.add_key(key)
        tx.note_act(Act(SECRET, "local", "cli", SECRET))
        tx.note_brought(Bringer(SECRET, "api", SECRET), n_records=1, n_stored=1, at=NOW)
        tx.add_items("planta", [Item("i", SECRET.encode())], at=NOW)
        tx.save_source_state("planta", position=SECRET, heard_at=NOW)
        (item,) = tx.waiting_items("planta", limit=1)
        job = Job("w" * 16, "train", {"text": SECRET}, SECRET, f"{SECRET}:1:1", NOW, NOW)
        tx.add_job(job)
        levels = np.full((1, len(QUANTILES)), FIGURE)
        told = Forecast(
            ROOF, "generation", NOW, NOW, HOUR, batch.time[:1], QUANTILES, levels, Tier.POOLED, SECRET
        )
        tx.add_forecasts([(mine, told)], model_id=SECRET, at=NOW)
        forecaster = ForecasterCard(
            *("forecast-1", "forecast", "ridge", "generation", 3600.0, NOW, {"text": SECRET}, "f", "d"),
            *((ROOF,), NOW, {"mae": FIGURE}, "1"),
        )
        tx.save_forecaster(forecaster, SECRET)
        line = RegistryEntry("solar", card.id, RegistryEvent.SHADOW, NOW, SECRET, SECRET, {"text": SECRET})
        tx.add_registry_entry(line)
        quiet = {kind: DriftVerdict(kind, DriftLevel.NONE, (), (FIGURE,), 1) for kind in DriftKind}
        drift = AssetDrift(ROOF, "generation", quiet)
        tx.save_drifts([(mine, drift)], at=NOW)
        standing = ShadowStanding(mine, card.id, START, NOW, 1)
        tx.save_shadow(standing, [found])
        figures = RollUp(
            batch.time[:1], np.array([2]), np.array([1]), *(np.array([FIGURE]) for _ in range(4))
        )
        tx.save_rollups(mine, Span.DAY, {"generation": figures})
        tx.set_rolled_until(mine, NOW)
        tx.keep_answer(AnsweredRequest("q", SECRET, {"text": SECRET}), at=NOW)
        tx.add_metric(1, 1, FIGURE, SECRET, START)
        tx.retain({"metrics": NOW}, {}, at=NOW, actor=SECRET)
        names = tx.site_names(ROOF.site)
    values = {
        "asset_id": mine,
        "asset_ids": [mine],
        "ids": [leased.id, other.id],
        "profile": "solar",
        "incident_id": "a" * 16,
        "incident_ids": ["a" * 16],
        "append.ids": ids,
        "append.profile": SOLAR,
        "group_key": "g",
        "detector": "behaviour",
        "instant": NOW,
        "until": NOW + HOUR,
        "due": NOW,
        "now": NOW + HOUR,
        "kinds": list(EventKind),
        "drop_timers.kinds": list(TimerKind),
        "fired": SECRET,
        "receiver": "ana",
        "notification_id": other.id,
        "dedup_key": "key",
        "into": leased.id,
        "leased": other,
        "attempt": replace(attempt, notification_id=other.id),
        "changes": {},
        "sha256": "f" * 64,
        "correction_id": "c" * 16,
        "silence_id": "s" * 16,
        "model_id": card.id,
        "readings": batch,
        "at": NOW,
        "keys": [ROOF],
        "zone": "UTC",
        "step": HOUR,
        "signals": ["generation"],
        "found": found,
        "state": state,
        "states": [state],
        "event": an_event(EventKind.ACKNOWLEDGED, actor="eva"),
        "fold.event": "digest",
        "open_incident.event": an_event(),
        "body": {},
        "reason": "x",
        "by": "eva",
        "owner": "eva",
        "below": 9,
        "number": 1,
        "after": START,
        "audit.after": 0,
        "cause": found.cause,
        "home": ROOF.site,
        "first": START,
        "last": NOW,
        "parent": None,
        "limit": 100,
        "since": START,
        "length": HOUR,
        "dead": [],
        "name": "ana",
        "held": Lease("x", SECRET, 1),
        "token_hash": "t" * 64,
        "link.token_hash": "l" * 64,
        "use_link.token_hash": "l" * 64,
        "user_id": user.id,
        "prefix": key.prefix,
        "is_revoked": True,
        "user_name": "ana",
        "disabled_at": NOW,
        "role": Role.SOURCE,
        "password_hash": "x",
        "keep_rows": 0,
        "total": 1,
        "abnormal": 0,
        "percent": 0.0,
        "status": "queued",
        "delta": HOUR,
        "shift_timers.by": HOUR,
        "path": "x",
        "card": a_card(),
        "save_forecaster.card": replace(forecaster, settings={}, metrics={}),
        "add_registry_entry.entry": replace(line, actor="x", reason="x", facts={}),
        "save_drifts.found": [(mine, replace(drift, target="consumption"))],
        "span": Span.DAY,
        "save_rollups.found": {"generation": figures},
        "standing": replace(standing, n_rows=2),
        "told": [],
        "checks": [found.check],
        "entry": FileEntry("f" * 64, "x", 1, "done", {}, 1, NOW),
        "rows": [QuarantinedRow(1, "x", "x")],
        "issues": [],
        "add_issues.issues": [DataIssue("x", "x", 1, {})],
        "new": [NewNotification("key", "ana", "opened", NOW, "a" * 16)],
        "detection_id": detection,
        "add_regime_changes.changes": {mine: [replace(regime, at=NOW)]},
        "drop_regime_changes.after": {mine: START},
        "detectors": ["behaviour"],
        "instants": {mine: NOW},
        "starts": {mine: START},
        "save_watch_states.states": {mine: state},
        "save_all_checkpoints.states": {mine: [state]},
        "drop_states.since": {mine: START},
        "detections_since.since": {mine: START},
        "incidents_since.since": {mine: START},
        "incidents_around.spans": [(mine, START, NOW)],
        "save_detections.found": [(mine, found)],
        "set_flags.found": [FoundFlags(mine, batch.time, ["generation"], np.full((2, 1), 8, dtype=np.int32))],
        "subject": "x",
        "before": None,
        "audit_change.after": None,
        "start": START,
        "end": NOW,
        "act": Act("eva", "local", "cli", "x"),
        "set_timer.one": Timer("a" * 16, TimerKind.ESCALATE, START, 1),
        "take_timer.one": Timer("a" * 16, TimerKind.ESCALATE, NOW, 1),
        "delete_detections.ids": [detection],
        "add_silence.one": replace(silence, id="x" * 16, author="x", comment="x"),
        "add_correction.one": replace(correction, id="x" * 16, author="x", reason="x", amount=1.0),
        "add_adjustment.one": replace(adjustment, id="x" * 16, author="x", factor=1.0),
        "user": replace(user, id="x", password_hash="x"),
        "session": replace(session, token_hash="x", address="x"),
        "link": replace(link, token_hash="x"),
        "key": replace(key, prefix="x", sites=None, author="x", secret_hash="x"),
        "save_receiver_state.state": ReceiverState("ana", NOW),
        "request_key": "r",
        "check": "behaviour",
        "bringer": Bringer("eva", "api", "x"),
        "made": [(mine, replace(told, model="x", origin=START))],
        "add_forecasts.model_id": "x",
        "signal": "generation",
        "n_records": 1,
        "n_stored": 1,
        "source": "planta",
        "items": [Item("i", b"x")],
        "item_id": item.id,
        "done": [item.id],
        "refused": {},
        "keep": 0,
        "add_job.one": replace(job, id="x" * 16, options={}, author="x", owner="x"),
        "change_job.one": job,
        "change_job.values": {"state": "cancelled"},
        "job_id": job.id,
        "query": DetectionQuery(),
        "cleared_incidents.query": IncidentQuery(),
        "cleared_incidents.after": None,
        "prices": Prices(),
        "find_notifications.query": NotificationQuery(),
        "edges": [round(one.timestamp() * 1e6) for one in (START, NOW)],
        "answered.key": "q",
        "replace_model.card": {},
        "drop_answers.before": NOW + HOUR,
        "change_job.states": ["queued"],
        "jobs.states": [JobState.QUEUED],
        "ask_again.first": {mine: START},
        "ask_next.first": {mine: START},
        "keep_answer.one": AnsweredRequest("x", "x", {}),
        "names": names,
        "said": names.mentions(),
        "actor": "eva",
        "retain.before": {},
        "max_rows": {"solar": 0},
        "note.kind": ChangeKind.SILENCE,
        "note.facts": {},
        "clock": "machine",
        "clock_was_set.before": HOUR,
        "offset": HOUR,
        "drifts.offset": 0,
        "least": HOUR,
        "window": 999 * HOUR,
        "closing": ["opened"],
        "n_kept": 1,
        "causes": [found.cause],
    }
    values["children_of.parent"] = _incident(store)
    values["earlier_incidents.one"] = values["explained_by.one"] = values["children_of.parent"]
    values.pop("parent")
    return Things(values)


def rows_of(url: str, organization: str) -> dict[str, list[str]]:
    """Every row that is an organization's, table by table."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    engine = create_engine(parsed)
    try:
        with engine.connect() as connection:
            known = MetaData()
            known.reflect(connection)
            mine = known.tables["organization"]
            which = connection.execute(select(mine.c.id).where(mine.c.name == organization)).scalar_one()
            owned: dict[str, set[object]] = {"organization_id": {which}}
            found = {}
            for name in ("asset", "incident", "notification"):
                table = known.tables[name]
                query = select(table.c.id).where(table.c.organization_id == which)
                owned[f"{name}_id"] = set(connection.execute(query).scalars())
            for table in known.sorted_tables:
                column = next((one for one in owned if one in table.c), None)
                if column is None:
                    continue
                rows = connection.execute(select(table).where(table.c[column].in_(owned[column])))
                found[table.name] = sorted(repr(tuple(row)) for row in rows)
            return found
    finally:
        engine.dispose()


def _incident(store: Store) -> object:
    with store.read() as tx:
        return tx.incident("a" * 16)
