"""`doctor` finds each fault that it looks for, and tells no secret."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from sereno.domain.errors import SettingsError
from sereno.flows.build import open_setup
from sereno.flows.doctor import diagnose, diagnose_installation
from sereno.flows.installation import Finding, look_at_installation
from sereno.store import ReceiverState
from sereno.testing.forecasters import a_metered_history
from tests.flows.test_promotion import lines
from tests.support.builders import NOW, a_workspace, readings_of

SETTINGS = "detector: {kind: pca}\n"


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a detector and a forecaster."""
    folder = tmp_path_factory.mktemp("doctor") / "w"
    with a_workspace(folder, settings=SETTINGS) as workspace:
        workspace.add(readings_of(*lines(n_days=20, n_assets=1)), zone="UTC")
        workspace.add(readings_of(*a_metered_history("power", n_meters=1, n_days=20)), zone="UTC")
        workspace.train(profile="process")
        workspace.forecast(profile="load")
    return folder


@pytest.fixture
def folder(learnt: Path, tmp_path: Path) -> Path:
    """The same for a test that spoils it."""
    import shutil

    return Path(shutil.copytree(learnt, tmp_path / "w"))


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def found(folder: Path, *, now: datetime = NOW, port: int = 0, language: str = "en") -> dict[str, Finding]:
    """What it says of a workspace, by name."""
    setup = open_setup(folder, clock=lambda: now, language=language)
    return {one.name: one for one in diagnose(setup, port=port or free_port(), language=language)}


def ill(findings: dict[str, Finding]) -> list[str]:
    """What is not well, apart from the machine that tests run on."""
    return [name for name, one in findings.items() if not one.is_well and name != "free disk"]


def test_a_good_workspace_is_well(learnt: Path) -> None:
    findings = found(learnt)

    assert ill(findings) == []
    assert {"numpy", "extra deep", "settings", "clock", "schema", "integrity", "engine"} <= set(findings)
    assert findings["integrity"].value == "whole"
    assert [name for name in findings if name.startswith(("model ", "forecaster "))] == [
        "model process",
        *(name for name in findings if name.startswith("forecaster forecast-load")),
    ]


