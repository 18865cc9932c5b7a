"""What messages say: subjects, texts, HTML and facts, in both languages."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
import yaml

from sereno.contracts.notification import Message
from sereno.notify.picture import Picture
from sereno.notify.rendering import MAX_LISTED, render
from tests.architecture.repository import PACKAGE
from tests.notify.messages import AT, an_incident

LASTED = {"condition": "cleared", "ended_at": "2025-03-10T11:15:00Z"}


def rendered(event: str = "opened", *incidents: dict[str, Any], **options: Any) -> Message:
    values: dict[str, Any] = {"key": "k:1:guardia:0", "at": AT, "language": "es", **options}
    return render(event, incidents or (an_incident(),), **values)


@pytest.mark.parametrize(
    ("event", "incident", "language", "subject"),
    [
        ("opened", {}, "es", "[crítica] Planta 3: fallo de generación desde las 09:15 – 12,40 €"),
        ("opened", {}, "en", "[critical] Planta 3: generation failure since 09:15 – €12.40"),
        (
            "opened",
            {"started_at": "2025-03-08T11:30:00Z"},
            "es",
            "[crítica] Planta 3: fallo de generación desde el 8 mar 12:30 – 6,20 €/día",
        ),
        (
            "opened",
            {"started_at": "2025-03-07T23:00:00Z", "cost": None},
            "es",
            "[crítica] Planta 3: fallo de generación desde el 8 mar",
        ),
        (
            "opened",
            {"started_at": "2024-12-30T11:30:00Z", "cost": None},
            "es",
            "[crítica] Planta 3: fallo de generación desde el 30 dic 2024 12:30",
        ),
        (
            "opened",
            {"kind": "physics", "cause": "physics.consumption_balance", "problem": "x", "cost": None},
            "es",
            "[crítica] Planta 3: el balance no cierra desde las 09:15",
        ),
        (
            "opened",
            {"cost_per_day": 99.0},
            "es",
            "[crítica] Planta 3: fallo de generación desde las 09:15 – 99,00 €/día",
        ),
        (
            "resolved",
            LASTED,
            "es",
            "[resuelta] Planta 3: fallo de generación, duró 3 horas – 12,40 €",
        ),
        (
            "opened_and_resolved",
            LASTED,
            "en",
            "[critical, already resolved] Planta 3: generation failure, lasted 3 hours – €12.40",
        ),
        (
            "reopened_and_resolved",
            LASTED,
            "es",
            "[crítica, volvió y ya está resuelta] Planta 3: fallo de generación, duró 3 horas – 12,40 €",
        ),
        (
            "escalated",
            {"cost": None, "asset": "Inversor 2"},
            "es",
            "[crítica, sin atender] Planta 3 · Inversor 2: fallo de generación desde las 09:15",
        ),
        (
            "opened",
            {
                "kind": "data",
                "cause": "quality.missing",
                "problem": "missing",
                "severity": "low",
                "cost": None,
            },
            "es",
            "[baja] Planta 3: sin lecturas desde las 09:15",
        ),
        (
            "opened",
            {"kind": "physics", "cause": "physics.caldera_sur", "problem": "x", "unit": "t", "cost": None},
            "en",
            "[critical] Planta 3: balance that does not close (caldera sur) since 09:15",
        ),
        (
            "unheard_of",
            {"cost": None},
            "en",
            "[critical, unheard_of] Planta 3: generation failure since 09:15",
        ),
    ],
)
def test_subject_says_what_where_since_when_and_how_much(
    event: str, incident: dict[str, Any], language: str, subject: str
) -> None:
    message = rendered(event, an_incident(**incident), language=language)

    assert message.subject == subject


def test_text_tells_sentence_advice_and_figures_in_the_zone_of_the_site() -> None:
    text = rendered(extra={"console_url": "https://sereno.example/"}).text

    assert "Planta 3 ha dejado de generar." in text
    assert "Qué hacer: Revise primero protecciones" in text
    assert "Esperado: 42,5 kWh" in text
    assert "Desde: 10 mar 2025 09:15 (Europe/Madrid)" in text
    assert "En total: 68,9 kWh menos de lo esperado" in text
    assert "https://sereno.example/incidents/0b1c9f6e-5d0e-4a2a-9d43-0c6e8f1d2a11" in text
    assert "k:1:guardia:0" in text


def test_time_is_utc_and_says_so_where_the_zone_is_not_known() -> None:
    text = rendered("opened", an_incident(timezone=None)).text

    assert "Desde: 10 mar 2025 08:15 (UTC)" in text


def test_resolved_says_how_long_it_lasted_and_what_it_cost() -> None:
    text = rendered("resolved", an_incident(**LASTED)).text

    assert "Duró: 3 horas" in text
    assert "Coste: 12,40\xa0€" in text


class Checked(HTMLParser):
    """Every element is closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_html_is_sound_and_escaped() -> None:
    evil = "<script>alert('x')</script> & \"Sur\""

    html = rendered("opened", an_incident(site=evil, asset=evil, sentence_es=evil)).html

    parser = Checked()
    parser.feed(html)
    assert parser.open == []
    assert "<script" not in html
    assert any(evil in words for words in parser.words)


