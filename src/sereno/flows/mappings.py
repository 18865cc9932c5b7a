"""Saving what was understood of a file, so that the next one of its shape is read by it."""

from pathlib import Path

from sereno.domain.errors import UsageError
from sereno.flows.build import FileHints, Setup, read_options
from sereno.ingest import ColumnMapping, FileMapping, inspect_file, mapping_of
from sereno.settings.reading import save_entry

__all__ = ["save_file_mapping"]


def save_file_mapping(setup: Setup, path: Path, name: str, hints: FileHints) -> Path:
    """Write how a file is read under `mappings:` of the workspace's `sereno.yaml`; returns that file.

    Raises:
        DataError: The file cannot be read.
        UsageError: There is a mapping of that name; it may be a person's work.
        SettingsError: `mappings` is not written as a block that can be added to.
        SystemRefused: `sereno.yaml` cannot be written.
    """
    if name in setup.settings.mappings:
        raise UsageError(detail=f"there is a mapping '{name}' already", command="check")
    plan = inspect_file(path, setup.profiles, read_options(setup, hints))
    return save_entry(setup.folder, "mappings", name, _entry(mapping_of(plan, name)))


def _entry(mapping: FileMapping) -> dict[str, object]:
    """The mapping as `sereno.yaml` writes it: only what is said."""
    entry: dict[str, object] = {
        "match": {"columns": list(mapping.fingerprint)},
        "profile": mapping.profile,
        "sheets": list(mapping.sheets),
        "delimiter": mapping.delimiter,
        "header_row": mapping.header_row,
        "decimal": mapping.decimal,
        "thousands": mapping.thousands,
        "date_order": mapping.date_order,
        "timezone": mapping.timezone,
        "stamp": mapping.stamp,
        "columns": {name: _column_entry(column) for name, column in mapping.columns.items()},
    }
    return {key: value for key, value in entry.items() if value not in ("", None, [])}


def _column_entry(column: ColumnMapping) -> dict[str, str]:
    said = {
        "role": column.role,
        "signal": column.signal,
        "unit": column.unit,
        "asset": column.asset,
        "kind": "register" if column.is_register else "",
    }
    return {key: value for key, value in said.items() if value}
