"""All rows judged once from their beginning: the abnormal ones written, and compared with the truth."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from sereno.flows.abnormal import AbnormalRows
from sereno.flows.anomalies import AnomalyPlan, AnomalyReport, write_anomalies
from sereno.flows.build import Setup
from sereno.flows.evaluating import Evaluator
from sereno.flows.evaluation import Evaluation
from sereno.flows.learning import ModelShelf
from sereno.store import Store, StoredAsset

__all__ = ["write_detected"]


def write_detected(
    setup: Setup,
    store: Store,
    shelf: ModelShelf,
    plans: Mapping[str, tuple[Path, AnomalyPlan]],
    *,
    truth: Path | None = None,
    since: datetime | None = None,
) -> tuple[dict[str, AnomalyReport], Evaluation | None]:
    """Write the abnormal hours of each profile, and evaluate the rows from `since` on where there is a truth.

    Args:
        plans: File and plan of each profile.
    """
    reports: dict[str, AnomalyReport] = {}
    models: dict[str, str | None] = {}
    with store.read() as tx:
        named = [(one.profile, one.key) for one in tx.assets()]
        evaluator = None if truth is None else Evaluator(named, setup, truth, since=since)
        compared = () if evaluator is None else evaluator.profiles

        def heard(asset: StoredAsset, found: AbnormalRows) -> None:
            if evaluator is not None and asset.profile in compared:
                evaluator.add(asset.profile, asset.key, found)

        for name, (path, plan) in plans.items():
            model = shelf.get(name)
            models[name] = None if model is None else model.card.id
            assets = [asset for asset in tx.assets(name) if tx.span(asset.id) is not None]
            reports[name] = write_anomalies(tx, path, assets, setup.profiles[name], model, plan, heard=heard)
            if evaluator is not None and name in compared:
                evaluator.judged(reports[name].judging_seconds)
    if evaluator is None:
        return reports, None
    return reports, evaluator.result({name: models.get(name) for name in compared})
