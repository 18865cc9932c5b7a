"""Receivers are built by kind; what is wrong with one is told with its place in the settings."""

import base64
from pathlib import Path
from typing import Any

import pytest

from sereno.contracts.notification import Outcome
from sereno.domain.errors import SenderMisconfigured, SenderOptionUnknown, SenderUnknown, SettingsError
from sereno.i18n.catalogue import error_sentence
from sereno.notify.options import Place
from sereno.notify.registry import build_sender, sender_kinds
from tests.notify.messages import a_message
from tests.notify.servers import http_receiver
from tests.support.third_party import declared

SHORT = "whsec_" + base64.b64encode(b"short").decode()
URL = "https://example.org/hook"


def test_kind_that_is_not_there_is_told_with_the_nearest_first() -> None:
    with pytest.raises(SenderUnknown, match=r"receivers\.guardia\.kind.*'webhok'.*There are: webhook, smtp"):
        build_sender("guardia", "webhok", {})


def test_option_that_is_not_there_is_told_with_the_nearest_first() -> None:
    with pytest.raises(SenderOptionUnknown, match=r"receivers\.guardia\.options\.secret:.*It has: secrets, "):
        build_sender("guardia", "webhook", {"url": URL, "secret": "x"})


@pytest.mark.parametrize(
    ("kind", "options", "where", "told"),
    [
        ("webhook", {}, "url", "Field required"),
        ("webhook", {"url": "ftp://x"}, "url", "begins with https"),
        ("webhook", {"url": "example"}, "url", "begins with https"),
        ("webhook", {"url": URL, "secrets": ["abc"]}, "secrets.0", "whsec_"),
        ("webhook", {"url": URL, "secrets": [SHORT]}, "secrets.0", "24 to 64"),
        ("webhook", {"url": URL, "secrets": ["env:NOT_THERE"]}, "secrets", "no variable NOT_THERE"),
        ("webhook", {"url": "file:nada.txt"}, "url", "cannot be read"),
        ("webhook", {"url": URL, "total_timeout": "5 parsecs"}, "total_timeout", "a duration is"),
        ("webhook", {"url": URL, "read_timeout": "2h"}, "read_timeout", "less than or equal"),
        ("webhook", {"url": URL, "ca_file": "nada.pem"}, "ca_file", "no certificates"),
        ("webhook", {"url": URL, "headers": {"webhook-id": "1"}}, "headers", "may be set"),
        ("webhook", {"url": URL, "headers": {"X-A": "a\r\nX-B: b"}}, "headers", "one line"),
        ("webhook", {"url": URL, "allow_private": "perhaps"}, "allow_private", "boolean"),
    ],
)
def test_error_names_the_option(
    kind: str, options: dict[str, Any], where: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(SenderMisconfigured) as caught:
        build_sender("guardia", kind, options, place=Place(tmp_path, {}))

    assert str(caught.value.facts["where"]).startswith(f"receivers.guardia.options.{where}")
    assert told in str(caught.value)
    spanish = error_sentence(caught.value, "es")
    assert spanish.endswith("Corríjalo en sereno.yaml.")
    assert str(caught.value.facts["detail"]) not in spanish


@pytest.mark.parametrize("secret", ["env:HOOK", "file:hook.txt"])
def test_secret_of_the_environment_or_a_file_is_used_and_never_told(secret: str, tmp_path: Path) -> None:
    (tmp_path / "hook.txt").write_text("https://user:pa55word@example:port\n", "utf-8")
    place = Place(tmp_path, {"HOOK": "https://user:pa55word@example:port"})

    with pytest.raises(SettingsError) as caught:
        build_sender("guardia", "webhook", {"url": secret}, place=place)

    assert "pa55word" not in str(caught.value)
    assert "it is no URL" in str(caught.value)
    assert caught.value.__cause__ is None


def test_reference_is_resolved_inside_lists_and_maps(tmp_path: Path) -> None:
    with http_receiver() as receiver:
        place = Place(tmp_path, {"TOKEN": "abc123"})
        options = {"url": receiver.url, "headers": {"X-Token": "env:TOKEN"}, "allow_private": True}
        build_sender("guardia", "webhook", options, place=place).send(a_message())

    assert receiver.got[0].headers["x-token"] == "abc123"


PLUGIN = """
from dataclasses import dataclass
from sereno.contracts.notification import Answer, Message, Outcome

@dataclass(frozen=True)
class Bell:
    rings: int = 1

    def send(self, message: Message) -> Answer:
        return Answer(Outcome.ACCEPTED, str(self.rings), message.key)
"""


def test_kind_of_another_package_is_built_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_bell.py").write_text(PLUGIN, "utf-8")

    with declared(tmp_path, monkeypatch, "sereno.senders", bell="their_bell:Bell", bad="their_bell:nothing"):
        answer = build_sender("timbre", "bell", {"rings": 3}).send(a_message())
        with pytest.raises(SenderOptionUnknown, match="It has: rings"):
            build_sender("timbre", "bell", {"ring": 3})
        with pytest.raises(SenderMisconfigured, match=r"receivers\.timbre\.options\.rings"):
            build_sender("timbre", "bell", {"rings": "many"})
        with pytest.raises(SenderMisconfigured, match="cannot be imported"):
            build_sender("timbre", "bad", {})
        assert sender_kinds()[-2:] == ["bad", "bell"]

    assert (answer.outcome, answer.code) == (Outcome.ACCEPTED, "3")
