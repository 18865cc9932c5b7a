"""Lists of incidents: what the database answers is what reading all of them would give, for less."""

import cProfile
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from sereno.domain.incidents import EventKind, IncidentEvent
from sereno.domain.judgement import Detection, IncidentKind, Severity
from sereno.domain.signals import AssetKey
from sereno.flows.incident_lists import IncidentBook, IncidentQuery, fits, rank
from sereno.flows.incidents import IncidentView, find_incidents
from sereno.settings.tree import Tariff
from sereno.store import Store, open_store
from sereno.store.incident_pages import Order, Prices
from tests.support.builders import DAY, HOUR, NOW, PROFILES, a_detection
from tests.support.postgres import fresh_database
from tests.support.work import database_work

PRICED = Tariff(prices={"kWh": 0.2}, export_price=0.05)
MANY, FEW = 2_000, 120
KEYS = [AssetKey(f"Planta {site}", f"Nave {asset}") for site in range(4) for asset in range(3)]
CAUSES = ("behaviour.low", "behaviour.high", "quality.frozen")
ORDERS: tuple[Order, ...] = ("worst", "newest", "cost")


def a_trouble(rng: random.Random, key: AssetKey) -> Detection:
    """Something that happened some time in 2025, and may go on."""
    days = rng.choice([None, *range(1, 9)]) if rng.random() < 0.1 else rng.randint(1, 9)
    signal, cause = rng.choice(["generation", "export", "import"]), rng.choice(CAUSES)
    is_data = cause.startswith("quality")
    return replace(
        a_detection(rng.randrange(140), days),
        asset=key,
        check=cause,
        cause=cause,
        kind=IncidentKind.DATA if is_data else IncidentKind.BEHAVIOUR,
        severity=Severity(rng.randint(1, 4)),
        signals=(signal, "consumption"),
        observed=rng.choice([1.0, 30.0]),
        impact=rng.choice([-33.75, 12.5, float("nan"), rng.uniform(-500, 500)]),
        n_rows=rng.randint(1, 9),
    )


