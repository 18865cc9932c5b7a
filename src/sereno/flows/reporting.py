"""Reports put together from what is stored and what the model makes of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy, to_numpy
from sereno.flows.incidents import IncidentView
from sereno.flows.losses import losses_of
from sereno.flows.models import TrainedModel
from sereno.flows.results import AssetResult, asset_result
from sereno.i18n.catalogue import sentence
from sereno.report.process_report import AssetReport, SignalCourse, Told, report_html
from sereno.store import StoredAsset, Transaction

__all__ = ["build_report", "write_report"]

_USUAL_SPAN = timedelta(days=1)
"""Shown as current where nothing came after the training."""


def write_report(path: Path, report: AssetReport, language: str) -> None:
    """Write the file whole or not at all.

    Raises:
        OSError: The system refuses it.
    """
    partial = path.with_name(path.name + ".part")
    partial.write_text(report_html(report, language), encoding="utf-8")
    partial.replace(path)


def build_report(
    tx: Transaction,
    asset: StoredAsset,
    model: TrainedModel,
    profile: Profile,
    incidents: Sequence[IncidentView],
    *,
    language: str,
    since: datetime | None = None,
) -> AssetReport:
    """What the report of an asset says.

    Args:
        incidents: All incidents, worst first; those of the asset in the current rows are told.
        since: Begin of the current rows; None for the end of the training, or the last day where nothing
            came after it.
    """
    whole = asset_result(tx, asset, profile, model)
    layout = model.layouts.get(asset.key)
    first = _first_current(whole, layout.until if layout else None, since)
    window = whole.window
    n_before = int(np.searchsorted(window.time, to_numpy(first))) if first else len(window)
    n_trained = n_before
    if layout is not None and layout.until is not None:
        n_trained = int(np.searchsorted(window.time, to_numpy(layout.until), side="right"))
    current = whole.since(first)
    told = [
        _told(view, language)
        for view in incidents
        if view.incident.asset == asset.key and _is_current(view, first)
    ]
    return AssetReport(
        asset=str(asset.key),
        model=model.card.id,
        detector=model.card.detector,
        trained_at=model.card.trained_at,
        zone=asset.zone,
        step=window.step,
        trained_time=window.time[:n_trained],
        time=current.window.time,
        signals=_courses(whole, current, n_trained, profile, language),
        score=current.score,
        threshold=current.threshold,
        losses=losses_of(model.detector),
        incidents=told,
    )


def _first_current(whole: AssetResult, until: datetime | None, since: datetime | None) -> datetime | None:
    times = whole.window.time
    if since is not None or not len(times):
        return since
    last = from_numpy(times[-1])
    if until is not None and until < last:
        return until + (whole.window.step or timedelta(microseconds=1))
    return last - _USUAL_SPAN


def _is_current(view: IncidentView, first: datetime | None) -> bool:
    ended = view.incident.ended_at
    return first is None or ended is None or ended > first


def _told(view: IncidentView, language: str) -> Told:
    severity = sentence(f"severity.{view.incident.severity.name.lower()}", language)
    return Told(view.incident.started_at, severity, view.sentence(language), view.recommendation(language))


def _courses(
    whole: AssetResult, current: AssetResult, n_trained: int, profile: Profile, language: str
) -> list[SignalCourse]:
    """The variables, and how guilty each is of the abnormal rows."""
    rows = np.flatnonzero(current.score >= current.threshold)
    squares = np.nan_to_num(current.errors[rows]) ** 2
    total = squares.sum()
    leads = np.bincount(squares.argmax(axis=1), minlength=squares.shape[1]) if len(rows) else np.zeros(0)
    courses = []
    for place, name in enumerate(whole.window.signals):
        signal = profile.signal(name)
        courses.append(
            SignalCourse(
                label=f"{signal.label(language)} [{signal.unit}]" if signal.unit else signal.label(language),
                trained=whole.window.values[:n_trained, place],
                values=current.window.values[:, place],
                expected=current.expected[:, place],
                n_guilty=int(leads[place]) if len(rows) else 0,
                share=float(squares[:, place].sum() / total) if total else float("nan"),
            )
        )
    return courses
