"""Variables of an OPC UA server: a subscription, and the server's history of what was missed meanwhile.

A server believes that what it has sent has arrived, so that only its history can give it again: after each
connection the history of every variable is read from its last value that we keep. What comes both ways is
one.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from sereno.contracts.source import Inbox, Item, Record
from sereno.domain.errors import ExtraMissing, InvalidRecord, SourceUnreachable
from sereno.domain.readings import MarkedValue, Quality

if TYPE_CHECKING:
    from asyncua import ua
    from asyncua.client.client import Client
    from asyncua.common.node import Node
    from asyncua.common.subscription import DataChangeNotif

__all__ = ["OpcuaNode", "OpcuaSource"]

MAX_BATCH = 1_000
MAX_BEHIND = 50_000
"""Values in memory; when the store takes no more than that, the rest is read from the history later."""
HISTORY_VALUES = 5_000
"""Values of one answer about history."""
_TICK_S = 0.1
_QUALITIES = (Quality.GOOD, Quality.ESTIMATED, Quality.BAD, Quality.BAD)
_SEVERITY_SHIFT = 30
"""The upper two of 32 bits: good, uncertain, bad (OPC UA part 4, section 7.39)."""


@dataclass(frozen=True)
class OpcuaNode:
    """A variable and what it is here."""

    node: str
    signal: str
    asset: str | None = None


@dataclass(frozen=True)
class OpcuaSource:
    """Variables of a server."""

    url: str
    nodes: tuple[OpcuaNode, ...]
    user: str | None = None
    password: SecretStr | None = None
    security: str | None = None
    interval: timedelta = timedelta(seconds=1)
    sampling: timedelta = timedelta(seconds=1)
    queue_size: int = 100
    history: bool = True
    timeout: timedelta = timedelta(seconds=10)

    def listen(self, inbox: Inbox, stop: threading.Event, *, is_trial: bool = False) -> None:
        """Keep what the server sends and what its history holds since the last value that is kept."""
        try:
            import asyncua  # noqa: F401 - only to say what is missing
        except ImportError as error:
            raise ExtraMissing(feature="OPC UA", extra="opcua") from error
        asyncio.run(_listen(self, inbox, stop, is_trial=is_trial))

    def records(self, payload: bytes, received_at: datetime) -> Sequence[Record]:
        """The value of a variable, with the quality that the server gives it."""
        try:
            said = json.loads(payload)
            name, status, value = said["node"], int(said["status"]), said["value"]
            instant = said["source"] or said["server"]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise InvalidRecord(detail=f"it is no value of a variable ({type(error).__name__})") from error
        node = self._by_id.get(name)
        if node is None:
            raise InvalidRecord(detail=f"the variable {name} is not among the nodes of the source")
        quality = _QUALITIES[status >> _SEVERITY_SHIFT & 3]
        where = {} if node.asset is None else {"asset": node.asset}
        at = received_at if instant is None else datetime.fromisoformat(instant)
        return [{"timestamp": at, **where, node.signal: _number(value, quality)}]

    @cached_property
    def _by_id(self) -> Mapping[str, OpcuaNode]:
        return {one.node: one for one in self.nodes}


@dataclass
class _Came:
    """What a subscription has brought, and how the connection ended."""

    items: list[tuple[str, "ua.DataValue"]] = field(default_factory=list)
    lost: str = ""

    def datachange_notification(self, node: "Node", _value: object, data: "DataChangeNotif") -> None:
        """A variable has a new value."""
        self.items.append((node.nodeid.to_string(), data.monitored_item.Value))

    async def connection_lost(self, error: Exception) -> None:
        """There will be no more."""
        self.lost = f"the connection is lost: {str(error) or type(error).__name__}"


async def _listen(source: OpcuaSource, inbox: Inbox, stop: threading.Event, *, is_trial: bool) -> None:
    from asyncua.ua.uaerrors import UaError

    came = _Came()
    latest: dict[str, str] = json.loads(inbox.position or "{}")
    try:
        async with _connected(source, came) as client:
            inbox.heard()
            names = await _subscribe(source, client, came)
            if source.history and not is_trial:
                await _refill(source, client, names, came, latest)
            while not stop.is_set():
                await _keep(came, names, inbox, latest)
                if came.lost:
                    raise SourceUnreachable(address=source.url, detail=came.lost)
                await asyncio.to_thread(inbox.heard)
                await asyncio.sleep(_TICK_S)
            await _keep(came, names, inbox, latest)
    except (OSError, UaError) as error:
        detail = str(error).strip().rstrip(".") or type(error).__name__
        raise SourceUnreachable(address=source.url, detail=detail) from error


@asynccontextmanager
async def _connected(source: OpcuaSource, came: _Came) -> AsyncIterator["Client"]:
    from asyncua.client.client import Client

    client = Client(source.url, timeout=source.timeout.total_seconds())
    client.connection_lost_callback = came.connection_lost
    if source.user is not None:
        client.set_user(source.user)
    if source.password is not None:
        client.set_password(source.password.get_secret_value())
    if source.security is not None:
        await client.set_security_string(source.security)
    await client.connect()
    try:
        yield client
    finally:
        with suppress(Exception):  # it may be gone already
            await asyncio.wait_for(client.disconnect(), source.timeout.total_seconds())


async def _subscribe(source: OpcuaSource, client: "Client", came: _Came) -> dict[str, str]:
    """Subscribe to all variables; gives the name in the settings of each id.

    Raises:
        SourceUnreachable: The server does not know one.
    """
    from asyncua import ua

    nodes = {one.node: client.get_node(one.node) for one in source.nodes}
    period = source.interval.total_seconds() * 1000
    subscription = await client.create_subscription(period, came)
    sampling = source.sampling.total_seconds() * 1000
    found = await subscription.subscribe_data_change(
        list(nodes.values()), queuesize=source.queue_size, sampling_interval=ua.Double(sampling)
    )
    for name, one in zip(nodes, found, strict=True):
        if isinstance(one, ua.StatusCode):
            raise SourceUnreachable(address=source.url, detail=f"the variable {name}: {one.name}")
    return {node.nodeid.to_string(): name for name, node in nodes.items()}


async def _refill(
    source: OpcuaSource, client: "Client", names: Mapping[str, str], came: _Came, latest: Mapping[str, str]
) -> None:
    """What the history of each variable holds since the last value that is kept."""
    from asyncua.ua.uaerrors import UaError

    for node_id, name in names.items():
        if name not in latest:
            continue
        since = datetime.fromisoformat(latest[name])
        try:
            values = await client.get_node(name).read_raw_history(
                since, datetime.now(UTC) + source.timeout, HISTORY_VALUES
            )
        except UaError:  # a variable without history has nothing to tell
            continue
        came.items += [(node_id, value) for value in values]


async def _keep(came: _Came, names: Mapping[str, str], inbox: Inbox, latest: dict[str, str]) -> None:
    """Keep all that has come, and remember the last value of each variable with it."""
    if len(came.items) > MAX_BEHIND:
        came.lost = came.lost or f"{len(came.items)} values wait to be kept"
        del came.items[MAX_BEHIND:]
    while came.items:
        batch = came.items[:MAX_BATCH]
        items = []
        for node_id, value in batch:
            name = names.get(node_id, node_id)
            said = _said(name, value)
            items.append(_item(said))
            instant = said["source"]
            if instant is not None:  # the last that came, not the greatest: clocks of devices differ
                latest[name] = instant
        await asyncio.to_thread(inbox.keep, items, position=json.dumps(latest))
        del came.items[: len(batch)]


def _said(name: str, value: "ua.DataValue") -> dict[str, Any]:
    content = None if value.Value is None else value.Value.Value
    status = 0 if value.StatusCode is None else value.StatusCode.value
    return {
        "node": name,
        "value": content if isinstance(content, int | float) else None if content is None else str(content),
        "status": status,
        "source": _utc(value.SourceTimestamp),
        "server": _utc(value.ServerTimestamp),
    }


def _item(said: Mapping[str, Any]) -> Item:
    """The same value of the same instant is one, whether it was sent or read from the history."""
    known = {name: one for name, one in said.items() if name != "server" or said["source"] is None}
    digest = blake2b(json.dumps(known, sort_keys=True).encode(), digest_size=16).hexdigest()
    return Item(digest, json.dumps(said, ensure_ascii=False).encode("utf-8", "replace"))


def _utc(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    return aware.isoformat(timespec="microseconds")


def _number(value: object, quality: Quality) -> MarkedValue:
    if value is None:
        return MarkedValue(float("nan"), quality)
    try:
        return MarkedValue(float(value), quality)  # type: ignore[arg-type] # what it is decides whether it is one
    except (TypeError, ValueError):
        raise InvalidRecord(detail=f"its value is no number: {str(value)[:80]!r}") from None
