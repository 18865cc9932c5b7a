"""A message that fails on our side, however often it is tried, is given up visibly, and its lane goes on."""

from collections import Counter
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from sereno.store import NewNotification
from tests.flows.hooks import Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import HOUR, MINUTE, a_failure, open_one, plants
from tests.support.third_party import declared

SENDER = """
import sys
from dataclasses import dataclass
from pathlib import Path

from sereno.contracts.notification import Answer, Message, Outcome


@dataclass(frozen=True)
class Bell:
    file: str
    way: str = "raise"

    def send(self, message: Message) -> Answer:
        with Path(self.file).open("a") as file:
            file.write(message.key + "\\n")
        if message.key.startswith("incident-0:"):
            if self.way == "exit":
                sys.exit("no more")
            raise ConnectionResetError("somebody pulled the plug")
        if self.way == "once" and Path(self.file).read_text().count("\\n") == 1:
            raise OSError("not ready")
        return Answer(Outcome.ACCEPTED, "rung")
"""
MOST = 5


def _open(site: Site, *numbers: int) -> None:
    for number in numbers:
        detection = a_failure(asset=plants(number + 1)[number])
        open_one(site.workspace.store, f"incident-{number}", detection=detection)


@pytest.mark.parametrize("way", ["raise", "exit"])
def test_message_on_which_a_plugin_raises_is_given_up_and_the_next_ones_leave(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    rung = tmp_path / "rung"
    with a_hook() as hook, declared_bell(tmp_path, monkeypatch):
        bell = {"kind": "bell", "self_test": None, "options": {"file": str(rung), "way": way}}
        receivers = {"bell": bell, "jefa": hook_settings(hook.url)}
        with workspace_with(
            tmp_path / "w", receivers, url=database_url, routes=[{"to": ["bell"]}], dead_man={"to": ["jefa"]}
        ) as site:
            _open(site, 0, 1, 2)
            waited = site.until(lambda: site.statuses("bell").count("sent") == 2, step=MINUTE, most=HOUR)
            site.deliver(3 * HOUR)
            (dead,) = site.workspace.notifications(statuses=["dead"])

    tries = Counter(rung.read_text().split())
    assert tries == {"incident-0:1:bell:0": MOST, "incident-1:1:bell:0": 1, "incident-2:1:bell:0": 1}
    assert waited <= 15 * MINUTE
    assert (dead["receiver"], [one["code"] for one in dead["attempts"]]) == ("bell", ["fault"] * MOST)  # type: ignore[union-attr]
    assert hook.events == ["channel_broken"]


def test_plugin_that_fails_once_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rung = tmp_path / "rung"
    with declared_bell(tmp_path, monkeypatch):
        bell = {"kind": "bell", "self_test": None, "options": {"file": str(rung), "way": "once"}}
        with workspace_with(tmp_path / "w", {"bell": bell}) as site:
            _open(site, 1)
            site.deliver()
            site.deliver(MINUTE)
            statuses = site.statuses()

    assert statuses == ["sent"]
    assert rung.read_text().split() == ["incident-1:1:bell:0"] * 2


def test_message_that_cannot_be_written_is_given_up_and_the_next_ones_leave(
    database_url: str, tmp_path: Path
) -> None:
    with (
        a_hook() as hook,
        workspace_with(tmp_path, {"ana": hook_settings(hook.url)}, url=database_url) as site,
    ):
        with site.workspace.store.begin() as tx:
            # It tells events of an incident, and does not say which.
            tx.add_notifications([NewNotification("poison", "ana", "digest", site.clock.now, body={})])
            poison = tx.notification_by_key("poison")
            assert poison is not None
        _open(site, 1)
        with site.workspace.store.begin() as tx:
            told = NewNotification("part", "ana", "opened", site.clock.now, "incident-1", body={})
            tx.add_notifications([told])
            part = tx.notification_by_key("part")
            assert part is not None
            tx.fold([part.id], poison.id, event="digest", body={})
        waited = site.until(lambda: "sent" in site.statuses(), step=MINUTE, most=HOUR)
        (dead,) = site.workspace.notifications(statuses=["dead"])

    assert hook.keys == ["incident-1:1:ana:0"]
    assert (dead["key"], len(dead["attempts"])) == ("poison", MOST)  # type: ignore[arg-type]
    assert timedelta() < waited <= 15 * MINUTE


def declared_bell(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AbstractContextManager[None]:
    """A sender of another package."""
    (folder / "bell.py").write_text(SENDER, "utf-8")
    return declared(folder, monkeypatch, "sereno.senders", bell="bell:Bell")
