"""From files to the store: each batch is one transaction, each file is known by its content."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Literal

from sereno.domain.audit import Bringer, Door, current_act
from sereno.domain.errors import DataError, Fact, FileMissing, NoFiles
from sereno.domain.failpoints import reach
from sereno.domain.issues import DataIssue, QuarantinedRow
from sereno.domain.signals import AssetKey, Profile
from sereno.flows.assets import judge_again, lock_touched
from sereno.flows.build import Setup
from sereno.flows.engines import HeldLease, leased
from sereno.flows.findings import Findings
from sereno.flows.identities import identity_issues
from sereno.flows.lateness import NewestBefore
from sereno.flows.scale import check_scale
from sereno.i18n.catalogue import error_sentence, issue_sentence, sentence
from sereno.ingest import (
    Batch,
    FilePlan,
    FileReport,
    ReadOptions,
    content_sha256,
    inspect_file,
    read_batches,
)
from sereno.store import Appended, FileEntry, Store, Transaction

__all__ = ["FileResult", "Ingestion", "check_file", "expand_paths", "ingest_file"]

_TRUTH_FOLDER = "truth"
"""What simulated worlds keep their labels in: never readings."""
_DATA_SUFFIXES = frozenset(
    {
        ".csv",
        ".tsv",
        ".txt",
        ".gz",
        ".zip",
        ".xlsx",
        ".xlsm",
        ".xls",
        ".ods",
        ".parquet",
        ".json",
        ".ndjson",
        "",
    }
)
"""What is taken from a folder; a file that is named is read whatever it is called."""

PATIENCE = timedelta(minutes=10)
AfterAppend = Callable[[Transaction, Mapping[AssetKey, int], Appended, Profile], None]
BeforeAppend = Callable[[Transaction, Mapping[AssetKey, int], Profile], None]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file.

    Attributes:
        entry: The entry of DESIGN §5, JSON-able.
        is_refused: Nothing of it was stored.
        is_known: Its content had been read before.
        profile: Name of the profile that its columns speak for; empty when it was refused or known.
    """

    entry: dict[str, object]
    is_refused: bool
    is_known: bool = False
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Ingestion:
    """Where files go and what happens to each batch in its own transaction.

    Attributes:
        after_append: In the transaction of each batch: judges it, or lets judging go back to it later.
        before_append: In the same, first: keeps other engines away from what it will touch.
        patience: How long another engine may go on reading the same file before this one gives up.
        is_simulated: The readings come from a simulator and may be reset.
    """

    setup: Setup
    store: Store
    options: ReadOptions
    after_append: AfterAppend = judge_again
    is_simulated: bool = False
    before_append: BeforeAppend = lock_touched
    patience: timedelta = PATIENCE


