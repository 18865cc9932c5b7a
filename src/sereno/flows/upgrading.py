"""Upgrading a store that an older version wrote: a backup first, then all migrations or none."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sereno.domain.errors import StoreError, UpgradeFailed
from sereno.flows.backup import keep_last, write_backup
from sereno.flows.engine_lock import engine_lock
from sereno.flows.places import BACKUPS_FOLDER
from sereno.store.engine import parse_url
from sereno.store.migrate import SCHEMA, Told, migrations_after, unheard
from sereno.store.opening import migrate_store, stored_schema

__all__ = ["UpgradeReport", "upgrade_folder"]

PREFIX = "before-upgrade"


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """What an upgrade did, or would do.

    Attributes:
        found: Schema of the store; 0 where there is none.
        due: Revision of each missing migration and what it is about.
        backup: Where the store lies as it was; None where nothing was done.
    """

    found: int
    due: tuple[tuple[str, str], ...]
    backup: Path | None = None

    def to_json(self) -> dict[str, object]:
        """For `upgrade --json`."""
        return {
            "found": f"{self.found:04d}" if self.found else None,
            "known": f"{SCHEMA:04d}",
            "due": [{"revision": revision, "about": about} for revision, about in self.due],
            "backup": None if self.backup is None else str(self.backup),
        }


def upgrade_folder(
    folder: Path, url: str, *, at: datetime, is_dry: bool = False, told: Told = unheard
) -> UpgradeReport:
    """Back up and migrate the store of a workspace; an interrupted upgrade has changed nothing.

    Args:
        is_dry: Only say what is due.
        told: Hears the revision of each migration that is done, in their order.

    Raises:
        StoreNewer: A newer version wrote it.
        EngineRunning: Somebody works on the workspace.
        UpgradeFailed: A migration failed; the store is as it was.
    """
    report = _due(url)
    if is_dry or not report.due:
        return report
    with engine_lock(folder, "upgrade"):
        report = _due(url)  # another process may have done it meanwhile
        if not report.due:
            return report
        backup = folder / BACKUPS_FOLDER / f"{PREFIX}-{report.found:04d}-{at:%Y%m%dT%H%M%S%fZ}.tar.gz"
        write_backup(folder, url, backup, at=at)
        try:
            migrate_store(url, told)
        except Exception as error:  # whatever a migration does wrong: the transaction is undone
            store = parse_url(url).render_as_string(hide_password=True)
            detail = str(error.facts.get("detail", error)) if isinstance(error, StoreError) else repr(error)
            facts = {"detail": detail, "found": f"{report.found:04d}", "backup": str(backup)}
            raise UpgradeFailed(store=store, **facts) from error
        keep_last(folder, PREFIX)
    return UpgradeReport(report.found, report.due, backup)


def _due(url: str) -> UpgradeReport:
    found = stored_schema(url)
    return UpgradeReport(found, tuple(migrations_after(found)) if 0 < found < SCHEMA else ())
