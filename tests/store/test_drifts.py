"""The last verdicts of the watch for drift: kept by meter, replaced by the next, gone with the site."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sereno.domain.drift import AssetDrift, DriftKind, DriftLevel, DriftVerdict, WeekStatistic
from sereno.domain.errors import NotFound
from sereno.store import Store
from tests.store.builders import NOW, ROOF, asset_id

WEEKS = (
    WeekStatistic("2025-05-05", float("nan"), DriftLevel.NONE, ""),
    WeekStatistic("2025-05-12", 1.25, DriftLevel.MEDIUM, "generation"),
)


def a_verdict(kind: DriftKind, level: DriftLevel = DriftLevel.NONE) -> DriftVerdict:
    return DriftVerdict(
        kind, level, WEEKS, (0.5, 1.0), 2, since="2025-05-12", signal="generation", change=0.1
    )


def a_drift(level: DriftLevel = DriftLevel.NONE) -> AssetDrift:
    verdicts = {kind: a_verdict(kind) for kind in DriftKind}
    verdicts[DriftKind.CONCEPT] = a_verdict(DriftKind.CONCEPT, level)
    return AssetDrift(ROOF, "generation", verdicts)


def test_verdicts_come_back_as_they_were_said(store: Store) -> None:
    roof, said = asset_id(store), a_drift(DriftLevel.MEDIUM)

    with store.begin() as tx:
        tx.save_drifts([(roof, said)], at=NOW)
    with store.read() as tx:
        (listed,), (kept,) = tx.drifts(), tx.drifts(roof)

    assert listed.drift.verdicts[DriftKind.INPUT].value == 1.25
    assert (kept.asset_id, kept.profile, kept.judged_at) == (roof, "solar", NOW)
    assert kept.drift.to_json() == said.to_json()
    assert kept.drift.staleness == kept.drift.verdicts[DriftKind.CONCEPT]


def test_the_next_verdicts_replace_them(store: Store) -> None:
    roof, later = asset_id(store), NOW + timedelta(days=7)

    for level, at in ((DriftLevel.HIGH, NOW), (DriftLevel.NONE, later)):
        with store.begin() as tx:
            tx.save_drifts([(roof, a_drift(level))], at=at)
    with store.read() as tx:
        (kept,) = tx.drifts(roof)
        alarming, last = tx.drifts(level=DriftLevel.MEDIUM), tx.drift_judged_at()

    assert (kept.judged_at, kept.drift.level, last) == (later, DriftLevel.NONE, later)
    assert alarming == []


def test_verdicts_of_an_unknown_asset_are_refused(store: Store) -> None:
    with pytest.raises(NotFound), store.begin() as tx:
        tx.save_drifts([(99, a_drift())], at=NOW)


def test_faulty_data_or_a_shifting_fleet_speak_against_learning_anew() -> None:
    drift = a_drift(DriftLevel.HIGH)
    faulty = {**drift.verdicts, DriftKind.QUALITY: a_verdict(DriftKind.QUALITY, DriftLevel.MEDIUM)}
    shared = {**drift.verdicts, DriftKind.CONCEPT: replace(drift.verdicts[DriftKind.CONCEPT], is_shared=True)}

    assert drift.staleness is not None
    assert replace(drift, verdicts=faulty).staleness is None
    assert replace(drift, verdicts=shared).staleness is None


def test_verdicts_go_with_their_site(store: Store) -> None:
    roof = asset_id(store)
    with store.begin() as tx:
        tx.save_drifts([(roof, a_drift())], at=NOW)
        names = tx.site_names(ROOF.site)
        counts = tx.erase_site(names, names.mentions(), subject="p", at=NOW, actor="ana", reason="asked")
    with store.read() as tx:
        kept = tx.drifts()

    assert (counts["drift_standing"], kept) == (1, [])
