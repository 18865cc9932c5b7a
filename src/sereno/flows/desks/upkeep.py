"""Keeping a workspace: one engine at a time, backups, upgrades, what is erased."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from sereno.domain.access import DEFAULT_ORGANIZATION
from sereno.domain.errors import FileMissing, UsageError
from sereno.domain.time import Clock, system_clock
from sereno.flows.backup import BackupReport, RestoreReport, restore_folder, write_backup
from sereno.flows.build import Setup, open_setup, store_url
from sereno.flows.desks.desk import Desk
from sereno.flows.engines import engine_at_work, leased, refuse_engines
from sereno.flows.privacy import Erasure, SiteExport, erase_site, export_site, retain, retain_in_batches
from sereno.flows.rolling_up import roll_up_store
from sereno.flows.upgrading import UpgradeReport, upgrade_folder
from sereno.store import ErasureRecord
from sereno.store.scrubbing import scrub

__all__ = ["UpkeepDesk"]

_RETAINED_EVERY = timedelta(days=1)


class UpkeepDesk(Desk):
    """Keeps a workspace sound and no larger than it may be."""

    _retained_at: datetime | None = None
    _rolled_up_at: datetime | None = None

    @contextmanager
    def engine_lease(self, holder: str) -> Iterator[None]:
        """Be the engine of the workspace; the lease ends with the process, however it ends.

        On PostgreSQL several engines may work beside each other; each file and duty goes to one of them.

        Raises:
            EngineRunning: The store is embedded, and another process works on it.
        """
        with engine_at_work(self._store, self.folder, holder):
            yield

    @contextmanager
    def duty(self, name: str) -> Iterator[None]:
        """Be the only engine that does something which one has to do.

        Raises:
            LeaseTaken: Another one does.
        """
        with leased(self._store, f"duty/{name}"):
            yield

    def backup(self, file: str | Path) -> BackupReport:
        """Write store, models, profiles and settings into one archive, also while an engine works.

        Args:
            file: Where to; in a folder it gets a name with the time. A file of that name gives way once the
                new one is complete.

        Raises:
            StoreError: The store cannot be read, or is damaged.
            SystemRefused: The archive cannot be written there.
        """
        _refuse_organization(self._setup, "backup")
        at, path = self.now(), Path(file)
        if path.is_dir():
            path /= f"sereno-{at:%Y%m%dT%H%M%SZ}.tar.gz"
        return write_backup(self.folder, store_url(self._setup), path, at=at)

    @classmethod
    def restore(
        cls,
        folder: str | Path,
        archive: str | Path,
        *,
        replace: bool = False,
        hold_notifications: bool = False,
        clock: Clock = system_clock,
    ) -> RestoreReport:
        """Make the workspace of a folder what it was when the archive was written; all of it, or nothing.

        Args:
            replace: Whether what is there may give way; it is kept in `backups/`.
            hold_notifications: Whether what was still to be sent then waits for `release`; otherwise it is
                sent, under its keys, whether it has been sent since the backup or not.

        Raises:
            BackupCorrupt, BackupNewer, BackupMisfit: The archive cannot be used here.
            WorkspaceNotEmpty: There is data, and `replace` was not said.
            EngineRunning: Somebody works on the workspace.
        """
        setup = open_setup(Path(folder), clock=clock)
        _refuse_organization(setup, "restore")
        if not Path(archive).is_file():
            raise FileMissing(file=str(archive))
        url = store_url(setup)
        refuse_engines(url, setup.folder)
        return restore_folder(
            setup.folder,
            url,
            Path(archive),
            replace=replace,
            at=clock(),
            hold_notifications=hold_notifications,
        )

    @classmethod
    def upgrade(
        cls,
        folder: str | Path,
        *,
        is_dry: bool = False,
        clock: Clock = system_clock,
        told: Callable[[str], object] = lambda _: None,
    ) -> UpgradeReport:
        """Back up and migrate the store of a folder that an older version wrote.

        Args:
            is_dry: Only say what is due.
            told: Hears the revision of each migration that is done.

        Raises:
            StoreNewer: A newer version wrote it.
            EngineRunning: Somebody works on the workspace.
            UpgradeFailed: A migration failed; the store is as it was.
        """
        setup = open_setup(Path(folder), clock=clock)
        url = store_url(setup)
        if not is_dry:
            refuse_engines(url, setup.root)
        return upgrade_folder(setup.root, url, at=clock(), is_dry=is_dry, told=told)

    def export_site(self, site: str, file: str | Path) -> SiteExport:
        """Write everything that is stored of a site into one archive.

        Raises:
            NotFound: There is no such site.
        """
        return export_site(self._store, site, Path(file), at=self.now())

    def erase_site(self, site: str, *, actor: str, reason: str, is_dry: bool = False) -> Erasure:
        """Erase everything that is stored of a site, in one transaction that leaves a record.

        Args:
            is_dry: Only say what would go.

        Raises:
            NotFound: There is no such site.
        """
        with self._records.changing():
            found = erase_site(
                self._setup, self._store, site, at=self.now(), actor=actor, reason=reason, is_dry=is_dry
            )
        self._models.forget()
        return found

    def retain(self, *, actor: str = "", is_dry: bool = False) -> Erasure:
        """Delete what is older than the settings allow.

        Args:
            is_dry: Only say what would go.
        """
        now = self.now()
        if self.settings.retention.thin is not None:
            roll_up_store(self._store, now=now)
        with self._records.changing():
            return retain(self._store, self.settings.retention, at=now, actor=actor, is_dry=is_dry)

    @property
    def is_rolling_up_due(self) -> bool:
        """Whether a day has passed since this process had all figures of hours and days."""
        return self._rolled_up_at is None or self.now() - self._rolled_up_at >= _RETAINED_EVERY

    def roll_up_when_due(self, stop: threading.Event | None = None, *, seconds: float | None = None) -> None:
        """Reckon the figures of hours and days that are missing, once a day.

        Args:
            stop, seconds: End it early; it stays due then.
        """
        now = self.now()
        if self.is_rolling_up_due and roll_up_store(self._store, now=now, stop=stop, seconds=seconds):
            self._rolled_up_at = now

    @property
    def is_retention_due(self) -> bool:
        """Whether a day has passed since this process deleted what was too old."""
        return self._retained_at is None or self.now() - self._retained_at >= _RETAINED_EVERY

    def retain_when_due(self, stop: threading.Event | None = None) -> Erasure | None:
        """Delete what is older than the settings allow, bit by bit, once a day; None where it is not time.

        Args:
            stop: Ends it between two bits; the rest goes the next time.
        """
        if not self.is_retention_due:
            return None
        now = self.now()
        with self._records.changing():
            found = retain_in_batches(
                self._store, self.settings.retention, at=now, stop=stop or threading.Event()
            )
        self._retained_at = now
        return found

    def scrub(self) -> None:
        """Write the database anew without the space of what was deleted.

        Raises:
            StoreUnreachable: Somebody works on it.
            DiskFull: There is no space for it.
        """
        scrub(store_url(self._setup))

    def erasures(self) -> list[ErasureRecord]:
        """What was erased so far, newest first: who, when, why, how much."""
        with self._store.read() as tx:
            return tx.erasures()


def _refuse_organization(setup: Setup, command: str) -> None:
    """What is done to the whole store is done in the root of the workspace."""
    if setup.organization != DEFAULT_ORGANIZATION:
        detail = f"`{command}` is about all organizations: run it on {setup.root}"
        raise UsageError(detail=detail, command=command)
