"""Figures, instants and spans as templates write them: filters that know the language of the page."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sereno.flows.segment_names import segment_name
from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import moment, money, number, quantity, span

__all__ = ["Wording"]

_MINUTE = timedelta(minutes=1)
_PER_CENT = 100
_USUAL_DAY = timedelta(days=1)


class Wording:
    """What a language says."""

    def __init__(self, language: str) -> None:
        self.language = language

    def t(self, key: str, **facts: object) -> str:
        """The words of a key below `console.`."""
        return sentence(f"console.{key}", self.language, **facts)

    def word(self, key: str) -> str:
        """The words of a key that other doors use, too, as `severity.high`."""
        return sentence(key, self.language)

    def heading(self, key: str) -> str:
        """The same with a capital letter at its beginning."""
        text = self.word(key)
        return text[:1].upper() + text[1:]

    def known(self, key: str, otherwise: str) -> str:
        """The words of a key that may not be in the catalogue."""
        return sentence(key, self.language) if has(key) else otherwise

    def number(self, value: float | None) -> str:
        """Three significant digits; a dash for what is not known."""
        return "–" if value is None else number(value, self.language)

    def count(self, value: int) -> str:
        """A whole number with its separators."""
        return f"{value:,}".replace(",", "." if self.language == "es" else ",")

    def percent(self, share: float) -> str:
        """A share of 1 in percent."""
        return f"{number(round(share * _PER_CENT, 1), self.language)} %"

    def quantity(self, value: float, unit: str) -> str:
        """A number with its unit."""
        return quantity(value, unit, self.language)

    def money(self, value: float | None, currency: str) -> str:
        """An amount; a dash without a price."""
        return "–" if value is None or not currency else money(value, currency, self.language)

    def moment(self, instant: datetime | None, zone: str, step: timedelta | None = None) -> str:
        """An instant by the clock of the site; with its offset on days that have 23 or 25 hours."""
        if instant is None:
            return "–"
        text = moment(instant, zone, self.language, step=step)
        if (step is None or step < _USUAL_DAY) and _clock_changes(instant, zone):
            return f"{text} ({instant.astimezone(ZoneInfo(zone)):%z})"
        return text

    def told(self, text: str, zone: str) -> str:
        """An instant written in ISO 8601 by the clock of the site."""
        return self.moment(datetime.fromisoformat(text), zone)

    def ago(self, instant: datetime | None, now: datetime) -> str:
        """How long ago, in one short unit."""
        if instant is None:
            return self.t("never")
        passed = max(now - instant, timedelta(0))
        return self.t("just_now") if passed < _MINUTE else self.t("ago", span=self.short(passed))

    def short(self, length: timedelta) -> str:
        """A span in one short unit: 5 min, 3 h, 2 d."""
        if length < timedelta(hours=1):
            return f"{round(length / _MINUTE)} min"
        if length < timedelta(days=2):
            return f"{round(length / timedelta(hours=1))} h"
        return f"{self.count(round(length / timedelta(days=1)))} d"

    def short_span(self, length: timedelta) -> str:
        """How long work took: seconds below a minute."""
        if length < _MINUTE:
            return f"{self.number(length / timedelta(seconds=1))} s"
        return self.short(length)

    def segment(self, name: str) -> str:
        """What people call a segment."""
        return segment_name(name, self.language)

    def span(self, length: timedelta, step: timedelta | None = None) -> str:
        """A span in its largest sensible unit."""
        return span(length, self.language, step=step)


def _clock_changes(instant: datetime, zone: str) -> bool:
    local = instant.astimezone(ZoneInfo(zone))
    begin = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return begin.utcoffset() != (begin + timedelta(days=1)).utcoffset()
