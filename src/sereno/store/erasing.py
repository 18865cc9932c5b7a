"""What a site left in the store, to be taken along or erased, and what is too old.

Every erasure leaves a record: who, when, why, how many rows of each table; never what was erased.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy import Text as PlainText
from sqlalchemy import cast as sql_cast

from sereno.domain.errors import NotFound
from sereno.domain.mentions import Mentions
from sereno.domain.rollups import Span
from sereno.store.audit import count_brought
from sereno.store.column_types import clean_text
from sereno.store.columns import ColumnSession
from sereno.store.months import BEFORE, drop_before
from sereno.store.outbox import DEAD, FOLDED, SENT
from sereno.store.reading_table import ReadingTable
from sereno.store.schema import (
    adjustment,
    api_key,
    asset,
    audit_entry,
    brought,
    change,
    correction,
    data_issue,
    delivery_attempt,
    detection,
    drift_standing,
    erasure,
    file_ledger,
    forecast,
    inbox,
    incident,
    incident_event,
    job,
    metric,
    model,
    notification,
    quarantined_row,
    regime_change,
    registry_entry,
    request,
    rollup,
    rollup_state,
    shadow_detection,
    shadow_standing,
    silence,
    site,
    succession,
    superseded_reading,
    timer,
    watch_checkpoint,
    watch_state,
)

__all__ = ["ErasingSession", "ErasureRecord", "SiteNames"]

MAX_IDS = 500

_ROLLED = (
    'NOT "{table}".simulated AND EXISTS (SELECT 1 FROM rollup_state '
    'WHERE rollup_state.asset_id = "{table}".asset_id AND rollup_state.until >= :before)'
)
"""Rows whose hours and days have figures. In one statement with what it deletes: a late reading sets `until`
back when it comes."""


@dataclass(frozen=True, slots=True)
class SiteNames:
    """How a site and its assets are called.

    Attributes:
        others: Names of other sites and of their assets; a name that is among them tells of nobody.
    """

    id: int
    name: str
    assets: tuple[str, ...]
    others: frozenset[str]

    @property
    def telling(self) -> list[str]:
        """The names by which texts speak of the site, the site's own first."""
        return list(dict.fromkeys([self.name, *(one for one in self.assets if one not in self.others)]))

    def mentions(self, instead: Mapping[str, str] | None = None) -> Mentions:
        """Finds these names in texts, and no other's that hold one of them.

        Args:
            instead: What stands for each; nothing where it is only looked for.
        """
        given = dict.fromkeys(self.telling, "") if instead is None else instead
        held = [one for one in self.others if any(name in one and name != one for name in given)]
        return Mentions(given, held)


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """That something was erased.

    Attributes:
        kind: `site` or `retention`.
        subject: Pseudonym of the site; empty for what was too old.
        counts: Rows by table.
    """

    id: int
    kind: str
    subject: str
    at: datetime
    actor: str
    reason: str
    counts: Mapping[str, int]