def _damage_store(folder: Path) -> None:
    path = folder / "sereno.db"
    with path.open("r+b") as file:
        file.seek(path.stat().st_size * 3 // 4)
        file.write(b"\xff" * 4 * 4096)


def _break_store(folder: Path) -> None:
    (folder / "sereno.db").write_bytes(b"no database" * 500)


def _newer_store(folder: Path) -> None:
    engine = create_engine(f"sqlite:///{folder / 'sereno.db'}")
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()


def _alter(folder: Path, suffix: str) -> None:
    for path in (folder / "models").glob(f"*{suffix}"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")


def _say(folder: Path, said: str) -> None:
    path = folder / "sereno.yaml"
    path.write_text(path.read_text("utf-8") + said, "utf-8")


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "damaged store": (_damage_store, "integrity"),
    "no store": (_break_store, "store"),
    "newer store": (_newer_store, "store"),
    "altered detector": (lambda folder: _alter(folder, ".sereno"), "model process"),
    "altered forecaster": (lambda folder: _alter(folder, ".learnt"), "forecaster forecast-load"),
    "receiver of an unknown kind": (lambda f: _say(f, "receivers: {ana: {kind: pigeon}}\n"), "receivers"),
    "source that is not there": (
        lambda f: _say(f, "sources: {falta: {kind: folder, path: no_existe}}\n"),
        "source falta",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_no_other(folder: Path, name: str) -> None:
    spoil, wanted = FAULTS[name]
    spoil(folder)

    told = ill(found(folder))

    assert len(told) == 1, told
    assert told[0].startswith(wanted)


def test_a_receiver_that_refuses_is_found(folder: Path) -> None:
    _say(folder, "receivers: {ana: {kind: files, options: {folder: told}}}\n")
    with a_workspace(folder) as workspace, workspace.store.begin() as tx:
        tx.lock_receiver("ana", NOW)
        tx.save_receiver_state(ReceiverState("ana", NOW, broken_since=NOW, broken_reason="410 gone"))

    findings = found(folder)

    assert ill(findings) == ["receiver ana"]
    assert "410 gone" in str(findings["receiver ana"].value)


@pytest.mark.parametrize(
    "now", [datetime(1970, 1, 1, tzinfo=UTC), NOW - timedelta(days=30)], ids=["never set", "set back"]
)
def test_a_clock_that_is_wrong_is_found(learnt: Path, now: datetime) -> None:
    assert ill(found(learnt, now=now)) == ["clock"]


def test_a_port_that_somebody_has_is_found(learnt: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])

        assert ill(found(learnt, port=port)) == [f"port {port}"]


def test_an_engine_at_work_is_named(learnt: Path) -> None:
    with a_workspace(learnt) as workspace, workspace.engine_lease("watch"):
        working = found(learnt)["engine"]

    assert (working.value, working.is_well) == ("watch", True)
    assert "none at work" in str(found(learnt)["engine"].value)


def test_packages_that_are_missing_or_old_are_found(learnt: Path) -> None:
    said = (
        "numpy>=1.26",
        "polars>=999.1",
        "nowhere-to-be-found>=2",
        "of-another-system>=1; sys_platform == 'win32'",
        "not-here-either>=1; extra == 'deep'",
    )
    setup = open_setup(learnt)
    wanting = setup.settings.model_copy(
        update={"detector": setup.settings.detector.model_copy(update={"kind": "lstm"})}
    )
    plain, wanted = (
        {one.name: one for one in look_at_installation(settings, "en", requirements=said)}
        for settings in (setup.settings, wanting)
    )

    assert ill(plain) == ["polars", "nowhere-to-be-found"]
    assert "of-another-system" not in plain
    assert "polars>=999.1" in str(plain["polars"].value)
    assert ill(wanted) == ["polars", "nowhere-to-be-found", "extra deep"]
    assert "detector.kind needs it" in str(wanted["extra deep"].value)


def test_settings_that_cannot_be_read_are_found(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("detektor: {kind: pca}\n", "utf-8")

    with pytest.raises(SettingsError) as refused:
        open_setup(tmp_path)
    findings = {one.name: one for one in diagnose_installation(refused.value, "en")}

    assert ill(findings) == ["settings"]
    assert "detector" in str(findings["settings"].value)


def test_both_languages_say_the_same(learnt: Path) -> None:
    port = free_port()
    spanish, english = found(learnt, port=port, language="es"), found(learnt, port=port)

    assert list(spanish) == list(english)
    assert spanish["integrity"].value == "íntegro"
    assert [one.is_well for one in spanish.values()] == [one.is_well for one in english.values()]


WITH_SECRETS = """\
detector: {{kind: pca}}
store: {{url: "postgresql://ana:{0}@127.0.0.1:9/plant"}}
mlflow: {{url: "https://ana:{0}@127.0.0.1:9/"}}
sources:
  base: {{kind: mqtt, host: 127.0.0.1, port: 9, user: ana, password: "{0}", topics: ["a/{{asset}}"]}}
receivers:
  gancho: {{kind: webhook, options: {{url: "http://127.0.0.1:9/hook/{0}?token={0}", allow_private: true}}}}
  correo: {{kind: smtp, options: {{host: 127.0.0.1, password: "{0}", from: a@b.example, to: [a@b.example]}}}}
  aparte: {{kind: webhook, options: {{url: "env:DOCTOR_HOOK", secrets: ["file:hook.txt"]}}}}
"""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(secret=st.text("abcdefghijkmnpqrstuvwxyzABCDEFGH23456789-_", min_size=8, max_size=30))
def test_no_secret_is_told_wherever_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    secret = f"Zq{secret}"
    said = WITH_SECRETS.format(secret)
    monkeypatch.setenv("DOCTOR_HOOK", f"https://127.0.0.1:9/in/{secret}")
    (tmp_path / "hook.txt").write_text(secret, "utf-8")
    (tmp_path / "sereno.yaml").write_text(said, "utf-8")
    text = json.dumps([one.to_json() for one in found(tmp_path).values()])
    embedded = "".join(line + "\n" for line in said.splitlines() if not line.startswith("store"))
    (tmp_path / "sereno.yaml").write_text(embedded, "utf-8")
    with a_workspace(tmp_path) as workspace, workspace.store.begin() as tx:
        for name in ("gancho", "correo", "aparte"):
            tx.lock_receiver(name, NOW)
            reason = f"400: {secret} is no key of https://127.0.0.1:9/in/{secret}"
            tx.save_receiver_state(ReceiverState(name, NOW, broken_since=NOW, broken_reason=reason))
    text += json.dumps([one.to_json() for one in found(tmp_path).values()])

    assert "receiver gancho" in text
    assert "source base" in text
    assert secret not in text
