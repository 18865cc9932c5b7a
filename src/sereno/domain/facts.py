"""What a workspace knows of an asset besides its readings."""

from dataclasses import dataclass

__all__ = ["NO_FACTS", "AssetFacts"]


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """Declared facts of one asset; None where nobody has said.

    Attributes:
        latitude: Degrees north.
        longitude: Degrees east.
    """

    latitude: float | None = None
    longitude: float | None = None


NO_FACTS = AssetFacts()
