"""What is too old goes by itself, once a day and bit by bit; each bit leaves a record."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.audit import Bringer
from sereno.flows import privacy
from sereno.flows.service import Service
from sereno.flows.workspace import Workspace
from sereno.store.schema import metadata
from tests.flows.hooks import Clock
from tests.support.builders import DAY, MADRID, a_roof, readings_of
from tests.support.processes import wait_until

ROWS, KEPT = 300, 99
"""Days of readings, and those of the last 100 days that are over."""

SETTINGS = "timezone: Europe/Madrid\nretention: {readings: 100d, brought: 30d}\n"
_ENTRY = Bringer("ana", "file", "x.csv")


def _filled(folder: Path, clock: Clock, settings: str = SETTINGS) -> Workspace:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(settings, "utf-8")
    clock.now = clock.now.replace(year=2024, month=10, day=27, hour=12)
    workspace = Workspace.open(folder, clock=clock)
    workspace.add(readings_of(a_roof(rows=ROWS)), zone=MADRID)
    with workspace.store.begin() as tx:
        for days in (5, 40, 60):
            tx.note_brought(_ENTRY, n_records=1, n_stored=1, at=clock.now - timedelta(days=days))
    return workspace


def _n_rows(workspace: Workspace) -> tuple[int, int]:
    with workspace.store.read() as tx:
        return tx.n_rows(), len(tx.brought())


def test_old_rows_go_in_bits_and_new_ones_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "BATCH_ROWS", 60)
    with _filled(tmp_path, Clock()) as workspace:
        found = workspace.retain_when_due()
        assert found is not None
        records = workspace.erasures()

        assert _n_rows(workspace) == (KEPT, 1)
        assert found.counts == {"reading_solar": ROWS - KEPT, "brought": 2}
        assert [sum(one.counts.values()) for one in records[::-1]] == [62, 60, 60, 21]
        assert {one.actor for one in records} == {"sereno"}


def test_bits_come_to_the_same_as_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "BATCH_ROWS", 7)
    with _filled(tmp_path / "a", Clock()) as one, _filled(tmp_path / "b", Clock()) as other:
        one.retain_when_due()
        other.retain()

        assert _n_rows(one) == _n_rows(other)


def test_most_rows_of_a_profile_are_kept_in_bits_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "BATCH_ROWS", 50)
    settings = "timezone: Europe/Madrid\nretention: {max_rows: {solar: 80}}\n"
    with _filled(tmp_path, Clock(), settings) as workspace:
        workspace.retain_when_due()

        assert _n_rows(workspace)[0] == 80


def test_it_is_done_once_a_day(tmp_path: Path) -> None:
    clock = Clock()
    with _filled(tmp_path, clock) as workspace:
        first = workspace.retain_when_due()
        clock.move(DAY / 2)
        again = workspace.retain_when_due()
        clock.move(DAY / 2)
        next_day = workspace.retain_when_due()

    assert first is not None
    assert again is None
    assert next_day is not None
    assert next_day.counts == {"reading_solar": 1}


def test_it_ends_between_two_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "BATCH_ROWS", 10)
    stop = threading.Event()
    stop.set()
    with _filled(tmp_path, Clock()) as workspace:
        workspace.retain_when_due(stop)

        assert _n_rows(workspace) == (ROWS, 3)


def test_a_service_does_it_by_itself(tmp_path: Path) -> None:
    clock = Clock()
    _filled(tmp_path, clock).close()
    with Service(tmp_path, clock=clock) as service:
        service.start()
        wait_until(lambda: _n_rows(service.workspace("default")) == (KEPT, 1))


def test_every_age_names_what_can_be_deleted_in_bits() -> None:
    """Rows are chosen by their key."""
    assert all(len(table.primary_key) for table in metadata.sorted_tables)
