"""What there is in a workspace, as lists show it: assets, issues of the data, quality of signals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sereno.domain.readings import Quality
from sereno.domain.signals import Profile, Signal
from sereno.domain.time import isoformat
from sereno.flows.series import detection_json, flag_names, signals_of
from sereno.i18n.catalogue import issue_sentence
from sereno.store import DetectionQuery, FileIssue, NotificationQuery, StoredAsset, Transaction

__all__ = [
    "AssetView",
    "DetectionQuery",
    "NotificationQuery",
    "asset_view",
    "detection_json",
    "issue_json",
    "issue_place",
    "quality_of",
    "signal_json",
]


@dataclass(frozen=True, slots=True)
class AssetView:
    """An asset and what is known of it.

    Attributes:
        span: First and last instant with a reading; None without any.
    """

    asset: StoredAsset
    signals: Sequence[Signal]
    span: tuple[datetime, datetime] | None

    def to_json(self) -> dict[str, object]:
        """For `assets`."""
        first, last = self.span or (None, None)
        return {
            "id": self.asset.id,
            "site": self.asset.key.site,
            "asset": self.asset.key.asset,
            "profile": self.asset.profile,
            "zone": self.asset.zone,
            "step_s": None if self.asset.step is None else self.asset.step.total_seconds(),
            "simulated": self.asset.is_simulated,
            "signals": [one.name for one in self.signals],
            "first_reading_at": isoformat(first),
            "last_reading_at": isoformat(last),
        }


def asset_view(tx: Transaction, asset: StoredAsset, profiles: Mapping[str, Profile]) -> AssetView:
    """An asset with the signals that it sends and the time that it covers."""
    profile = profiles[asset.profile]
    signals = [profile.signal(name) for name in signals_of(tx, asset, profiles)]
    return AssetView(asset, signals, tx.span(asset.id))


def signal_json(signal: Signal) -> dict[str, object]:
    """A signal as `signals` shows it."""
    return {
        "signal": signal.name,
        "quantity": signal.quantity,
        "unit": signal.unit,
        "kind": signal.kind.value,
        "minimum": signal.minimum,
        "maximum": signal.maximum,
        "label": signal.label("en"),
        "label_es": signal.label("es"),
    }


def issue_place(
    last: FileIssue, page: Sequence[FileIssue], before: tuple[datetime, str, str, int] | None
) -> tuple[datetime, str, str, int]:
    """Where a page that ends with an issue ends, for the next one to begin: see `find_issues`."""
    group = (last.at, last.sha256, last.issue.code)
    earlier = before[3] if before is not None and before[:3] == group else 0
    return (*group, earlier + sum((one.at, one.sha256, one.issue.code) == group for one in page))


def issue_json(one: FileIssue) -> dict[str, object]:
    """What is wrong in a file."""
    issue = one.issue
    return {
        "file": one.file,
        "sha256": one.sha256,
        "at": isoformat(one.at),
        "code": issue.code,
        "where": issue.where,
        "count": issue.count,
        "sentence": issue_sentence(issue, "en"),
        "sentence_es": issue_sentence(issue, "es"),
    }


def quality_of(
    tx: Transaction, asset: StoredAsset, profiles: Mapping[str, Profile], *, days: int
) -> list[dict[str, object]]:
    """Of each signal of an asset over its last days: rows due, values there, values by flag."""
    span = tx.span(asset.id)
    if span is None:
        return []
    names = signals_of(tx, asset, profiles)
    end = span[1] + (asset.step or timedelta(microseconds=1))
    start = max(end - timedelta(days=days), span[0])
    n_rows, values, flags = tx.quality_counts(asset.id, asset.profile, names, start, end)
    due = n_rows if asset.step is None else max(round((end - start) / asset.step), n_rows)
    return [
        {
            "site": asset.key.site,
            "asset": asset.key.asset,
            "signal": name,
            "from": isoformat(start),
            "to": isoformat(span[1]),
            "due": due,
            "values": values[name],
            "percent": round(100 * values[name] / max(due, 1), 2),
            "flags": _by_flag(flags[name]),
        }
        for name in names
    ]


def _by_flag(sets: Mapping[int, int]) -> dict[str, int]:
    """How many values have each flag, of how many have each set of them."""
    found = {}
    for flag in Quality:
        count = sum(n for one, n in sets.items() if one & int(flag))
        if flag and count:
            found[flag_names(int(flag))[0]] = count
    return found
