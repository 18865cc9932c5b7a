"""`sereno receivers` and `sereno notifications`: who is told, and proof that it arrived."""

from pathlib import Path

import pytest

from sereno.flows.workspace import Workspace
from tests.flows.hooks import a_hook
from tests.journeys.telling import declare_receivers, open_many
from tests.notify.servers import closed_port
from tests.support.processes import sereno


def test_test_shows_what_was_answered(tmp_path: Path) -> None:
    with a_hook(200, 403) as hook:
        workspace = declare_receivers(tmp_path / "w", ana=hook.url)
        good = sereno("receivers", "test", "ana", "--json", workspace=workspace)
        bad = sereno("receivers", "test", "ana", "--lang", "es", workspace=workspace)
        listed = sereno("receivers", "--json", workspace=workspace).document
        doctor = sereno("doctor", "--json", workspace=workspace)

    assert (good.code, good.document["outcome"], good.document["code"]) == (0, "accepted", "200")
    assert (bad.code, hook.events) == (1, ["test", "test"])
    assert "rechazada (403" in bad.out
    (ana,) = listed
    assert (ana["condition"], ana["sent"], ana["dead"]) == ("broken", 1, 1)
    (finding,) = [one for one in doctor.document["findings"] if one["name"] == "receiver ana"]
    assert (doctor.code, finding["ok"]) == (5, False)
    assert "403" in finding["value"]


def test_test_of_an_unknown_receiver_names_those_there_are(tmp_path: Path) -> None:
    workspace = declare_receivers(tmp_path / "w", ana="https://example.com/x")

    done = sereno("receivers", "test", "anna", "--json", workspace=workspace)

    assert (done.code, done.error["code"]) == (5, "store.not_found")
    assert "ana" in done.error["message"]


def test_notifications_are_delivered_listed_and_sent_again(tmp_path: Path) -> None:
    with a_hook(400) as hook:
        workspace = declare_receivers(tmp_path / "w", ana=hook.url)
        ids = open_many(workspace, 2)
        first = sereno("notifications", "deliver", "--once", "--json", workspace=workspace).document
        (dead,) = sereno("notifications", "list", "--status", "dead", "--json", workspace=workspace).document
        again = sereno("notifications", "resend", dead["id"], "--json", workspace=workspace).document
        sereno("notifications", "deliver", "--once", workspace=workspace)
        shown = sereno("incidents", "show", ids[0], "--json", workspace=workspace).document
        text = sereno("incidents", "show", ids[0], "--lang", "en", workspace=workspace).out
        table = sereno("notifications", "--lang", "en", workspace=workspace).out

    assert first == {"accepted": 1, "retry": 0, "refused": 1, "gone": 0}
    assert (dead["incident"], dead["reason"], again) == (ids[0], "400 ok", {"queued": 1})
    assert [one["code"] for one in shown["notifications"][0]["attempts"]] == ["400", "200"]
    assert "ana: opened, sent, 2 attempts, last answer 200" in text
    assert table.splitlines()[0].startswith("id")
    assert len(table.splitlines()) == 3
    assert hook.keys.count("incident-000:1:ana:0") == 2


@pytest.mark.parametrize("words", [["receivers"], ["notifications"], ["notifications", "deliver", "--once"]])
def test_workspace_without_receivers_says_so(tmp_path: Path, words: list[str]) -> None:
    plain = sereno(*words, "--lang", "en", workspace=tmp_path / "w")
    as_json = sereno(*words, "--json", workspace=tmp_path / "w")

    assert plain.code == as_json.code == 0
    assert plain.out.startswith("No ")
    assert not any(as_json.document) or set(as_json.document.values()) == {0}


def test_sending_again_what_is_not_there_or_not_given_up_is_refused(tmp_path: Path) -> None:
    workspace = declare_receivers(tmp_path / "w", ana=f"http://127.0.0.1:{closed_port()}/x")
    open_many(workspace, 1)
    with Workspace.open(workspace) as opened:
        (queued,) = opened.notifications()

    unknown = sereno("notifications", "resend", 99, "--json", workspace=workspace)
    waiting = sereno("notifications", "resend", queued["id"], "--json", workspace=workspace)
    status = sereno("notifications", "list", "--status", "lost", workspace=workspace)

    assert (unknown.code, waiting.code, status.code) == (5, 2, 2)
    assert "queued" in waiting.error["message"]


def test_secrets_of_receivers_stay_out_of_every_command(tmp_path: Path) -> None:
    workspace = declare_receivers(tmp_path / "w", ana="http://127.0.0.1:1/s3cret-token")
    open_many(workspace, 1)
    commands = [
        ("notifications", "deliver", "--once"),
        ("notifications", "list"),
        ("receivers", "list"),
        ("receivers", "test", "ana"),
        ("config", "check"),
        ("doctor",),
    ]

    said = [sereno(*words, "--json", workspace=workspace) for words in commands]

    assert not any("s3cret" in one.out + one.err for one in said)
