"""Where the city of a time zone lies, and how far its zone reaches."""

from functools import lru_cache
from importlib import resources

__all__ = ["place_of_zone", "zone_radius"]

EUROPEAN_RADIUS_DEG = 14.0
"""Greatest distance of a European zone's border from its city: Oslo to Vardø is 13.4 degrees."""
COMMON_RADIUS_DEG = 22.0
"""The same for other zones: Perth to the north of Western Australia is 21.5 degrees."""
_TOO_WIDE = frozenset({"Asia/Shanghai", "Europe/Moscow", "America/Nuuk"})
"""Zones that reach farther than that: no darkness is sure without declared coordinates."""


@lru_cache(maxsize=1_024)
def place_of_zone(zone: str) -> tuple[float, float] | None:
    """Degrees north and east of the city that a time zone is named after; None for zones without one (UTC).

    An asset of the zone may lie `zone_radius` away from it.

    Source:
        zone.tab and zone1970.tab of the tz database; older names by the links in tzdata.zi.
    """
    places = _places()
    return places.get(zone) or places.get(_links().get(zone, ""))


@lru_cache(maxsize=1_024)
def zone_radius(zone: str) -> float:
    """How far an asset of a zone may be from `place_of_zone` [degrees of a great circle].

    The elevation of the sun differs by at most as many degrees between the two.
    """
    if zone in _TOO_WIDE or _links().get(zone) in _TOO_WIDE:
        return float("inf")
    return EUROPEAN_RADIUS_DEG if zone.startswith("Europe/") else COMMON_RADIUS_DEG


def _table(name: str) -> list[str]:
    text = resources.files("tzdata").joinpath("zoneinfo").joinpath(name).read_text("utf-8")
    return [line for line in text.splitlines() if not line.startswith("#")]


@lru_cache(maxsize=1)
def _places() -> dict[str, tuple[float, float]]:
    places = {}
    for table in ("zone1970.tab", "zone.tab"):
        for line in _table(table):
            _, coordinates, zone, *_ = line.split("\t")
            cut = max(coordinates.rfind("+"), coordinates.rfind("-"))
            places[zone] = (_degrees(coordinates[:cut], 2), _degrees(coordinates[cut:], 3))
    return places


@lru_cache(maxsize=1)
def _links() -> dict[str, str]:
    """The zone that each older name stands for."""
    return {alias: zone for _, zone, alias in (row.split() for row in _table("tzdata.zi") if row[:2] == "L ")}


def _degrees(text: str, digits: int) -> float:
    """An angle of ISO 6709 (`+4024`, `-0034100`) of which so many digits are whole degrees."""
    rest = text[1 + digits :]
    size = int(text[1 : 1 + digits]) + int(rest[:2]) / 60 + int(rest[2:4] or 0) / 3600
    return -size if text[0] == "-" else size
