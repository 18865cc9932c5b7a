"""Whether a training can be done again: in fresh processes, with one thread and with two, bit for bit."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from sereno.domain.errors import JobBroken, ModelMissing
from sereno.domain.version import VERSION
from sereno.flows.build import Setup
from sereno.flows.models import write_whole
from sereno.flows.sheets import seed_of
from sereno.flows.succession import find_version
from sereno.store import Store, StoredForecaster, StoredModel

__all__ = ["REPORT_FILE", "Reproduction", "Verdict", "reproduce"]

REPORT_FILE = "reports/reproducibility.json"
THREADS = (1, 2)
_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
_PACKAGES = ("numpy", "scipy", "scikit-learn", "lightgbm", "jax", "polars")


class Verdict(StrEnum):
    """What doing it again showed."""

    REPRODUCIBLE = "reproducible"
    """Both processes gave the model that is stored, and the same predictions."""
    NOT_REPRODUCIBLE = "not_reproducible"
    """The two processes differ, or both from what is stored, with the same data and code."""
    DATA_CHANGED = "data_changed"
    """The two agree; the readings are not those of the training any more."""
    CODE_CHANGED = "code_changed"
    """The two agree; another version of sereno gave what is stored."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """A training done again.

    Attributes:
        runs: What each process said: threads, SHA-256 of model and predictions, fingerprint, metrics.
        stored_digest: SHA-256 of what is stored.
        is_recalibrated: What is stored is a training with other thresholds, and cannot be equal.
    """

    model: str
    family: str
    kind: str
    seed: object
    at: str
    versions: Mapping[str, str]
    runs: Sequence[Mapping[str, object]]
    stored_digest: str
    stored_fingerprint: str
    stored_code: str
    is_recalibrated: bool

    @property
    def equal(self) -> dict[str, bool]:
        """What was the same in both processes, and as it is stored."""
        first, second = self.runs
        said = {name: first[name] == second[name] for name in ("model", "predictions", "metrics")}
        return said | {
            "data": first["fingerprint"] == self.stored_fingerprint,
            "code": self.stored_code == VERSION,
            "stored": first["model"] == self.stored_digest,
        }

    @property
    def verdict(self) -> Verdict:
        """See `Verdict`."""
        equal = self.equal
        if not (equal["model"] and equal["predictions"] and equal["metrics"]):
            return Verdict.NOT_REPRODUCIBLE
        if equal["stored"] or (self.is_recalibrated and equal["data"]):
            return Verdict.REPRODUCIBLE
        if not equal["data"]:
            return Verdict.DATA_CHANGED
        return Verdict.NOT_REPRODUCIBLE if equal["code"] else Verdict.CODE_CHANGED

    def to_json(self) -> dict[str, object]:
        """For `reproduce --json` and for the report."""
        return asdict(self) | {"equal": self.equal, "verdict": self.verdict.value}


def reproduce(setup: Setup, store: Store, version: str | None) -> list[Reproduction]:
    """Do trainings again, and write what came of it to `REPORT_FILE`.

    Args:
        version: A version, by its id or the beginning of it; every champion when None.

    Raises:
        NotFound: There is no such version.
        ModelMissing: Nothing has been trained.
    """
    with store.read() as tx:
        wanted = (
            [one for one in tx.versions() if one.is_active]
            if version is None
            else [find_version(tx, version)]
        )
    if not wanted:
        raise ModelMissing(workspace=str(setup.folder))
    found = [_reproduced(setup, one) for one in wanted]
    document = {"reproductions": [one.to_json() for one in found]}
    write_whole(setup.folder / REPORT_FILE, json.dumps(document, indent=2, ensure_ascii=False).encode())
    return found


def _reproduced(setup: Setup, stored: StoredModel | StoredForecaster) -> Reproduction:
    card = stored.card
    runs = [_run(setup.folder, card.id, threads) for threads in THREADS]
    return Reproduction(
        model=card.id,
        family="detector" if isinstance(stored, StoredModel) else "forecaster",
        kind=card.detector,
        seed=seed_of(card.settings),
        at=setup.clock().isoformat(),
        versions=_versions(),
        runs=runs,
        stored_digest=card.digest,
        stored_fingerprint=card.fingerprint,
        stored_code=card.code_version,
        is_recalibrated="recalibrated_from" in card.settings,
    )


def _run(folder: Path, version: str, threads: int) -> dict[str, object]:
    """Do a training again in a process of its own with so many threads."""
    environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads))
    asked = json.dumps({"folder": str(folder.resolve()), "version": version})
    done = subprocess.run(
        [sys.executable, "-m", "sereno.flows.reproduce_process"],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise JobBroken(code=done.returncode)
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return {"threads": threads} | answer


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": sys.version.split()[0], "sereno": VERSION}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
