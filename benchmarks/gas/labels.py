"""The published labels of gas clients beside what sereno says: reported, and no goal."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.faults.placing import rest_of
from benchmarks.faults.scoring import Found
from benchmarks.faults.series import Series
from sereno.domain.calendar import local_time

__all__ = ["ABOUT", "label_figures"]

ABOUT = (
    "One row per client and hour (the file writes each three times). Of undocumented origin, and measured to "
    "carry almost no signal: a supervised model across clients reaches an average precision of 0.007 where "
    "0.0065 is chance. No goal."
)
_CLIENT, _TIME, _TRUTH = "cliente_id", "Fecha", "anomalia_real"


def label_figures(
    path: Path, series: Sequence[Series], found: Sequence[Found]
) -> Mapping[str, object] | None:
    """Hours that are labelled, and how they agree with the hours of incidents; None without such a file.

    Args:
        found: Incidents of the untouched copy.
    """
    if not path.is_file():
        return None
    truth = _read(path)
    labelled, alarmed = [], []
    for one in series:
        rest = slice(rest_of(one), None)
        hours = local_time(one.time[rest], one.zone).astype("datetime64[h]")
        labelled.append(np.isin(hours, truth.get(one.key.site, np.empty(0, "datetime64[h]"))))
        alarmed.append(_alarmed(one.time[rest], one, found))
    is_label, is_alarm = np.concatenate(labelled), np.concatenate(alarmed)
    return {
        "about": ABOUT,
        "hours": len(is_label),
        "labelled": int(is_label.sum()),
        "base_rate": _share(is_label.sum(), len(is_label)),
        "alarm_share": _share(is_alarm.sum(), len(is_alarm)),
        "precision": _share((is_alarm & is_label).sum(), is_alarm.sum()),
        "recall": _share((is_alarm & is_label).sum(), is_label.sum()),
    }


def _read(path: Path) -> Mapping[str, np.ndarray]:
    """The labelled hours of each client."""
    rows = pl.read_csv(path, try_parse_dates=True).filter(
        pl.col(_TRUTH).cast(pl.String).str.to_lowercase() == "true"
    )
    return {
        str(client): part[_TIME].unique().to_numpy().astype("datetime64[h]")
        for (client,), part in rows.group_by(_CLIENT)
    }


def _alarmed(time: np.ndarray, series: Series, found: Sequence[Found]) -> np.ndarray:
    rows = np.zeros(len(time), dtype=bool)
    for one in found:
        if (one.site, one.asset) == (series.key.site, series.key.asset) and one.cause != "quality.missing":
            rows |= (time >= one.first) & (time < one.last)
    return rows


def _share(part: float, whole: float) -> float | None:
    return round(float(part) / float(whole), 5) if whole else None
