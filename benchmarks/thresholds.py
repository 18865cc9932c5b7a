"""Whether a false-alarm budget is kept: realised over requested on calm data whose tails are known.

    python -m benchmarks.thresholds --json

Calm scores with four tails, independent and autocorrelated (0.9 from row to row), in hours and in days, of
several lengths. Each history is calibrated by each rule; the threshold's true rate of episodes is counted on
a long series of the same kind that no rule has seen. No data is read. Beside them the rule of thumb: the mean
and three standard deviations. Last, the same question through learning and judging: detectors learn half a
year of calm signals and judge the year after.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import numpy as np
from scipy import signal, stats
from sereno.flows.tables import LearningOptions, Table, judge_table, learn_table

from benchmarks.common import Goal, Options, parse_options, publish, tell
from sereno.detect.calibration import Hysteresis, count_episodes
from sereno.detect.rules import CalibrationRule, calibrate_by
from sereno.domain.errors import BudgetTooSmall, HistoryTooShort
from sereno.domain.judgement import Claim
from sereno.domain.readings import FloatArray

TAILS: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "normal": lambda u: stats.norm.isf((1.0 - u) / 2.0),
    "chi2_4": lambda u: stats.chi2.ppf(u, 4),
    "student_4": lambda u: stats.t.isf((1.0 - u) / 2.0, 4),
    "log_normal": lambda u: stats.lognorm.ppf(u, 1.0),
}
"""Quantile functions of scores; of the symmetric ones the magnitude."""
AUTOCORRELATIONS = {"independent": 0.0, "ar1_0.9": 0.9}
STEPS = {"hours": timedelta(hours=1), "days": timedelta(days=1)}
BUDGETS = (0.25, 0.05, 0.02)
"""False episodes per week and asset: the default, one in five months, one a year."""
HISTORIES = (6, 12, 26, 52, 104, 260, 520)
"""Asset-weeks."""
METHODS = ("auto", "conformal", "pot", "mean_3sigma")
TRUTH_WEEKS = {"hours": 20_000, "days": 100_000}
"""Weeks that the true rate is counted on: 400 episodes or more at the smallest budget."""
N_THRESHOLDS = 60
N_REPEATS = 24
N_SERVED = 4
SERVED_BUDGET = 0.25
WEEK = timedelta(weeks=1)
LOWEST, HIGHEST = 0.5, 2.0
"""Realised over requested that "calibrated" promises."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of calm scores."""

    tail: str
    dependence: str
    step: str

    def scores(self, weeks: float, rng: np.random.Generator) -> FloatArray:
        """A series of scores in units of their true 99 % quantile, shape (rows,)."""
        n_rows = round(weeks * (WEEK / STEPS[self.step]))
        rho = AUTOCORRELATIONS[self.dependence]
        noise = rng.normal(size=n_rows) * np.sqrt(1.0 - rho**2)
        noise[0] /= np.sqrt(1.0 - rho**2)
        normal = signal.lfilter([1.0], [1.0, -rho], noise)
        quantile = TAILS[self.tail]
        scores: FloatArray = quantile(stats.norm.cdf(normal)) / quantile(np.array([0.99]))[0]
        return scores

    @property
    def hysteresis(self) -> Hysteresis:
        """As the product counts episodes of that step."""
        return Hysteresis.for_step(STEPS[self.step])


@cache
def true_rates(kind: Kind, *, is_quick: bool) -> tuple[FloatArray, FloatArray]:
    """Thresholds and the episodes per week that each gives in the long run."""
    weeks = TRUTH_WEEKS[kind.step] / (10 if is_quick else 1)
    scores = kind.scores(weeks, np.random.default_rng([9, *str(kind).encode()]))
    thresholds = np.geomspace(0.5, max(2.0, float(scores.max())), N_THRESHOLDS)
    counts = [count_episodes(scores, float(one), kind.hysteresis) for one in thresholds]
    return thresholds, np.array(counts) / weeks


def true_rate(kind: Kind, threshold: float, *, is_quick: bool) -> float:
    """Episodes per week that a threshold gives in the long run."""
    thresholds, rates = true_rates(kind, is_quick=is_quick)
    return float(np.interp(threshold, thresholds, rates))