def filled(store: Store, n_incidents: int, *, seed: int = 1) -> None:
    """Incidents of four sites; people did something about some of them, and some explain others."""
    rng = random.Random(seed)
    by_day: dict[int, str] = {}
    with store.begin() as tx:
        ids = tx.ensure_assets(KEYS, profile="solar", zone="UTC")
        going_on: dict[tuple[int, str], Detection] = {}
        for number in range(n_incidents):
            key, name = rng.choice(KEYS), f"{rng.getrandbits(64):016x}"
            found = a_trouble(rng, key)
            at = found.started_at + HOUR
            opened = IncidentEvent(EventKind.OPENED, at, found.started_at, detection=found)
            tx.open_incident(name, f"group {number}", ids[key], opened)
            if found.ended_at is None:
                going_on[ids[key], found.check] = replace(found, n_rows=found.n_rows + 1)
            parent = by_day.setdefault(found.started_at.timetuple().tm_yday // 2, name)
            for kind, facts in _acts(rng, parent):
                tx.append_event(name, IncidentEvent(kind, at, at, actor="eva", facts=facts))
        tx.save_detections([(asset_id, found) for (asset_id, _), found in going_on.items()])


def _acts(rng: random.Random, parent: str) -> Iterator[tuple[EventKind, dict[str, str]]]:
    drawn = rng.randrange(7)
    if drawn == 0:
        yield EventKind.ACKNOWLEDGED, {}
    if drawn == 1:
        yield EventKind.SHELVED, {"until": (NOW + DAY).isoformat()}
    if drawn in (1, 2):
        yield EventKind.INHIBITED, {"parent": parent}
    if drawn in (2, 3):
        yield EventKind.SILENCED, {"silence": "s", "mutes": "opened"}
    if drawn == 4:
        yield EventKind.CLOSED, {"verdict": "real"}
    if drawn == 5:
        yield EventKind.INHIBITED, {"parent": parent}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def thousands(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Store, str]]:
    """A store of thousands of incidents on each kind of database, only to be looked at, and its address."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('thousands') / 'sereno.db'}"
        with open_store(url) as store:
            filled(store, MANY)
            yield store, url
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url, open_store(url) as store:
        filled(store, MANY)
        yield store, url


@pytest.fixture
def book(store: Store) -> IncidentBook:
    filled(store, FEW)
    return IncidentBook(store, PROFILES, lambda: PRICED)


def everything(store: Store, query: IncidentQuery, tariff: Tariff | None = PRICED) -> list[IncidentView]:
    """The list by reading every incident there is."""
    with store.read() as tx:
        views = find_incidents(tx, PROFILES, tariff)
    return sorted(
        (view for view in views if fits(query, view, NOW)), key=lambda view: rank(view, query.order)
    )


def in_pages(book: IncidentBook, query: IncidentQuery, limit: int) -> list[IncidentView]:
    """The list as who turns its pages sees it."""
    found: list[IncidentView] = []
    while True:
        after = rank(found[-1], query.order) if found else None
        page = book.find(query, NOW, after=after, limit=limit)
        found += page
        if len(page) < limit:
            return found


QUERIES = {
    "all": IncidentQuery(),
    "state": IncidentQuery(state="acknowledged"),
    "active": IncidentQuery(condition="active"),
    "cleared": IncidentQuery(condition="cleared"),
    "severe": IncidentQuery(severity=3),
    "kind": IncidentQuery(kind="data"),
    "cause": IncidentQuery(cause="behaviour.high"),
    "problem": IncidentQuery(problem="stuck_meter"),
    "site": IncidentQuery(site="Planta 2"),
    "asset": IncidentQuery(asset="Nave 1"),
    "owner": IncidentQuery(owner="eva"),
    "shown": IncidentQuery(visibility="shown"),
    "shelved": IncidentQuery(visibility="shelved"),
    "silenced": IncidentQuery(visibility="silenced"),
    "inhibited": IncidentQuery(visibility="inhibited"),
    "unheard of": IncidentQuery(visibility="hidden"),
    "since": IncidentQuery(since=datetime(2025, 3, 1, tzinfo=UTC)),
    "until": IncidentQuery(until=datetime(2025, 2, 1, tzinfo=UTC)),
    "text": IncidentQuery(text="NAVE 2"),
    "several": IncidentQuery(severity=2, site="Planta 0", condition="cleared", kind="behaviour"),
}


@pytest.mark.parametrize("order", ORDERS)
def test_pages_are_what_reading_everything_gives(store: Store, book: IncidentBook, order: Order) -> None:
    found_nothing = []
    for name, query in QUERIES.items():
        wanted = replace(query, order=order)
        expected = [view.to_json(NOW) for view in everything(store, wanted)]

        assert [view.to_json(NOW) for view in in_pages(book, wanted, 7)] == expected, name
        assert [view.to_json(NOW) for view in book.find(wanted, NOW)] == expected, name
        assert len(expected) < FEW or name == "all"
        found_nothing += [] if expected else [name]
    assert found_nothing == ["unheard of"]


@pytest.mark.parametrize("tariff", [None, Tariff(prices={"kWh": 0.2}), PRICED], ids=["none", "kWh", "export"])
def test_what_costs_most_comes_first_whatever_the_tariff(store: Store, tariff: Tariff | None) -> None:
    filled(store, FEW)
    book = IncidentBook(store, PROFILES, lambda: tariff)

    for order in ORDERS:
        query = IncidentQuery(order=order)
        expected = [view.incident.id for view in everything(store, query, tariff)]
        assert [view.incident.id for view in in_pages(book, query, 11)] == expected


def incidents_read(action: Callable[[], Sequence[object]]) -> tuple[int, int]:
    """How many incidents were taken out of rows, and how many there are in the answer."""
    profile = cProfile.Profile()
    found = profile.runcall(action)
    calls = [one for one in profile.getstats() if getattr(one.code, "co_name", "") == "incident_of"]
    return sum(one.callcount for one in calls), len(found)


@pytest.mark.parametrize("order", ORDERS)
def test_a_page_out_of_thousands_reads_a_page(thousands: tuple[Store, str], order: Order) -> None:
    store, _ = thousands
    with store.read() as tx:
        n_active = len(tx.incidents(is_active=True))
    book = IncidentBook(store, PROFILES, lambda: PRICED)
    first = book.find(IncidentQuery(order=order), NOW, limit=50)  # reads what goes on, once

    for query in (IncidentQuery(order=order), IncidentQuery(order=order, severity=2, site="Planta 1")):
        after = rank(first[-1], order)
        page = incidents_read(lambda: book.find(query, NOW, after=after, limit=50))  # noqa: B023

        assert 0 < n_active < MANY / 10
        assert page[1] == 50
        assert page[0] <= 100


def test_what_only_people_read_is_looked_for_in_portions(thousands: tuple[Store, str]) -> None:
    store, _ = thousands
    book = IncidentBook(store, PROFILES, lambda: PRICED)
    book.find(IncidentQuery(), NOW, limit=1)

    n_read, n_found = incidents_read(lambda: book.find(IncidentQuery(text="planta 1"), NOW, limit=50))

    assert (n_read, n_found) == (200, 50)


def test_a_page_costs_the_same_however_long_the_history(tmp_path: Path) -> None:
    """Of a list that nothing has to be paid for: the database walks an index, and stops."""
    steps = []
    for n_incidents in (1_000, 4_000):
        with open_store(f"sqlite:///{tmp_path / f'{n_incidents}.db'}") as store:
            filled(store, n_incidents)
            with database_work() as work, store.read() as tx:
                for order in ("worst", "newest"):
                    query = IncidentQuery(order=order)
                    assert len(tx.cleared_incidents(query, now=NOW, prices=Prices(), limit=20)) == 20
            steps.append(work.steps)

    assert 0 < steps[1] < steps[0] + 20  # hundreds; to sort those that are over takes hundreds of them


@pytest.mark.parametrize(
    ("order", "index"),
    [("severity DESC, n_rows DESC, started_at, id", "severity"), ("started_at DESC, id", "start")],
    ids=["worst", "newest"],
)
def test_both_databases_know_the_index(thousands: tuple[Store, str], order: str, index: str) -> None:
    url = make_url(thousands[1])
    is_postgres = url.get_backend_name() == "postgresql"
    engine = create_engine(url.set(drivername="postgresql+psycopg") if is_postgres else url)
    wanted = f"SELECT id FROM incident WHERE organization_id = 1 AND condition = 'cleared' ORDER BY {order}"
    try:
        with engine.connect() as connection:
            connection.execute(text("ANALYZE incident"))
            plan = connection.execute(
                text(f"{'EXPLAIN' if is_postgres else 'EXPLAIN QUERY PLAN'} {wanted} LIMIT 50")
            ).all()
    finally:
        engine.dispose()

    assert f"cleared_by_{index}" in str(plan)
    assert "Sort" not in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_what_goes_on_is_read_again_only_after_a_change(store: Store, book: IncidentBook) -> None:
    query = IncidentQuery(condition="active")
    before = book.find(query, NOW)

    again = incidents_read(lambda: book.find(query, NOW))
    with store.begin() as tx:
        ended = before[0].incident.worst
        over = replace(ended, ended_at=ended.started_at + DAY)
        tx.append_event(before[0].incident.id, IncidentEvent(EventKind.CLEARED, NOW, NOW, detection=over))
    after = book.find(query, NOW)

    assert again == (0, len(before))
    assert len(after) == len(before) - 1


def test_earlier_ones_of_the_same_trouble_are_counted_up_to_fifty(store: Store) -> None:
    with store.begin() as tx:
        ids = tx.ensure_assets(KEYS[:1], profile="solar", zone="UTC")
        for day in range(60):
            found = replace(a_detection(day * 2, 1), asset=KEYS[0])
            opened = IncidentEvent(EventKind.OPENED, NOW, found.started_at, detection=found)
            tx.open_incident(f"{day:016x}", f"group {day}", ids[KEYS[0]], opened)
    book = IncidentBook(store, PROFILES, lambda: None)

    first, *_, last = book.find(IncidentQuery(order="newest"), NOW)

    assert (len(first.similar), first.recurrence) == (50, "steady")
    assert first.similar[0].started_at == first.incident.started_at - timedelta(days=2)
    assert (len(last.similar), last.recurrence) == (0, "first")
