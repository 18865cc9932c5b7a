"""Every kind of sender keeps the contract, and a sender that does not is found out."""

# ruff: noqa: ARG002 - senders that look at nothing

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sereno.contracts.notification import Answer, Message, Outcome, Sender
from sereno.notify.options import Place
from sereno.notify.registry import build_sender, sender_kinds
from sereno.testing import check_sender
from tests.notify.servers import Got, Reply, closed_port, http_receiver
from tests.notify.test_smtp import Mailbox, served

Pair = tuple[dict[str, Any], dict[str, Any]]
QUICK = {"connect_timeout": "2s", "total_timeout": "5s"}


def _taken(got: Got) -> Reply:
    return Reply(200, json.dumps({"issues": [], "key": "OPS-1"}).encode())


@pytest.fixture
def options_of(tmp_path: Path) -> Iterator[Callable[[str], Pair]]:
    """The options of a kind whose receiver takes all, and of one whose receiver is not there."""
    with ExitStack() as stack:

        def options(kind: str) -> Pair:
            if kind == "files":
                (tmp_path / "taken").touch()
                return {"folder": "alertas"}, {"folder": "taken"}
            if kind == "smtp":
                port = stack.enter_context(served(Mailbox()))
                mail = {"host": "127.0.0.1", "security": "none", "from": "a@b.example", "to": ["c@d.example"]}
                return {**mail, "port": port}, {**mail, "port": closed_port()}
            url = stack.enter_context(http_receiver(_taken)).url
            nobody = f"http://127.0.0.1:{closed_port()}/"
            if kind == "apprise":
                return {"urls": [url.replace("http", "json", 1)]}, {
                    "urls": [nobody.replace("http", "json", 1)]
                }
            more: dict[str, Any] = {"allow_private": True, **QUICK}
            if kind == "ticket":
                more |= {"recipe": "jira", "user": "ana", "token": "t", "values": {"project": "OPS"}}
            return {"url": url, **more}, {"url": nobody, **more}

        yield options


@pytest.mark.parametrize("kind", sender_kinds())
def test_sender_keeps_the_contract(kind: str, options_of: Callable[[str], Pair], tmp_path: Path) -> None:
    reached, unreached = (
        build_sender("r", kind, options, place=Place(tmp_path)) for options in options_of(kind)
    )

    check_sender(reached, unreached, within=timedelta(seconds=20))


@dataclass(frozen=True)
class Kept:
    """Takes everything."""

    def send(self, message: Message) -> Answer:
        return Answer(Outcome.ACCEPTED)


class Loose:
    """Takes everything, and lets itself be changed."""

    def send(self, message: Message) -> Answer:
        return Answer(Outcome.ACCEPTED)


@dataclass(frozen=True)
class Raising(Kept):
    """Lets an error of the way through."""

    def send(self, message: Message) -> Answer:
        raise OSError("no way")


@dataclass(frozen=True)
class Meddling(Kept):
    """Changes what it is given."""

    def send(self, message: Message) -> Answer:
        message.facts["incidents"] = []  # type: ignore[index]
        return Answer(Outcome.ACCEPTED)


@dataclass(frozen=True)
class Slow(Kept):
    """Takes its time."""

    def send(self, message: Message) -> Answer:
        time.sleep(0.05)
        return Answer(Outcome.ACCEPTED)


@dataclass(frozen=True)
class Chatty(Kept):
    """Tells a story."""

    def send(self, message: Message) -> Answer:
        return Answer(Outcome.ACCEPTED, detail="once\nupon a time")


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        (Loose(), "frozen"),
        (Raising(), "never an exception"),
        (Meddling(), "leaves the message"),
        (Slow(), "ends within"),
        (Chatty(), "one line"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_sender_that_breaks_the_contract_is_found_out(sender: Sender, told: str) -> None:
    within = timedelta(milliseconds=20) if isinstance(sender, Slow) else timedelta(minutes=1)

    with pytest.raises(AssertionError, match=told):
        check_sender(sender, within=within)


def test_sender_that_claims_success_where_nobody_is_is_found_out() -> None:
    with pytest.raises(AssertionError, match="nobody took it"):
        check_sender(Kept(), Kept())
