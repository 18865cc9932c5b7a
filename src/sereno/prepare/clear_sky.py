"""What a plant could make under a clear sky: an expectation that needs no history (extra `solar`)."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from sereno.domain.errors import ExtraMissing
from sereno.domain.readings import FloatArray, TimeArray

__all__ = ["Plane", "clear_sky_energy"]

LINKE_TURBIDITY = 3.0
"""A clear sky of temperate climates; 2 is very clean air, 5 is hazy."""
_PARTS = 4
"""Instants at which the sun is looked at in each step."""
_W_PER_KW = 1000.0


@dataclass(frozen=True, slots=True)
class Plane:
    """Where a plant's modules stand and look.

    Attributes:
        latitude, longitude: Degrees north and east.
        tilt: Of the modules from the horizontal [degrees].
        azimuth: Where they look, clockwise from north: 180 is south [degrees].
        peak_kw: Rated power under 1000 W/m² [kW].
        performance_ratio: What is left after all losses (IEC 61724-1).
        altitude_m: Height above the sea [m].
    """

    latitude: float
    longitude: float
    tilt: float
    azimuth: float
    peak_kw: float
    performance_ratio: float = 0.8
    altitude_m: float = 0.0


def clear_sky_energy(time_utc: TimeArray, step: timedelta, plane: Plane) -> FloatArray:
    """Energy of each step under a clear sky [kWh], shape (rows,); 0 while the sun is down.

    Source:
        pvlib: clear sky of Ineichen and Perez (2002) with a fixed turbidity, isotropic sky on the plane.

    Args:
        time_utc: UTC starts of the steps, shape (rows,).
        step: Length of a step.

    Raises:
        ExtraMissing: pvlib is not installed.
    """
    try:
        import pandas as pd
        import pvlib
    except ImportError as error:
        raise ExtraMissing(feature="clear_sky_energy", extra="solar") from error
    part = np.timedelta64(step) / _PARTS
    middles = time_utc[:, None].astype("datetime64[us]") + (np.arange(_PARTS) + 0.5) * part
    index = pd.DatetimeIndex(middles.ravel()).tz_localize("UTC")
    sun = pvlib.solarposition.get_solarposition(index, plane.latitude, plane.longitude, plane.altitude_m)
    pressure = pvlib.atmosphere.alt2pres(plane.altitude_m)
    air_mass = pvlib.atmosphere.get_absolute_airmass(
        pvlib.atmosphere.get_relative_airmass(sun["apparent_zenith"]), pressure
    )
    sky = pvlib.clearsky.ineichen(sun["apparent_zenith"], air_mass, LINKE_TURBIDITY, plane.altitude_m)
    light = pvlib.irradiance.get_total_irradiance(
        plane.tilt,
        plane.azimuth,
        sun["apparent_zenith"],
        sun["azimuth"],
        sky["dni"],
        sky["ghi"],
        sky["dhi"],
    )
    on_plane = np.nan_to_num(light["poa_global"].to_numpy(dtype=float)).reshape(-1, _PARTS).mean(axis=1)
    hours = step / timedelta(hours=1)
    energy: FloatArray = plane.performance_ratio * plane.peak_kw * on_plane / _W_PER_KW * hours
    return energy
