"""What is stored of a site: taken along in one archive, or erased; and what is too old deleted.

A dry run does all of it in a transaction that is then undone, so that its counts are those of the real one.
"""

import base64
import json
import secrets
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from sereno.domain.archive import ArchiveError, digest_of
from sereno.domain.archive import pack as pack_model
from sereno.domain.archive import unpack as unpack_model
from sereno.domain.audit import current_act
from sereno.domain.errors import SerenoError, SystemRefused
from sereno.domain.failpoints import reach
from sereno.domain.mentions import Mentions
from sereno.domain.segments import Segmentation
from sereno.domain.signals import AssetKey
from sereno.domain.version import VERSION
from sereno.flows.archive import pack
from sereno.flows.build import Setup, store_url
from sereno.flows.exports import write_table
from sereno.flows.forecasters import drop_current_forecasters
from sereno.flows.naming import pseudonyms_of
from sereno.flows.places import BACKUPS_FOLDER, MODELS_FOLDER, STORE_FILE
from sereno.flows.segments import load_segmentation, save_segmentation
from sereno.settings.keeping import RetentionSettings
from sereno.store import SiteNames, Store, StoredAsset, Transaction
from sereno.store.scrubbing import scrub

__all__ = [
    "Erasure",
    "SiteExport",
    "erase_site",
    "export_site",
    "finish_erasures",
    "retain",
    "retain_in_batches",
]

_READ_BYTES = 1 << 20
BATCH_ROWS = 20_000
"""Rows of a table that go in one transaction when nobody asked for it."""


@dataclass(slots=True)
class Erasure:
    """What was erased, or would be.

    Attributes:
        subject: Pseudonym of the site; empty for what was too old.
        counts: Rows by table, `table (rewritten)` where only names went, and `models (rewritten)`.
        is_scrubbed: The files of the database hold nothing of it any more; None in a dry run.
        left: Backups, settings and other files of the workspace that may hold it: sereno rewrites none.
    """

    kind: str
    subject: str
    counts: Mapping[str, int]
    is_dry: bool
    is_scrubbed: bool | None = None
    problem: SerenoError | None = None
    left: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """For `privacy erase --json` and `privacy retain --json`."""
        return {
            "kind": self.kind,
            "subject": self.subject,
            "dry_run": self.is_dry,
            "rows": dict(sorted(self.counts.items())),
            "scrubbed": self.is_scrubbed,
            "problem": None if self.problem is None else str(self.problem),
            "left": self.left,
        }


@dataclass(frozen=True, slots=True)
class SiteExport:
    """What was written of a site.

    Attributes:
        counts: Rows by table.
    """

    file: Path
    site: str
    counts: Mapping[str, int]

    def to_json(self) -> dict[str, object]:
        """For `privacy export --json`."""
        return {"file": str(self.file), "site": self.site, "rows": dict(self.counts)}


PLAN = ".erasing.json"
"""What an erasure replaces outside the database."""


class _Undone(Exception):
    """A dry run has seen what it wanted."""


def export_site(store: Store, site: str, file: Path, *, at: datetime) -> SiteExport:
    """Write everything that is stored of a site into one archive: readings as CSV, the rest as JSON lines.

    Raises:
        NotFound: There is no such site.
        SystemRefused: The archive cannot be written there.
    """
    counts: dict[str, int] = {}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            tempfile.TemporaryDirectory(dir=file.parent, prefix=".sereno-export-") as stage,
            store.read() as tx,
        ):
            folder = Path(stage)
            names = tx.site_names(site)
            for number, asset in enumerate(tx.assets(sites=[names.name]), start=1):
                name = f"readings_{asset.profile}"
                path = folder / f"{name}_{number}.csv"
                counts[name] = counts.get(name, 0) + _write_readings(tx, asset, path)
            for table, rows in tx.rows_of_site(names):
                counts[table] = _write_lines(folder / f"{table}.jsonl", rows)
            learnt = [{"id": one} for one, _, _, card in tx.model_cards() if names.mentions().are_in(card)]
            counts["model"] = _write_lines(folder / "model.jsonl", iter(learnt))
            pack(folder, file, version=VERSION, at=at, facts={"site": names.name, "rows": counts})
    except PermissionError as error:
        raise SystemRefused(file=str(file), detail=error.strerror or str(error)) from error
    return SiteExport(file, names.name, counts)


