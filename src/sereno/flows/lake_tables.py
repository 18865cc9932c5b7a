"""What judging a block gave, as columns of tables."""

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from sereno.domain.signals import Profile
from sereno.domain.time import isoformat
from sereno.flows.blocks import JudgedAsset, JudgedBlock
from sereno.flows.incidents import IncidentView
from sereno.report.sentences import Place
from sereno.settings.tree import Tariff
from sereno.store.codec import detection_document

__all__ = ["INCIDENT_COLUMNS", "NUMBERS", "asset_rows", "detection_rows", "incident_rows", "score_rows"]

NUMBERS = ("score", "threshold", "observed", "expected", "impact", "cost", "step_s")
"""Columns that hold numbers, also where none of them is there."""
INCIDENT_COLUMNS = (
    "id", "site", "asset", "signals", "kind", "cause", "severity", "condition", "peak_at", "started_at",
    "ended_at", "score", "threshold", "observed", "expected", "unit", "impact", "impact_unit", "cost",
    "currency", "sentence", "sentence_es", "recommendation", "recommendation_es", "model",
)  # fmt: skip


def incident_rows(
    judged: JudgedBlock, profile: Profile, tariff: Tariff | None, now: datetime
) -> dict[str, list[object]]:
    """As `incidents list --json` shows them, without what people do about them."""
    documents = [
        IncidentView(one, Place(profile, asset.zone, asset.step), tariff).to_json(now)
        for asset in judged.assets
        for one in asset.incidents
    ]
    return {name: [_cell(one[name]) for one in documents] for name in INCIDENT_COLUMNS}


def _cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, list) else value


def asset_rows(judged: JudgedBlock) -> dict[str, list[object]]:
    """How much was judged and found of each asset, and the digest of what was said."""
    found = judged.assets
    return {
        "site": [one.asset.site for one in found],
        "asset": [one.asset.asset for one in found],
        "zone": [one.zone for one in found],
        "step_s": [None if one.step is None else one.step.total_seconds() for one in found],
        "rows": [len(one.time) for one in found],
        "detections": [len(one.detections) for one in found],
        "incidents": [len(one.incidents) for one in found],
        "digest": [one.digest for one in found],
    }


def detection_rows(judged: JudgedBlock) -> dict[str, list[object]]:
    """Every interval that was judged abnormal."""
    found = [detection for one in judged.assets for detection in one.detections]
    return {
        "site": [one.asset.site for one in found],
        "asset": [one.asset.asset for one in found],
        "check": [one.check for one in found],
        "cause": [one.cause for one in found],
        "severity": [one.severity.name.lower() for one in found],
        "started_at": [isoformat(one.started_at) for one in found],
        "ended_at": [isoformat(one.ended_at) for one in found],
        "signals": [", ".join(one.signals) for one in found],
        "rows": [one.n_rows for one in found],
        "score": [float(one.score) for one in found],
        "threshold": [float(one.threshold) for one in found],
        "document": [json.dumps(detection_document(one), ensure_ascii=False) for one in found],
    }


def score_rows(judged: JudgedBlock) -> dict[str, Sequence[object] | np.ndarray]:
    """Score over threshold of each row, a column for each check that any asset of the block has."""
    checks = sorted({check for one in judged.assets for check in one.exceedances})

    def of(one: JudgedAsset, check: str) -> np.ndarray:
        return np.asarray(one.exceedances.get(check, np.full(len(one.time), np.nan)), dtype=np.float32)

    def named(names: Sequence[str]) -> list[object]:
        return [name for name, one in zip(names, judged.assets, strict=True) for _ in range(len(one.time))]

    return {
        "site": named([one.asset.site for one in judged.assets]),
        "asset": named([one.asset.asset for one in judged.assets]),
        "time": np.concatenate([one.time for one in judged.assets]),
        **{check: np.concatenate([of(one, check) for one in judged.assets]) for check in checks},
    }