class ErasingSession(ColumnSession):
    """The part of a transaction that takes out what must not stay."""

    def site_names(self, name: str) -> SiteNames:
        """What a site and its assets are called.

        Raises:
            NotFound: There is no such site.
        """
        mine = site.c.organization_id == self._organization_id
        found = self._connection.execute(select(site.c.id).where(mine, site.c.name == clean_text(name)))
        site_id = found.scalar()
        if site_id is None:
            raise NotFound(what="site", id=name, hint="`sereno privacy sites` lists them.")
        names = select(asset.c.name).where(asset.c.site_id == site_id).order_by(asset.c.name)
        own = tuple(dict.fromkeys(self._connection.execute(names).scalars()))
        elsewhere = select(asset.c.name).where(
            asset.c.organization_id == self._organization_id, asset.c.site_id != site_id
        )
        others = frozenset(self._connection.execute(elsewhere).scalars())
        sites = select(site.c.name).where(mine, site.c.id != site_id)
        kept = others | frozenset(self._connection.execute(sites).scalars())
        return SiteNames(site_id, clean_text(name), own, kept)

    def site_list(self) -> list[str]:
        """Names of all sites."""
        query = select(site.c.name).where(site.c.organization_id == self._organization_id)
        return list(self._connection.execute(query.order_by(site.c.name)).scalars())

    def asset_names(self) -> list[str]:
        """Names of all assets."""
        query = select(asset.c.name).where(asset.c.organization_id == self._organization_id).distinct()
        return list(self._connection.execute(query.order_by(asset.c.name)).scalars())

    def names_version(self) -> tuple[int, int, int]:
        """Another one as soon as there is a new site or asset."""
        tables = (site, asset, erasure)
        counts = (
            select(func.coalesce(func.max(one.c.id), 0))
            .where(one.c.organization_id == self._organization_id)
            .scalar_subquery()
            for one in tables
        )
        first, second, third = self._connection.execute(select(*counts)).one()
        return first, second, third

    def rows_of_site(self, names: SiteNames) -> Iterator[tuple[str, Iterator[Mapping[str, object]]]]:
        """Everything but readings that is stored of a site: by table, its rows as they are."""
        for table, condition in self._owned(names):
            found = self._connection.execute(select(table).where(condition)).mappings()
            yield table.name, (dict(row) for row in found)
        said = names.mentions()
        for table in (file_ledger, data_issue, quarantined_row):
            yield table.name, (dict(row) for row in self._speaking(table, said, names))

    def erase_site(
        self, names: SiteNames, said: Mentions, *, subject: str, at: datetime, actor: str, reason: str
    ) -> Counter[str]:
        """Erase everything that is stored of a site; rows that also speak of others lose its names.

        Args:
            said: What is put in the place of its names.
            subject: Its pseudonym, which the record keeps.

        Returns:
            Rows by table; what was only rewritten stands under `table (rewritten)`.
        """
        record = self._open_record("site", subject, at, actor, reason, site_id=names.id)
        counts = self._erase_readings(names)
        self._let_go_of_carriers(self._told_of(names))
        counts += self._erase_files(names, said)
        for table, condition in self._owned(names):
            counts[table.name] += self._connection.execute(delete(table).where(condition)).rowcount
        counts += self._rewrite(notification, ("body", "last_error"), said)
        counts += self._rewrite(incident, ("comments", "evidence"), said)
        counts += self._rewrite(job, ("options", "progress", "result", "error"), said)
        counts += self._rewrite(succession, ("reason",), said)
        counts += self._rewrite(registry_entry, ("reason", "facts"), said)
        counts += self._rewrite(api_key, ("sites",), said)
        counts += self._rewrite_brought(said)
        counts += self._delete_passing(said)
        self._close_record(record, +counts)
        return +counts

    def mentions_in_logs(self, said: Mentions) -> Counter[str]:
        """Entries of append-only logs that speak of somebody: of other incidents, and of who did what."""
        mine = select(incident.c.id).where(incident.c.organization_id == self._organization_id)
        of_incidents = incident_event.c.incident_id.in_(mine)
        of_acts = audit_entry.c.organization_id == self._organization_id
        return Counter(
            {
                table.name: self._count_speaking(table, columns, condition, said)
                for table, columns, condition in (
                    (incident_event, ("detection", "facts"), of_incidents),
                    (audit_entry, ("subject", "action", "before", "after"), of_acts),
                )
            }
        )

    def _count_speaking(
        self, table: Table, columns: Sequence[str], condition: ColumnElement[bool], said: Mentions
    ) -> int:
        query = select(*(table.c[name] for name in columns)).where(condition, _may_say(table, columns, said))
        return sum(said.are_in(list(row)) for row in self._connection.execute(query))

    def _delete_passing(self, said: Mentions) -> Counter[str]:
        """What is kept for a while only goes with whoever it speaks of."""
        counts: Counter[str] = Counter()
        for table, columns in ((change, ("subject", "facts")), (request, ("key", "answer"))):
            query = select(table).where(table.c.organization_id == self._organization_id)
            rows = self._connection.execute(query.where(_may_say(table, columns, said))).mappings().all()
            for row in map(dict, rows):
                if said.are_in([row[name] for name in columns]):
                    self._connection.execute(delete(table).where(*_key(table, row)))
                    counts[table.name] += 1
        mine = select(inbox.c.id, inbox.c.item_key, inbox.c.payload, inbox.c.error)
        sent = self._connection.execute(mine.where(inbox.c.organization_id == self._organization_id))
        gone = [row.id for row in sent if said.are_in([row.item_key, _readable(row.payload), row.error])]
        for start in range(0, len(gone), MAX_IDS):
            some = delete(inbox).where(inbox.c.id.in_(gone[start : start + MAX_IDS]))
            counts[inbox.name] += self._connection.execute(some).rowcount
        return counts

    def replace_model(self, model_id: str, card: Mapping[str, object], path: str) -> None:
        """Give a model another card and artefact."""
        mine = (model.c.organization_id == self._organization_id, model.c.id == model_id)
        self._connection.execute(update(model).where(*mine).values(card=dict(card), path=path))

    def model_cards(self) -> list[tuple[str, str, str, Mapping[str, object]]]:
        """Id, profile, path and card of every model."""
        query = select(model.c.id, model.c.profile, model.c.path, model.c.card)
        mine = query.where(model.c.organization_id == self._organization_id).order_by(model.c.id)
        return [tuple(row) for row in self._connection.execute(mine)]

    def retain(
        self,
        before: Mapping[str, datetime],
        max_rows: Mapping[str, int],
        *,
        at: datetime,
        actor: str,
        most: int | None = None,
    ) -> Counter[str]:
        """Delete what is too old, by kind of thing, and the oldest rows beyond a profile's most.

        Args:
            most: Rows of each table that go at most, so that nobody waits long; with those that hang on them.
            before: Of `readings`, `incidents`, `detections`, `notifications`, `quarantine`, `metrics` and
                `brought`, the instant before which they go; of `hours` that before which figures of hours do,
                and of `thin` that before which readings do whose hours and days have figures.
        """
        record = self._open_record("retention", "", at, actor, "", before=before.get("incidents"))
        counts: Counter[str] = Counter()
        if "thin" in before:
            counts += self._delete_readings(before["thin"], most, _ROLLED)
        if "readings" in before:
            counts += self._delete_readings(before["readings"], most)
        for profile, n_kept in max_rows.items():
            counts += self._trim_all(profile, n_kept, most)
        if "incidents" in before:
            counts += self._delete_incidents(before["incidents"], most)
        for name, (table, condition) in self._aged(before).items():
            if name == "notifications":
                ids = select(notification.c.id).where(condition).order_by(notification.c.id).limit(most)
                self._let_go_of_carriers(ids)
                attempts = delete(delivery_attempt).where(delivery_attempt.c.notification_id.in_(ids))
                counts[delivery_attempt.name] += self._connection.execute(attempts).rowcount
            counts[table.name] += self._delete_some(table, condition, most)
        if +counts:
            self._close_record(record, +counts)
        else:
            self._connection.execute(delete(erasure).where(erasure.c.id == record))
        return +counts

    def erasures(self) -> list[ErasureRecord]:
        """The records of erasures, newest first."""
        table = erasure.c
        columns = (table.id, table.kind, table.subject, table.at, table.actor, table.reason, table.counts)
        mine = select(*columns).where(table.organization_id == self._organization_id)
        return [ErasureRecord(*row) for row in self._connection.execute(mine.order_by(table.id.desc()))]

    def _open_record(
        self,
        kind: str,
        subject: str,
        at: datetime,
        actor: str,
        reason: str,
        *,
        site_id: int | None = None,
        before: datetime | None = None,
    ) -> int:
        """Begin a record; while it is open, the append-only log lets go of what it is about."""
        row = {"organization_id": self._organization_id, "kind": kind, "subject": subject, "at": at}
        row |= {"actor": actor, "reason": reason, "counts": {}, "before": before}
        row |= {"open_site_id": site_id, "open_before": before}
        return int(self._connection.execute(insert(erasure).returning(erasure.c.id), row).scalar_one())

    def _close_record(self, record: int, counts: Mapping[str, int]) -> None:
        closed = {"counts": dict(counts), "open_site_id": None, "open_before": None}
        self._connection.execute(update(erasure).where(erasure.c.id == record).values(closed))

    def _owned(self, names: SiteNames) -> list[tuple[Table, ColumnElement[bool]]]:
        """What belongs to a site, in an order in which it can be deleted."""
        assets = select(asset.c.id).where(asset.c.site_id == names.id)
        incidents = select(incident.c.id).where(incident.c.asset_id.in_(assets))
        told = select(notification.c.id).where(notification.c.incident_id.in_(incidents))
        silences = [
            one.id
            for one in self._connection.execute(
                select(silence.c.id, silence.c.matcher, silence.c.comment).where(
                    silence.c.organization_id == self._organization_id
                )
            )
            if names.mentions().are_in([one.matcher, one.comment])
        ]
        by_asset = (
            correction,
            regime_change,
            forecast,
            shadow_detection,
            shadow_standing,
            drift_standing,
            detection,
            watch_checkpoint,
            watch_state,
            superseded_reading,
            rollup,
            rollup_state,
        )
        return [
            (delivery_attempt, delivery_attempt.c.notification_id.in_(told)),
            (notification, notification.c.incident_id.in_(incidents)),
            (timer, timer.c.incident_id.in_(incidents)),
            (adjustment, adjustment.c.asset_id.in_(assets) | adjustment.c.incident_id.in_(incidents)),
            (incident_event, incident_event.c.incident_id.in_(incidents)),
            (incident, incident.c.asset_id.in_(assets)),
            *((table, table.c.asset_id.in_(assets)) for table in by_asset),
            (silence, silence.c.id.in_(silences)),
            (asset, asset.c.site_id == names.id),
            (site, site.c.id == names.id),
        ]

    def _told_of(self, names: SiteNames) -> Select[int]:
        assets = select(asset.c.id).where(asset.c.site_id == names.id)
        incidents = select(incident.c.id).where(incident.c.asset_id.in_(assets))
        return select(notification.c.id).where(notification.c.incident_id.in_(incidents))

    def _let_go_of_carriers(self, ids: Select[int]) -> None:
        """What was told with notifications that go stands alone."""
        carried = notification.c.carried_by.in_(ids)
        self._connection.execute(update(notification).where(carried).values(carried_by=None))

    def _erase_readings(self, names: SiteNames) -> Counter[str]:
        counts: Counter[str] = Counter()
        for table in self._reading_tables().values():
            which = f"asset_id IN (SELECT id FROM asset WHERE site_id = {names.id:d})"
            statement = f'DELETE FROM "{table.name}" WHERE {which}'
            counts[table.name] += self._connection.exec_driver_sql(statement).rowcount
        return counts

    def _speaking(self, table: Table, said: Mentions, names: SiteNames) -> Iterator[Mapping[str, object]]:
        """Rows about files that speak of a site, or that are of a file whose name does."""
        query = select(table).where(table.c.organization_id == self._organization_id)
        if table is file_ledger:
            likely = _may_say(table, ("name", "report"), said)
            for row in self._connection.execute(query.where(likely)).mappings():
                if said.are_in([row["name"], row["report"]]):
                    yield dict(row)
            return
        columns = ("text",) if table is quarantined_row else ("where", "facts")
        files = self._files_of(names)
        likely = or_(_may_say(table, columns, said), table.c.sha256.in_(files))
        for row in self._connection.execute(query.where(likely)).mappings():
            if row["sha256"] in files or said.are_in([row[name] for name in columns]):
                yield dict(row)

    def _files_of(self, names: SiteNames) -> set[str]:
        """Files whose name is a site's: all that is said of them is about it."""
        said = names.mentions()
        query = select(file_ledger.c.sha256, file_ledger.c.name).where(
            file_ledger.c.organization_id == self._organization_id, _may_say(file_ledger, ("name",), said)
        )
        return {digest for digest, name in self._connection.execute(query) if said.are_in(name)}

    def _erase_files(self, names: SiteNames, said: Mentions) -> Counter[str]:
        """Rows and issues go; the ledger keeps that a content was read, so that it does not come back."""
        counts: Counter[str] = Counter()
        for table in (quarantined_row, data_issue):
            for row in list(self._speaking(table, said, names)):
                self._connection.execute(delete(table).where(*_key(table, row)))
                counts[table.name] += 1
        for row in list(self._speaking(file_ledger, said, names)):
            clean = {"name": said.text(str(row["name"])), "report": said.replaced(row["report"])}
            self._connection.execute(update(file_ledger).where(*_key(file_ledger, row)).values(clean))
            counts[f"{file_ledger.name} (rewritten)"] += 1
        return counts

    def _rewrite(self, table: Table, columns: Sequence[str], said: Mentions) -> Counter[str]:
        query = select(table).where(table.c.organization_id == self._organization_id)
        found = self._connection.execute(query.where(_may_say(table, columns, said))).mappings().all()
        counts: Counter[str] = Counter()
        for row in map(dict, found):
            clean = {name: said.replaced(row[name]) for name in columns}
            if clean != {name: row[name] for name in columns}:
                self._connection.execute(update(table).where(*_key(table, row)).values(clean))
                counts[f"{table.name} (rewritten)"] += 1
        return counts

    def _rewrite_brought(self, said: Mentions) -> Counter[str]:
        """Who brought readings stays; where the words name the site, a token does."""
        columns = ("actor", "subject")
        query = select(brought).where(brought.c.organization_id == self._organization_id)
        found = self._connection.execute(query.where(_may_say(brought, columns, said))).mappings().all()
        counts: Counter[str] = Counter()
        for row in map(dict, found):
            clean = {name: said.text(row[name]) for name in columns}
            if clean != {name: row[name] for name in columns}:
                self._connection.execute(delete(brought).where(*_key(brought, row)))
                self._connection.execute(count_brought(is_postgres=self._is_postgres), row | clean)
                counts[f"{brought.name} (rewritten)"] += 1
        return counts

    def _delete_some(self, table: Table, condition: ColumnElement[bool], most: int | None) -> int:
        """Delete rows, the first ones by their key where only so many may go."""
        if most is not None:
            key = list(table.primary_key)
            first = select(*key).where(condition).order_by(*key).limit(most)
            condition = tuple_(*key).in_(first)
        return self._connection.execute(delete(table).where(condition)).rowcount

    def _delete_readings(self, before: datetime, most: int | None, which: str = "") -> Counter[str]:
        """Delete the old ones, all of them or those of which a condition is true."""
        counts: Counter[str] = Counter()
        mine = f"asset_id IN (SELECT id FROM asset WHERE organization_id = {self._organization_id:d})"
        tables = [one.name for one in self._reading_tables().values()]
        if self._is_postgres:
            gone = {name: drop_before(self._connection, name, before, which=which) for name in tables}
            counts += Counter(gone)
        for name in (*tables, superseded_reading.name):
            old = f"{mine} AND ts < :before" + (f" AND {which.format(table=name)}" if which else "")
            if most is not None:
                first = f'SELECT asset_id, ts FROM "{name}" WHERE {old} LIMIT {most:d}'
                old = f"(asset_id, ts) IN ({first})"
            statement = text(f'DELETE FROM "{name}" WHERE {old}').bindparams(BEFORE)
            counts[name] += self._connection.execute(statement, {"before": before}).rowcount
        return counts

    def _trim_all(self, profile: str, n_kept: int, most: int | None) -> Counter[str]:
        """Delete the oldest rows of a profile until so many remain."""
        table = self._reading_table(profile)
        if table is None:
            return Counter()
        mine = self._own_rows(table)
        n_rows = int(self._connection.exec_driver_sql(f"SELECT COUNT(*) {mine}").scalar_one())
        n_oldest = max(n_rows - n_kept, 0)
        n_oldest = n_oldest if most is None else min(n_oldest, most)
        if n_oldest:
            oldest = f"SELECT asset_id, ts {mine} ORDER BY ts, asset_id LIMIT {n_oldest:d}"
            statement = f'DELETE FROM "{table.name}" WHERE (asset_id, ts) IN ({oldest})'
            self._connection.exec_driver_sql(statement)
        return Counter({table.name: n_oldest})

    def _own_rows(self, table: ReadingTable) -> str:
        mine = f"SELECT id FROM asset WHERE organization_id = {self._organization_id:d}"
        return f'FROM "{table.name}" WHERE asset_id IN ({mine})'

    def _delete_incidents(self, before: datetime, most: int | None) -> Counter[str]:
        """Closed ones that ended; one whose verdict holds a threshold stays as long as it does."""
        in_force = select(adjustment.c.incident_id).where(adjustment.c.undone_at.is_(None))
        query = select(incident.c.id).where(
            incident.c.organization_id == self._organization_id,
            incident.c.state == "closed",
            incident.c.ended_at < before,
            incident.c.id.not_in(in_force),
        )
        ids = list(self._connection.execute(query.order_by(incident.c.id).limit(most)).scalars())
        counts: Counter[str] = Counter()
        for start in range(0, len(ids), MAX_IDS):
            counts += self._delete_incidents_of(ids[start : start + MAX_IDS])
        return counts

    def _delete_incidents_of(self, ids: Collection[str]) -> Counter[str]:
        told = select(notification.c.id).where(notification.c.incident_id.in_(ids))
        self._let_go_of_carriers(told)
        steps: list[tuple[Table, ColumnElement[bool]]] = [
            (delivery_attempt, delivery_attempt.c.notification_id.in_(told)),
            *((table, table.c.incident_id.in_(ids)) for table in (notification, timer, adjustment)),
            (incident_event, incident_event.c.incident_id.in_(ids)),
            (incident, incident.c.id.in_(ids)),
        ]
        return Counter(
            {
                table.name: self._connection.execute(delete(table).where(condition)).rowcount
                for table, condition in steps
            }
        )

    def _aged(self, before: Mapping[str, datetime]) -> dict[str, tuple[Table, ColumnElement[bool]]]:
        """What one column's age decides, of the kinds that have a limit."""
        assets = select(asset.c.id).where(asset.c.organization_id == self._organization_id)
        found: dict[str, tuple[Table, ColumnElement[bool]]] = {}
        if "detections" in before:
            is_old = detection.c.ended_at < before["detections"]
            found["detections"] = (detection, detection.c.asset_id.in_(assets) & is_old)
        if "notifications" in before:
            is_over = notification.c.status.in_((SENT, FOLDED, DEAD))
            is_old = is_over & (notification.c.created_at < before["notifications"])
            mine = notification.c.organization_id == self._organization_id
            found["notifications"] = (notification, mine & is_old)
        if "quarantine" in before:
            files = select(file_ledger.c.sha256).where(
                file_ledger.c.organization_id == self._organization_id,
                file_ledger.c.at < before["quarantine"],
            )
            mine = quarantined_row.c.organization_id == self._organization_id
            found["quarantine"] = (quarantined_row, mine & quarantined_row.c.sha256.in_(files))
        if "brought" in before:
            mine = brought.c.organization_id == self._organization_id
            found["brought"] = (brought, mine & (brought.c.at < before["brought"]))
        for name, spans in (("hours", [Span.HOUR]), ("readings", list(Span))):
            if name in before:
                is_old = rollup.c.ts < before[name]
                which = rollup.c.asset_id.in_(assets) & rollup.c.span.in_([one.value for one in spans])
                found[name] = (rollup, which & is_old)
        if "metrics" in before:
            mine = metric.c.organization_id == self._organization_id
            found["metrics"] = (metric, mine & (metric.c.at < before["metrics"]))
        return found


def _may_say(table: Table, columns: Sequence[str], said: Mentions) -> ColumnElement[bool]:
    """Rows whose columns have any of the names: a first look by the database, wider than `Mentions`."""
    return or_(
        *(
            sql_cast(table.c[column], PlainText).icontains(fragment, autoescape=True)
            for column in columns
            for name in said.names
            for fragment in {name, _in_json(name)}
        )
    )


def _readable(payload: bytes) -> str:
    """What was sent, as text; JSON may have escaped its letters."""
    text = payload.decode("utf-8", "replace")
    with suppress(ValueError):
        text = json.dumps(json.loads(text), ensure_ascii=False)
    return text


def _in_json(name: str) -> str:
    """A name as it stands inside JSON."""
    return name.replace("\\", "\\\\").replace('"', '\\"')


def _key(table: Table, row: Mapping[str, object]) -> list[ColumnElement[bool]]:
    return [column == row[column.name] for column in table.primary_key]
