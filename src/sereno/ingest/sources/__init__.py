"""Live sources: what is asked, and what sends by itself; each gives records that are read as files are."""

from sereno.ingest.sources.registry import build_source, source_kinds

__all__ = ["build_source", "source_kinds"]
