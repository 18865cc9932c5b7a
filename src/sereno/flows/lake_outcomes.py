"""What working on blocks leaves behind: named by what it follows from, found again, and summed up."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from sereno.domain.readings import Window
from sereno.flows.train import fingerprint_of
from sereno.scale.places import Place

__all__ = ["BlockOutcome", "LakeReport", "canonical", "content_digest", "finish", "once"]

_DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True)
class BlockOutcome:
    """What working on a block left behind.

    Attributes:
        digest: Of all that it follows from; names its files.
        files: What it wrote.
        counts: Figures that add up.
        facts: What the fleet's own files say of it.
        is_known: It was there from an earlier run.
    """

    digest: str
    files: tuple[str, ...]
    counts: Mapping[str, int]
    facts: Mapping[str, object]
    is_known: bool = False


@dataclass(frozen=True, slots=True)
class LakeReport:
    """What was done to a lake.

    Attributes:
        digest: SHA-256 of what was said of every asset: equal for equal data and settings, on any engine.
        n_known: Blocks that an earlier run had finished.
    """

    profile: str
    digest: str
    n_blocks: int
    n_known: int
    counts: Mapping[str, int]
    output: str

    def to_json(self) -> dict[str, object]:
        """For `--lake --json`."""
        return {
            "profile": self.profile,
            "digest": self.digest,
            "blocks": self.n_blocks,
            "blocks_known": self.n_known,
            **self.counts,
            "output": self.output,
        }


def canonical(value: object) -> object:
    """A value as JSON holds it, the same in every process: sets and mappings in order."""
    if is_dataclass(value) and not isinstance(value, type):
        named = {one.name: canonical(getattr(value, one.name)) for one in fields(value)}
        return {"": type(value).__name__, **named}
    if isinstance(value, Mapping):
        return sorted(([canonical(key), canonical(one)] for key, one in value.items()), key=repr)
    if isinstance(value, set | frozenset):
        return sorted((canonical(one) for one in value), key=repr)
    if isinstance(value, list | tuple):
        return [canonical(one) for one in value]
    return value if isinstance(value, str | int | float | bool | None) else repr(value)


def content_digest(kind: str, rows: Sequence[Window], *settings: object) -> str:
    """SHA-256 of the rows of a block and of all that is done to them."""
    said = json.dumps([kind, canonical(settings)], sort_keys=True)
    digest = hashlib.sha256(said.encode())
    digest.update(fingerprint_of(rows).encode())
    for one in rows:
        digest.update(np.ascontiguousarray(one.quality).tobytes())
    return digest.hexdigest()[:_DIGEST_LENGTH]


def once(place: Place, kind: str, digest: str, work: Callable[[], BlockOutcome]) -> BlockOutcome:
    """The outcome of a block; from an earlier run, where that had finished it."""
    name = _mark(kind, digest)
    known = place.read_json(name)
    if isinstance(known, dict):
        return BlockOutcome(digest, tuple(known["files"]), known["counts"], known["facts"], is_known=True)
    made = work()
    place.write_json(name, {"files": made.files, "counts": made.counts, "facts": made.facts})
    return made


def _mark(kind: str, digest: str) -> str:
    return f"blocks/{kind}-{digest}.json"


def finish(kind: str, place: Place, lake: str, profile: str, outcomes: Sequence[BlockOutcome]) -> LakeReport:
    """Say what the results are, and remove those of an earlier run that are none any more."""
    before = place.read_json(f"{kind}.json")
    digests = [one.digest for one in outcomes]
    counts: Counter[str] = Counter()
    for one in outcomes:
        counts.update(one.counts)
    digest = hashlib.sha256("".join(str(one.facts["digest"]) for one in outcomes).encode()).hexdigest()
    n_known = sum(one.is_known for one in outcomes)
    report = LakeReport(profile, digest, len(outcomes), n_known, counts, place.address)
    place.write_json(f"{kind}.json", report.to_json() | {"lake": lake, "digests": digests})
    if isinstance(before, dict):
        _remove(kind, place, set(before["digests"]) - set(digests))
    return report


def _remove(kind: str, place: Place, digests: set[str]) -> None:
    for digest in digests:
        known = place.read_json(_mark(kind, digest))
        for name in known["files"] if isinstance(known, dict) else ():
            place.remove(name)
        place.remove(_mark(kind, digest))
