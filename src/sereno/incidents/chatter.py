"""When an incident comes and goes so often that each change is no news."""

from datetime import datetime, timedelta

from sereno.domain.incidents import Incident
from sereno.incidents.reopening import reopen_window

__all__ = ["calm_after", "is_chattering"]

_MINUTE = timedelta(minutes=1)
_PER_MINUTE, _PER_WINDOW = 3, 5
"""Changes of condition."""
_STEPS = 32
"""A window of so many steps at most: five changes among hundreds of rows are no chatter."""


def is_chattering(incident: Incident, step: timedelta | None) -> bool:
    """Whether its last changes of condition came too fast, in the time of the data.

    Three within a minute, or five within the reopen window or 32 steps, whichever is shorter. It follows from
    the evidence alone: the same readings, in whatever batches, chatter alike.

    Source:
        Three a minute: the usual definition of a chattering alarm in ISA-18.2 and EEMUA 191; the second rule
        says the same of meters that are read every quarter of an hour or every day.
    """
    turns = incident.turns
    return _are_within(turns, _PER_MINUTE, _MINUTE) or _are_within(
        turns, _PER_WINDOW, calm_after(incident, step)
    )


def calm_after(incident: Incident, step: timedelta | None) -> timedelta:
    """How long it must rest to be quiet."""
    window = reopen_window(incident.leading[-1], step)
    shortest = window if step is None else min(window, _STEPS * step)
    return max(shortest, _MINUTE)


def _are_within(turns: tuple[datetime, ...], count: int, window: timedelta) -> bool:
    return len(turns) >= count and turns[-1] - turns[-count] <= window
