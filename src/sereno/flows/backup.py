"""Backups of a workspace: its store, models, profiles and settings in one archive, and back.

A restore writes everything beside first. Then a plan of renames is laid down and carried out; whoever opens
the workspace after an interruption carries out the rest of it.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from sereno.domain.errors import (
    BackupCorrupt,
    BackupMisfit,
    BackupNewer,
    EngineRunning,
    StoreError,
    StoreUnreachable,
    SystemRefused,
    WorkspaceNotEmpty,
)
from sereno.domain.failpoints import reach
from sereno.domain.version import VERSION
from sereno.flows.archive import Manifest, pack, sync_folder, unpack
from sereno.flows.engine_lock import engine_lock
from sereno.flows.places import BACKUPS_FOLDER, MODELS_FOLDER, ORGANIZATIONS_FOLDER, PROFILES_FOLDER
from sereno.settings.reading import SETTINGS_FILE
from sereno.settings.text import cut_branch
from sereno.store.engine import parse_url, sqlite_path
from sereno.store.migrate import SCHEMA
from sereno.store.snapshot import (
    DATABASE_FILE,
    Snapshot,
    check_unused,
    fill_store,
    is_empty,
    prepare_file,
    take_snapshot,
)

__all__ = ["BackupReport", "RestoreReport", "finish_restore", "keep_last", "restore_folder", "write_backup"]

STORE_PART = "store"
STAGE = ".restore"
PLAN = "plan.json"
KEPT = 5
"""Automatic backups, and replaced workspaces, that stay in `backups/`."""

FOLDERS = (MODELS_FOLDER, PROFILES_FOLDER, ORGANIZATIONS_FOLDER)
_BESIDE_DATABASE = ("-wal", "-shm", "-journal")


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What was written.

    Attributes:
        counts: Rows by table.
    """

    file: Path
    size: int
    manifest: Manifest
    snapshot: Snapshot

    def to_json(self) -> dict[str, object]:
        """For `backup --json`."""
        return {"file": str(self.file), "bytes": self.size, **_about(self.manifest, self.snapshot)}


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored.

    Attributes:
        kept: Where what it replaced lies now; None where there was nothing.
    """

    workspace: Path
    manifest: Manifest
    snapshot: Snapshot
    kept: Path | None

    def to_json(self) -> dict[str, object]:
        """For `restore --json`."""
        kept = None if self.kept is None else str(self.kept)
        about = _about(self.manifest, self.snapshot)
        return {"workspace": str(self.workspace), **about, "schema_now": f"{SCHEMA:04d}", "kept": kept}


def _about(manifest: Manifest, snapshot: Snapshot) -> dict[str, object]:
    return {
        "at": manifest.at.isoformat(),
        "version": manifest.version,
        "kind": snapshot.kind,
        "schema": f"{snapshot.schema:04d}",
        "rows": dict(snapshot.counts),
        "files": len(manifest.files),
    }


def write_backup(folder: Path, url: str, file: Path, *, at: datetime) -> BackupReport:
    """Write a workspace into one archive, also while an engine works on it.

    The settings lie in it without their branch `store`, which may hold a password and names this place.

    Raises:
        StoreError: The store cannot be read, or is damaged.
        SystemRefused: The archive cannot be written there.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".sereno-backup-") as stage:
            content = Path(stage)
            (content / STORE_PART).mkdir()
            snapshot = take_snapshot(url, content / STORE_PART)
            # Models after the store: what the snapshot names has been written before it.
            _copy_files(folder, content)
            facts = {"store": snapshot.to_json()}
            manifest = pack(content, file, version=VERSION, at=at, facts=facts)
    except PermissionError as error:
        raise SystemRefused(file=str(file), detail=error.strerror or str(error)) from error
    return BackupReport(file, file.stat().st_size, manifest, snapshot)


