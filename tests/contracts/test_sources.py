"""Every kind of source keeps the contract, and a source that does not is found out."""

# ruff: noqa: ARG002 - sources that look at nothing

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from sereno.contracts.options import Place
from sereno.contracts.source import Inbox, Item, Polled, Record
from sereno.domain.errors import SourceMisconfigured, SourceOptionUnknown, SourceUnknown, SourceUnreachable
from sereno.flows.sources import run_sources
from sereno.flows.workspace import Workspace
from sereno.ingest.sources import build_source, source_kinds
from sereno.testing import check_source
from tests.journeys.test_modbus_source import REGISTERS, running_gateway
from tests.support.broker import running_broker
from tests.support.opcua_server import running_server
from tests.support.processes import free_port
from tests.support.sources import declare_sources, make_registros, stored_values
from tests.support.third_party import declared


def _built(kind: str, **options: Any) -> Any:
    return build_source("x", kind, options, place=Place(), identity="sereno-test")


def test_every_kind_is_checked_here() -> None:
    assert source_kinds() == ["folder", "sql", "mqtt", "opcua", "modbus"]


def test_sql_keeps_the_contract(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    make_registros(url, 30)

    records = check_source(
        _built("sql", url=url, table="registros", batch=7),
        _built("sql", url=f"sqlite:///{tmp_path / 'b.db'}", table="registros"),
        n_records=30,
    )

    assert {record["id"] for record in records} == set(range(1, 31))


def test_mqtt_keeps_the_contract(tmp_path: Path) -> None:
    with running_broker(tmp_path / "broker") as broker:
        topics = ["plants/{site}/{asset}/{signal}"]
        source = _built("mqtt", host="127.0.0.1", port=broker.port, topics=topics)
        sending = threading.Timer(1.0, broker.publish, [[("plants/a/b/current", n) for n in range(5)]])
        sending.start()
        nobody = _built("mqtt", host="127.0.0.1", port=free_port(), topics=topics)

        records = check_source(source, nobody, n_records=5)
        sending.join()

    assert [record["current"] for record in records] == [0, 1, 2, 3, 4]


def test_opcua_keeps_the_contract(tmp_path: Path) -> None:
    with running_server(tmp_path, free_port()) as server:
        nodes = [{"node": "ns=2;i=1", "signal": "current"}]
        nobody = _built("opcua", url=f"opc.tcp://127.0.0.1:{free_port()}", nodes=nodes, timeout="1s")

        check_source(_built("opcua", url=server.url, nodes=nodes), nobody)


def test_modbus_keeps_the_contract() -> None:
    port, devices = free_port(), [{"unit": 1, "registers": REGISTERS}]
    with running_gateway(port):
        nobody = _built("modbus", host="127.0.0.1", port=free_port(), devices=devices, timeout="0.5s")

        check_source(_built("modbus", host="127.0.0.1", port=port, devices=devices), nobody)


@pytest.mark.parametrize(
    ("kind", "options", "error", "told"),
    [
        ("mqqt", {}, SourceUnknown, "mqtt"),
        ("sql", {"url": "sqlite:///x", "tabel": "t"}, SourceOptionUnknown, "table"),
        ("sql", {}, SourceMisconfigured, "url"),
        ("sql", {"url": "env:NOT_THERE_AT_ALL"}, SourceMisconfigured, "NOT_THERE_AT_ALL"),
        ("mqtt", {"host": "h", "topics": ["a/x{asset}"]}, SourceMisconfigured, "level"),
        ("mqtt", {"host": "h", "topics": ["a/{pump}"]}, SourceMisconfigured, "{signal}"),
    ],
)
def test_source_that_cannot_be_built_is_told(
    kind: str, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error) as caught:
        _built(kind, **options)

    assert told in str(caught.value)


@dataclass(frozen=True)
class Counter:
    """Counts, once a minute.

    Attributes:
        until: Number of its records.
    """

    until: int = 3
    interval: timedelta = timedelta(minutes=1)

    @contextmanager
    def connect(self) -> Iterator["Counter"]:
        yield self

    def poll(self, after: str | None) -> Polled:
        numbers = range(int(after or 0), self.until)
        records = [{"timestamp": f"2025-03-01T00:{n:02d}:00Z", "current": 20 + n} for n in numbers]
        return Polled(records, cursor=str(self.until))

    def settle(self, polled: Polled) -> None:
        """There is nothing to be marked."""


def test_source_of_another_package_runs_like_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_source(Counter(), n_records=3)
    place = f"{Counter.__module__}:Counter"
    with declared(tmp_path, monkeypatch, "sereno.sources", counter=place):
        assert "counter" in source_kinds()
        folder = declare_sources(
            tmp_path / "w", {"c": {"kind": "counter", "until": 5, "profile": "motor", "interval": "15min"}}
        )
        with Workspace.open(folder) as workspace:
            run_sources(workspace, threading.Event(), is_once=True)
            found = stored_values(workspace, "current")
        declare_sources(tmp_path / "v", {"c": {"kind": "counter", "untill": 5}})
        with Workspace.open(tmp_path / "v") as workspace, pytest.raises(SourceOptionUnknown, match="until"):
            run_sources(workspace, threading.Event(), is_once=True)

    assert sorted(found.values()) == [20.0, 21.0, 22.0, 23.0, 24.0]


class Loose(Counter):
    """Can be changed."""

    __slots__ = ()
    __setattr__ = object.__setattr__  # type: ignore[assignment]


_NUMBERS = count()


@dataclass(frozen=True)
class Forgetful(Counter):
    """Says more each time."""

    def poll(self, after: str | None) -> Polled:
        polled = super().poll(None)
        return Polled([{**one, "n": next(_NUMBERS)} for one in polled.records], cursor="x")


@dataclass(frozen=True)
class Raising:
    """Takes poison for readings of ours."""

    interval: timedelta = timedelta(minutes=1)

    def listen(self, inbox: Inbox, stop: threading.Event, *, is_trial: bool = False) -> None:
        inbox.keep([Item("a", b'{"timestamp": 1, "current": 2}')])

    def records(self, payload: bytes, received_at: datetime) -> Sequence[Record]:
        return [json.loads(payload)]


@dataclass(frozen=True)
class Claiming(Counter):
    """Is there though nobody is."""


@pytest.mark.parametrize(
    ("source", "unreachable", "told"),
    [
        (Loose(), None, "frozen"),
        (Forgetful(), None, "nothing new"),
        (Raising(), None, "InvalidRecord"),
        (Counter(), Claiming(), "does not say so"),
        (Counter(until=0), None, "of 1 records it gave 0"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_source_that_breaks_the_contract_is_found_out(source: Any, unreachable: Any, told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        check_source(source, unreachable)


def test_unreachable_is_an_error_of_its_own() -> None:
    error = SourceUnreachable(address="mqtt://h:1883", detail="refused")

    assert (error.exit_code, error.is_retriable) == (5, True)
