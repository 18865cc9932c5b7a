"""The process that does one training again: asked on stdin, answers with digests on stdout."""

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import TextIO

import numpy as np

from sereno.contracts import Detector, TrainedForecaster
from sereno.detect.beside import weigh_beside
from sereno.detect.registry import build_detector
from sereno.detect.rules import CalibrationRule
from sereno.domain.archive import digest_of
from sereno.domain.calendar import DAY, step_end
from sereno.domain.judgement import Memory, ModelCard
from sereno.domain.readings import FloatArray, Window
from sereno.domain.registry import ForecasterCard
from sereno.domain.signals import Profile
from sereno.domain.time import from_numpy, to_numpy
from sereno.domain.version import VERSION
from sereno.flows.fleet import BlockNeighbours
from sereno.flows.forecast_trials import actual_values
from sereno.flows.forecasters import ForecasterGroup
from sereno.flows.learning import training_history
from sereno.flows.models import TrainedModel, artefact_of
from sereno.flows.segments import load_segmentation
from sereno.flows.succession import find_version
from sereno.flows.train import TrainingPlan, fingerprint_of, train_profile
from sereno.flows.workspace import Workspace
from sereno.store import StoredForecaster

__all__ = ["main"]

_MOST_ASSETS, _MOST_ROWS = 50, 2_000
"""Of which predictions are compared."""
_TEST_DAYS = 7


def main(asked: TextIO, told: TextIO) -> int:
    """Do what is asked for; gives the exit code."""
    request = json.loads(asked.read())
    with Workspace.open(request["folder"]) as workspace:
        with workspace.store.read() as tx:
            stored = find_version(tx, request["version"])
        if isinstance(stored, StoredForecaster):
            answer = _forecaster_again(workspace, stored.card)
        else:
            answer = _detector_again(workspace, stored.card)
    told.write(json.dumps(answer) + "\n")
    return 0


def _detector_again(workspace: Workspace, card: ModelCard) -> dict[str, object]:
    with workspace.store.read() as tx:
        stored = next(one for one in tx.models() if one.card.id == card.id)
        assets = tx.assets(card.profile)
    known = workspace.registrar.shelf.version(stored)
    ends = {key: layout.until or card.trained_at for key, layout in known.layouts.items()}
    latest = max(ends.values())
    history = [
        _until(window, ends.get(window.asset, latest))
        for window in training_history(workspace.store, assets, None)
    ]
    history = [window for window in history if len(window)]
    left_out = {key: layout.left_out for key, layout in known.layouts.items()}
    model = train_profile(history, replace(_plan(workspace, card), left_out=left_out))
    scores, metrics = _judged(model, history)
    return {
        "model": digest_of(artefact_of(model)),
        "fingerprint": model.card.fingerprint,
        "predictions": scores,
        "metrics": metrics | {name: float(value) for name, value in model.card.metrics.items()},
    }


def _plan(workspace: Workspace, card: ModelCard) -> TrainingPlan:
    """The plan of a training, from its card alone."""
    profile, said = workspace.profiles[card.profile], card.settings
    found = load_segmentation(workspace.folder, card.profile) if said.get("segments") else None
    sigmas: Sequence[float] = said.get("sigmas", ())  # type: ignore[assignment]
    return TrainingPlan(
        profile=profile,
        kind=card.detector,
        detector=_detector(card, profile),
        rule=CalibrationRule(str(said["calibration"]), tuple(sigmas)),
        budget=float(str(said["budget"])),
        is_budget_firm=False,
        now=card.trained_at,
        code_version=VERSION,
        segments="" if found is None else found.digest,
        segment_of={} if found is None else {key: found.segment_of(key) for key in found.members()},
    )


def _detector(card: ModelCard, profile: Profile) -> Detector:
    plain = build_detector(card.detector, profile, where=card.id)
    names = {one.name for one in fields(plain)}  # type: ignore[arg-type]
    options = {name: value for name, value in card.settings.items() if name in names}
    return build_detector(card.detector, profile, options, where=card.id)


def _judged(model: TrainedModel, history: Sequence[Window]) -> tuple[str, dict[str, float]]:
    """SHA-256 of scores and expectations, and how far the first signal is from what was expected."""
    digest = hashlib.sha256()
    observed, expected = [], []
    neighbours = BlockNeighbours({window.asset: window for window in history})
    for window in history[:_MOST_ASSETS]:
        rows = window.rows(max(0, len(window) - _MOST_ROWS), len(window))
        reference = neighbours.reference(rows.asset, model, rows.time)
        scores, _ = weigh_beside(model.detector, rows, reference, Memory())
        digest.update(np.ascontiguousarray(scores.values).tobytes())
        digest.update(np.ascontiguousarray(scores.expected).tobytes())
        observed.append(rows.values[:, 0])
        expected.append(scores.expected[:, 0])
    return digest.hexdigest(), _errors(np.concatenate(observed), np.concatenate(expected))


def _forecaster_again(workspace: Workspace, card: ForecasterCard) -> dict[str, object]:
    group = ForecasterGroup.of_card(card)
    windows = workspace.registrar.windows_of(card)
    known = [one for window in windows if len(one := _until(window, card.until))]
    learnt = [one for one in known if one.asset in card.assets]
    trained = group.forecaster().fit(learnt)
    digest, origin = hashlib.sha256(), _end(learnt)
    for made in trained.forecast_many(learnt, origin, DAY):
        digest.update(np.ascontiguousarray(made.quantiles).tobytes())
    before = [_until(one, origin - _TEST_DAYS * DAY - timedelta(microseconds=1)) for one in learnt]
    early = group.forecaster().fit([one for one in before if len(one)])
    return {
        "model": digest_of(trained.dump()),
        "fingerprint": fingerprint_of(learnt),
        "predictions": digest.hexdigest(),
        "metrics": _backtested(early, learnt, card.signal, origin),
    }


def _backtested(
    trained: TrainedForecaster, windows: Sequence[Window], signal: str, end: datetime
) -> Mapping[str, float]:
    """How the last days were forecast a day ahead by what had not seen them."""
    actual, said = [np.empty(0)], [np.empty(0)]
    by_asset = {window.asset: window for window in windows}
    for day in range(_TEST_DAYS, 0, -1):
        for made in trained.forecast_many(windows, end - day * DAY, DAY):
            actual.append(actual_values(by_asset[made.asset], signal, made))
            said.append(made.median)
    return _errors(np.concatenate(actual), np.concatenate(said))


def _errors(observed: FloatArray, expected: FloatArray) -> dict[str, float]:
    known = np.isfinite(observed) & np.isfinite(expected)
    if not known.any():
        return {}
    apart = observed[known] - expected[known]
    spread = float(np.square(observed[known] - observed[known].mean()).sum())
    errors = {"rmse": float(np.sqrt(np.square(apart).mean())), "mae": float(np.abs(apart).mean())}
    return errors | ({"r2": 1.0 - float(np.square(apart).sum()) / spread} if spread else {})


def _until(window: Window, until: datetime) -> Window:
    return window.rows(0, int(np.searchsorted(window.time, to_numpy(until), side="right")))


def _end(windows: Sequence[Window]) -> datetime:
    return max(from_numpy(step_end(one.time[-1], one.step, one.zone)) for one in windows)


if __name__ == "__main__":
    sys.exit(main(sys.stdin, sys.stdout))