def test_html_needs_nothing_from_elsewhere() -> None:
    html = rendered(extra={"console_url": "https://sereno.example"}).html

    assert re.findall(r'(?:src|href)="([^"]+)"', html) == [
        "https://sereno.example/incidents/0b1c9f6e-5d0e-4a2a-9d43-0c6e8f1d2a11"
    ]
    assert "prefers-color-scheme:dark" in html
    assert "width=device-width" in html


def test_picture_goes_along_with_its_words() -> None:
    pictures = {an_incident()["id"]: Picture(b"\x89PNG", "Generación: 3 días & más")}

    message = rendered(pictures=pictures)

    assert message.pictures == {"picture1": b"\x89PNG"}
    assert 'src="cid:picture1" alt="Generación: 3 días &amp; más"' in message.html
    assert "cid:" not in rendered().html


def test_digest_lists_the_worst_first_and_counts_the_rest() -> None:
    severities = ["low", "critical", "medium", "high"] * 6
    incidents = [
        an_incident(id=f"id-{n}", site=f"Sitio {n}", asset="", severity=severity, cost=float(n))
        for n, severity in enumerate(severities)
    ]

    message = rendered("digest", *incidents)

    assert message.subject == "[resumen] 24 incidencias: 6 críticas, 6 altas, 6 medias, 6 bajas"
    listed = re.findall(r"^\[(\w+)\] Sitio (\d+):", message.text, re.MULTILINE)
    assert len(listed) == MAX_LISTED
    assert [severity for severity, _ in listed] == _worst_first(listed)
    assert listed[0] == ("crítica", "21")
    assert "y 4 más" in message.text
    assert "y 4 más" in message.html
    assert message.facts["incidents_total"] == 24
    assert len(message.facts["incident_ids"]) == 24  # type: ignore[arg-type]


def _worst_first(listed: list[tuple[str, str]]) -> list[str]:
    order = ["crítica", "alta", "media", "baja"]
    return sorted((severity for severity, _ in listed), key=order.index)


def test_digest_tells_which_are_over() -> None:
    message = rendered("digest", an_incident(), an_incident(id="2", **LASTED))

    assert "[resuelta] Planta 3: fallo de generación, duró 3 horas" in message.text


def test_digest_of_one_and_of_none() -> None:
    assert rendered("digest", an_incident()).subject == "[resumen] 1 incidencia: 1 crítica"
    assert render("digest", [], key="k", at=AT, language="en").subject == "[digest] no incidents"


def test_message_stays_small_however_many_incidents() -> None:
    many = [an_incident(id=str(n)) for n in range(3_000)]

    message = rendered("digest", *many)

    assert len(message.facts["incidents"]) == 200  # type: ignore[arg-type]
    assert len(message.html) < 100_000  # beyond that Gmail cuts a mail


@pytest.mark.parametrize(
    ("event", "extra", "subject", "text"),
    [
        ("test", {}, "[prueba] sereno llega a este receptor", "no hay ninguna incidencia"),
        (
            "dead_man",
            {"since": "2025-03-10T07:00:00Z", "timezone": "Europe/Madrid"},
            "[sin señales de vida] sereno no da señales desde el 10 mar 2025 08:00",
            "nadie vigila",
        ),
        (
            "dead_man",
            {"since": "2025-03-10T07:00:00Z", "source": "scada"},
            "[sin señales de vida] no llega nada de scada desde el 10 mar 2025 07:00",
            "No ha llegado nada de scada",
        ),
        ("canal_roto", {"subject": "Correo roto", "text": "550"}, "[canal_roto] Correo roto", "550"),
    ],
)
def test_notice_without_incidents(event: str, extra: dict[str, Any], subject: str, text: str) -> None:
    message = render(event, [], key="k", at=AT, language="es", extra=extra)

    assert message.subject == subject
    assert text in message.text
    assert text in message.html


def test_subject_is_one_short_line() -> None:
    message = rendered("opened", an_incident(site="A\r\nBcc: all@example.org" + "x" * 500))

    assert "\n" not in message.subject
    assert "\r" not in message.subject
    assert len(message.subject) <= 180


def test_incident_with_nothing_known_is_told_all_the_same() -> None:
    message = render("opened", [{}], key="k", at=datetime(2025, 1, 1, tzinfo=UTC), language="en")

    assert message.subject
    assert message.text


def test_every_cause_that_has_a_sentence_has_a_name_for_subjects() -> None:
    sentences = yaml.safe_load((PACKAGE / "i18n" / "sentences.yaml").read_text("utf-8"))
    causes = {key.rpartition(".")[0] for key in sentences if key.endswith(".sentence")}
    told = {cause for cause in causes if cause.split(".")[0] in ("quality", "physics")}

    nameless = set()
    for cause in told - {"physics.identity", "physics.night_flow"}:  # any balance; a leak
        check = cause.split(".")[1].replace("_", " ")
        message = rendered("opened", an_incident(cause=cause, problem="", kind="data"), language="es")
        if f": {check} desde" in message.subject:
            nameless.add(cause)
    assert nameless == set()
