"""A fleet in a lake: learnt and judged block by block, results beside it as Parquet.

A block is worked on by one worker from its rows to its results, which are named by a digest of all that they
follow from. What is there is not done again, so that a run that was interrupted goes on, and a run after new
readings does the blocks that have any.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import numpy as np

from sereno.domain.archive import digest_of
from sereno.domain.judgement import Severity
from sereno.domain.readings import Window
from sereno.domain.signals import AssetKey, Profile
from sereno.domain.time import EPOCH
from sereno.domain.version import VERSION
from sereno.flows.blocks import judge_block, train_block
from sereno.flows.build import Setup
from sereno.flows.executors import build_executor
from sereno.flows.lake_fleet import LakeRequest, lake_blocks, lake_of, lake_profile
from sereno.flows.lake_outcomes import BlockOutcome, LakeReport, content_digest, finish, once
from sereno.flows.lake_tables import NUMBERS, asset_rows, detection_rows, incident_rows, score_rows
from sereno.flows.learning import training_plan
from sereno.flows.models import TrainedModel, artefact_of, model_of
from sereno.flows.train import TrainingPlan
from sereno.scale.blocks import Block, cut_blocks
from sereno.scale.lake import Lake
from sereno.scale.places import Place
from sereno.scale.tables import read_table, read_tables, write_table
from sereno.settings.tree import Tariff

__all__ = [
    "INDEX",
    "Job",
    "Told",
    "job_model",
    "jobs_of",
    "run_blocks",
    "score_lake",
    "train_lake",
    "worst_active",
]

INDEX = "models.parquet"
"""Which model each asset was learnt by."""
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Job:
    """A block, and the file of the model that judges it; empty without one."""

    block: Block
    model: str = ""

    def __str__(self) -> str:
        return str(self.block)


def train_lake(setup: Setup, wanted: LakeRequest, told: Told | None = None) -> LakeReport:
    """Learn every asset of a lake, one model per block.

    Args:
        told: Hears after each block how many are done, and of how many.

    Raises:
        NoReadings, MissingColumns: There is nothing to learn from.
        BudgetTooSmall, DetectorUnknown, ExtraMissing: As of `train`.
    """
    profile = lake_profile(setup, wanted)
    plan = training_plan(setup, profile, wanted.detector, wanted.budget)
    work = TrainBlock(lake_of(setup, wanted), Place(wanted.output), plan, wanted.before)
    jobs = [Job(block) for block in lake_blocks(setup, wanted, profile)]
    outcomes = run_blocks(setup, work, jobs, told)
    index: dict[str, list[object]] = {name: [] for name in ("site", "asset", "block", "model", "is_learnt")}
    for one, job in zip(outcomes, jobs, strict=True):
        learnt = {(site, asset) for site, asset in one.facts["learnt"]}  # type: ignore[attr-defined]
        for key in job.block.keys:
            index["site"].append(key.site)
            index["asset"].append(key.asset)
            index["block"].append(one.digest)
            index["model"].append(one.facts["model"])
            index["is_learnt"].append((key.site, key.asset) in learnt)
    write_table(work.place, INDEX, index)
    return finish("train", work.place, wanted.lake, profile.name, outcomes)


def score_lake(setup: Setup, wanted: LakeRequest, told: Told | None = None) -> LakeReport:
    """Judge every asset of a lake by the models that `train_lake` left in the same output.

    Assets that came since are judged by data and physics alone.

    Args:
        told: Hears after each block how many are done, and of how many.

    Raises:
        NoReadings, MissingColumns: There is nothing to judge.
        ModelCorrupt: A model is not what was trained.
    """
    profile = lake_profile(setup, wanted)
    work = ScoreBlock(
        lake=lake_of(setup, wanted),
        place=Place(wanted.output),
        profile=profile,
        now=setup.clock(),
        tariff=setup.settings.tariff,
        keeps_scores=wanted.keeps_scores,
    )
    outcomes = run_blocks(setup, work, jobs_of(setup, wanted, profile, work.place), told)
    return finish("score", work.place, wanted.lake, profile.name, outcomes)


def worst_active(output: str) -> str | None:
    """The worst severity of the incidents that go on; None without any."""
    listed = read_tables(Place(output), "incidents", ("severity", "ended_at"))
    active = {Severity[str(level).upper()] for level, ended in zip(*listed, strict=True) if ended is None}
    return max(active).name.lower() if active else None


def run_blocks(
    setup: Setup,
    work: Callable[[Job], BlockOutcome],
    jobs: Sequence[Job],
    told: Told | None,
) -> list[BlockOutcome]:
    """Work on all blocks where the settings say."""
    return list(build_executor(setup.settings.executor).map(work, jobs, told=told))


@dataclass(frozen=True, slots=True)
class TrainBlock:
    """Learns a block: rows in, a model out."""

    lake: Lake
    place: Place
    plan: TrainingPlan
    before: datetime | None

    def __call__(self, job: Job) -> BlockOutcome:
        """See `train_block`."""
        rows = self.lake.read(job.block, self.plan.profile)
        own = {
            one.asset: self.plan.segment_of[one.asset] for one in rows if one.asset in self.plan.segment_of
        }
        plan = replace(self.plan, segment_of=own)
        digest = content_digest("train", rows, replace(plan, now=EPOCH), self.before)
        return once(self.place, "train", digest, partial(self._train, rows, plan, digest))

    def _train(self, rows: Sequence[Window], plan: TrainingPlan, digest: str) -> BlockOutcome:
        model = train_block(rows, plan, before=self.before)
        files: tuple[str, ...] = ()
        if model is not None:
            files = (f"models/{digest}.sereno",)
            self.place.write(files[0], artefact_of(model))
        learnt = () if model is None else model.card.assets
        counts = {"assets": len(rows), "learnt": len(learnt), "rows": sum(map(len, rows))}
        facts = {
            "digest": "" if model is None else _whenever(model),
            "learnt": [[key.site, key.asset] for key in learnt],
            "model": files[0] if files else "",
        }
        return BlockOutcome(digest, files, counts, facts)


@dataclass(frozen=True, slots=True)
class ScoreBlock:
    """Judges a block: rows and a model in, incidents and what they rest on out."""

    lake: Lake
    place: Place
    profile: Profile
    now: datetime
    tariff: Tariff | None
    keeps_scores: bool

    def __call__(self, job: Job) -> BlockOutcome:
        """See `judge_block`."""
        rows = self.lake.read(job.block, self.profile)
        model = job_model(self.place, job, self.profile)
        used = "" if model is None else model.card.digest
        said = None if self.tariff is None else self.tariff.model_dump()
        digest = content_digest("score", rows, VERSION, self.profile, used, said, self.keeps_scores)
        return once(self.place, "score", digest, partial(self._score, rows, model, digest))

    def _score(self, rows: Sequence[Window], model: TrainedModel | None, digest: str) -> BlockOutcome:
        judged = judge_block(rows, self.profile, model, now=self.now)
        tables: dict[str, Mapping[str, Sequence[object] | np.ndarray]] = {
            "assets": asset_rows(judged),
            "detections": detection_rows(judged),
            "incidents": incident_rows(judged, self.profile, self.tariff, self.now),
        }
        if self.keeps_scores:
            tables["scores"] = score_rows(judged)
        for name, columns in tables.items():
            write_table(self.place, f"{name}/{digest}.parquet", columns, numbers=NUMBERS)
        counts = {
            "assets": len(judged.assets),
            "rows": sum(len(one.time) for one in judged.assets),
            "detections": sum(len(one.detections) for one in judged.assets),
            "incidents": sum(len(one.incidents) for one in judged.assets),
        }
        files = tuple(f"{name}/{digest}.parquet" for name in tables)
        told = hashlib.sha256("".join(f"{one.asset}{one.digest}" for one in judged.assets).encode())
        return BlockOutcome(digest, files, counts, {"digest": told.hexdigest()})


def job_model(place: Place, job: Job, profile: Profile) -> TrainedModel | None:
    """The model that judges a block; None without one.

    Raises:
        ModelCorrupt: It is not what was trained.
    """
    data = place.read(job.model) if job.model else None
    return None if data is None else model_of(data, job.model, {profile.name: profile})


def jobs_of(setup: Setup, wanted: LakeRequest, profile: Profile, place: Place) -> list[Job]:
    """The blocks as they were learnt, then those of assets that came since."""
    index = read_table(place, INDEX)
    blocks = lake_blocks(setup, wanted, profile)
    if not index:
        return [Job(block) for block in blocks]
    present = {key for block in blocks for key in block.keys}
    learnt: dict[tuple[str, str], list[AssetKey]] = {}
    listed = zip(*(index[name] for name in ("site", "asset", "block", "model")), strict=True)
    for site, asset, block, model in listed:
        key = AssetKey(str(site), str(asset))
        if key in present:
            learnt.setdefault((str(block), str(model)), []).append(key)
    known = {key for keys in learnt.values() for key in keys}
    later = [key for key in present if key not in known]
    jobs = [Job(Block(profile.name, tuple(sorted(keys))), model) for (_, model), keys in learnt.items()]
    size = setup.settings.executor.block_assets
    return jobs + [Job(block) for block in cut_blocks(profile.name, later, size=size)]


def _whenever(model: TrainedModel) -> str:
    """Digest of what was learnt, whenever that was."""
    return digest_of(artefact_of(replace(model, card=replace(model.card, trained_at=EPOCH))))
