"""What was said of a fleet in a lake against what somebody knows, block by block."""

import time
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sereno.domain.signals import AssetKey, Profile
from sereno.flows.abnormal import abnormal_in
from sereno.flows.blocks import on_grid
from sereno.flows.build import Setup
from sereno.flows.evaluating import Evaluator, TruthBoard
from sereno.flows.evaluation import Evaluation
from sereno.flows.executors import build_executor
from sereno.flows.lake import Job, Told, job_model, jobs_of
from sereno.flows.lake_fleet import LakeRequest, lake_of, lake_profile
from sereno.flows.twins import twin_key, volumes_at
from sereno.scale.lake import Lake
from sereno.scale.places import Place

__all__ = ["evaluate_lake"]


def evaluate_lake(
    setup: Setup,
    wanted: LakeRequest,
    truth: Path,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    told: Told | None = None,
) -> Evaluation:
    """Judge all assets of a lake by the models of `train_lake`, and compare.

    Args:
        told: Hears after each block how many are done, and of how many.

    Raises:
        NoTruth, UnknownAsset, UsageError: As of `evaluate`.
        NoReadings, MissingColumns: There is nothing to judge.
    """
    profile = lake_profile(setup, wanted)
    place = Place(wanted.output)
    jobs = jobs_of(setup, wanted, profile, place)
    named = [(profile.name, key) for job in jobs for key in job.block.keys]
    evaluator = Evaluator(named, setup, truth, since=since, until=until)
    work = EvaluateBlock(lake_of(setup, wanted), place, profile)
    items = [LabelledJob(job, evaluator.truth.of(profile.name, job.block.keys)) for job in jobs]
    models: list[str] = []
    for one in build_executor(setup.settings.executor).map(work, items, told=told):
        evaluator.judged(one.seconds)
        evaluator.truth.merge(one.truth)
        models += [one.model] if one.model else []
    shown = None if not models else models[0] if len(models) == 1 else f"{models[0]} (+{len(models) - 1})"
    return evaluator.result({profile.name: shown})


@dataclass(frozen=True, slots=True)
class LabelledJob:
    """A block with the labels that speak of its assets."""

    job: Job
    truth: TruthBoard

    def __str__(self) -> str:
        return str(self.job)


@dataclass(frozen=True, slots=True)
class Compared:
    """A block's board, the model that judged, and how long that took [s]."""

    truth: TruthBoard
    model: str
    seconds: float


@dataclass(frozen=True, slots=True)
class EvaluateBlock:
    """Judges a block and lays the truth beside it."""

    lake: Lake
    place: Place
    profile: Profile

    def __call__(self, labelled: LabelledJob) -> Compared:
        """See `abnormal_in`."""
        job, truth = labelled.job, labelled.truth
        model = job_model(self.place, job, self.profile)
        rows = {one.asset: one for one in self.lake.read(job.block, self.profile)}
        seconds = 0.0
        for key, own in rows.items():
            begun = time.perf_counter()
            window = on_grid(own, model)
            other = twin_key(key, self.profile, list(rows))
            twin = None if other is None else volumes_at(window.time, rows[other])
            found = abnormal_in(window, self.profile, model, twin)
            seconds += time.perf_counter() - begun
            truth.add(key, found, self.profile)
        return Compared(_counted(truth), "" if model is None else model.card.id, seconds)


def _counted(truth: TruthBoard) -> TruthBoard:
    """The board without its labels: they need not travel back."""
    return replace(truth, labels=truth.labels.take([]), own=dict[tuple[str, AssetKey], list[int]]())
