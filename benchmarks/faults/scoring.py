"""What was found of what was injected, and what was found where nothing was."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import median

import numpy as np

from benchmarks.faults.injecting import FAULTS, Fault
from benchmarks.faults.isolation import named_right
from benchmarks.faults.known import Known, is_known
from benchmarks.faults.placing import Event
from benchmarks.faults.series import Series

__all__ = ["FAR", "Found", "Outcome", "false_incidents", "judge_event", "rates", "site_months"]

FAR = np.datetime64("9999-01-01", "us")
DAYS_PER_MONTH = 30.4375
OLD_SHARE = 0.5
"""Share of an incident's time in an event that one of the same cause covers on the untouched copy."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the benchmark reads of an incident.

    Attributes:
        site: As in the file.
        first: Start of its first abnormal step, UTC.
        last: End of its last one; far in the future while it is active.
    """

    id: str
    site: str
    asset: str
    cause: str
    signals: tuple[str, ...]
    first: np.datetime64
    last: np.datetime64

    @classmethod
    def of(cls, incident: Mapping[str, object]) -> "Found":
        """From the object of `incidents list --json`."""
        signals = incident["signals"]
        assert isinstance(signals, list)
        ended = incident["ended_at"]
        return cls(
            id=str(incident["id"]),
            site=str(incident["site"]),
            asset=str(incident["asset"]),
            cause=str(incident["cause"]),
            signals=tuple(signals),
            first=_instant(str(incident["started_at"])),
            last=FAR if ended is None else _instant(str(ended)),
        )

    def overlaps(self, first: np.datetime64, last: np.datetime64) -> bool:
        """Whether it shares time with a period."""
        return bool(self.first < last and first < self.last)

    def to_json(self) -> dict[str, object]:
        """JSON-able."""
        return {
            "cause": self.cause,
            "signals": list(self.signals),
            "from": str(self.first),
            "to": None if self.last == FAR else str(self.last),
        }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event.

    Attributes:
        incidents: New incidents that overlap it, worst first.
        speaker: The one that counts: the worst with a right cause, otherwise the worst; None if not found.
        dated_late: Steps from the start of the fault to the start that the speaker is dated; not below 0.
        delay: Rows of the fault that had been read when the speaker was there; None where not measured.
    """

    event: Event
    incidents: tuple[Found, ...]
    speaker: Found | None = None
    is_kind_right: bool = False
    is_cause_exact: bool = False
    is_signal_right: bool = False
    is_lead_right: bool = False
    dated_late: float | None = None
    delay: int | None = None

    def to_json(self) -> dict[str, object]:
        """The line of the detail file."""
        return {
            **self.event.to_json(),
            "found": self.speaker is not None,
            "kind_right": self.is_kind_right,
            "cause_exact": self.is_cause_exact,
            "signal_right": self.is_signal_right,
            "lead_right": self.is_lead_right,
            "delay_steps": self.delay,
            "dated_late_steps": self.dated_late,
            "speaker": None if self.speaker is None else self.speaker.to_json(),
            "incidents": [one.to_json() for one in self.incidents],
        }


def judge_event(
    event: Event,
    series: Series,
    incidents: Iterable[Found],
    untouched: Iterable[Found],
    *,
    read: Mapping[str, int] | None = None,
    faults: Mapping[str, Fault] = FAULTS,
) -> Outcome:
    """What incidents say of an event, without those that the untouched copy has at that place.

    Args:
        incidents: Of the copy with the fault, worst first.
        untouched: Of the copy without any.
        read: Row of the series up to which had been read when an incident was first there, by its id.
        faults: Where the event's fault is described.
    """
    place = (series.key.site, series.key.asset)
    before = [
        one for one in untouched if (one.site, one.asset) == place and one.overlaps(event.first, event.last)
    ]
    new = tuple(
        one
        for one in incidents
        if (one.site, one.asset) == place
        and one.overlaps(event.first, event.last)
        and not _is_old(one, before, event)
    )
    fault = faults[event.fault]
    right = [one for one in new if _matches(one.cause, fault.causes)]
    speaker = next(iter(right or new), None)
    if speaker is None:
        return Outcome(event, new)
    return Outcome(
        event=event,
        incidents=new,
        speaker=speaker,
        is_kind_right=bool(right),
        is_cause_exact=any(_matches(one.cause, fault.exact) for one in right),
        is_signal_right=named_right(speaker.signals, event.altered, event.allowed),
        is_lead_right=speaker.signals[0] in event.allowed,
        dated_late=max(0.0, round(float((speaker.first - event.first) / series.step), 2)),
        delay=None if read is None else max(1, read[speaker.id] - event.start),
    )


def rates(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Recall over all, and shares of those found; None where there are none."""
    found = [one for one in outcomes if one.speaker is not None]
    return {
        "n": len(outcomes),
        "found": len(found),
        "recall": _share(len(found), len(outcomes)),
        "kind_right": _share(sum(one.is_kind_right for one in found), len(found)),
        "cause_exact": _share(sum(one.is_cause_exact for one in found), len(found)),
        "signal_right": _share(sum(one.is_signal_right for one in found), len(found)),
        "lead_right": _share(sum(one.is_lead_right for one in found), len(found)),
        "delay_steps_median": _median([one.delay for one in found]),
        "dated_late_steps_median": _median([one.dated_late for one in found]),
        "incidents_per_found": _share(sum(len(one.incidents) for one in found), len(found)),
    }


def false_incidents(found: Iterable[Found], series: Series, known: Sequence[Known]) -> list[Found]:
    """The incidents of a series on its untouched copy that no known trouble explains."""
    own = [one for one in known if one.series == series.name]
    return [
        one
        for one in found
        if (one.site, one.asset) == (series.key.site, series.key.asset)
        and not is_known(own, cause=one.cause, first=one.first, last=min(one.last, series.time[-1]))
    ]


def site_months(series: Series) -> float:
    """Length of the rows that there are, in months."""
    return len(series.time) / series.rows_per_day / DAYS_PER_MONTH


def _is_old(one: Found, before: Iterable[Found], event: Event) -> bool:
    """Whether the untouched copy says the same for most of what an incident says of the event."""
    first, last = max(one.first, event.first), min(one.last, event.last)
    same = (other for other in before if other.cause == one.cause)
    return any(min(other.last, last) - max(other.first, first) > OLD_SHARE * (last - first) for other in same)


def _matches(cause: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(cause, pattern) for pattern in patterns)


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _median(delays: Sequence[float | None]) -> float | None:
    known = [one for one in delays if one is not None]
    return median(known) if known else None


def _instant(text: str) -> np.datetime64:
    return np.datetime64(text.removesuffix("Z"), "us")
