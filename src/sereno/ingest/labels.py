"""Tables of known anomalies: a row per abnormal instant, or a row per stretch with its start and end.

    cliente_id,Fecha,anomalia_real,criticidad_real,variable_afectada
    site,asset,fault,kind,signals,start,end

Columns are known by their names in Spanish or English, in any order; dates, delimiters, encodings and
workbooks are read as those of readings are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from sereno.domain.errors import AmbiguousData, DataError
from sereno.domain.readings import TimeArray
from sereno.domain.truth import Labels
from sereno.ingest.containers import HeldTable, open_container
from sereno.ingest.dates import DateEvidence, DateStyle, parse_times
from sereno.ingest.dialect import DELIMITERS, split_line
from sereno.ingest.headers import key_of
from sereno.ingest.options import ReadOptions
from sereno.ingest.source_file import examine, text_blocks
from sereno.ingest.zones import to_utc

__all__ = ["NoTruth", "read_labels"]

_N_HEADER_LINES = 30
_NAMES: Mapping[str, tuple[str, ...]] = {
    "site": ("site", "sitio", "planta", "emplazamiento", "empresa"),
    "asset": (
        "cliente_id", "cliente", "id_cliente", "client", "client_id", "asset", "equipo", "activo", "meter",
        "meter_id", "medidor", "contador", "cups", "machine", "maquina",
    ),
    "start": (
        "fecha", "fecha_hora", "fecha y hora", "timestamp", "time", "datetime", "date", "instante", "start",
        "start_time", "started_at", "inicio", "fecha_inicio", "hora_inicio", "desde", "from", "begin",
    ),
    "end": (
        "end", "end_time", "ended_at", "fin", "fecha_fin", "hora_fin", "hasta", "to", "until", "stop",
    ),
    "flag": (
        "anomalia_real", "anomalia", "es_anomalia", "anomaly", "is_anomaly", "label", "etiqueta", "abnormal",
        "is_abnormal", "anomalo",
    ),
    "severity": (
        "criticidad_real", "criticidad", "severidad", "gravedad", "severity", "criticality", "nivel",
    ),
    "variable": (
        "variable_afectada", "variable", "variables", "signal", "signals", "señal", "señales", "columna",
    ),
}  # fmt: skip
_ROLE_OF = {key_of(name): role for role, names in _NAMES.items() for name in names}
_NORMAL = frozenset({"", "0", "00", "false", "falso", "f", "no", "n", "normal", "none", "nan", "null"})
_NOT_A_TIME = np.datetime64("NaT", "us")


class NoTruth(DataError):
    """A table that says nothing about what was abnormal when."""

    code: ClassVar[str] = "read.no_truth"
    template: ClassVar[str] = (
        "{file} is no table of known anomalies: found {found}. Give it a column with the instant (Fecha, "
        "start) and one of anomalia_real, end, criticidad_real or variable_afectada."
    )


def read_labels(path: Path, options: ReadOptions) -> Labels:
    """The labels of a file, in its order; the same statement may come more than once.

    Raises:
        NoTruth: No sheet or member has the columns, or none of their rows an instant.
        AmbiguousData: Day and month could be exchanged.
        DataError: The file cannot be read; see `inspect_file`.
    """
    path = Path(path)
    opened = open_container(path, options)
    tables = opened.tables if opened is not None else (HeldTable(path.name, "", path, "text", path.name),)
    found: list[Labels] = []
    refused: list[NoTruth] = []
    for table in tables:
        try:
            found.append(_labels_of(table, options))
        except NoTruth as error:
            refused.append(error)
    if opened is not None:
        opened.scratch.close()
    if not found:
        raise refused[0] if refused else NoTruth(file=path.name, found="–")
    return _joined(path.name, found)


@dataclass(frozen=True, slots=True)
class _Table:
    """The cells of a table by role, as text, shape (rows,) each."""

    name: str
    columns: Mapping[str, pl.Series]
    n_rows: int

    def texts(self, role: str) -> list[str]:
        """The cells of a role, empty where there are none."""
        if role not in self.columns:
            return [""] * self.n_rows
        return [(cell or "").strip() for cell in self.columns[role].to_list()]


def _labels_of(table: HeldTable, options: ReadOptions) -> Labels:
    cells = _cells(table, options)
    start, end = _instants(cells, options)
    is_read = ~np.isnat(start)
    if cells.n_rows and not is_read.any():
        raise NoTruth(file=table.name, found=repr(cells.texts("start")[0]))
    flags = [flag.casefold() not in _NORMAL for flag in cells.texts("flag")]
    is_abnormal = (
        np.array(flags, dtype=bool) if "flag" in cells.columns else np.ones(cells.n_rows, dtype=bool)
    )
    rows = np.flatnonzero(is_read & is_abnormal)
    names = _asset_names(cells, table.label if table.label != table.file else "")
    variables, severities = cells.texts("variable"), cells.texts("severity")
    return Labels(
        file=table.name,
        assets=tuple(names[i] for i in rows.tolist()),
        start=start[rows],
        end=end[rows],
        variables=tuple(variables[i] for i in rows.tolist()),
        severities=tuple(severities[i] for i in rows.tolist()),
        n_normal=int(np.count_nonzero(is_read & ~is_abnormal)),
        n_unread=int(np.count_nonzero(~is_read)),
    )


def _cells(table: HeldTable, options: ReadOptions) -> _Table:
    source = examine(table.path, options)
    data = b"".join(block.data for block in text_blocks(source))
    lines = data.decode("utf-8", "replace").split("\n")
    head = [line.rstrip("\r") for line in lines[:_N_HEADER_LINES]]
    found = max(_headers(head, ("\t",) if table.is_typed else DELIMITERS), key=_fitness, default=None)
    if found is None or not _is_truth(found[2]):
        raise NoTruth(file=table.name, found=head[0] if head else "–")
    place, delimiter, roles, n_columns = found
    rows = [split_line(line.rstrip("\r"), delimiter) for line in lines[place + 1 :] if line.strip()]
    columns = {
        role: pl.Series([row[column] if column < len(row) else None for row in rows], dtype=pl.String)
        for role, column in roles.items()
        if column < n_columns
    }
    return _Table(table.name, columns, len(rows))


_Header = tuple[int, str, dict[str, int], int]
"""Line, delimiter, column of each role, number of columns."""


def _headers(head: Sequence[str], delimiters: Sequence[str]) -> Iterator[_Header]:
    for place, line in enumerate(head):
        for delimiter in delimiters:
            cells = split_line(line, delimiter)
            roles: dict[str, int] = {}
            for column, cell in enumerate(cells):
                role = _ROLE_OF.get(key_of(cell))
                if role is not None:
                    roles.setdefault(role, column)
            yield place, delimiter, roles, len(cells)


def _fitness(header: _Header) -> tuple[int, int]:
    return len(header[2]), -header[0]


def _is_truth(roles: Mapping[str, int]) -> bool:
    return "start" in roles and bool({"flag", "end", "severity", "variable"} & set(roles))


def _instants(cells: _Table, options: ReadOptions) -> tuple[TimeArray, TimeArray]:
    """Start and end of each row, UTC."""
    evidence = DateEvidence()
    evidence.add(cells.columns["start"])
    if "end" in cells.columns:
        evidence.add_ends(cells.columns["end"])
    style = evidence.decide(options.date_order, options.now)
    if style is None:
        detail = f"'{evidence.sample[0]}' = dd/MM / MM/dd"
        setting = "--date-order dmy / --date-order mdy"
        raise AmbiguousData(file=cells.name, detail=detail, setting=setting)
    start = _utc(cells.columns["start"], style, options.timezone)
    if "end" not in cells.columns:
        return start, np.full(len(start), _NOT_A_TIME)
    return start, _utc(cells.columns["end"], style, options.timezone)


def _utc(texts: pl.Series, style: DateStyle, zone: str) -> TimeArray:
    times = parse_times(texts, style)
    utc: TimeArray = np.where(times.is_utc, times.local, to_utc(times.local, zone).utc)
    return utc


def _asset_names(cells: _Table, sheet: str) -> list[str]:
    """`Site/Asset` where both are named and differ, else the one that there is, else the sheet's name."""
    if not {"site", "asset"} & set(cells.columns):
        return [sheet] * cells.n_rows
    pairs = zip(cells.texts("site"), cells.texts("asset"), strict=True)
    return [f"{site}/{asset}" if site and asset and site != asset else asset or site for site, asset in pairs]


def _joined(file: str, parts: Sequence[Labels]) -> Labels:
    if len(parts) == 1:
        return replace(parts[0], file=file)
    return Labels(
        file=file,
        assets=tuple(name for part in parts for name in part.assets),
        start=np.concatenate([part.start for part in parts]),
        end=np.concatenate([part.end for part in parts]),
        variables=tuple(name for part in parts for name in part.variables),
        severities=tuple(severity for part in parts for severity in part.severities),
        n_normal=sum(part.n_normal for part in parts),
        n_unread=sum(part.n_unread for part in parts),
    )
