"""What every source must keep, whoever wrote it."""

import json
import threading
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

from sereno.contracts.source import Item, Polled, PolledSource, PushedSource, Record, is_pushed
from sereno.domain.errors import InvalidRecord, SourceUnreachable

__all__ = ["check_source"]

_PATIENCE = timedelta(seconds=30)
_POISON = (b"", b"\0", b"\xff\xfe{", b"[" * 5_000, b'{"a":')
_AT = datetime(2025, 3, 10, 11, 30, tzinfo=UTC)


@dataclass
class _Inbox:
    """Keeps what it is given, until there is enough."""

    wanted: int
    stop: threading.Event
    position: str | None = None
    items: dict[str, Item] = field(default_factory=dict)

    def keep(self, items: Sequence[Item], *, position: str | None = None) -> None:
        for item in items:
            assert isinstance(item, Item), f"what is kept is an Item, not {item!r}"
            assert isinstance(item.payload, bytes), "a payload is bytes"
            self.items.setdefault(item.key, item)
        self.position = self.position if position is None else position
        if len(self.items) >= self.wanted:
            self.stop.set()

    def heard(self) -> None:
        """Nothing is made of it here."""


def check_source(
    source: PolledSource | PushedSource,
    unreachable: PolledSource | PushedSource | None = None,
    *,
    n_records: int = 1,
    within: timedelta = _PATIENCE,
) -> list[Record]:
    """Whether a source keeps the contract: what it promises to the engine.

    Args:
        source: One that has something to say; what sends by itself must do so while this runs.
        unreachable: The same kind where nobody is.
        n_records: So many records, or items, it must give.
        within: How long something that sends by itself is listened to.

    Returns:
        The records that it gave.

    Raises:
        AssertionError: Something is not kept; says what.
    """
    assert type(source).__doc__, "its class says in a docstring what it reads"
    assert hasattr(type(source), "__dataclass_fields__"), "it is a dataclass whose fields are its options"
    _check_frozen(source)
    if unreachable is not None:
        _check_unreachable(unreachable)
    if is_pushed(source):
        records = _sent(source, n_records, within)
    else:
        records = _asked(cast(PolledSource, source), n_records)
    assert len(records) >= n_records, f"of {n_records} records it gave {len(records)}"
    for record in records:
        assert all(isinstance(name, str) for name in record), f"columns have names: {record!r}"
        assert len(record) > 1, f"a record has an instant and a value: {record!r}"
    return records


def _check_frozen(source: PolledSource | PushedSource) -> None:
    try:
        source.an_attribute_that_is_not_there = 1  # type: ignore[union-attr]
    except (FrozenInstanceError, AttributeError, TypeError):
        return
    raise AssertionError("its fields are frozen: it is shared between threads")


def _check_unreachable(source: PolledSource | PushedSource) -> None:
    try:
        if is_pushed(source):
            stop = threading.Event()
            source.listen(_Inbox(1, stop), stop, is_trial=True)
        else:
            _poll_all(cast(PolledSource, source), None)
    except SourceUnreachable:
        return
    except Exception as error:
        raise AssertionError(f"where nobody is, it raises SourceUnreachable, not {error!r}") from error
    raise AssertionError("nobody is there, and it does not say so")


def _asked(source: PolledSource, n_records: int) -> list[Record]:
    assert source.interval > timedelta(0), "it says how often it is asked"
    first, cursor = _poll_all(source, None)
    again, _ = _poll_all(source, None)
    assert len(again) == len(first), "asked twice for the same, it says the same"
    if cursor is not None:
        assert isinstance(cursor, str), "a cursor is text"
        later, _ = _poll_all(source, cursor)
        told = {_text(one) for one in first}
        news = [one for one in later if _text(one) not in told]
        assert not news, "behind its cursor there is nothing new"
        assert len(first) >= n_records, f"of {n_records} records it gave {len(first)}"
    return first


def _poll_all(source: PolledSource, after: str | None) -> tuple[list[Record], str | None]:
    records: list[Record] = []
    with source.connect() as link:
        while True:
            polled = link.poll(after)
            assert isinstance(polled, Polled), f"it gives what it polled, not {polled!r}"
            records += polled.records
            if polled.is_last:
                return records, polled.cursor
            assert polled.cursor is None or polled.cursor != after, "its cursor moves on"
            after = polled.cursor


def _sent(source: PushedSource, n_records: int, within: timedelta) -> list[Record]:
    stop = threading.Event()
    inbox = _Inbox(n_records, stop)
    timer = threading.Timer(within.total_seconds(), stop.set)
    timer.start()
    try:
        source.listen(inbox, stop)
    finally:
        timer.cancel()
    _check_poison(source)
    return [
        one for item in inbox.items.values() if not item.reason for one in source.records(item.payload, _AT)
    ]


def _check_poison(source: PushedSource) -> None:
    for payload in _POISON:
        try:
            source.records(payload, _AT)
        except InvalidRecord:
            continue
        except Exception as error:
            raise AssertionError(f"what cannot be read is an InvalidRecord, not {error!r}") from error


def _text(record: Record) -> str:
    return json.dumps(record, default=str, sort_keys=True)
