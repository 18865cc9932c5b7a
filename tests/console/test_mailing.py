"""Reports that leave by themselves, through a real mail server, with their files."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from sereno.domain.errors import SettingsError
from sereno.flows.mailing import last_period, mail_reports, next_due
from sereno.flows.papers import can_print
from sereno.flows.workspace import Workspace
from sereno.settings.reading import load_settings
from sereno.settings.reports import ReportSettings
from tests.console.serving import console_server, copied
from tests.console.world import LEAKING, NOW
from tests.notify.test_smtp import Mailbox, served
from tests.support.processes import wait_until

REPORTS = """\
receivers:
  jefa:
    kind: smtp
    options:
      {{host: 127.0.0.1, port: {port}, security: none, from: sereno@a.example, to: [jefa@planta.example]}}
  boss:
    kind: smtp
    language: en
    options:
      {{host: 127.0.0.1, port: {port}, security: none, from: sereno@a.example, to: [boss@planta.example]}}
reports:
  semanal: {{every: week, day: 7, at: "08:00", to: [jefa, boss], formats: [html, xlsx]}}
"""
WEEKLY = ReportSettings(to=["jefa"])


def _plant(world: Path, folder: Path, said: str) -> Path:
    """The world, without what told people before."""
    copied(world, folder)
    kept = (folder / "sereno.yaml").read_text("utf-8").partition("receivers:")[0]
    (folder / "sereno.yaml").write_text(kept + said, "utf-8")
    return folder


def _ticking(start: datetime) -> tuple[Callable[[], datetime], Callable[[timedelta], None]]:
    at = [start]

    def pass_by(time: timedelta) -> None:
        at[0] += time

    return lambda: at[0], pass_by


def test_weekly_report_arrives_once_in_the_language_of_its_reader(world: Path, tmp_path: Path) -> None:
    mailbox = Mailbox()
    with served(mailbox) as port:
        folder = _plant(world, tmp_path / "plant", REPORTS.format(port=port))
        with Workspace.open(folder, clock=lambda: NOW, language="es") as workspace:
            queued = [mail_reports(workspace), mail_reports(workspace)]
            workspace.deliver_due()
            worst = workspace.incidents()[0]

    assert queued == [2, 0]
    mails = {
        to[0]: mail for to, mail in mailbox.got if "informe" in mail["subject"] or "report" in mail["subject"]
    }
    spanish, english = mails["jefa@planta.example"], mails["boss@planta.example"]
    assert spanish["subject"] == "[informe] Informe de la flota, 2025-05-25 – 2025-05-31"
    assert english["subject"].startswith("[report] ")
    page, book = spanish.iter_attachments()
    assert (page.get_filename(), page.get_content_type()) == ("sereno-semanal-2025-05-31.html", "text/html")
    assert worst.sentence("es") in page.get_content()
    assert "<script" not in page.get_content()
    assert book.get_content().startswith(b"PK")
    assert worst.sentence("en") in next(iter(english.iter_attachments())).get_content()
    assert worst.sentence("es") in spanish.get_body(("plain",)).get_content().replace("\n", " ")


def test_refused_report_comes_again_with_the_same_file(world: Path, tmp_path: Path) -> None:
    mailbox, (clock, pass_by) = Mailbox(refusal="451 later"), _ticking(NOW)
    with served(mailbox) as port:
        folder = _plant(world, tmp_path / "plant", REPORTS.format(port=port))
        with Workspace.open(folder, clock=clock, language="es") as workspace:
            mail_reports(workspace)
            files = {path.read_bytes() for path in (folder / "reports" / "mailed").rglob("*.html")}
            workspace.deliver_due()
            refused = len(mailbox.got)
            mailbox.refusal = ""
            pass_by(timedelta(hours=1))
            queued_again = mail_reports(workspace)
            workspace.deliver_due()

    came = [part.get_payload(decode=True) for _, mail in mailbox.got for part in mail.iter_attachments()]
    assert (refused, queued_again) == (0, 0)
    assert {one.replace(b"\r\n", b"\n") for one in came if not one.startswith(b"PK")} == files


def test_old_files_go_and_what_was_due_long_ago_stays_unsent(world: Path, tmp_path: Path) -> None:
    clock, pass_by = _ticking(NOW)
    folder = _plant(world, tmp_path / "plant", REPORTS.format(port=9))
    with Workspace.open(folder, clock=clock, language="es") as workspace:
        mail_reports(workspace)
        before = list((folder / "reports" / "mailed").iterdir())

        for one in before:
            os.utime(one, (NOW.timestamp(), NOW.timestamp()))
        pass_by(timedelta(days=4, hours=1))
        queued = mail_reports(workspace)

    assert len(before) == 2
    assert queued == 0
    assert list((folder / "reports" / "mailed").iterdir()) == []


def test_service_mails_what_is_due_by_itself_and_a_button_sends_it_again(world: Path, tmp_path: Path) -> None:
    mailbox = Mailbox()
    said = REPORTS.replace("to: [jefa, boss]", f"to: [jefa], about: site, site: {LEAKING.site}")
    with served(mailbox) as port:
        folder = _plant(world, tmp_path / "plant", said.format(port=port))
        with console_server(folder, clock=lambda: NOW) as (address, service):
            service.start()
            wait_until(lambda: len(_reports(mailbox)) == 1, timeout=120)
            sent = httpx.post(f"{address}/console/reports/semanal/send", timeout=60)
            wait_until(lambda: len(_reports(mailbox)) == 2, timeout=120)
            wait_until(
                lambda: (
                    "recibido"
                    in httpx.get(f"{address}/console/reports", headers={"accept-language": "es"}).text
                )
            )
            unknown = httpx.post(f"{address}/console/reports/otro/send")

    assert sent.status_code == 303
    assert unknown.status_code == 404
    assert LEAKING.site in str(_reports(mailbox)[0]["subject"])


def _reports(mailbox: Mailbox) -> list[object]:
    return [mail for _, mail in mailbox.got if str(mail["subject"]).startswith("[informe]")]


@pytest.mark.skipif(not can_print(), reason="no Chromium here: reports are not printed")
def test_report_is_attached_as_pdf_where_something_prints(world: Path, tmp_path: Path) -> None:
    mailbox = Mailbox()
    with served(mailbox) as port:
        said = REPORTS.format(port=port).replace("[html, xlsx]", "[pdf]").replace("[jefa, boss]", "[jefa]")
        with Workspace.open(_plant(world, tmp_path / "plant", said), clock=lambda: NOW) as workspace:
            mail_reports(workspace)
            workspace.deliver_due()

    (file,) = (part for _, mail in mailbox.got for part in mail.iter_attachments() if part.get_filename())
    assert file.get_content_type() == "application/pdf"
    assert file.get_content().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("said", "now", "due", "start", "end"),
    [
        ({}, "2025-06-02T05:00", "2025-06-02T05:00", "2025-05-25T22:00", "2025-06-01T22:00"),
        ({}, "2025-06-02T04:59", "2025-05-26T05:00", "2025-05-18T22:00", "2025-05-25T22:00"),
        ({"every": "day"}, "2025-10-27T12:00", "2025-10-27T06:00", "2025-10-25T22:00", "2025-10-26T23:00"),
        ({"every": "month"}, "2025-03-31T12:00", "2025-03-01T06:00", "2025-01-31T23:00", "2025-02-28T23:00"),
        (
            {"every": "month", "day": 28},
            "2025-03-28T05:00",
            "2025-02-28T06:00",
            "2025-01-27T23:00",
            "2025-02-27T23:00",
        ),
    ],
    ids=["on the minute", "a minute before", "a day of 25 hours", "last month", "on the 28th"],
)
def test_period_is_the_last_whole_one_by_the_clock_on_the_wall(
    said: dict[str, object], now: str, due: str, start: str, end: str
) -> None:
    report = ReportSettings.model_validate({"to": ["jefa"], **said})
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)

    found = last_period(report, "Europe/Madrid", at)
    following = next_due(report, "Europe/Madrid", at)

    told = [f"{one:%Y-%m-%dT%H:%M}" for one in (found.due, found.start, found.end)]
    assert told == [due, start, end]
    assert found.due <= at < following
    assert last_period(report, "Europe/Madrid", following).due == following


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("reports: {a: {to: [nadie]}}", "nadie"),
        ("receivers: {r: {kind: files, options: {folder: x}}}\nreports: {a: {to: [r]}}", "smtp"),
        ("reports: {a: {to: [r], about: site}}", "site"),
        ("reports: {a: {to: [r], day: 8}}", "1 to 7"),
        ("reports: {a: {to: []}}", "reports.a.to"),
    ],
    ids=["nobody", "no files there", "which site", "day", "empty"],
)
def test_schedule_that_cannot_work_is_refused_with_its_place(tmp_path: Path, said: str, word: str) -> None:
    (tmp_path / "sereno.yaml").write_text(said + "\n", "utf-8")

    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path)

    assert word in str(refused.value)
    assert "sereno.yaml" in str(refused.value.facts["where"])