def erase_site(
    setup: Setup,
    store: Store,
    site: str,
    *,
    at: datetime,
    actor: str,
    reason: str,
    is_dry: bool = False,
) -> Erasure:
    """Erase everything that is stored of a site; a record with its pseudonym stays.

    Models keep what they learnt from all, under a name that nobody can trace back, until the next training.

    Raises:
        NotFound: There is no such site.
    """
    subject = pseudonyms_of(setup).of(site)
    finish_erasures(setup.folder, store)
    with store.read() as tx:
        names = tx.site_names(site)
    token = f"erased-{secrets.token_hex(6)}"
    instead = {name: _token(name, names, token) for name in names.telling}
    said, counts = names.mentions(instead), Counter[str]()
    _forget_words(names.mentions(dict.fromkeys(names.telling, subject)))
    models = _Models(setup.folder, names, instead)
    with suppress(_Undone), store.begin() as tx:
        # Whoever writes to them now ends first; whoever comes later finds them gone.
        tx.lock_assets([one.id for one in tx.assets(sites=[names.name])])
        counts = tx.erase_site(names, said, subject=subject, at=at, actor=actor, reason=reason)
        counts += models.rewrite(tx, is_dry=is_dry)
        counts += Counter({f"{name} (kept)": n for name, n in tx.mentions_in_logs(said).items()})
        if is_dry:
            raise _Undone
    if not is_dry:
        finish_erasures(setup.folder, store)
    found = Erasure("site", subject, +counts, is_dry=is_dry, left=_left(setup.folder, names))
    return found if is_dry else _scrubbed(setup, found)


def retain(
    store: Store, settings: RetentionSettings, *, at: datetime, actor: str, is_dry: bool = False
) -> Erasure:
    """Delete what is older than the settings allow, all of it in one transaction."""
    counts: Counter[str] = Counter()
    with suppress(_Undone), store.begin() as tx:
        counts = tx.retain(_limits(settings, at), settings.max_rows, at=at, actor=actor)
        if is_dry:
            raise _Undone
    return Erasure("retention", "", counts, is_dry=is_dry)


def retain_in_batches(
    store: Store, settings: RetentionSettings, *, at: datetime, stop: threading.Event
) -> Erasure:
    """The same bit by bit, so that whoever stores meanwhile never waits long; each bit leaves a record."""
    counts: Counter[str] = Counter()
    before = _limits(settings, at)
    while not stop.is_set():
        with store.begin() as tx:
            gone = tx.retain(before, settings.max_rows, at=at, actor="sereno", most=BATCH_ROWS)
        if not gone:
            break
        counts += gone
    return Erasure("retention", "", counts, is_dry=False)


def _limits(settings: RetentionSettings, at: datetime) -> dict[str, datetime]:
    """The instant before which each kind of thing goes; readings are thinned by whole months."""
    ages = {name: getattr(settings, name) for name in RetentionSettings.model_fields if name != "max_rows"}
    limits = {name: at - age for name, age in ages.items() if age is not None}
    if "thin" in limits:
        limits["thin"] = limits["thin"].replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return limits


def _forget_words(said: Mentions) -> None:
    """Let the log of what was done tell an erasure without what is erased."""
    act = current_act()
    if act is not None:
        act.action, act.subject = said.text(act.action), said.text(act.subject)
        act.facts = {name: said.replaced(value) for name, value in act.facts.items()}


def _token(name: str, names: SiteNames, token: str) -> str:
    """The same token for the site wherever it stands; its assets are told apart."""
    return token if name == names.name else f"{token}-{names.assets.index(name) + 1}"


def _scrubbed(setup: Setup, found: Erasure) -> Erasure:
    """What is erased stays erased when the files cannot be rewritten now; it is then said."""
    try:
        scrub(store_url(setup))
    except SerenoError as error:
        return replace(found, is_scrubbed=False, problem=error)
    return replace(found, is_scrubbed=True)


def finish_erasures(folder: Path, store: Store) -> None:
    """Take away the files that an erasure replaced, or that it wrote and then did not need.

    Its plan lies in the workspace from before its transaction on, so that an interruption leaves nothing.
    """
    plan = folder / PLAN
    if not plan.is_file():
        return
    said = json.loads(plan.read_text("utf-8"))
    with store.read() as tx:
        used = {path for _, _, path, _ in tx.model_cards()}
    for old, new in said["models"]:
        (folder / (new if old in used else old)).unlink(missing_ok=True)
    if all(old not in used for old, _ in said["models"]):
        drop_current_forecasters(folder)
        for document in said["segments"]:
            save_segmentation(folder, Segmentation.from_json(document))
    plan.unlink()


