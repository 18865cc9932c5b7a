"""What sources send: one intake, one judgement; what fails stands alone."""

from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sereno.domain.readings import MarkedValue, Quality
from sereno.flows.feeds import declared_feeds
from sereno.flows.intake import MAX_TRIES, Intake, Outcome, Piece
from sereno.flows.workspace import Workspace
from sereno.store import Transaction
from tests.flows.reading_back import stored_readings, told_incidents
from tests.support.sources import BEGIN, declare_sources, stored_values

SOURCE = {"kind": "mqtt", "host": "127.0.0.1", "topics": ["{asset}/{signal}"], "profile": "motor"}


class Scene:
    """A workspace with one source, and its intake."""

    def __init__(self, folder: Path, **more: Any) -> None:
        declare_sources(folder, {"planta": {**SOURCE, **more}})
        self.workspace = Workspace.open(folder)
        (self.feed,) = declared_feeds(self.workspace.setup, self.workspace.store.url)
        self.intake = self.workspace.intake()
        self.tries: dict[int, int] = {}
        self.n_commits = 0

    def take(self, *records: dict[str, object], intake: Intake | None = None) -> Outcome:
        pieces = [Piece(number, [one]) for number, one in enumerate(records)]
        return (intake or self.intake).take(self.feed, pieces, self._finish, self._failed)

    def _finish(self, _tx: Transaction, _found: Outcome) -> None:
        self.n_commits += 1

    def _failed(self, _tx: Transaction, piece: Piece) -> int:
        self.tries[piece.id] = self.tries.get(piece.id, 0) + 1
        return self.tries[piece.id]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path / "w")
    with found.workspace:
        yield found


def _record(minute: int, **values: object) -> dict[str, object]:
    return {"timestamp": BEGIN + timedelta(minutes=minute), "asset": "B1", **values}


def test_values_of_one_instant_are_one_row_and_the_later_counts(scene: Scene) -> None:
    scene.take(
        _record(0, current=20), _record(0, voltage=400), _record(1, current=21), _record(0, current=22)
    )

    with scene.workspace.store.read() as tx:
        (asset,) = tx.assets()
        rows = tx.rows(asset.id, "motor")
    assert len(rows) == 2
    assert rows.values[0, [rows.signals.index("current"), rows.signals.index("voltage")]].tolist() == [
        22,
        400,
    ]
    assert not rows.quality.any()


def test_step_rounds_times_down(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "w", step="1min")
    at = BEGIN + timedelta(seconds=59, microseconds=7)
    with scene.workspace:
        scene.take(
            {"timestamp": at, "asset": "B1", "current": 1},
            {"timestamp": "2025-03-01T01:01:30+01:00", "asset": "B1", "current": 2},
        )
        found = stored_values(scene.workspace, "current")

    assert found == {("planta/B1", BEGIN): 1.0, ("planta/B1", BEGIN + timedelta(minutes=1)): 2.0}


def test_quality_comes_along(scene: Scene) -> None:
    scene.take(
        _record(0, current=MarkedValue(20, Quality.BAD)),
        _record(1, current=MarkedValue(float("nan"), Quality.BAD)),
        _record(2, current=MarkedValue(20, Quality.ESTIMATED)),
    )

    with scene.workspace.store.read() as tx:
        (asset,) = tx.assets()
        rows = tx.rows(asset.id, "motor")
    assert rows.quality[:, rows.signals.index("current")].tolist() == [
        Quality.BAD,
        Quality.BAD | Quality.MISSING,
        Quality.ESTIMATED,
    ]


def test_reading_of_the_future_is_set_aside(scene: Scene) -> None:
    late = {"timestamp": scene.workspace.now() + timedelta(hours=1), "asset": "B1", "current": 1}
    far = {"timestamp": datetime(9999, 1, 1, tzinfo=BEGIN.tzinfo), "asset": "B1", "current": 1}

    found = scene.take(_record(0, current=20), late, far)

    assert (found.done, found.refused) == ([0], {1: "quality.future", 2: "quality.future"})
    assert len(stored_values(scene.workspace, "current")) == 1


class Tripping:
    """Judges as usual, but for one asset that it stumbles over."""

    def __init__(self, scoring: Any, over: str) -> None:
        self._scoring = scoring
        self._over = over

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scoring, name)

    def judge_touched(self, tx: Any, ids: Any, *more: Any) -> None:
        if any(key.asset.startswith(self._over) for key in ids):
            raise ZeroDivisionError("stumbled")
        self._scoring.judge_touched(tx, ids, *more)


def _of_assets(*names: str) -> list[dict[str, object]]:
    return [_record(0, current=20) | {"asset": name} for name in names]


def test_item_that_fails_for_no_known_reason_stands_alone_and_is_tried_five_times(scene: Scene) -> None:
    intake = Intake(
        scene.intake.setup, scene.intake.store, Tripping(scene.intake.scoring, "bad"), nullcontext
    )  # type: ignore[arg-type]
    records = _of_assets(*[f"A{n}" for n in range(15)], "bad")

    outcomes = [scene.take(*records, intake=intake) for _ in range(MAX_TRIES)]

    assert [one.refused for one in outcomes] == [{}] * 4 + [{15: "ZeroDivisionError: stumbled"}]
    assert all(one.done == list(range(15)) for one in outcomes)
    assert len(stored_values(scene.workspace, "current")) == 15
    # Halves: 8 + 4 + 2 + 1 neighbours, a commit each; the last time also one for the item itself.
    assert scene.n_commits == 4 * MAX_TRIES + 1


def test_fault_that_is_not_the_items_sets_none_aside(scene: Scene) -> None:
    intake = Intake(scene.intake.setup, scene.intake.store, Tripping(scene.intake.scoring, ""), nullcontext)  # type: ignore[arg-type]

    for _ in range(MAX_TRIES + 1):
        with pytest.raises(ZeroDivisionError):
            scene.take(*_of_assets("A1", "A2", "A3"), intake=intake)

    assert scene.tries == {}


def test_one_by_one_is_stored_and_judged_as_all_at_once(tmp_path: Path) -> None:
    records = [_record(n, current=20 + n % 3, voltage=400 + n % 5) for n in range(40)]
    records[20]["current"] = 20_000.0
    found = []
    for name, cuts in (("whole", [40]), ("single", [1] * 40)):
        scene = Scene(tmp_path / name)
        with scene.workspace:
            left = list(records)
            for cut in cuts:
                scene.take(*left[:cut])
                left = left[cut:]
            found.append((stored_readings(scene.workspace), told_incidents(scene.workspace)))

    assert found[0] == found[1]
    assert found[0][1]
