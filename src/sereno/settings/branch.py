"""What every part of the settings tree is made of: closed branches, and durations as people write them."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from sereno.domain.time import parse_duration

__all__ = ["Branch", "Duration"]

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class Branch(BaseModel):
    """A branch of the tree: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
