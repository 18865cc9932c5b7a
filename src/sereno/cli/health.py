"""`sereno health`: the figures of alarm management, and what to do about the worst."""

import re
import shutil
import textwrap
from collections.abc import Mapping

from sereno.cli.output import Request, say, show_json, show_table
from sereno.domain.signals import AssetKey
from sereno.flows.health import BadActor, Figures, Health
from sereno.flows.workspace import Workspace
from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import number

__all__ = ["run_health"]

_NARROW = 80
_QUOTED, _HELD = re.compile('"[^"]*"'), "\u2800"
"""A printable stand-in for a space at which no line may end."""
_NAME, _LISTED = 18, 15
"""Characters of a name, and rows, that a table of sites shows."""
_COLUMNS = (
    *("name", "count", "per_hour", "peak_10_min", "above", "flood", "high"),
    *("chattering", "stale", "median"),
)


def run_health(request: Request, days: int) -> None:
    """Show alarm health over the last days of the data."""
    with Workspace.open(request.workspace, language=request.language) as workspace:
        found, language = workspace.health(days=days), workspace.language
    if request.as_json:
        show_json(found.to_json())
        return
    for line in _lines(found, days, language):
        _say_wrapped(line)
    if len(found.by_site) > 1:
        _show_groups("health.sites", found.by_site, language)
    if found.by_receiver:
        _show_groups("health.receivers", found.by_receiver, language)
    top = found.everything.top
    if top:
        percent = number(found.everything.top_percent, language)
        _say_wrapped("")
        _say_wrapped(sentence("health.top", language, count=len(top), percent=percent))
    for place, actor in enumerate(top, start=1):
        _show_actor(place, actor, language)


def _lines(found: Health, days: int, language: str) -> list[str]:
    facts = {"days": days, **_facts(found.everything, language)}
    people = "people" if found.everything.acknowledged.count else "people_none"
    return [
        sentence(f"health.{part}", language, **facts)
        for part in ("rate", "flood", "priority", "state", people)
    ]


def _facts(figures: Figures, language: str) -> dict[str, str | int]:
    def said(figure: float | None) -> str:
        return "-" if figure is None else number(figure, language)

    rates = figures.rates
    return {
        "count": rates.count,
        "per_day": said(rates.per_day),
        "per_hour": said(rates.per_hour),
        "peak_10_min": rates.peak_10_min,
        "peak_hour": rates.peak_hour,
        "above": said(rates.above_target_percent),
        "flood": said(rates.flood_percent),
        **{name: said(share) for name, share in figures.priorities.items()},
        "chattering": figures.chattering,
        "stale": figures.stale,
        "unattended": figures.unattended,
        "acknowledged": figures.acknowledged.count,
        "median": said(figures.acknowledged.median_min),
        "p95": said(figures.acknowledged.p95_min),
    }


def _show_groups(title: str, groups: Mapping[str, Figures], language: str) -> None:
    """A row for each, those with most first."""
    ordered = sorted(groups.items(), key=lambda item: (-item[1].rates.count, item[0]))
    rows = [
        {"name": textwrap.shorten(name, _NAME, placeholder="…"), **_facts(figures, language)}
        for name, figures in ordered[:_LISTED]
    ]
    say("")
    say(sentence(title, language))
    show_table(rows, _COLUMNS, [sentence(f"health.column.{name}", language) for name in _COLUMNS])
    if len(ordered) > _LISTED:
        say(sentence("health.more", language, count=len(ordered) - _LISTED))


def _show_actor(place: int, actor: BadActor, language: str) -> None:
    share = number(actor.percent, language)
    name = AssetKey(actor.site, actor.asset)
    _say_wrapped(f"{place:2}. {actor.count} ({share} %)  {name}: {_problem(actor, language)}", indent=4)
    _say_wrapped(f"    {actor.fix.sentence(language)}:", indent=4)
    # Can be pasted into a shell as it stands: no line ends within quotes.
    command = _QUOTED.sub(lambda found: found[0].replace(" ", _HELD), actor.fix.command)
    say(" \\\n".join(_wrapped(f"      {command}", indent=8)).replace(_HELD, " "))


def _problem(actor: BadActor, language: str) -> str:
    """What it has too much of, in the words of the incidents."""
    keys = (f"problem.{actor.problem}.name", f"notify.cause.{actor.check}")
    known = next((key for key in keys if has(key)), None)
    return actor.problem if known is None else sentence(known, language)


def _say_wrapped(text: str, *, indent: int = 0) -> None:
    say("\n".join(_wrapped(text, indent=indent)))


def _wrapped(text: str, *, indent: int) -> list[str]:
    """Lines no longer than the terminal is wide; a word that is longer stays whole."""
    width = shutil.get_terminal_size((_NARROW, 0)).columns - 2
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    printable = "".join(character if character.isprintable() else "?" for character in text)
    return wrapper.wrap(printable) or [""]
