"""The log: rotated, as text or JSON, and never with a secret or a personal name in it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sereno.domain.errors import SystemRefused
from sereno.domain.privacy import Pseudonyms
from sereno.domain.redaction import redacted
from sereno.flows.build import open_setup
from sereno.flows.logs import logging_to
from sereno.flows.naming import secrets_of
from sereno.flows.workspace import Workspace
from sereno.settings.keeping import LoggingSettings
from tests.support.processes import environment, sereno

CUPS = "ES0021000000000001AB"
NAMES = Pseudonyms(lambda: b"k" * 32, "default", ["Casa *"], ["Casa Ruiz", "Fabrica"])
log = logging.getLogger("sereno.tests.logs")


def _written(folder: Path, settings: LoggingSettings) -> str:
    assert settings.file is not None
    return (folder / settings.file).read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("connecting to postgresql://ana:s3cr3t-word@db.example/sereno", "s3cr3t-word"),
        ("mqtts://user:p%40ss@broker:8883 refused", "p%40ss"),
        ("GET https://hook.example/in?site=4&token=abcdef0123&x=1", "abcdef0123"),
        ("Authorization: Bearer abc.def-ghijkl", "abc.def-ghijkl"),
        ('{"api_key": "k-0123456789"}', "k-0123456789"),
        ("password=hunter22 was refused", "hunter22"),
        ("contraseña: secreta1", "secreta1"),
        ("signed with whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "eyJzdWIiOiIxMjM0In0"),
        ("the word is opensesame", "opensesame"),
    ],
)
def test_secret_is_taken_out(text: str, secret: str) -> None:
    clean = redacted(text, {"opensesame"})

    assert secret in text
    assert secret not in clean
    assert "***" in clean


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/path?site=4#part",
        "batch stored rows=1200",
        "sqlite:////var/lib/sereno/plant.db",
        "mail from sereno@example.org to jefe@example.org",
        "secrets: env:HOOK_SECRET",
        "keyboard: 3 keys, monkey = 4",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


@pytest.mark.parametrize("kind", ["text", "json"])
def test_record_is_written_with_its_facts_without_secrets_and_names(tmp_path: Path, kind: str) -> None:
    settings = LoggingSettings.model_validate({"format": kind})

    with logging_to(tmp_path, settings, NAMES, {"opensesame"}):
        log.info("batch stored", extra={"site": "Casa Ruiz", "rows": 12, "file": f"in/{CUPS}_2024.csv"})
        log.info(
            "Casa Nueva asked", extra={"asset": "Casa Nueva", "url": "https://u:opensesame@x", "n": [1.5]}
        )
        try:
            raise ValueError("Casa Ruiz said opensesame")
        except ValueError:
            log.exception("failed\nINFO forged line")
        log.debug("not written")

    found = _written(tmp_path, settings)
    for hidden in ("Casa Ruiz", CUPS, "opensesame", "not written"):
        assert hidden not in found
    for shown in (NAMES.of("Casa Ruiz"), NAMES.of(CUPS), NAMES.of("Casa Nueva"), "Traceback", "12"):
        assert shown in found
    if kind == "json":
        lines = [json.loads(line) for line in found.splitlines()]
        assert [line["level"] for line in lines] == ["info", "info", "error"]
        assert (lines[0]["rows"], lines[1]["n"], lines[0]["logger"]) == (12, [1.5], log.name)
    else:
        assert "\nINFO forged" not in found


def test_log_begins_anew_at_its_size_and_keeps_so_many(tmp_path: Path) -> None:
    settings = LoggingSettings(max_bytes=2_000, backups=3)

    with logging_to(tmp_path, settings, NAMES):
        for number in range(300):
            log.info("line", extra={"number": number})

    files = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in files] == ["sereno.log", *(f"sereno.log.{n}" for n in (1, 2, 3))]
    assert all(path.stat().st_size <= 2_000 for path in files)
    assert "number=299" in files[0].read_text("utf-8")


def test_default_log_is_ten_megabytes_and_five_more() -> None:
    settings = LoggingSettings()

    assert (settings.max_bytes, settings.backups, settings.file) == (10_000_000, 5, "logs/sereno.log")


def test_log_that_cannot_be_opened_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file", "utf-8")

    with pytest.raises(SystemRefused, match="logs"), logging_to(tmp_path, LoggingSettings(), NAMES):
        pass


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Path]:
    """A workspace with secrets in its settings and an empty folder to watch."""
    folder = tmp_path / "w"
    (folder / "in").mkdir(parents=True)
    (folder / "hook.secret").write_text("whsec_dG9wc2VjcmV0dG9wc2VjcmV0dG9wc2VjcmV0dG9w", "utf-8")
    (folder / "sereno.yaml").write_text(
        "timezone: UTC\nprivacy: {names: ['Casa*'], key: 'env:PRIVACY_KEY'}\n"
        "receivers: {ana: {kind: webhook, options: {url: 'http://x/y', secrets: ['file:hook.secret']}}}\n",
        "utf-8",
    )
    return folder


def test_watching_writes_its_log_into_the_workspace(workspace: Path) -> None:
    (workspace / "in" / f"{CUPS}.csv").write_bytes(b"\x00\x01nothing that can be read")

    env = {**environment(), "PRIVACY_KEY": "k" * 32}
    ran = sereno("watch", workspace / "in", "--once", workspace=workspace, env=env)

    found = (workspace / "logs" / "sereno.log").read_text("utf-8")
    assert ran.code == 0, ran.err
    assert "file taken" in found
    assert "verdict='refused'" in found
    assert NAMES.of(CUPS) in found
    assert CUPS not in found


def test_secrets_of_settings_are_known_and_never_shown_by_config(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVACY_KEY", "a-long-enough-key")
    assert secrets_of(open_setup(workspace)) >= {
        "a-long-enough-key",
        "whsec_dG9wc2VjcmV0dG9wc2VjcmV0dG9wc2VjcmV0dG9w",
    }
    url = "postgresql://ana:s3cr3t-word@127.0.0.1:1/x"
    env = {**environment(), "DATABASE_URL": url, "PRIVACY_KEY": "a-long-enough-key"}
    for words in (("config", "check"), ("config", "explain"), ("config", "check", "--json")):
        ran = sereno(*words, workspace=workspace, env=env)
        assert ran.code == 0, ran.err
        for secret in ("s3cr3t-word", "a-long-enough-key", "topsecret", "dG9wc2VjcmV0"):
            assert secret not in ran.out


def test_key_that_is_too_short_is_refused_with_its_place(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVACY_KEY", "short")

    with Workspace.open(workspace) as opened, pytest.raises(Exception, match=r"privacy.key.*16 characters"):
        opened.pseudonyms().of("Casa Ruiz")
