"""What every part of the settings tree is made of: closed branches, and durations as people write them."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

__all__ = ["Branch", "Duration", "parse_duration"]

_UNITS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}


def parse_duration(text: object) -> object:
    """A duration written as people do (`15min`, `1.5h`, `7d`); other values pass to pydantic unchanged."""
    if not isinstance(text, str):
        return text
    for unit in sorted(_UNITS, key=len, reverse=True):
        number = text.strip().removesuffix(unit)
        if text.strip().endswith(unit) and number.strip().replace(".", "", 1).isdigit():
            return timedelta(seconds=float(number) * _UNITS[unit])
    raise ValueError("a duration is a number and one of s, min, h, d, w: for example 15min")


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Branch(BaseModel):
    """A branch of the tree: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
