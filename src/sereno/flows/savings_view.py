"""Savings as doors show them: figures, money, emissions, a sentence, and lines that a chart draws."""

import numpy as np

from sereno.domain.calendar import to_utc
from sereno.domain.documents import without_nan
from sereno.domain.readings import FloatArray
from sereno.domain.time import from_numpy, isoformat
from sereno.evaluate.baseline import DailyEnergy
from sereno.evaluate.savings import Refusal, Savings
from sereno.flows.savings import MeterSavings, SavingsReport
from sereno.i18n.catalogue import LANGUAGES, sentence
from sereno.i18n.numbers import money, number, quantity

__all__ = ["report_json", "say_fit", "say_refusal", "say_savings"]

_CONFIDENCE = 0.90
_PERCENT = 100.0
_KG_PER_T = 1000.0
_DAYS = frozenset({"baseline_days", "reporting_days"})


def report_json(report: SavingsReport) -> dict[str, object]:
    """The document of `savings --json` and of the API."""
    return {"meters": [without_nan(_meter(one, report.currency)) for one in report.meters]}


def say_savings(one: MeterSavings, currency: str, language: str) -> str:
    """What was saved in one sentence; why nothing can be said where the baseline does not carry it."""
    name, found = str(one.asset.key), one.found
    if isinstance(found, Refusal) or found.refusals:
        why = " ".join(say_refusal(refusal, language) for refusal in one.refusals)
        return sentence("savings.refused", language, asset=name, why=why)
    kind = "unclear" if not found.is_significant else "saved" if found.saved > 0 else "more"
    return sentence(
        f"savings.{kind}",
        language,
        asset=name,
        amount=quantity(abs(found.saved), one.unit, language),
        width=quantity(found.uncertainty, one.unit, language),
        share=number(_PERCENT * abs(found.share), language),
        days=found.n_compared,
        worth=_worth(one, found, currency, language),
    )


def say_refusal(refusal: Refusal, language: str) -> str:
    """Why a baseline does not carry savings."""
    is_days = refusal.reason in _DAYS
    found, limit = (
        f"{one:.0f}" if is_days else f"{number(_PERCENT * one, language)} %"
        for one in (refusal.found, refusal.limit)
    )
    return sentence(f"savings.refusal.{refusal.reason}", language, found=found, limit=limit)


def say_fit(one: MeterSavings, language: str) -> str:
    """The statement of fit in the field's figures; empty where nothing could be computed."""
    if isinstance(one.found, Refusal):
        return ""
    fit = one.found.fit
    return sentence(
        "savings.fit",
        language,
        days=fit.n_days,
        r2=number(fit.r2, language),
        cv=number(_PERCENT * fit.cv_rmse, language),
        nmbe=number(_PERCENT * fit.nmbe, language),
        held_out=number(_PERCENT * fit.nmbe_held_out, language),
    )


def _worth(one: MeterSavings, found: Savings, currency: str, language: str) -> str:
    parts = []
    if one.price is not None:
        parts.append(money(abs(found.saved) * one.price, currency, language))
    if one.co2_kg is not None:
        parts.append(f"{number(abs(found.saved) * one.co2_kg / _KG_PER_T, language)} t CO₂e")
    return f" ({', '.join(parts)})" if parts else ""


def _meter(one: MeterSavings, currency: str) -> dict[str, object]:
    found = one.found
    document: dict[str, object] = {
        "site": one.asset.key.site,
        "asset": one.asset.key.asset,
        "asset_id": one.asset.id,
        "signal": one.signal.name,
        "unit": one.unit,
        "zone": one.asset.zone,
        "carries": not one.refusals,
        "refusals": [_refusal(refusal) for refusal in one.refusals],
        "sentence": say_savings(one, currency, "en"),
        "sentence_es": say_savings(one, currency, "es"),
    }
    if isinstance(found, Refusal):
        return document | dict.fromkeys((*_FIGURES, "baseline", "fit", "reporting")) | {"series": []}
    document |= _figures(one, found, currency) if not one.refusals else dict.fromkeys(_FIGURES)
    return document | {
        "baseline": _period(found.baseline_days, one.asset.zone) | {"model": found.baseline.to_json()},
        "fit": found.fit.to_json(),
        "reporting": _period(found.reporting_days, one.asset.zone) | {"compared_days": found.n_compared},
        "series": _lines(one, found),
    }


_FIGURES = (
    "actual",
    "expected",
    "saved",
    "uncertainty",
    "confidence",
    "share",
    "significant",
    "cost_saved",
    "cost_uncertainty",
    "currency",
    "co2_saved_kg",
    "co2_uncertainty_kg",
)


def _figures(one: MeterSavings, found: Savings, currency: str) -> dict[str, object]:
    def worth(amount: float, of_unit: float | None, digits: int) -> float | None:
        return None if of_unit is None else round(amount * of_unit, digits)

    return {
        "actual": found.total_expected - found.saved,
        "expected": found.total_expected,
        "saved": found.saved,
        "uncertainty": found.uncertainty,
        "confidence": _CONFIDENCE,
        "share": found.share,
        "significant": found.is_significant,
        "cost_saved": worth(found.saved, one.price, 2),
        "cost_uncertainty": worth(found.uncertainty, one.price, 2),
        "currency": currency if one.price is not None else None,
        "co2_saved_kg": worth(found.saved, one.co2_kg, 3),
        "co2_uncertainty_kg": worth(found.uncertainty, one.co2_kg, 3),
    }


def _refusal(refusal: Refusal) -> dict[str, object]:
    texts = {language: say_refusal(refusal, language) for language in LANGUAGES}
    return {
        "reason": refusal.reason,
        "found": refusal.found,
        "limit": refusal.limit,
        "sentence": texts["en"],
        "sentence_es": texts["es"],
    }


def _period(days: DailyEnergy, zone: str) -> dict[str, object]:
    first, last = (_start(days.day[place] + after, zone) for place, after in ((0, 0), (-1, 1)))
    return {"from": first, "to": last, "sound_days": int(np.isfinite(days.energy).sum())}


def _lines(one: MeterSavings, found: Savings) -> list[dict[str, object]]:
    """Daily lines as `series` has them; the running sum begins with the reporting period."""
    total, width = found.cusum()
    both = np.concatenate([found.baseline_days.day, found.reporting_days.day])
    actual = np.concatenate([found.baseline_days.energy, found.reporting_days.energy])
    expected = np.concatenate([found.baseline.expected(found.baseline_days), found.expected])
    after = found.reporting_days.day
    return [
        _line("actual", one, both, actual),
        _line("expected", one, both, expected),
        _line("cusum", one, after, total),
        _line("cusum_low", one, after, total - width),
        _line("cusum_high", one, after, total + width),
    ]


def _line(name: str, one: MeterSavings, days: np.ndarray, values: FloatArray) -> dict[str, object]:
    return {
        "signal": name,
        "unit": one.unit,
        "kind": "interval",
        "label": sentence(f"savings.line.{name}", "en"),
        "label_es": sentence(f"savings.line.{name}", "es"),
        "rows": len(days),
        "time": [_start(day, one.asset.zone) for day in days.tolist()],
        "value": values.tolist(),
    }


def _start(day: int, zone: str) -> str:
    local = np.array([int(day)]).astype("datetime64[D]").astype("datetime64[us]")
    return str(isoformat(from_numpy(to_utc(local, zone)[0])))
