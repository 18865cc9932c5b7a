"""JSON documents that every reader takes."""

import math
from collections.abc import Mapping

__all__ = ["without_nan"]


def without_nan(document: object) -> object:
    """The same document with null for NaN and the infinities, which JSON does not know."""
    if isinstance(document, float):
        return document if math.isfinite(document) else None
    if isinstance(document, Mapping):
        return {str(key): without_nan(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [without_nan(value) for value in document]
    return document
