"""The air above us: what lies between a gauge and an absolute pressure."""

__all__ = ["STANDARD_ATMOSPHERE_BAR", "atmospheric_pressure"]

STANDARD_ATMOSPHERE_BAR = 1.01325


def atmospheric_pressure(altitude_m: float) -> float:
    """Mean atmospheric pressure at a height above the sea [bar].

    Source:
        ISO 2533 (standard atmosphere): p = 1.01325 (1 - 2.25577e-5 h)^5.25588, for the troposphere.
    """
    return float(STANDARD_ATMOSPHERE_BAR * (1.0 - 2.25577e-5 * altitude_m) ** 5.25588)
