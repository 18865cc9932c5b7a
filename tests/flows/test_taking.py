"""Records that come in groups come to what a batch comes to, whoever of the fleet is heard first."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sereno.domain.readings import Window
from sereno.domain.time import from_numpy, isoformat
from sereno.flows import stretches
from sereno.flows.judge import Case, Judgement
from sereno.flows.taking import Receipt, Submission
from sereno.flows.workspace import Workspace
from tests.flows.test_fleet import DARK, a_fleet, taught
from tests.support.builders import MADRID, a_workspace, readings_of
from tests.support.stores import Dump, differences, dump, sqlite_address

FIRST, LAST = DARK.start - 2, DARK.stop + 1
NAMES = ("Generación total", "Consumo total", "Autoconsumo", "Energía suministrada a la red")
HEADERS = tuple(f"{name} (kWh)" for name in (*NAMES, "Energía obtenida de la red"))


def a_record(window: Window, row: int) -> dict[str, object]:
    values = dict(zip(HEADERS, window.values[row].tolist(), strict=True))
    return {"Empresa": window.asset.site, "Fecha": isoformat(from_numpy(window.time[row])), **values}


def days_of(fleet: Sequence[Window]) -> Iterator[list[dict[str, object]]]:
    """The records of each day, the sites in another order every day."""
    rng = np.random.default_rng(3)
    for row in range(FIRST, LAST):
        yield [a_record(fleet[i], row) for i in rng.permutation(len(fleet))]


def judged_by(folder: Path, fleet: Sequence[Window]) -> Workspace:
    """A workspace that has learnt and has judged up to the first day."""
    workspace = taught(folder, fleet)
    before = [window.rows(300, FIRST) for window in fleet]
    workspace.add(readings_of(*before), zone=MADRID, judge=True)
    return workspace


OF_EVIDENCE = frozenset({"evidence", "n_rows", "lost", "lost_per_day"})


def what_was_found(folder: Path) -> Dump:
    """A store without the memories, whose last bits tell in which stretches rows were judged."""
    found = dump(sqlite_address(folder), with_history=False)
    found.pop("watch_state")
    # An active incident follows its detection only where somebody needs to know; detections are equal.
    found["incident"] = [
        tuple(field for field in row if field[0] not in OF_EVIDENCE or ("condition", "active") not in row)
        for row in found["incident"]
    ]
    return found


def catch_up(workspace: Workspace) -> int:
    """Judge all that was put off; returns of how many assets."""
    n_judged = 0
    while not (step := workspace.judge_put_off()).is_done:
        n_judged += step.n_judged
    return n_judged


@pytest.mark.parametrize("n_together", [1, 4], ids=["one_by_one", "in_groups"])
def test_records_in_groups_come_to_what_a_batch_comes_to(tmp_path: Path, n_together: int) -> None:
    fleet = a_fleet()
    with judged_by(tmp_path / "batch", fleet) as batch:
        batch.add(readings_of(*(w.rows(FIRST, LAST) for w in fleet)), zone=MADRID, judge=True)
    with judged_by(tmp_path / "groups", fleet) as groups:
        records = [record for day in days_of(fleet) for record in day]
        for start in range(0, len(records), n_together):
            groups.take([Submission([one]) for one in records[start : start + n_together]])
        n_again = catch_up(groups)

    found, wanted = (what_was_found(tmp_path / name) for name in ("groups", "batch"))
    assert n_again > 0
    assert differences(found, wanted) == {}


def test_what_waits_for_judging_survives_a_restart(tmp_path: Path) -> None:
    fleet = a_fleet()
    with judged_by(tmp_path, fleet) as workspace:
        for day in list(days_of(fleet))[:2]:
            for record in day:
                workspace.take([Submission([record])])

    with Workspace.open(tmp_path) as again:
        assert catch_up(again) > 0
        assert catch_up(again) == 0


def test_peers_told_late_are_judged_again_from_the_last_rows_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = a_fleet()
    n_rows: list[int] = []
    judge = stretches.judge_windows

    def counting(cases: Sequence[Case], *others: Any) -> list[Judgement]:
        n_rows.extend(len(case.window) for case in cases)
        return judge(cases, *others)

    monkeypatch.setattr(stretches, "judge_windows", counting)
    with judged_by(tmp_path, fleet) as workspace:
        n_rows.clear()
        records = [record for day in days_of(fleet) for record in day]

        for record in records:
            workspace.take([Submission([record])])
        catch_up(workspace)

    assert sum(n_rows) <= 4 * len(records)


def test_two_submissions_with_one_key_are_one(tmp_path: Path) -> None:
    fleet = a_fleet()
    record = a_record(fleet[0], FIRST)
    same = [Submission([record], key="k", digest="d") for _ in range(2)]
    other = Submission([a_record(fleet[0], FIRST + 1)], key="k", digest="e")

    with a_workspace(tmp_path) as workspace:
        answers, _ = workspace.take([*same, other])

    first, second, third = answers
    assert isinstance(first, Receipt)
    assert isinstance(second, Receipt)
    assert (first.n_new, second.n_new, second.is_repeat) == (1, 1, True)
    assert getattr(third, "code", "") == "request.key_reused"


def test_submissions_that_contradict_each_other_count_in_their_order(tmp_path: Path) -> None:
    fleet = a_fleet()
    record = a_record(fleet[0], FIRST)

    with a_workspace(tmp_path) as workspace:
        answers, _ = workspace.take([Submission([record]), Submission([record | {HEADERS[1]: 1.0}])])
        with workspace.store.read() as tx:
            asset = tx.assets()[0]
            stored = tx.rows(asset.id, asset.profile)

    assert [(one.n_new, one.n_changed) for one in answers if isinstance(one, Receipt)] == [(1, 0), (0, 1)]
    assert stored.values[0, stored.signals.index("consumption")] == 1.0


def test_answers_are_forgotten_by_age(tmp_path: Path) -> None:
    record = a_record(a_fleet()[0], FIRST)
    with Workspace.open(tmp_path, clock=lambda: datetime(2025, 1, 1, tzinfo=UTC)) as workspace:
        workspace.take([Submission([record], key="k", digest="d")])

    with Workspace.open(tmp_path) as later:
        n_dropped = [later.drop_answers(older_than=timedelta(hours=hours)) for hours in (48, 0)]

    assert n_dropped == [1, 0]
