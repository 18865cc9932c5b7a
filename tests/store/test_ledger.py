"""Files, quarantine, issues, metrics."""

import math
from dataclasses import replace
from datetime import timedelta

from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.store import FileEntry, Store
from tests.store.builders import NOW

ENTRY = FileEntry("a" * 64, "datos_0115.csv", 120, "reading", {"totals": {"records_good": 3}}, 3, NOW)


def test_file_is_unknown_until_saved(store: Store) -> None:
    with store.begin() as tx:
        assert tx.file(ENTRY.sha256) is None
        tx.save_file(ENTRY)

    with store.read() as tx:
        assert tx.file(ENTRY.sha256) == ENTRY


def test_file_is_noted_anew_when_saved_again(store: Store) -> None:
    done = replace(
        ENTRY, status="done", n_new=9, report={"ñ": [1, None, math.nan]}, at=NOW + timedelta(hours=1)
    )

    with store.begin() as tx:
        tx.save_file(ENTRY)
        tx.save_file(done)

    with store.read() as tx:
        assert tx.file(ENTRY.sha256) == replace(done, report={"ñ": [1, None, None]})


def test_quarantine_holds_a_line_once(store: Store) -> None:
    rows = [
        QuarantinedRow(3, "read.broken_row", "x;\0;y"),
        QuarantinedRow(2, "read.total_row", "Total " + "1" * 600),
    ]

    for _ in range(2):
        with store.begin() as tx:
            tx.add_quarantine(ENTRY.sha256, rows)

    with store.read() as tx:
        kept = tx.quarantine(ENTRY.sha256)
    assert [row.line for row in kept] == [2, 3]
    assert len(kept[0].text) == 500
    assert kept[1].text == "x;\N{REPLACEMENT CHARACTER};y"


def test_issue_of_a_place_is_kept_once(store: Store) -> None:
    issues = [
        DataIssue("quality.missing", "Consumo", 4, {"share": 0.5}),
        DataIssue("quality.late", "Consumo"),
    ]

    for _ in range(2):
        with store.begin() as tx:
            tx.add_issues(ENTRY.sha256, issues)

    with store.read() as tx:
        assert tx.issues(ENTRY.sha256) == [issues[1], issues[0]]
        assert tx.issues("b" * 64) == []


def test_metrics_come_newest_first(store: Store) -> None:
    with store.begin() as tx:
        tx.add_metric(100, 4, 4.0, "Critico", NOW)
        tx.add_metric(0, 0, math.nan, "Normal", NOW + timedelta(hours=1))

    with store.read() as tx:
        newest, oldest = tx.metrics()
    assert (oldest.total, oldest.abnormal, oldest.percent, oldest.status, oldest.at) == (
        100,
        4,
        4.0,
        "Critico",
        NOW,
    )
    assert math.isnan(newest.percent)
