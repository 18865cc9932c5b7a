"""A message whose sending ends its process each time is given up, visibly, and holds up nobody else."""

import multiprocessing
import os
from datetime import timedelta
from pathlib import Path

from sereno.contracts.notification import Answer, Message, Outcome
from sereno.flows.lanes import LOST, MOST_LOST
from sereno.flows.workspace import Workspace
from tests.flows.hooks import Site, a_hook, hook_settings, workspace_with
from tests.flows.outbox import MINUTE, a_failure, open_one, plants
from tests.support.builders import NOW

_FORKS = multiprocessing.get_context("forkserver")
_ENDED = 7


class Deadly:
    """A sender that ends the process, as a library that crashes does; it takes what another receiver gets."""

    def send(self, message: Message) -> Answer:  # noqa: ARG002 - the contract
        """End."""
        os._exit(_ENDED)


class Safe:
    """A sender that notes what it was given."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def send(self, message: Message) -> Answer:
        """Note it."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{message.key}\n")
        return Answer(Outcome.ACCEPTED, "200", "")


def _deliver(folder: Path, after: timedelta, deadly: str, told: Path) -> None:
    """What a notifier does in a process of its own, so long after the beginning."""
    with Workspace.open(folder, clock=lambda: NOW + after) as workspace:
        notifier = workspace.notifier()
        assert notifier is not None
        notifier.senders = {name: Deadly() if name == deadly else Safe(told) for name in notifier.senders}
        notifier.deliver_due()


def _delivered(folder: Path, after: timedelta, *, deadly: str = "eva", told: Path) -> int | None:
    process = _FORKS.Process(target=_deliver, args=(folder, after, deadly, told))
    process.start()
    process.join(60)
    return process.exitcode


def _open(site: Site, count: int) -> None:
    for number, key in enumerate(plants(count)):
        open_one(site.workspace.store, f"i-{number}", detection=a_failure(asset=key, last=NOW), at=NOW)


def test_a_message_that_ends_its_process_is_given_up_and_can_be_sent_again(tmp_path: Path) -> None:
    told = tmp_path / "told"
    folder = tmp_path / "w"
    with (
        a_hook() as hook,
        workspace_with(folder, {name: hook_settings(hook.url) for name in ("ana", "eva")}) as site,
    ):
        _open(site, 1)
        codes, after = list[int | None](), timedelta()
        while "dead" not in site.statuses("eva") and len(codes) < 3 * MOST_LOST:
            codes.append(_delivered(folder, after, told=told))
            after += 70 * MINUTE
        assert (codes.count(_ENDED), set(codes)) == (MOST_LOST, {0, _ENDED})
        (dead,) = [one for one in site.workspace.notifications(statuses=["dead"]) if one["receiver"] == "eva"]
        queued = site.workspace.resend([dead["id"]])
        site.clock.now = NOW + after
        site.deliver()

        assert dead["attempts"][-1]["code"] == LOST  # type: ignore[index]
        assert str(MOST_LOST) in str(dead["attempts"][-1]["detail"])  # type: ignore[index]
        assert queued == 1
        assert hook.keys == [dead["key"]]
        assert len(set(told.read_text("utf-8").splitlines())) == 1


def test_one_that_was_given_up_lets_those_behind_it_leave(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    with (
        a_hook() as hook,
        workspace_with(folder, {"eva": hook_settings(hook.url)}) as site,
    ):
        _open(site, 2)
        with site.workspace.store.begin() as tx:
            (head, _) = tx.lane("eva")
            for _ in range(MOST_LOST):
                tx.lease_one(head.id, until=NOW, owner="elsewhere:1/1/x/y")
                tx.release([head.id], NOW)
            tx.lease_one(head.id, until=NOW, owner="elsewhere:1/1/x/y")
        site.deliver(MINUTE)

        assert site.statuses() == ["dead", "sent"]


def test_a_few_kills_cost_a_message_nothing(tmp_path: Path) -> None:
    """Whoever restarts the service while something is sent must not lose a message."""
    told, folder = tmp_path / "told", tmp_path / "w"
    with a_hook() as hook, workspace_with(folder, {"eva": hook_settings(hook.url)}) as site:
        _open(site, 1)
        codes = [_delivered(folder, timedelta(seconds=n), told=told) for n in range(2)]
        site.deliver(timedelta(seconds=3))

        assert codes == [_ENDED] * 2
        assert site.statuses() == ["sent"]
        assert len(hook.keys) == 1
