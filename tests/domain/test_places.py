from zoneinfo import available_timezones

import pytest

from sereno.domain.places import place_of_zone, zone_radius


@pytest.mark.parametrize(
    ("zone", "place"),
    [
        ("Europe/Madrid", (40.4, -3.683)),
        ("Europe/Amsterdam", (52.367, 4.9)),
        ("America/Bogota", (4.6, -74.083)),
        ("US/Pacific", (34.052, -118.243)),
    ],
)
def test_zone_lies_where_the_tz_database_says(zone: str, place: tuple[float, float]) -> None:
    assert place_of_zone(zone) == pytest.approx(place, abs=0.01)


@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT+3", "Etc/UTC", "nowhere"])
def test_zone_without_a_city_has_no_place(zone: str) -> None:
    assert place_of_zone(zone) is None


def test_every_place_is_on_earth_and_china_is_too_wide() -> None:
    places = [place for zone in available_timezones() if (place := place_of_zone(zone))]

    assert len(places) > 400
    assert all(-90 <= north <= 90 and -180 <= east <= 180 for north, east in places)
    assert zone_radius("PRC") == float("inf") == zone_radius("Asia/Shanghai")
    assert zone_radius("Europe/Madrid") < zone_radius("America/Chicago")