class _Models:
    """Artefacts and segments with a site's names replaced: written beside, taken over by the transaction."""

    def __init__(self, folder: Path, names: SiteNames, instead: Mapping[str, str]) -> None:
        self._folder = folder
        self._names = names
        self._instead = instead
        self._said = names.mentions(instead)

    def rewrite(self, tx: Transaction, *, is_dry: bool) -> Counter[str]:
        """Give every model that knows the site an artefact that does not."""
        known = [one for one in tx.model_cards() if self._said.are_in(one[3])]
        counts = Counter({"models (rewritten)": len(known)})
        if is_dry or not known:
            return counts
        segments = {profile: load_segmentation(self._folder, profile) for _, profile, _, _ in known}
        clean = {name: self._cleaned(found) for name, found in segments.items() if found is not None}
        digests = {found.digest: clean[name].digest for name, found in segments.items() if found is not None}
        moves = {path: f"{MODELS_FOLDER}/{name}-{secrets.token_hex(4)}.sereno" for name, _, path, _ in known}
        plan = {"models": list(moves.items()), "segments": [one.to_json() for one in clean.values()]}
        (self._folder / PLAN).write_text(json.dumps(plan), "utf-8")
        reach("erase.planned")
        said = self._names.mentions({**self._instead, **digests})
        for name, _, path, card in known:
            tx.replace_model(name, self._moved(path, moves[path], card, said), moves[path])
        return counts

    def _moved(self, old: str, new: str, card: Mapping[str, object], said: Mentions) -> Mapping[str, object]:
        """The card of an artefact that is written anew; one that is gone has only its card."""
        clean: dict[str, object] = dict(said.replaced(card))  # type: ignore[call-overload]
        source = self._folder / old
        if source.is_file():
            data = _renamed(source.read_bytes(), said)
            (self._folder / new).write_bytes(data)
            clean["digest"] = digest_of(data)
        return clean

    def _cleaned(self, found: Segmentation) -> Segmentation:
        def renamed(members: Mapping[AssetKey, int]) -> dict[AssetKey, int]:
            text = self._said.text
            return {AssetKey(text(key.site), text(key.asset)): number for key, number in members.items()}

        return replace(
            found,
            fitted=renamed(found.fitted),
            assigned=renamed(found.assigned),
            too_short=renamed(found.too_short),
        )


def _renamed(data: bytes, said: Mentions) -> bytes:
    """An archive, and those inside it, with names replaced in everything that is text."""
    header, arrays = unpack_model(data)
    inner = {said.text(name): _renamed_array(array, said) for name, array in arrays.items()}
    return pack_model(dict(said.replaced(header)), inner)  # type: ignore[call-overload]


def _renamed_array(array: np.ndarray, said: Mentions) -> np.ndarray:
    if array.dtype != np.uint8:
        return array
    try:
        return np.frombuffer(_renamed(array.tobytes(), said), dtype=np.uint8)
    except ArchiveError:
        return array


def _write_readings(tx: Transaction, asset: StoredAsset, path: Path) -> int:
    rows = tx.rows(asset.id, asset.profile)
    columns = ["site", "asset", "time", *rows.signals, *(f"{name}__quality" for name in rows.signals)]
    times = np.datetime_as_string(rows.time, unit="us", timezone="UTC").tolist()
    cells = zip(times, rows.values.tolist(), rows.quality.tolist(), strict=True)
    write_table(path, columns, ([*_of(asset), at, *values, *flags] for at, values, flags in cells))
    return len(rows)


def _of(asset: StoredAsset) -> tuple[str, str]:
    return asset.key.site, asset.key.asset


def _write_lines(path: Path, rows: Iterator[Mapping[str, object]]) -> int:
    n_rows = 0
    with path.open("w", encoding="utf-8", errors="replace") as file:
        for row in rows:
            n_rows += 1
            file.write(json.dumps(dict(row), ensure_ascii=False, default=_plain) + "\n")
    return n_rows


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode("ascii")
    return str(value)


def _left(folder: Path, names: SiteNames) -> list[str]:
    """Files of the workspace that may still hold it: every backup, and others that have a name of it."""
    wanted = [one.encode() for one in names.telling]
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if not path.is_file() or inside.name.startswith(STORE_FILE):
            continue
        is_backup = inside.parts[0] == BACKUPS_FOLDER
        is_model = inside.parts[0] == MODELS_FOLDER
        if is_backup or (not is_model and _holds(path, wanted)):
            found.append(inside.as_posix())
    return found


def _holds(path: Path, wanted: list[bytes]) -> bool:
    """Whether a file, or its name, has one of the texts; compressed files are not looked into."""
    if any(text in path.name.encode() for text in wanted):
        return True
    kept = max(map(len, wanted))
    try:
        with path.open("rb") as file:
            tail = b""
            while block := file.read(_READ_BYTES):
                if any(text in tail + block for text in wanted):
                    return True
                tail = block[-kept:]
    except OSError:
        return True  # what cannot be read may hold it
    return False
