"""Webhooks on loopback that can be told how to answer, and a workspace that delivers to them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from sereno.flows.delivering import DeliveryReport
from sereno.flows.workspace import Workspace
from tests.notify.servers import Got, Receiver, Reply, http_receiver
from tests.support.builders import MADRID, NOW

__all__ = ["Clock", "Hook", "Site", "a_hook", "hook_settings", "workspace_with"]


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Hook:
    """A webhook and what it got; its answers are `script`, then `always`."""

    receiver: Receiver
    script: list[Reply] = field(default_factory=list)
    always: Reply = field(default_factory=Reply)

    @property
    def url(self) -> str:
        return self.receiver.url

    @property
    def events(self) -> list[str]:
        """What it was told, whether it took it or not."""
        return [one.document["type"] for one in self.receiver.got]

    @property
    def keys(self) -> list[str]:
        return [one.headers["webhook-id"] for one in self.receiver.got]

    @property
    def data(self) -> list[dict[str, object]]:
        return [one.document["data"] for one in self.receiver.got]

    def answer(self, _: Got) -> Reply:
        return self.script.pop(0) if self.script else self.always


@contextmanager
def a_hook(*script: int | Reply, always: int = 200) -> Iterator[Hook]:
    """A webhook that answers as told, and then always the same."""
    replies = [one if isinstance(one, Reply) else Reply(one) for one in script]
    hook = Hook(Receiver(""), replies, Reply(always))
    with http_receiver(hook.answer) as receiver:
        hook.receiver = receiver
        yield hook


def hook_settings(url: str, **changes: object) -> dict[str, object]:
    """A receiver that posts there."""
    options = {"url": url, "allow_private": True, "total_timeout": "20s"}
    return {"kind": "webhook", "language": "en", "self_test": None, "options": options, **changes}


@dataclass
class Site:
    """A workspace whose incidents are told, and its clock."""

    workspace: Workspace
    clock: Clock

    def deliver(self, after: timedelta = timedelta()) -> DeliveryReport:
        """Let time pass and deliver what is due then."""
        self.clock.move(after)
        return self.workspace.deliver_due()

    def until(self, is_so: Callable[[], bool], *, step: timedelta, most: timedelta) -> timedelta:
        """Deliver again and again until something is so; returns how long it took."""
        waited = timedelta()
        while not is_so():
            assert waited < most, "never"
            self.deliver(step)
            waited += step
        return waited

    def statuses(self, receiver: str | None = None) -> list[str]:
        """What became of all notifications, oldest first."""
        found = self.workspace.notifications()[::-1]
        return [str(one["status"]) for one in found if receiver in (None, one["receiver"])]


@contextmanager
def workspace_with(
    folder: Path,
    receivers: dict[str, dict[str, object]],
    *,
    routes: Sequence[object] | None = None,
    url: str | None = None,
    **settings: object,
) -> Iterator[Site]:
    """A workspace whose receivers hear of everything unless routes say otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    tree: dict[str, object] = {"timezone": MADRID, "receivers": receivers, **settings}
    tree["routes"] = [{"to": list(receivers)}] if routes is None else list(routes)
    if url is not None:
        tree["store"] = {"url": url}
    (folder / "sereno.yaml").write_text(yaml.safe_dump(tree, allow_unicode=True), "utf-8")
    clock = Clock()
    with Workspace.open(folder, clock=clock, language="es") as workspace:
        yield Site(workspace, clock)
