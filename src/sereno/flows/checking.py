"""Understanding files without a store."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sereno.flows.build import NO_HINTS, FileHints, Setup, read_options
from sereno.flows.ingest import FileResult, check_file, expand_paths

__all__ = ["check_paths"]


def check_paths(setup: Setup, paths: Sequence[Path], hints: FileHints = NO_HINTS) -> Iterator[FileResult]:
    """One result per file behind files and folders.

    Raises:
        FileMissing: A path does not exist.
    """
    options = read_options(setup, hints)
    for path in expand_paths(paths):
        yield check_file(path, setup, options)