def expand_paths(paths: Sequence[Path]) -> list[Path]:
    """The files behind files and folders, in name order.

    Of a folder, hidden files, truth labels and what is no data file by its name are left out.

    Raises:
        FileMissing: A path does not exist.
        NoFiles: There is none in any of them.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files.extend(sorted(_files_in(path)))
        elif path.exists():
            files.append(path)
        else:
            raise FileMissing(file=str(path))
    if paths and not files:
        n_others = sum(one.is_file() for one in paths[0].rglob("*"))
        found = f"{n_others} others" if n_others else "it is empty"
        raise NoFiles(
            folder=str(paths[0]), found=found, known=", ".join(sorted(filter(None, _DATA_SUFFIXES)))
        )
    return files


def _files_in(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        is_hidden = any(part.startswith(".") for part in parts) or _TRUTH_FOLDER in parts[:-1]
        if path.is_file() and not is_hidden and path.suffix.lower() in _DATA_SUFFIXES:
            yield path


def check_file(path: Path, setup: Setup, options: ReadOptions, *, with_findings: bool = True) -> FileResult:
    """What sereno understands of a file and what is wrong in it; nothing is stored.

    Args:
        with_findings: Whether the values are checked, too, rather than only read.
    """
    try:
        plan = inspect_file(path, setup.profiles, options)
        report, findings = _begun(plan), Findings(plan, setup.language)
        for batch in read_batches(plan):
            report.add(batch)
            if with_findings:
                findings.add(batch)
    except DataError as error:
        return _refused(path, error, setup.language)
    is_refused = report.verdict == "refused"
    entry = with_messages(_entry(report), setup.language)
    return FileResult(_with_findings(entry, findings), is_refused, profile=plan.profile.name)


def _with_findings(entry: Mapping[str, object], findings: Findings) -> dict[str, object]:
    """The entry with what the checks found in the values behind what reading them met."""
    issues: list[object] = entry["issues"]  # type: ignore[assignment]
    verdict = "warnings" if entry["verdict"] == "ok" and findings.needs_attention else entry["verdict"]
    return {**entry, "issues": [*issues, *findings.issues()], "verdict": verdict}


def ingest_file(path: Path, into: Ingestion) -> FileResult:
    """Store a file's readings; a file whose content is known changes nothing.

    Raises:
        StoreError: The store failed; the batches committed before stay, and reading again completes them.
        LeaseTaken, LeaseLost: Another engine reads the file.
    """
    try:
        digest = content_sha256(path)
        known = _known(path, digest, into)
        if known is None:
            with leased(into.store, f"file/{digest}", wait=into.patience) as lease:
                known = _known(path, digest, into) if into.store.is_shared else None
                known = known or _read_file(path, digest, into, lease)
    except DataError as error:
        refused = _refused(path, error, into.setup.language)
        return replace(refused, entry={**refused.entry, "readings_new": 0})
    return known


def _known(path: Path, digest: str, into: Ingestion) -> FileResult | None:
    """What became of a file that was read to its end before."""
    with into.store.read() as tx:
        known = tx.file(digest)
    if known is None or known.status != "done":
        return None
    entry = {**known.report, "file": str(path), "readings_new": 0}
    is_refused = known.report["verdict"] == "refused"
    return FileResult(with_messages(entry, into.setup.language), is_refused, is_known=True)


def _read_file(path: Path, digest: str, into: Ingestion, lease: HeldLease) -> FileResult:
    with into.store.read() as tx:
        known = tx.file(digest)
    plan = inspect_file(path, into.setup.profiles, into.options)
    report, n_new = _store_batches(plan, into, lease, n_before=0 if known is None else known.n_new)
    entry = {**_entry(report), "readings_new": n_new}
    is_refused = report.verdict == "refused"
    return FileResult(with_messages(entry, into.setup.language), is_refused, profile=plan.profile.name)


def _begun(plan: FilePlan) -> FileReport:
    report = FileReport.start(plan)
    report.issues.extend(identity_issues(plan))
    return report


def _entry(report: FileReport) -> dict[str, object]:
    """The entry with the facts of its issues, from which the sentence of any language can be made."""
    issues = [
        {"code": i.code, "where": i.where, "count": i.count, "facts": dict(i.facts)} for i in report.issues
    ]
    return {**report.to_json(), "issues": issues}


def with_messages(entry: Mapping[str, object], language: str) -> dict[str, object]:
    """The entry with a sentence for each issue and column in place of the facts that it was made of."""
    issues: list[Mapping[str, object]] = entry["issues"]  # type: ignore[assignment]
    tables: list[Mapping[str, object]] = entry["tables"]  # type: ignore[assignment]
    return {
        **entry,
        "tables": [_with_reasons(table, language) for table in tables],
        "issues": [_with_message(issue, language) for issue in issues],
    }


def _with_reasons(table: Mapping[str, object], language: str) -> dict[str, object]:
    columns: list[Mapping[str, object]] = table["columns"]  # type: ignore[assignment]
    return {**table, "columns": [_with_reason(column, language) for column in columns]}


def _with_reason(column: Mapping[str, object], language: str) -> dict[str, object]:
    reasons: Sequence[Mapping[str, Mapping[str, object]]] = column.get("reasons", ())  # type: ignore[assignment]
    said = [sentence(str(one["code"]), language, **one["facts"]) for one in reasons]
    return {**{key: column[key] for key in ("source", "signal", "unit")}, "reason": "; ".join(said)}


def _with_message(issue: Mapping[str, object], language: str) -> dict[str, object]:
    facts: dict[str, Fact] = issue["facts"]  # type: ignore[assignment]
    known = DataIssue(str(issue["code"]), str(issue["where"]), int(str(issue["count"])), facts)
    return {
        "code": known.code,
        "where": known.where,
        "count": known.count,
        "message": issue_sentence(known, language),
    }


def _refused(path: Path, error: DataError, language: str) -> FileResult:
    entry = _entry(FileReport.refused(path, error))
    issue = {"code": error.code, "where": path.name, "count": 1, "message": error_sentence(error, language)}
    return FileResult({**entry, "issues": [issue]}, is_refused=True)


def _store_batches(
    plan: FilePlan, into: Ingestion, lease: HeldLease, *, n_before: int
) -> tuple[FileReport, int]:
    """Each batch in a transaction; the ledger also counts what an interrupted reading of the file brought."""
    report = _begun(plan)
    n_new, newest = 0, NewestBefore()
    for batch in read_batches(plan):
        reach("ingest.between_batches")
        with into.store.begin() as tx:
            lease.hold(tx)
            n_stored, late = _store_batch(tx, plan, batch, into, newest)
            n_new += n_stored
            now = into.setup.clock()
            tx.note_brought(_bringer(plan), n_records=len(batch.readings), n_stored=n_stored, at=now)
            report.add(replace(batch, issues=(*batch.issues, *late)))
            status: Literal["done", "reading"] = "done" if batch.is_last else "reading"
            tx.save_file(
                FileEntry(
                    sha256=plan.sha256,
                    name=plan.path.name,
                    size=plan.path.stat().st_size,
                    status=status,
                    report=_entry(report),
                    n_new=n_before + n_new,
                    at=now,
                )
            )
    return report, n_new


def _bringer(plan: FilePlan) -> Bringer:
    """Who reads a file: whoever asked for it, or sereno in a folder that it watches."""
    act = current_act()
    actor, address = ("sereno", "") if act is None else (act.actor, act.address)
    return Bringer(actor, Door.FILE, plan.path.name, address)


def _store_batch(
    tx: Transaction, plan: FilePlan, batch: Batch, into: Ingestion, newest: NewestBefore
) -> tuple[int, tuple[DataIssue, ...]]:
    """Values that are new or changed, and what the store says of the batch."""
    table = plan.each[batch.table]
    ids = tx.ensure_assets(batch.readings.assets, profile=table.profile.name, zone=table.options.timezone)
    into.before_append(tx, ids, table.profile)
    if table.assumed_units:
        check_scale(tx, batch.readings, ids, table.assumed_units, file=table.name)
    newest.look(tx, ids.values())
    appended = tx.append(
        batch.readings, table.profile, ids, at=into.setup.clock(), is_simulated=into.is_simulated
    )
    if batch.quarantine:
        tx.add_quarantine(plan.sha256, _in_file(batch, plan))
    late = newest.late_rows(ids, appended, file=plan.path.name)
    if batch.issues or late:
        tx.add_issues(plan.sha256, (*batch.issues, *late))
    into.after_append(tx, ids, appended, table.profile)
    return appended.n_new + appended.n_changed, late


def _in_file(batch: Batch, plan: FilePlan) -> tuple[QuarantinedRow, ...]:
    """Rows of one of several tables get a line number of their own in the file and name their place."""
    if not plan.parts:
        return batch.quarantine
    n_before = sum(part.source.n_lines for part in plan.parts[: batch.table])
    name = plan.parts[batch.table].name
    return tuple(
        QuarantinedRow(n_before + row.line, row.reason, f"{name} » {row.line}: {row.text}")
        for row in batch.quarantine
    )
