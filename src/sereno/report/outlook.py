"""Where an open incident is heading, or why nobody knows, in one plain sentence."""

from datetime import timedelta

from sereno.domain.outlook import Outlook, Unlearnt
from sereno.i18n.catalogue import sentence
from sereno.i18n.numbers import span
from sereno.report.sentences import Place

__all__ = ["describe_lost", "describe_outlook", "describe_unlearnt"]


def describe_outlook(outlook: Outlook, place: Place, language: str) -> str:
    """The course, and what it comes to when at this pace."""
    if outlook.after is None:
        return sentence(f"outlook.{outlook.course.value}", language)
    after = max(outlook.after, place.step or timedelta(0))
    key = f"outlook.{outlook.course.value}.{outlook.reaches}"
    return sentence(key, language, span=span(after, language, step=place.step))


def describe_lost(lost_for: timedelta, place: Place, language: str) -> str:
    """That the readings stopped while it was going on, and for how long."""
    return sentence("outlook.lost", language, span=span(lost_for, language, step=place.step))


def describe_unlearnt(unlearnt: Unlearnt, place: Place, language: str) -> str:
    """That it may be a regime that was not learnt, and what to do in either case."""
    learnt, lasted = (span(one, language, step=place.step) for one in (unlearnt.learnt, unlearnt.lasted))
    return sentence("outlook.unlearnt", language, learnt=learnt, lasted=lasted)
