"""What one incident is called and what is known of it, in the language of the receiver."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isfinite
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sereno.i18n.catalogue import has, sentence
from sereno.i18n.numbers import day_of_month, moment, money, quantity, span

__all__ = ["Wording", "instant_of", "zone_of"]

Fact = Mapping[str, object]

_DAY = timedelta(days=1)
_UTC = "UTC"
_ENERGY_UNITS = frozenset({"Wh", "kWh", "kW"})
"""Units of balances that go without saying; of others the name that the user gave is told."""
_CAUSE, _EVENT_TAG, _DIGITS = "notify.cause", "notify.tag", 8
_RANKS = {"critical": 4, "high": 3, "medium": 2, "low": 1}


@dataclass(frozen=True, slots=True)
class Wording:
    """One incident in words.

    Attributes:
        incident: The object of `incidents list --json`.
        event: What happened to it.
        at: When it is told.
    """

    incident: Fact
    event: str
    at: datetime
    language: str

    @property
    def severity(self) -> str:
        """The code of its severity."""
        return self._text("severity")

    @property
    def rank(self) -> tuple[int, float]:
        """How bad it is, the worst highest: severity, then cost a day or in all."""
        cost = self._number("cost_per_day") or self._number("cost") or 0.0
        return _RANKS.get(self.severity, 0), cost

    @property
    def has_ended(self) -> bool:
        """Whether it is over and the message is about that."""
        return self._ended is not None and self._started is not None and "resolved" in self._shown_event

    @property
    def zone(self) -> str:
        """Time zone of its site; UTC where it is not known."""
        return zone_of(self.incident.get("timezone"))

    def tag(self) -> str:
        """What stands in brackets: the severity, and what happened."""
        word = f"severity.{self.severity}"
        severity = sentence(word, self.language) if has(word) else self.severity
        key = f"{_EVENT_TAG}.{self.event}"
        return sentence(key, self.language, severity=severity) if has(key) else f"{severity}, {self.event}"

    def headline(self) -> str:
        """The whole in one line, for a subject."""
        parts = {"tag": self.tag(), "site": self.place(), "problem": self.problem(), "amount": self._amount()}
        if self.has_ended:
            return sentence("notify.subject_resolved", self.language, **parts, span=self._lasted())
        return sentence("notify.subject", self.language, **parts, since=self._since())

    def place(self) -> str:
        """The site, and the asset where it has a name of its own."""
        site, asset = self._text("site"), self._text("asset")
        return site if asset in ("", site) else f"{site} · {asset}" if site else asset

    def problem(self) -> str:
        """What kind of trouble it is, in a few words."""
        for key in (f"problem.{self._text('problem')}.name", f"{_CAUSE}.{self._text('cause')}"):
            if has(key):
                name = sentence(key, self.language)
                return name[:1].lower() + name[1:]
        check = self._text("cause").partition(".")[2].replace("_", " ")
        if self._text("kind") != "physics":
            return check
        balance = sentence(f"{_CAUSE}.physics.balance", self.language)
        return balance if self._text("unit") in _ENERGY_UNITS else f"{balance} ({check})"

    def told(self) -> str:
        """Its sentence."""
        return self._text("sentence_es" if self.language == "es" else "sentence")

    def advice(self) -> str:
        """What to look at first."""
        return self._text("recommendation_es" if self.language == "es" else "recommendation")

    def rows(self) -> list[tuple[str, str]]:
        """What is known of it, as label and value."""
        shown = {
            "observed": self._quantity("observed", "unit"),
            "expected": self._quantity("expected", "unit"),
            "started": self._moment(self._started),
            "ended": self._moment(self._ended),
            "lasted": self._lasted() if self.has_ended else "",
            "impact": self._impact(),
            "cost": self._amount().lstrip(" –"),
            "incident": self._text("id")[:_DIGITS],
        }
        return [(sentence(f"notify.label.{key}", self.language), text) for key, text in shown.items() if text]

    @property
    def _shown_event(self) -> str:
        return "resolved" if self.event == "cleared" else self.event

    @property
    def _started(self) -> datetime | None:
        return instant_of(self.incident.get("started_at"))

    @property
    def _ended(self) -> datetime | None:
        return instant_of(self.incident.get("ended_at"))

    def _text(self, key: str) -> str:
        value = self.incident.get(key)
        return "" if value is None else str(value)

    def _number(self, key: str) -> float | None:
        value = self.incident.get(key)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return float(value) if is_number and isfinite(value) else None  # type: ignore[arg-type]

    def _since(self) -> str:
        start = self._started
        if start is None:
            return ""
        zone = ZoneInfo(self.zone)
        local = start.astimezone(zone)
        if local.date() == self.at.astimezone(zone).date() and (local.hour or local.minute):
            return sentence("notify.since_time", self.language, time=f"{local:%H:%M}")
        return sentence("notify.since_date", self.language, date=self._short(local))

    def _short(self, local: datetime) -> str:
        """A date without what goes without saying: the year of the message, midnight."""
        is_midnight = not (local.hour or local.minute)
        if local.year != self.at.year:
            return moment(local, self.zone, self.language, step=_DAY if is_midnight else None)
        day = day_of_month(local.date(), self.language)
        return day if is_midnight else f"{day} {local:%H:%M}"

    def _lasted(self) -> str:
        if self._started is None or self._ended is None:
            return ""
        return span(max(self._ended - self._started, timedelta(minutes=1)), self.language)

    def _moment(self, instant: datetime | None) -> str:
        return "" if instant is None else f"{moment(instant, self.zone, self.language)} ({self.zone})"

    def _quantity(self, key: str, unit: str) -> str:
        value = self._number(key)
        return "" if value is None else quantity(value, self._text(unit), self.language)

    def _impact(self) -> str:
        value = self._number("impact")
        if not value:
            return ""
        amount = quantity(abs(value), self._text("impact_unit"), self.language)
        key = "notify.impact_less" if value < 0 else "notify.impact_more"
        return sentence(key, self.language, amount=amount)

    def _amount(self) -> str:
        """What it costs a day while it lasts, where that is known; otherwise what it has cost."""
        currency = self._text("currency")
        per_day, cost = self._cost_per_day(), self._number("cost")
        if not currency or not (per_day or cost):
            return ""
        if per_day and not self.has_ended:
            return sentence(
                "notify.amount_per_day", self.language, money=money(per_day, currency, self.language)
            )
        return sentence("notify.amount", self.language, money=money(cost or 0.0, currency, self.language))

    def _cost_per_day(self) -> float | None:
        """As the incident says; of one that has lasted for a day or more, its mean."""
        said, cost = self._number("cost_per_day"), self._number("cost")
        if said is not None or cost is None or self._started is None:
            return said
        lasted = (self._ended or self.at) - self._started
        return cost / (lasted / _DAY) if lasted >= _DAY else None


def zone_of(name: object) -> str:
    """A time zone by name; UTC where there is none of that name."""
    if not isinstance(name, str) or not name:
        return _UTC
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _UTC


def instant_of(text: object) -> datetime | None:
    """An instant as JSON writes it; None where there is none."""
    if not isinstance(text, str) or not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