def _copy_files(folder: Path, content: Path) -> None:
    for name in FOLDERS:
        for path in sorted((folder / name).rglob("*")):
            is_file = path.is_file() and not path.is_symlink() and not path.name.endswith(".part")
            if is_file and _is_kept(path.relative_to(folder)):
                target = content / path.relative_to(folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    settings = folder / SETTINGS_FILE
    if settings.is_file():
        text, _ = cut_branch(settings.read_text("utf-8"), "store")
        (content / SETTINGS_FILE).write_text(text, "utf-8")


def _is_kept(path: Path) -> bool:
    """Whether a file of a workspace is one that cannot be made again; of organizations not all are."""
    if path.parts[0] != ORGANIZATIONS_FOLDER:
        return True
    return len(path.parts) > 2 and path.parts[2] in {SETTINGS_FILE, MODELS_FOLDER, PROFILES_FOLDER}


def restore_folder(
    folder: Path, url: str, archive: Path, *, replace: bool, at: datetime, hold_notifications: bool = False
) -> RestoreReport:
    """Make a workspace what it was when the archive was written; all of it, or nothing.

    Args:
        hold_notifications: Whether what was still to be sent waits until somebody releases it.
        url: The store that the settings of the folder name.
        replace: Whether what is there may give way; it is kept in `backups/`.

    Raises:
        BackupCorrupt, BackupNewer, BackupMisfit: The archive cannot be used here; nothing was changed.
        WorkspaceNotEmpty: There is data, and `replace` was not said.
        EngineRunning: Somebody works on the workspace.
    """
    with engine_lock(folder, "restore"):
        _finish(folder)
        stage = folder / STAGE
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir()
        try:
            return _restore(
                _Restoring(folder, url, archive, stage, hold_notifications), replace=replace, at=at
            )
        finally:
            if not (stage / PLAN).exists():
                shutil.rmtree(stage, ignore_errors=True)


def finish_restore(folder: Path) -> None:
    """Carry out the rest of a restore that was interrupted; normally there is none.

    Raises:
        EngineRunning: It is being carried out.
    """
    if (folder / STAGE / PLAN).exists():
        with engine_lock(folder, "restore"):
            _finish(folder)


def keep_last(folder: Path, prefix: str) -> None:
    """Delete all but the newest of what lies in `backups/` under a prefix."""
    found = sorted((folder / BACKUPS_FOLDER).glob(f"{prefix}-*"), key=lambda path: path.stat().st_mtime_ns)
    for path in found[:-KEPT]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


@dataclass(frozen=True, slots=True)
class _Restoring:
    """Where a restore takes from and puts to."""

    folder: Path
    url: str
    archive: Path
    stage: Path
    hold_notifications: bool

    @property
    def content(self) -> Path:
        """The unpacked archive."""
        return self.stage / "content"


def _restore(into: _Restoring, *, replace: bool, at: datetime) -> RestoreReport:
    into.content.mkdir()
    manifest = unpack(into.archive, into.content)
    snapshot = _checked(into, manifest)
    if not replace and not _is_new(into):
        raise WorkspaceNotEmpty(workspace=str(into.folder))
    kept = into.folder / BACKUPS_FOLDER / f"replaced-{at:%Y%m%dT%H%M%S%fZ}"
    moves = _prepared_files(into)
    database = sqlite_path(parse_url(into.url))
    if database is not None:
        moves[_prepared_database(into, snapshot, database)] = database
    else:
        _fill(into, snapshot, kept, at)
    _lay_down(into.stage, moves, kept)
    reach("restore.planned")
    try:
        _refuse_readers(into, database)  # from the plan on nobody opens it; somebody may have before
    except EngineRunning:
        (into.stage / PLAN).unlink()
        raise
    _finish(into.folder)
    keep_last(into.folder, "replaced")
    return RestoreReport(into.folder, manifest, snapshot, kept if kept.exists() else None)


def _checked(into: _Restoring, manifest: Manifest) -> Snapshot:
    """What the archive holds of a store, if it can be used here."""
    try:
        said: Mapping[str, object] = manifest.facts["store"]  # type: ignore[assignment]
        schema = int(str(said["schema"]))
        snapshot = Snapshot.from_json(said) if 0 < schema <= SCHEMA else None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        detail = f"its manifest says nothing usable of a store ({error})"
        raise BackupCorrupt(file=str(into.archive), detail=detail) from error
    if snapshot is None:
        facts = {"version": manifest.version, "found": f"{schema:04d}", "known": f"{SCHEMA:04d}"}
        raise BackupNewer(file=str(into.archive), **facts)
    strays = [name for name in manifest.files if not _is_ours(name, snapshot)]
    if strays:
        raise BackupCorrupt(file=str(into.archive), detail=f"{strays[0]!a} is in no backup")
    wanted = "postgresql" if sqlite_path(parse_url(into.url)) is None else "sqlite"
    if snapshot.kind != wanted:
        facts = {"workspace": str(into.folder), "found": snapshot.kind, "wanted": wanted}
        raise BackupMisfit(file=str(into.archive), **facts)
    return snapshot


def _is_ours(name: str, snapshot: Snapshot) -> bool:
    first, *rest = PurePosixPath(name).parts
    if first == STORE_PART:
        tables = {f"{table}.copy" for table in snapshot.columns}
        return len(rest) == 1 and rest[0] in (tables or {DATABASE_FILE})
    return name == SETTINGS_FILE or (first in FOLDERS and bool(rest))


def _is_new(into: _Restoring) -> bool:
    try:
        return is_empty(into.url)
    except StoreUnreachable:
        raise
    except StoreError:  # a damaged store is something, and a reason to restore
        return False


def _prepared_files(into: _Restoring) -> dict[Path, Path]:
    """The unpacked settings, models and profiles, and where each of them goes."""
    moves = {}
    for name in FOLDERS:
        (into.content / name).mkdir(exist_ok=True)
        moves[into.content / name] = into.folder / name
    own = into.folder / SETTINGS_FILE
    _, place = cut_branch(own.read_text("utf-8") if own.is_file() else "", "store")
    restored = into.content / SETTINGS_FILE
    text = restored.read_text("utf-8") if restored.is_file() else ""
    separator = "" if not text or text.endswith("\n") else "\n"
    if text or place or own.is_file():
        restored.write_text(f"{text}{separator}{place}", "utf-8")
        moves[restored] = own
    return moves


def _prepared_database(into: _Restoring, snapshot: Snapshot, database: Path) -> Path:
    """The unpacked database, ready beside the one that it replaces, which nobody has open."""
    ready = into.content / STORE_PART / DATABASE_FILE
    try:
        prepare_file(ready, snapshot, keeps_pending=into.hold_notifications)
    except StoreError as error:
        raise BackupCorrupt(file=str(into.archive), detail=str(error)) from error
    if database.parent.resolve() != into.folder.resolve():
        database.parent.mkdir(parents=True, exist_ok=True)
        ready = Path(shutil.copyfile(ready, database.with_name(f"{database.name}.restored")))
    _sync(ready)
    _refuse_readers(into, database)
    return ready


def _refuse_readers(into: _Restoring, database: Path | None) -> None:
    if database is None or not database.exists():
        return
    try:
        check_unused(database)
    except StoreUnreachable as error:
        raise EngineRunning(workspace=str(into.folder), holder="its store is open") from error
    except StoreError:  # damaged: what is wrong with it goes with it
        return


def _fill(into: _Restoring, snapshot: Snapshot, kept: Path, at: datetime) -> None:
    """Replace what a server holds; its own backup comes first, and models before what names them."""
    if not is_empty(into.url):
        write_backup(into.folder, into.url, kept / "before.tar.gz", at=at)
    shutil.copytree(into.content / MODELS_FOLDER, into.folder / MODELS_FOLDER, dirs_exist_ok=True)
    part = into.content / STORE_PART
    fill_store(into.url, part, snapshot, keeps_pending=into.hold_notifications)


def _lay_down(stage: Path, moves: Mapping[Path, Path], kept: Path) -> None:
    """Write down what is to be renamed; from here on the restore will be completed, whatever happens."""
    plan = {
        "moves": [[str(a.resolve()), str(b.resolve())] for a, b in moves.items()],
        "kept": str(kept.resolve()),
    }
    partial = stage / f"{PLAN}.part"
    partial.write_text(json.dumps(plan), "utf-8")
    _sync(partial)
    partial.replace(stage / PLAN)
    sync_folder(stage)


def _finish(folder: Path) -> None:
    stage = folder / STAGE
    if not (stage / PLAN).exists():
        return
    plan = json.loads((stage / PLAN).read_text("utf-8"))
    kept = Path(plan["kept"])
    for source, target in plan["moves"]:
        if Path(source).exists():  # otherwise it was moved before the interruption
            _put_aside(Path(target), kept)
            Path(source).rename(target)
            sync_folder(Path(target).parent)
            reach("restore.moved")
    (stage / PLAN).unlink()
    shutil.rmtree(stage, ignore_errors=True)


def _put_aside(target: Path, kept: Path) -> None:
    """What gives way, and the log of a database beside it, go to `backups/`."""
    beside = [target.with_name(target.name + suffix) for suffix in _BESIDE_DATABASE]
    for path in (target, *beside):
        if path.exists():
            kept.mkdir(parents=True, exist_ok=True)
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
            else:
                shutil.move(path, kept / path.name)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