def outcomes(kind: Kind, weeks: int, options: Options) -> Iterator[dict[str, object]]:
    """What each rule makes of some histories of that length."""
    for repeat in range(6 if options.is_quick else N_REPEATS):
        scores = kind.scores(weeks, np.random.default_rng([repeat, weeks, *str(kind).encode()]))
        scores = scores / np.quantile(scores, 0.99)  # a detector knows its calm quantile from history alone
        for budget in BUDGETS:
            for method in METHODS:
                yield _outcome(kind, scores, weeks, budget, method, is_quick=options.is_quick)


def _outcome(
    kind: Kind, scores: FloatArray, weeks: int, budget: float, method: str, *, is_quick: bool
) -> dict[str, object]:
    cell = {"kind": kind, "weeks": weeks, "budget": budget, "method": method}
    try:
        found = calibrate_by(
            CalibrationRule(method),
            [scores],
            STEPS[kind.step],
            budget=budget,
            hysteresis=kind.hysteresis,
        )
    except (BudgetTooSmall, HistoryTooShort):
        return {**cell, "claim": "refused", "ratio": np.nan}
    return {
        **cell,
        "claim": str(found.claim),
        "ratio": true_rate(kind, found.threshold, is_quick=is_quick) / budget,
    }


def served(options: Options) -> Iterator[dict[str, object]]:
    """What a budget is worth through learning and judging: detectors on calm signals, then fresh ones."""
    detectors = ("pca",) if options.is_quick else ("robust", "pca", "forest")
    for detector in detectors:
        for tail in ("normal", "student_4"):
            for dependence in AUTOCORRELATIONS:
                kind = Kind(tail, dependence, "hours")
                for repeat in range(1 if options.is_quick else N_SERVED):
                    yield _served_once(detector, kind, repeat, is_quick=options.is_quick)


def _served_once(detector: str, kind: Kind, repeat: int, *, is_quick: bool) -> dict[str, object]:
    learnt, fresh = (_signals(kind, [repeat, part], is_quick=is_quick) for part in (0, 1))
    model = learn_table(learnt, LearningOptions("process", detector, {}, "auto", SERVED_BUDGET))
    calibration = model.card.calibration
    scores = judge_table(fresh, model)
    assets = np.array(fresh.assets)
    hysteresis = Hysteresis(calibration.release, calibration.on_delay, calibration.off_delay)
    n_episodes = sum(
        count_episodes(scores[assets == name], calibration.threshold, hysteresis)
        for name in dict.fromkeys(fresh.assets or ())
    )
    weeks = len(scores) / (WEEK / STEPS[kind.step])
    return {
        "detector": detector,
        "tail": kind.tail,
        "dependence": kind.dependence,
        "claim": str(calibration.claim),
        "ratio": n_episodes / weeks / calibration.budget,
    }


def _signals(kind: Kind, seed: Sequence[int], *, is_quick: bool) -> Table:
    """Three independent signals of some assets in hours; on both sides of 100 where rows are independent."""
    weeks = 26 if seed[-1] == 0 else 52
    n_assets = 2 if is_quick else 4
    rng = np.random.default_rng([7, *seed, *str(kind).encode()])
    n_rows = weeks * 168
    signs = rng.choice([-1.0, 1.0], size=(n_assets * n_rows, 3)) if kind.dependence == "independent" else 1.0
    columns = [np.concatenate([kind.scores(weeks, rng) for _ in range(n_assets)]) for _ in range(3)]
    time = np.datetime64("2024-01-01T00", "us") + np.arange(n_rows) * np.timedelta64(1, "h")
    time = time + (np.timedelta64(0, "h") if seed[-1] == 0 else 26 * np.timedelta64(7, "D"))
    return Table(
        ("flow", "pressure", "heat"),
        100.0 + 3.0 * signs * np.stack(columns, axis=1),
        time=np.tile(time, n_assets),
        assets=[f"line {number}" for number in range(n_assets) for _ in range(n_rows)],
    )


