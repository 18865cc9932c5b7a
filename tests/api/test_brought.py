"""Readings that come are noted: who, by which key, how many, when; an entry per minute."""

from datetime import timedelta
from pathlib import Path

import httpx

from sereno.domain.access import Role
from sereno.domain.audit import Bringer
from sereno.flows.service import Service
from sereno.store import Store
from tests.api.serving import key_for, listening
from tests.store.builders import NOW
from tests.support.builders import a_roof, a_workspace, write_solar_csv
from tests.support.processes import sereno

V1 = "/api/v1"
KEYED = Bringer("key:pasarela", "api", "POST /api/v1/readings", "203.0.113.9")


def _record(hour: int, site: str = "Nave 1") -> dict[str, object]:
    at = f"2024-03-01T{hour:02d}:00:00Z"
    return {"Empresa": site, "Fecha": at, "Generación total (kWh)": 5.0, "Consumo total (kWh)": 3.0}


def test_requests_of_a_key_are_noted_together(tmp_path: Path) -> None:
    with Service(tmp_path) as service, listening(service) as address:
        keys = {role: key_for(service, role) for role in (Role.SOURCE, Role.ADMIN)}
        mine, admin = ({"Authorization": f"Bearer {key}"} for key in keys.values())
        with httpx.Client(base_url=address, timeout=30) as client:
            for hour in (0, 1, 1):
                client.post(f"{V1}/readings", json=_record(hour), headers=mine).raise_for_status()
            client.post(f"{V1}/readings", json=[{"x": "?"}], headers=mine)
            found = client.get(f"{V1}/audit/readings", headers=admin).raise_for_status().json()
            refused = client.get(f"{V1}/audit/readings", headers=mine).status_code

    assert {(one["actor"], one["door"], one["subject"]) for one in found} == {
        ("key:test-source", "api", "POST /api/v1/readings")
    }
    totals = [sum(one[name] for one in found) for name in ("batches", "records", "stored")]
    assert totals == [4, 4, 2]
    assert all(one["address"] == "127.0.0.1" and one["at"] <= one["last_at"] for one in found)
    assert refused == 403


def test_a_repeated_request_is_not_counted_twice(tmp_path: Path) -> None:
    with Service(tmp_path) as service, listening(service) as address:
        headers = {"Authorization": f"Bearer {key_for(service)}", "Idempotency-Key": "k"}
        for _ in range(2):
            httpx.post(f"{address}{V1}/readings", json=_record(0), headers=headers).raise_for_status()
        with service.workspace("default").store.read() as tx:
            assert sum(one.n_batches for one in tx.brought()) == 1


def test_files_are_noted_with_who_read_them(tmp_path: Path) -> None:
    path = write_solar_csv(tmp_path / "in", a_roof(rows=20))
    sereno("ingest", path, workspace=tmp_path / "w")

    (one,) = sereno("audit", "readings", "--json", workspace=tmp_path / "w").document

    assert (one["door"], one["subject"], one["records"]) == ("file", path.name, 20)
    assert one["actor"] not in ("", "sereno")


def test_entries_grow_with_minutes_and_not_with_batches(store: Store) -> None:
    with store.begin() as tx:
        for second in range(0, 300, 5):
            tx.note_brought(KEYED, n_records=10, n_stored=7, at=NOW + timedelta(seconds=second))

    with store.read() as tx:
        found = tx.brought()
    n_minutes = len({one.at for one in found})
    assert len(found) == n_minutes <= 6
    assert [sum(getattr(one, name) for one in found) for name in ("n_batches", "n_records", "n_stored")] == [
        *(60, 600, 420)
    ]


def test_old_entries_go_and_new_ones_stay(tmp_path: Path) -> None:
    with a_workspace(tmp_path) as workspace:
        with workspace.store.begin() as tx:
            for days in (1, 100):
                at = workspace.now() - timedelta(days=days)
                tx.note_brought(KEYED, n_records=1, n_stored=1, at=at)
        workspace.retain()
        with workspace.store.read() as tx:
            (left,) = tx.brought()

    assert workspace.now() - left.at < timedelta(days=2)


def test_an_erasure_takes_names_out_of_it(tmp_path: Path) -> None:
    with a_workspace(tmp_path / "w") as workspace:
        for site in ("Casa Ruiz", "Nave 1"):
            workspace.ingest(write_solar_csv(tmp_path / "in", a_roof(site, rows=10)))
        with workspace.store.begin() as tx:
            for name in ("Casa_Ruiz_a.csv", "Nave 1.csv"):
                tx.note_brought(Bringer("ana", "file", name), n_records=1, n_stored=1, at=workspace.now())
        site = next(one for one in workspace.sites() if "Ruiz" in one)
        found = workspace.erase_site(site, actor="dpo", reason="letter")
        with workspace.store.read() as tx:
            left = tx.brought()

    assert found.counts["brought (rewritten)"] >= 1
    assert len(left) == 4
    assert not any("Ruiz" in one.bringer.subject for one in left)
    assert sum("Nave" in one.bringer.subject for one in left) == 2
