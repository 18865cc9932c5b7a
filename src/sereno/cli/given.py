"""What was given on the command line: options that do not go together, and instants as people write them."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import typer

__all__ = ["instant", "refuse_with_lake", "refuse_without_lake"]


def refuse_with_lake(given: Mapping[str, object]) -> None:
    """Options that say nothing of a lake are a mistake beside it."""
    _refuse(given, "not together with --lake")


def refuse_without_lake(given: Mapping[str, object]) -> None:
    """Options that speak of a lake are a mistake without one."""
    _refuse(given, "only with --lake")


def _refuse(given: Mapping[str, object], why: str) -> None:
    for option, value in given.items():
        if value:
            raise typer.BadParameter(why, param_hint=option)


def instant(timezone: str | None, text: str | None, option: str) -> datetime | None:
    """An instant as people write it; one without an offset is of this zone, or UTC."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise typer.BadParameter("an instant as 2024-01-31 or 2024-01-31T08:00", param_hint=option) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=ZoneInfo(timezone or "UTC"))
