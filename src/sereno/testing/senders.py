"""What every sender must keep, whoever wrote it."""

import copy
import threading
import time
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta

from sereno.contracts.notification import Answer, Message, Outcome, Sender

__all__ = ["check_sender"]

_THREADS = 4
_EVENTS = ("opened", "resolved", "digest", "test", "an_event_of_next_year")
_LATER = (Outcome.RETRY, Outcome.REFUSED)
_PATIENCE = timedelta(minutes=1)


def check_sender(sender: Sender, unreachable: Sender | None = None, *, within: timedelta = _PATIENCE) -> None:
    """Whether a sender keeps the contract: what it promises to the notifier.

    Args:
        sender: One whose receiver takes what it gets.
        unreachable: The same kind where nobody takes anything.
        within: How long one attempt may take.

    Raises:
        AssertionError: Something is not kept; says what.
    """
    assert type(sender).__doc__, "its class says in a docstring what it does"
    _check_frozen(sender)
    for message in _messages():
        _check_attempt(sender, message, within)
        answer = _check_attempt(sender, message, within)
        assert answer.outcome is Outcome.ACCEPTED, f"a repeat of '{message.event}' is taken too: {answer}"
    _check_threads(sender)
    if unreachable is not None:
        for message in _messages():
            answer = _check_attempt(unreachable, message, within)
            is_test = message.event != "opened"
            assert is_test or answer.outcome in _LATER, f"nobody took it, and it says {answer}"
            assert answer.outcome is Outcome.ACCEPTED or answer.code, "a failure has a code"


def _messages() -> Iterator[Message]:
    """Of every shape: with and without incidents, HTML and pictures, in both languages."""
    incident = {"id": "0b1c", "site": "Planta «3»\n", "asset": "Ñ & <b>", "severity": "critical"}
    whole = Message(
        key="0b1c:1:receiver",
        event="opened",
        at=datetime(2025, 3, 10, 11, 30, tzinfo=UTC),
        language="es",
        subject="[crítica] Planta 3",
        text="Sin generación.\n" + "ñ" * 2_000,
        html='<p>Sin generación <img src="cid:picture1" alt=""></p>',
        facts={"incidents": [incident], "incidents_total": 1},
        pictures={"picture1": b"\x89PNG\r\n\x1a\n"},
    )
    for event in _EVENTS:
        yield replace(whole, key=f"{event}:1", event=event, language="en" if event == "digest" else "es")
    yield Message("bare:1", "test", whole.at, "en", "", "")


def _check_frozen(sender: Sender) -> None:
    try:
        sender.an_attribute_that_is_not_there = 1  # type: ignore[attr-defined]
    except (FrozenInstanceError, AttributeError, TypeError, ValueError):
        return
    raise AssertionError("its fields are frozen: it is shared between threads")


def _check_attempt(sender: Sender, message: Message, within: timedelta) -> Answer:
    before, began = copy.deepcopy(message), time.monotonic()
    try:
        answer = sender.send(message)
    except Exception as error:
        raise AssertionError(f"an error of the way is an answer, never an exception: {error!r}") from error
    assert time.monotonic() - began <= within.total_seconds(), f"an attempt ends within {within}"
    assert isinstance(answer, Answer), f"it answers with an Answer, not with {answer!r}"
    assert "\n" not in answer.detail, "what it tells is one line"
    assert message == before, "it leaves the message as it was"
    return answer


def _check_threads(sender: Sender) -> None:
    message = next(_messages())
    answers: list[Answer] = []
    work = [
        threading.Thread(target=lambda k=key: answers.append(sender.send(replace(message, key=f"t:{k}"))))
        for key in range(_THREADS)
    ]
    for one in work:
        one.start()
    for one in work:
        one.join()
    taken = sum(answer.outcome is Outcome.ACCEPTED for answer in answers)
    assert taken == _THREADS, f"of {_THREADS} threads at the same time {taken} got through"