def summary(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Realised over requested of some histories: middle, 80 % of them, share within what is promised."""
    ratios = np.array([row["ratio"] for row in rows], dtype=float)
    ratios = ratios[~np.isnan(ratios)]
    if not len(ratios):
        return {"n": 0}
    low, middle, high = np.quantile(ratios, [0.1, 0.5, 0.9])
    within = float(((ratios >= LOWEST) & (ratios <= HIGHEST)).mean())
    return {
        "n": len(ratios),
        "median": round(float(middle), 2),
        "p10": round(float(low), 2),
        "p90": round(float(high), 2),
        "within": round(within, 3),
    }


def by(rows: Sequence[Mapping[str, object]], *keys: str) -> dict[str, object]:
    """Summaries of the rows that agree in some keys."""
    groups: dict[str, list[Mapping[str, object]]] = {}
    for row in rows:
        groups.setdefault("|".join(str(row[key]) for key in keys), []).append(row)
    return {name: summary(group) for name, group in groups.items()}


def claims(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Of one rule: how often it makes each claim, and what the claim was worth."""
    made: dict[str, object] = {}
    for claim in sorted({str(row["claim"]) for row in rows}):
        of_this = [row for row in rows if row["claim"] == claim]
        made[claim] = {"share": round(len(of_this) / len(rows), 3), **summary(of_this)}
    return made


def worst_median(rows: Sequence[Mapping[str, object]]) -> dict[str, float | None]:
    """Lowest and highest middle ratio of any kind, length and budget in which the claim was made."""
    cells = by(rows, "kind", "weeks", "budget").values()
    medians = [cell["median"] for cell in cells if cell["n"] >= 3]  # type: ignore[index,operator]
    return {"lowest": min(medians, default=None), "highest": max(medians, default=None)}


def flattened(row: Mapping[str, object]) -> dict[str, object]:
    """The row with the parts of its kind beside it."""
    kind = row["kind"]
    assert isinstance(kind, Kind)
    return {**row, "tail": kind.tail, "dependence": kind.dependence, "step": kind.step}


def main() -> None:
    """Measure and show."""
    options = parse_options("thresholds", __doc__ or "")
    histories = (12, 52) if options.is_quick else HISTORIES
    kinds = [Kind(t, d, s) for t in TAILS for d in AUTOCORRELATIONS for s in STEPS]
    rows: list[dict[str, object]] = []
    for kind in kinds:
        tell(f"{kind.tail}, {kind.dependence}, {kind.step}")
        for weeks in histories:
            rows += [flattened(row) for row in outcomes(kind, weeks, options)]
    sure = [row for row in rows if row["method"] == "auto" and row["claim"] == Claim.CALIBRATED]
    bounds = worst_median(sure)
    tell("through learning and judging")
    in_service = list(served(options))
    figures = {
        "calibrated": {**summary(sure), "median_of_cells": bounds},
        "by_method": {method: claims([row for row in rows if row["method"] == method]) for method in METHODS},
        "auto_by_tail": by(sure, "tail", "dependence"),
        "auto_by_history": by(sure, "step", "weeks", "budget"),
        "refused": _refusals(rows),
        "in_service": {"all": claims(in_service), **by(in_service, "detector", "tail", "dependence")},
        "repeats": 6 if options.is_quick else N_REPEATS,
    }
    goals = {
        "lowest_median_where_calibrated": Goal(bounds["lowest"], LOWEST, is_floor=True),
        "highest_median_where_calibrated": Goal(bounds["highest"], HIGHEST),
        "share_within_where_calibrated": Goal(summary(sure).get("within"), 0.8, is_floor=True),  # type: ignore[arg-type]
    }
    publish(options, figures, goals)


def _refusals(rows: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """Share of histories for which the default rule refuses the budget, by length and budget."""
    shares: dict[str, list[bool]] = {}
    for row in rows:
        if row["method"] == "auto":
            shares.setdefault(f"{row['weeks']}|{row['budget']}", []).append(row["claim"] == "refused")
    return {cell: round(float(np.mean(refused)), 3) for cell, refused in shares.items()}


if __name__ == "__main__":
    main()
