"""Names of the table and the columns in which a profile's readings lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["ReadingTable"]


@dataclass(frozen=True, slots=True)
class ReadingTable:
    """Where a profile's readings lie.

    Attributes:
        name: Name of the table.
        columns: Value column of each signal; the quality column has `__q` behind it.
        units: Unit of each signal of which it is known.
    """

    name: str
    columns: dict[str, str] = field(default_factory=dict)
    units: dict[str, str] = field(default_factory=dict)

    def values_of(self, signals: Sequence[str]) -> list[str]:
        """Quoted value columns."""
        return [f'"{self.columns[signal]}"' for signal in signals]

    def qualities_of(self, signals: Sequence[str]) -> list[str]:
        """Quoted quality columns."""
        return [f'"{self.columns[signal]}__q"' for signal in signals]
