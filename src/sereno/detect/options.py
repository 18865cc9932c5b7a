"""What a field of a detector says of itself."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["NO_RESULT"]

NO_RESULT: Mapping[str, bool] = MappingProxyType({"no_result": True})
"""Metadata of an option that changes how training runs and nothing of what is learnt: no part of a model."""
