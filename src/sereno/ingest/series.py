"""Whose readings the sheets of one workbook are: one asset for each sheet, or parts of one series."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sereno.ingest.batch import FilePlan
from sereno.ingest.headers import TIME_ROLES, Role
from sereno.ingest.identity import clean_name

__all__ = ["SheetName", "name_series", "specific_name"]

MIN_SHARED_INSTANTS = 0.5
"""Two sheets that share more of their instants than this are two assets, whatever they are called."""
MIN_SAME_ROWS = 0.5
"""Unless they agree on more than this of them: then one is a copy of the other."""
_WORD = re.compile(r"[^\W\d_]+|\d+")
_PERIOD_WORDS = frozenset(
    word
    for line in (
        "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre",
        "ene feb mar abr may jun jul ago sep sept set oct nov dic jan apr aug dec",
        "january february march april june july august september october november december",
        "de del of ano anio year mes month semana week dia day trimestre quarter semestre trim sem q t s w h",
    )
    for word in line.split()
)
_GENERIC_WORDS = frozenset(
    word
    for line in (
        "hoja sheet tabla table datos data lecturas readings registros records valores values",
        "consumo consumos consumption energia energy medidas mediciones measurements",
        "export exportacion informe report historico history",
        "copia copias copy copies backup respaldo bak",
        "horario horarios hourly diario daily mensual monthly tabelle feuil foglio",
    )
    for word in line.split()
)
_YEAR = re.compile(r"(?:19|20)\d\d$")


@dataclass(frozen=True, slots=True)
class SheetName:
    """A part of a file, the sheet that it comes from and the name of the workbook."""

    plan: FilePlan
    label: str
    file: str


def specific_name(label: str) -> str:
    """What a sheet's name says beyond a period and words that any sheet may carry; empty for nothing.

    Example:
        >>> specific_name("Enero 2024"), specific_name("Hoja1"), specific_name("CLIENTE1")
        ('', '', 'CLIENTE1')
    """
    words = [(m.group(), m.start(), m.end()) for m in _WORD.finditer(label)]
    says = [not word.isdigit() and _fold(word) not in _PERIOD_WORDS | _GENERIC_WORDS for word, *_ in words]
    if not any(says):
        return ""
    while words and _is_period(words[-1][0]):
        words.pop()
    while words and _is_period(words[0][0]):
        words.pop(0)
    return clean_name(label[words[0][1] : words[-1][2]]) if words else clean_name(label)


def name_series(sheets: Sequence[SheetName], site: str | None) -> tuple[FilePlan, ...]:
    """The plans with site and asset of those rows that no column names.

    A sheet whose name says more than a period or `Sheet1` is an asset of that name. Sheets named after
    periods are one series, unless they share their instants: then each is an asset.

    Args:
        sheets: In file order.
        site: As the caller wants it; None takes the sheet's name, or the file's where it says nothing.
    """
    unnamed = [sheet for sheet in sheets if sheet.label and _is_unnamed(sheet.plan)]
    names = {sheet.label: specific_name(sheet.label) for sheet in unnamed}
    if not any(names.values()) and _are_parallel([sheet.plan for sheet in unnamed]):
        names = {sheet.label: clean_name(sheet.label) for sheet in unnamed}
    plans = []
    for sheet in sheets:
        name = names.get(sheet.label, "")
        plans.append(
            replace(sheet.plan, site=site or sheet.plan.dialect.site or name, asset=name)
            if name
            else sheet.plan
        )
    return tuple(plans)


def _is_unnamed(plan: FilePlan) -> bool:
    has_column = plan.layout.of_role(Role.SITE) or plan.layout.of_role(Role.ASSET)
    return not has_column and plan.layout.name != "wide"


def _are_parallel(plans: Sequence[FilePlan]) -> bool:
    """Two of them read other values at the same instants; a copy of a sheet reads the same ones."""
    seen: dict[str, tuple[str, ...]] = {}
    for plan in plans:
        own = _sampled_rows(plan)
        shared = own.keys() & seen.keys()
        same = [own[key] for key in shared if own[key] == seen[key]]
        is_copy = len(same) > MIN_SAME_ROWS * len(shared) and len(set(same)) > 1
        if len(shared) > MIN_SHARED_INSTANTS * min(len(own), len(seen) or 1) and not is_copy:
            return True
        seen |= own
    return False


def _sampled_rows(plan: FilePlan) -> dict[str, tuple[str, ...]]:
    """Cells of the values of the first rows, by instant and register."""
    layout = plan.layout
    names = [c.index for r in (*TIME_ROLES, Role.REGISTER) for c in layout.of_role(r)]
    values = [c.index for r in (Role.SIGNAL, Role.VALUE) for c in layout.of_role(r)]
    return {
        "\t".join(row[i] for i in names): tuple(row[i].strip() for i in values) for row in plan.dialect.sample
    }


def _is_period(word: str) -> bool:
    return _fold(word) in _PERIOD_WORDS or _YEAR.match(word) is not None


def _fold(word: str) -> str:
    plain = unicodedata.normalize("NFKD", word)
    return "".join(c for c in plain.casefold() if not unicodedata.combining(c))
