"""Balances that the columns of a file name only in part: said as the file is read, not met with silence."""

import difflib

from sereno.domain.issues import DataIssue
from sereno.domain.signals import Identity
from sereno.ingest import FilePlan

__all__ = ["identity_issues"]


def identity_issues(plan: FilePlan) -> list[DataIssue]:
    """One issue for each balance of an open profile that a table has some, or nearly some, signals of."""
    issues = []
    for table in plan.each:
        if table.profile.is_open:
            read = {column.signal for one in table.tables for column in one.columns if column.signal}
            found = sorted(read | set(table.registers))
            where = table.name or table.path.name
            issues += [_issue(one, where, found) for one in table.profile.identities if _is_near(one, found)]
    return issues


def _is_near(identity: Identity, found: list[str]) -> bool:
    """Whether some signals are missing, and the others or similar names are there."""
    near = _nearest(identity, found)
    return 0 < len(near) < len(identity.signals) or any(near.values())


def _nearest(identity: Identity, found: list[str]) -> dict[str, list[str]]:
    """The signals that are not there, and of each the most similar name that no other signal has."""
    free = [name for name in found if name not in identity.signals]
    missing = [name for name in identity.signals if name not in found]
    return {name: difflib.get_close_matches(name, free, n=1) for name in missing}


def _issue(identity: Identity, where: str, found: list[str]) -> DataIssue:
    near = _nearest(identity, found)
    pairs = "; ".join(f"'{name}' → '{names[0]}'" for name, names in near.items() if names)
    facts = {
        "file": where,
        "identity": identity.name,
        "missing": ", ".join(f"'{name}'" for name in near),
        "near": f"Nearest names: {pairs}." if pairs else "",
    }
    return DataIssue("read.identity_signals", f"{where}: {identity.name}", len(near), facts)
