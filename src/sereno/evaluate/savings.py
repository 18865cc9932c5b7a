"""Energy that was saved against a baseline, how sure that is, and whether the baseline carries it at all."""

from dataclasses import dataclass

import numpy as np

from sereno.domain.readings import FloatArray
from sereno.evaluate.baseline import HELD_OUT_PARTS, Baseline, DailyEnergy, Fit, fit_baseline

__all__ = ["Refusal", "Savings", "find_savings"]

LEAST_BASELINE_DAYS = 90
LEAST_REPORTING_DAYS = 7
LEAST_SOUND = 0.9
"""Share of the days of a period that must be sound.

Source:
    OpenDSM, sufficiency criteria of daily data (former CalTRACK 2.2.1.2): 90 %.
"""
MOST_CV = ((365, 0.20), (5 * 365, 0.25), (10**9, 0.30))
"""Reporting days up to which a CV(RMSE) will do.

Source:
    ASHRAE Guideline 14, prescriptive path of the whole building: 20 % for less than a year, 25 % up to five,
    30 % beyond.
"""
MOST_UNCERTAINTY = 0.5
"""Of the savings, at 68 % confidence: the performance path of the same guideline."""
MOST_BIAS = 0.05
"""Of parts of the baseline that the others foretell, or as much as chance makes of its scatter."""
_CHANCE = 1.5
"""Chance leaves the root mean square of ten biases below so many times their own (95 % of a chi²)."""
MOST_BEYOND = 0.1
"""Share of reporting days that may lie outside of what the baseline has seen."""
_RANGE_SLACK = 0.1
_SEASON_DAYS = 30
_YEAR_DAYS = 365.25
_MONTH_DAYS = 30.4375
_DAILY = (-0.00024, 0.03535, 1.00286)
"""Source: Sun, Baltazar, "Analysis and improvement on the estimation of building energy savings uncertainty",
ASHRAE Transactions 119, 2013: replaces the factor 1.26 for daily data, by months of the reporting period."""
_ONE_SIGMA, _CONFIDENCE_90 = 0.68, 0.90


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a baseline does not carry savings.

    Attributes:
        reason: `baseline_days`, `baseline_sound`, `reporting_days`, `bias`, `fit`, `season` or `temperature`.
        found, limit: As shares or days.
    """

    reason: str
    found: float
    limit: float


@dataclass(frozen=True, slots=True)
class Savings:
    """What became of a meter after its baseline.

    Attributes:
        baseline_days, reporting_days: The days of both periods.
        expected: Of the reporting days by the baseline, shape (days,); NaN where it cannot say.
        uncertainty: Half width of the 90 % interval of `saved`.
        refusals: Why nothing must be claimed; empty where all is well.
    """

    baseline: Baseline
    fit: Fit
    baseline_days: DailyEnergy
    reporting_days: DailyEnergy
    expected: FloatArray
    saved: float
    uncertainty: float
    refusals: tuple[Refusal, ...]

    @property
    def total_expected(self) -> float:
        """What the compared days would have taken."""
        return float(np.nansum(np.where(np.isfinite(self.reporting_days.energy), self.expected, np.nan)))

    @property
    def n_compared(self) -> int:
        """Reporting days with a value and an expectation."""
        return int((np.isfinite(self.reporting_days.energy) & np.isfinite(self.expected)).sum())

    @property
    def share(self) -> float:
        """Saved of what was expected."""
        return self.saved / self.total_expected if self.total_expected else float("nan")

    @property
    def is_significant(self) -> bool:
        """Whether the 90 % interval leaves zero out."""
        return abs(self.saved) > self.uncertainty

    def cusum(self) -> tuple[FloatArray, FloatArray]:
        """Running sum of actual less expected over the reporting days, and its 90 % half width, (days,).

        It falls while energy is saved.
        """
        left = self.reporting_days.energy - self.expected
        known = np.isfinite(left)
        total = np.cumsum(np.where(known, left, 0.0))
        expected = np.cumsum(np.where(known, self.expected, 0.0))
        width = _half_width(self.fit, np.cumsum(known), expected, _CONFIDENCE_90)
        return total, width


def find_savings(baseline_days: DailyEnergy, reporting_days: DailyEnergy) -> Savings | Refusal:
    """Savings with their uncertainty; a refusal alone where there is too little to compute anything."""
    sound = int(np.isfinite(baseline_days.energy).sum())
    if sound < LEAST_BASELINE_DAYS:
        return Refusal("baseline_days", sound, LEAST_BASELINE_DAYS)
    compared = int(np.isfinite(reporting_days.energy).sum())
    if compared < LEAST_REPORTING_DAYS:
        return Refusal("reporting_days", compared, LEAST_REPORTING_DAYS)
    baseline, fit = fit_baseline(baseline_days)
    expected = baseline.expected(reporting_days)
    known = np.isfinite(reporting_days.energy) & np.isfinite(expected)
    if int(known.sum()) < LEAST_REPORTING_DAYS:
        return Refusal("reporting_days", int(known.sum()), LEAST_REPORTING_DAYS)
    saved = float((expected - reporting_days.energy)[known].sum())
    total = float(expected[known].sum())
    counted = np.array([known.sum()])
    widths = [
        float(_half_width(fit, counted, np.array([total]), level)[0])
        for level in (_CONFIDENCE_90, _ONE_SIGMA)
    ]
    refusals = _refusals(baseline_days, reporting_days, baseline, fit, saved, widths[1])
    return Savings(baseline, fit, baseline_days, reporting_days, expected, saved, widths[0], refusals)


def _half_width(fit: Fit, n_days: np.ndarray, expected: FloatArray, confidence: float) -> FloatArray:
    """Half width of the interval of savings after so many reporting days, shape (points,).

    Source:
        ASHRAE Guideline 14-2014, annex B, with the factor of Sun and Baltazar for daily data.
    """
    from scipy.stats import t

    effective = max(fit.n_effective, 2.0)
    days = np.maximum(n_days, 1)
    factor = np.polyval(_DAILY, days / _MONTH_DAYS)
    spread = fit.cv_rmse * np.sqrt(fit.n_days / effective * (1.0 + 2.0 / effective) / days)
    quantile = float(t.ppf(0.5 + confidence / 2.0, max(effective - fit.n_parameters, 1.0)))
    width: FloatArray = quantile * factor * spread * np.abs(expected)
    return width


def _refusals(
    before: DailyEnergy, after: DailyEnergy, baseline: Baseline, fit: Fit, saved: float, width: float
) -> tuple[Refusal, ...]:
    found = []
    span = int(before.day[-1] - before.day[0]) + 1
    sound = float(np.isfinite(before.energy).sum()) / span
    if sound < LEAST_SOUND:
        found.append(Refusal("baseline_sound", sound, LEAST_SOUND))
    most_bias = max(MOST_BIAS, _CHANCE * fit.cv_rmse / np.sqrt(fit.n_days / HELD_OUT_PARTS))
    if not fit.nmbe_held_out <= most_bias:
        found.append(Refusal("bias", fit.nmbe_held_out, float(most_bias)))
    most = next(limit for days, limit in MOST_CV if len(after) <= days)
    if fit.cv_rmse > most and width > MOST_UNCERTAINTY * abs(saved):
        found.append(Refusal("fit", fit.cv_rmse, most))
    reason, beyond = _beyond(before, after, baseline)
    if beyond > MOST_BEYOND:
        found.append(Refusal(reason, beyond, MOST_BEYOND))
    return tuple(found)


def _beyond(before: DailyEnergy, after: DailyEnergy, baseline: Baseline) -> tuple[str, float]:
    """Share of the reporting days that the baseline has seen nothing like: their temperature, or season."""
    if baseline.knows_weather:
        seen = before.temperature[np.isfinite(before.energy) & np.isfinite(before.temperature)]
        slack = _RANGE_SLACK * float(np.ptp(seen))
        known = after.temperature[np.isfinite(after.temperature)]
        outside = (known < seen.min() - slack) | (known > seen.max() + slack)
        return "temperature", float(outside.mean()) if len(known) else 1.0
    seasons = np.unique(before.day[np.isfinite(before.energy)] % _YEAR_DAYS)
    apart = np.abs(after.day[:, None] % _YEAR_DAYS - seasons)
    nearest = np.minimum(apart, _YEAR_DAYS - apart).min(axis=1)
    return "season", float((nearest > _SEASON_DAYS).mean())
