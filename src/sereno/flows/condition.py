"""How a service is doing: whether it can work, and the figures that somebody watches."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sereno.domain.errors import SerenoError
from sereno.domain.judgement import Severity
from sereno.flows.room import LOW_DISK_BYTES, free_bytes
from sereno.flows.service import Service
from sereno.flows.supervision import PartStatus

__all__ = ["Readiness", "ServiceFigures", "figures_of", "readiness_of", "resident_bytes"]

_FULL_DISK_BYTES = 64 * 2**20
"""Room below which nothing should be taken any more [bytes]."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests can be served, and what is not as it should be.

    Attributes:
        is_ready: The store answers, there is room, and the service is not about to end.
        problems: What is in the way, or what does not work beside; by its name.
    """

    is_ready: bool
    checks: dict[str, bool]
    parts: list[PartStatus]
    problems: dict[str, str] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """`ready`, `degraded` where something beside the requests does not work, or `unavailable`."""
        if not self.is_ready:
            return "unavailable"
        is_whole = all(self.checks.values()) and all(part.is_well for part in self.parts)
        return "ready" if is_whole else "degraded"


@dataclass(slots=True)
class ServiceFigures:
    """What is counted at the moment, over all organizations."""

    n_waiting: int = 0
    n_commits: int = 0
    n_submissions: int = 0
    n_records: int = 0
    n_refused: int = 0
    n_failed: int = 0
    n_judged_again: int = 0
    n_asked: int = 0
    """Records of questions that wait."""
    n_questions_refused: int = 0
    incidents: Counter[str] = field(default_factory=Counter)
    notifications: Counter[str] = field(default_factory=Counter)
    sites: int = 0
    last_reading_age_s: float | None = None
    store_bytes: int | None = None
    resident_bytes: int | None = None
    free_bytes: int = 0


def readiness_of(service: Service) -> Readiness:
    """Ask every store, and look at the disk and the parts."""
    checks, problems = {"store": True, "disk": True, "running": not service.stop.is_set()}, {}
    for name, workspace in service.workspaces.items():
        try:
            with workspace.store.read() as tx:
                tx.receiver_states()
        except SerenoError as error:
            checks["store"] = False
            problems[f"store/{name}"] = str(error)
    free = min(free_bytes(workspace.folder) for workspace in service.workspaces.values())
    if free < LOW_DISK_BYTES:
        checks["disk"] = False
        problems["disk"] = f"{free} bytes free"
    is_ready = checks["store"] and checks["running"] and free >= _FULL_DISK_BYTES
    parts = service.parts
    problems |= {part.name: part.problem for part in parts if not part.is_well}
    return Readiness(is_ready, checks, parts, problems)


def figures_of(service: Service) -> ServiceFigures:
    """What there is to count; a store that does not answer is left out."""
    found = ServiceFigures()
    for intake in service.intakes.values():
        done = intake.figures
        found.n_waiting += intake.n_waiting
        found.n_commits += done.n_commits
        found.n_submissions += done.n_submissions
        found.n_records += done.n_records
        found.n_refused += done.n_refused
        found.n_failed += done.n_failed
        found.n_judged_again += done.n_judged_again
    for asking in service.askings.values():
        found.n_asked += asking.n_waiting
        found.n_questions_refused += asking.n_refused
    for workspace in service.workspaces.values():
        found.free_bytes = free_bytes(workspace.folder)
        try:
            with workspace.store.read() as tx:
                incidents, until, notifications = tx.count_active(), tx.judged_until(), tx.counts()
        except SerenoError:
            continue
        found.incidents.update({Severity(level).name.lower(): n for level, n in incidents.items()})
        for (_, status), count in notifications.items():
            found.notifications[status] += count
        found.sites += len(until)
        if until:
            age = (workspace.now() - max(until.values())).total_seconds()
            known = found.last_reading_age_s
            found.last_reading_age_s = age if known is None else min(age, known)
    found.store_bytes = _embedded_bytes(service)
    found.resident_bytes = resident_bytes(service)
    return found


def resident_bytes(service: Service) -> int | None:
    """Memory that the processes of a service hold [bytes]; None where the system does not say."""
    held = [_resident_bytes(process) for process in service.processes]
    return sum(known) if (known := [one for one in held if one is not None]) else _peak_bytes()


def _resident_bytes(process: int) -> int | None:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):  # another system, or it has just ended
        return None
    return pages * 4096


def _peak_bytes() -> int | None:
    try:
        import resource
    except ImportError:  # not on this system
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _embedded_bytes(service: Service) -> int | None:
    """Size of the embedded stores with their logs; None for a server's."""
    files = {path for one in service.workspaces.values() for path in one.folder.glob("sereno.db*")}
    return sum(path.stat().st_size for path in files if path.exists()) if files else None
