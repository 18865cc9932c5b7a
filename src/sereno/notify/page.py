"""A message as HTML for mail programs: tables, styles inside, readable on a phone and in the dark."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

__all__ = ["Card", "Picture", "page"]

_COLOURS = {
    "critical": "#a4262c",
    "high": "#b4530a",
    "medium": "#806000",
    "low": "#4a5a6a",
    "resolved": "#2d6a4f",
}
_OTHER = "#3b5b7a"
_DARK = (
    ":root{color-scheme:light dark;supported-color-schemes:light dark}"
    "@media (prefers-color-scheme:dark){"
    ".page{background:#14181d!important}.card{background:#1e242b!important;border-top-color:#39424d!important;"
    "border-right-color:#39424d!important;border-bottom-color:#39424d!important}"
    ".strong{color:#f2f5f8!important}.plain{color:#d5dce4!important}.weak{color:#9fabb8!important}"
    ".link{color:#8ec5ff!important}}"
)
_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_STRONG, _PLAIN, _WEAK = "color:#1b2430", "color:#2b3642", "color:#5b6672"


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, and what it shows in words."""

    png: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Card:
    """What is told of one incident.

    Attributes:
        rows: Labels and values.
        picture: Name of the picture in the message; empty for none.
        picture_text: Read aloud in place of the picture.
    """

    severity: str
    headline: str
    told: str
    advice: str
    advice_label: str
    rows: Sequence[tuple[str, str]]
    picture: str
    picture_text: str
    link: str
    link_label: str

    def as_text(self) -> str:
        """The same without HTML."""
        lines = [self.headline, self.told]
        lines += [f"{self.advice_label}: {self.advice}"] if self.advice else []
        lines += [f"{label}: {value}" for label, value in self.rows]
        lines += [f"{self.link_label}: {self.link}"] if self.link else []
        return "\n".join(line for line in lines if line)


def page(title: str, cards: Sequence[Card], notes: Sequence[str], footer: str, *, language: str) -> str:
    """The whole document."""
    shown = "".join(_card(card) for card in cards)
    said = "".join(
        f'<p class="plain" style="{_PLAIN};margin:16px 0">{escape(one)}</p>' for one in notes if one
    )
    heading = "" if len(cards) == 1 else _heading(title)
    return (
        f'<!DOCTYPE html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>{_DARK}</style></head>"
        f'<body class="page" style="margin:0;padding:16px 8px;background:#eef1f4;{_FONT};font-size:16px;'
        'line-height:1.45">'
        '<table role="presentation" align="center" width="100%" cellpadding="0" cellspacing="0" '
        'style="max-width:600px;margin:0 auto"><tr><td>'
        f"{heading}{shown}{said}"
        f'<p class="weak" style="{_WEAK};font-size:13px;margin:16px 4px">{escape(footer)}</p>'
        "</td></tr></table></body></html>"
    )


def _heading(title: str) -> str:
    return f'<h1 class="strong" style="{_STRONG};font-size:19px;margin:4px 4px 14px">{escape(title)}</h1>'


def _card(card: Card) -> str:
    colour = _COLOURS.get(card.severity, _OTHER)
    parts = [
        f'<h2 class="strong" style="{_STRONG};font-size:17px;margin:0 0 8px">{escape(card.headline)}</h2>'
    ]
    if card.told:
        parts.append(f'<p class="plain" style="{_PLAIN};margin:0 0 10px">{escape(card.told)}</p>')
    if card.picture:
        parts.append(
            f'<img src="cid:{escape(card.picture)}" alt="{escape(card.picture_text)}" width="480" '
            'style="display:block;width:100%;max-width:480px;height:auto;border-radius:4px;margin:0 0 10px">'
        )
    if card.advice:
        parts.append(
            f'<p class="plain" style="{_PLAIN};margin:0 0 10px">'
            f"<strong>{escape(card.advice_label)}:</strong> {escape(card.advice)}</p>"
        )
    parts += [_rows(card.rows)] if card.rows else []
    if card.link:
        parts.append(
            f'<p style="margin:10px 0 0"><a class="link" href="{escape(card.link)}" '
            f'style="color:#1f5f99">{escape(card.link_label)}</a></p>'
        )
    return (
        '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" class="card" '
        f'style="background:#ffffff;border:1px solid #d5dbe1;border-left:6px solid {colour};'
        f'border-radius:6px;margin:0 0 12px;border-collapse:separate"><tr>'
        f'<td style="padding:14px 16px">{"".join(parts)}</td></tr></table>'
    )


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    shown = "".join(
        f'<tr><th scope="row" align="left" class="weak" style="{_WEAK};font-weight:normal;'
        f'padding:2px 12px 2px 0;vertical-align:top;white-space:nowrap">{escape(label)}</th>'
        f'<td class="plain" style="{_PLAIN};padding:2px 0">{escape(value)}</td></tr>'
        for label, value in rows
    )
    return f'<table cellpadding="0" cellspacing="0" style="font-size:15px">{shown}</table>'
