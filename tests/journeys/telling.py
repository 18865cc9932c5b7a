"""A workspace on the machine's clock whose incidents are told, and processes that tell them."""

import threading
from datetime import timedelta
from pathlib import Path

import yaml

from sereno.domain.failpoints import arm
from sereno.domain.time import system_clock
from sereno.flows.workspace import Workspace
from tests.flows.hooks import hook_settings
from tests.flows.outbox import a_failure, open_one, plants

BUDGET = {"messages": 100_000, "per": "10min"}


def declare_receivers(folder: Path, *, zone: str = "UTC", store: str | None = None, **urls: str) -> Path:
    """A workspace whose receivers hear of everything, one message each.

    Args:
        store: URL of its database; an embedded one when None.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tree: dict[str, object] = {
        "timezone": zone,
        "receivers": {name: hook_settings(url, budget=BUDGET) for name, url in urls.items()},
        "routes": [{"to": list(urls)}],
    }
    tree |= {} if store is None else {"store": {"url": store}}
    (folder / "sereno.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    return folder


def open_many(folder: Path, count: int) -> list[str]:
    """Open so many incidents, one per roof; returns their ids in order."""
    now = system_clock().replace(microsecond=0)
    ids = [f"incident-{number:03d}" for number in range(count)]
    with Workspace.open(folder) as workspace:
        for name, key in zip(ids, plants(count), strict=True):
            open_one(workspace.store, name, detection=a_failure(asset=key, last=now), at=now)
    return ids


def notify_on(folder: Path, points: str = "") -> None:
    """What `sereno notifications deliver` does until it is killed, by itself at points that are armed."""
    if points:
        arm(points)
    with Workspace.open(folder) as workspace:
        notifier = workspace.notifier()
        assert notifier is not None
        notifier.run(threading.Event())


def notify_once(folder: Path) -> None:
    """What `sereno notifications deliver --once` does."""
    with Workspace.open(folder) as workspace:
        workspace.deliver_due()


def notify_later(folder: Path) -> None:
    """The same, and again when the wait is over of messages whose senders kept dying.

    The wait begins when somebody finds that the last sender has died.
    """
    for later in (timedelta(0), timedelta(hours=1)):
        with Workspace.open(folder, clock=lambda later=later: system_clock() + later) as workspace:
            workspace.deliver_due()


def is_done(folder: Path) -> bool:
    """Whether everything was sent."""
    with Workspace.open(folder) as workspace:
        found = workspace.notifications()
    return bool(found) and {one["status"] for one in found} == {"sent"}
