"""How files of one shape are read, as a person or a portal says it."""

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field

from sereno.ingest.headers import Declared, Role
from sereno.ingest.numbers import NumberStyle

__all__ = ["ColumnMapping", "FileMapping"]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What a column is: a signal, perhaps of one asset and as a register, or another role."""

    role: str = ""
    signal: str = ""
    unit: str = ""
    asset: str = ""
    is_register: bool = False

    @property
    def declared(self) -> Declared:
        """The same, as a header carries it."""
        signal = f"{self.signal}_register" if self.is_register else self.signal
        return Declared(Role.SIGNAL if signal else Role(self.role or "ignored"), signal, self.asset)


@dataclass(frozen=True, slots=True)
class FileMapping:
    """How files of one shape are read; an empty field leaves the decision to evidence.

    Attributes:
        fingerprint: Header names that a file of this shape has.
        pattern: Shell pattern of its file name.
        columns: What each named column is.
        header_row: 1-based line of the names.
        step_s: Length of the step [s], for columns of rates.
        sheets: Names (shell patterns) of the sheets that are read; empty for all.
        is_portal: It comes with the package.
    """

    name: str
    fingerprint: tuple[str, ...] = ()
    pattern: str = ""
    columns: Mapping[str, ColumnMapping] = field(default_factory=dict)
    profile: str = ""
    delimiter: str = ""
    header_row: int | None = None
    decimal: str = ""
    thousands: str = ""
    date_order: str = ""
    timezone: str = ""
    stamp: str = ""
    site: str = ""
    step_s: float | None = None
    sheets: tuple[str, ...] = ()
    is_portal: bool = False

    def reads_sheet(self, label: str) -> bool:
        """Whether a sheet of that name is among those that it reads."""
        return not self.sheets or any(
            fnmatch.fnmatchcase(label.casefold(), s.casefold()) for s in self.sheets
        )

    @property
    def number_style(self) -> NumberStyle | None:
        """Signs of all its numbers; None where evidence decides."""
        return NumberStyle(self.decimal, self.thousands) if self.decimal else None
