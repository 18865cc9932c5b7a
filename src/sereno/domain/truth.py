"""What somebody says was abnormal: labels as they were written, before they are matched with assets."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sereno.domain.readings import TimeArray

__all__ = ["Labels"]


@dataclass(frozen=True, slots=True)
class Labels:
    """The rows of a table of truth; each speaks of one instant, or of [start, end).

    Attributes:
        file: Where they come from.
        assets: Name of the asset of each row, as written; empty where the table names none.
        start: UTC, datetime64[us], shape (rows,).
        end: UTC; NaT where a row speaks of one instant, shape (rows,).
        variables: What each row says is affected, as written: empty, a name, or several.
        severities: How bad each row says it was, as written; empty where it does not say.
        n_normal: Rows that say that all was well; they are not among the others.
        n_unread: Rows without an instant that can be read.
    """

    file: str
    assets: tuple[str, ...]
    start: TimeArray
    end: TimeArray
    variables: tuple[str, ...]
    severities: tuple[str, ...]
    n_normal: int = 0
    n_unread: int = 0

    def __len__(self) -> int:
        return len(self.start)

    def take(self, rows: Sequence[int]) -> "Labels":
        """The rows at these positions."""
        return replace(
            self,
            assets=tuple(self.assets[row] for row in rows),
            start=self.start[list(rows)],
            end=self.end[list(rows)],
            variables=tuple(self.variables[row] for row in rows),
            severities=tuple(self.severities[row] for row in rows),
        )
