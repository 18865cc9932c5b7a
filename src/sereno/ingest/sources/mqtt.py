"""Topics of an MQTT broker: a message is acknowledged once it is kept for good, and not before.

The session is persistent, so that the broker keeps messages while nobody listens. One connection has one
client: what a lost connection had not acknowledged is sent again on the next one, and never acknowledged
there by mistake.
"""

import json
import queue
import re
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from pydantic import SecretStr

from sereno.contracts.source import Inbox, Item, Record
from sereno.domain.errors import InvalidRecord, SourceUnreachable
from sereno.domain.failpoints import reach
from sereno.ingest.headers import GENERIC, Role, key_of
from sereno.ingest.sources.options import WorkspacePath

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

__all__ = ["MqttSource"]

PORT, TLS_PORT = 1883, 8883
MAX_BATCH = 1_000
"""Messages of one commit at most."""
LINGER_S = 0.02
"""How long a commit waits for more messages [s]."""
QUEUE = 10_000
"""Messages in memory; a broker sends no more than that unacknowledged."""
_CONNECT_S = 10.0
_POLL_S = 0.2
_ARRIVAL = "arrival"
_NAMES = ("site", "asset", "signal")
_TIMES = frozenset(key_of(name) for name in GENERIC[Role.TIME])
_VALUES = ("value", "valor", "val", "v")
_SEPARATOR = b"\0"
"""Between topic and payload: no topic may hold it (MQTT 5, section 1.5.4)."""
_LEVEL = re.compile(r"\{(\w+)\}")
_SHOWN = 80
# Counts since 1970: seconds, milliseconds, microseconds, nanoseconds.
_UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (float("inf"), 1e9))


@dataclass(frozen=True)
class MqttSource:
    """Topics, with what their parts name."""

    host: str
    topics: tuple[str, ...]
    port: int | None = None
    user: str | None = None
    password: SecretStr | None = None
    tls: bool = False
    ca_file: WorkspacePath | None = None
    cert_file: WorkspacePath | None = None
    key_file: WorkspacePath | None = None
    client_id: str | None = None
    time: str | None = None
    version: Literal["3.1.1", "5"] = "5"
    qos: Literal[0, 1] = 1
    keepalive: timedelta = timedelta(minutes=1)
    session_expiry: timedelta = timedelta(days=7)
    max_payload_bytes: int = 65_536
    identity: str = "sereno"

    def __post_init__(self) -> None:
        for topic in self.topics:
            for level in topic.split("/"):
                named = _LEVEL.fullmatch(level)
                if ("{" in level or "}" in level) and (named is None or named[1] not in _NAMES):
                    known = ", ".join(f"{{{name}}}" for name in _NAMES)
                    raise ValueError(
                        f"'{level}' in the topic '{topic}': a level may be one of {known}, + or #"
                    )

    def listen(self, inbox: Inbox, stop: threading.Event, *, is_trial: bool = False) -> None:
        """Keep messages in batches, acknowledging each batch once it is kept."""
        line = _Line(self, is_trial=is_trial)
        line.open()
        try:
            inbox.heard()
            while not stop.is_set():
                batch = line.take()
                if batch:
                    inbox.keep([self._item(message) for message in batch])
                    reach("mqtt.before_ack")
                    line.acknowledge(batch)
                elif line.lost:
                    raise SourceUnreachable(address=self.address, detail=line.lost)
        finally:
            line.close()

    def records(self, payload: bytes, received_at: datetime) -> Sequence[Record]:
        """What a message says: one value, an object of values, or a list of those."""
        topic, _, body = payload.partition(_SEPARATOR)
        names = self._names(topic.decode("utf-8", "replace"))
        content = _content(body)
        parts = content if isinstance(content, list) else [content]
        return [self._record(part, names, received_at) for part in parts]

    @property
    def address(self) -> str:
        """For people, without secrets."""
        scheme = "mqtts" if self.tls else "mqtt"
        return f"{scheme}://{self.host}:{self.port or (TLS_PORT if self.tls else PORT)}"

    @property
    def filters(self) -> list[str]:
        """What is subscribed to."""
        return [_LEVEL.sub("+", topic) for topic in self.topics]

    @cached_property
    def _patterns(self) -> list[re.Pattern[str]]:
        return [re.compile("/".join(map(_pattern, topic.split("/"))), re.DOTALL) for topic in self.topics]

    def _names(self, topic: str) -> dict[str, str]:
        for pattern in self._patterns:
            if match := pattern.fullmatch(topic):
                return match.groupdict()
        raise InvalidRecord(detail=f"its topic '{topic[:_SHOWN]}' fits none of {', '.join(self.topics)}")

    def _record(self, content: object, names: Mapping[str, str], received_at: datetime) -> Record:
        said = _flat(content) if isinstance(content, dict) else {}
        signal = names.get("signal")
        key = self._time_key(said)
        if self.time not in (None, _ARRIVAL) and key is None:
            raise InvalidRecord(detail=f"it has no '{self.time}'")
        instant = received_at if key is None else _instant(said.pop(key))
        if signal is not None:
            content = next((said[name] for name in _VALUES if name in said), said.get(signal, content))
            if isinstance(content, dict | list):
                raise InvalidRecord(detail=f"it has no value ({', '.join(_VALUES)}) for '{signal}'")
            said = {signal: content}
        elif not isinstance(content, dict):
            raise InvalidRecord(detail="its topic names no signal, and it is no object of values")
        where = {name: text for name, text in names.items() if name != "signal"}
        return {"timestamp": instant, **said, **where}

    def _time_key(self, said: Mapping[str, object]) -> str | None:
        if self.time == _ARRIVAL:
            return None
        if self.time is not None:
            return self.time if self.time in said else None
        return next((key for key in said if key_of(key) in _TIMES), None)

    def _item(self, message: "MQTTMessage") -> Item:
        raw = bytes(message.payload)
        topic = message.topic.encode("utf-8", "replace")
        payload = topic + _SEPARATOR + raw[: self.max_payload_bytes]
        digest = blake2b(topic + _SEPARATOR + raw, digest_size=16).hexdigest()
        if len(raw) > self.max_payload_bytes:
            reason = f"it has {len(raw)} bytes, more than {self.max_payload_bytes} (max_payload_bytes)"
            return Item(digest, payload, reason=reason)
        if self._has_time(raw):
            return Item(digest, payload)
        # Without an instant of its own the same content may be news; only what is sent again is the same.
        return Item(f"{digest}:{message.mid}", payload, is_fresh=not message.dup)

    def _has_time(self, raw: bytes) -> bool:
        if self.time == _ARRIVAL:
            return False
        try:
            content = _content(raw)
        except InvalidRecord:
            return False
        parts = content if isinstance(content, list) else [content]
        return bool(parts) and all(isinstance(p, dict) and self._time_key(_flat(p)) for p in parts)


class _Line:
    """One connection: its client, what came over it, and how it ended.

    Attributes:
        lost: Why it is of no use any more; empty while it is.
    """

    def __init__(self, source: MqttSource, *, is_trial: bool) -> None:
        self.lost = ""
        self._source = source
        self._is_trial = is_trial
        self._came: queue.Queue[MQTTMessage] = queue.Queue(QUEUE)
        self._is_closing = False
        self._subscribed = threading.Event()
        self._client = self._new_client()

    def open(self) -> None:
        """Connect and subscribe.

        Raises:
            SourceUnreachable: The broker is not there, or refuses us.
        """
        source = self._source
        try:
            self._connect()
        except (OSError, ValueError) as error:
            raise SourceUnreachable(
                address=source.address, detail=str(error) or type(error).__name__
            ) from error
        self._client.loop_start()
        deadline = time.monotonic() + _CONNECT_S
        while not self._subscribed.wait(0.05):
            if self.lost or time.monotonic() > deadline:
                self.close()
                raise SourceUnreachable(address=source.address, detail=self.lost or "no answer")

    def close(self) -> None:
        """Leave; what is not acknowledged is sent again."""
        self._is_closing = True
        while not self._came.empty():  # the thread that receives may wait for room
            self._came.get_nowait()
        self._client.disconnect()
        self._client.loop_stop()

    def take(self) -> list["MQTTMessage"]:
        """The messages that have come, after a moment for more; empty when none came for a while."""
        try:
            batch = [self._came.get(timeout=_POLL_S)]
        except queue.Empty:
            return []
        deadline = time.monotonic() + LINGER_S
        while len(batch) < MAX_BATCH:
            try:
                batch.append(self._came.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                break
        return batch

    def acknowledge(self, batch: Sequence["MQTTMessage"]) -> None:
        """Let the broker forget messages."""
        if self._is_trial:
            return
        for message in batch:
            if message.qos:
                self._client.ack(message.mid, message.qos)

    def _new_client(self) -> "Client":
        from paho.mqtt.client import Client, MQTTv5, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        source = self._source
        is_v5 = source.version == "5"
        name = source.client_id or source.identity
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{name}-{uuid4().hex[:8]}" if self._is_trial else name,
            clean_session=None if is_v5 else self._is_trial,
            protocol=MQTTv5 if is_v5 else MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        if source.user is not None:
            secret = None if source.password is None else source.password.get_secret_value()
            client.username_pw_set(source.user, secret)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _connect(self) -> None:
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        source = self._source
        if source.tls:
            context = ssl.create_default_context(cafile=source.ca_file)
            if source.cert_file is not None:
                context.load_cert_chain(source.cert_file, source.key_file)
            self._client.tls_set_context(context)
        more: dict[str, Any] = {}
        if source.version == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.ReceiveMaximum = QUEUE
            if not self._is_trial:
                properties.SessionExpiryInterval = int(source.session_expiry.total_seconds())
            more = {"clean_start": self._is_trial, "properties": properties}
        port = source.port or (TLS_PORT if source.tls else PORT)
        self._client.connect(source.host, port, max(1, int(source.keepalive.total_seconds())), **more)

    def _on_connect(self, client: "Client", _data: object, _flags: object, code: object, *_: object) -> None:
        if getattr(code, "is_failure", False):
            self.lost = f"refused: {code}"
            return
        qos: int = 0 if self._is_trial else self._source.qos
        client.subscribe([(one, qos) for one in self._source.filters])

    def _on_subscribe(
        self, _client: object, _data: object, _mid: int, codes: Sequence[object], *_: object
    ) -> None:
        refused = [code for code in codes if getattr(code, "is_failure", False)]
        if refused:
            self.lost = f"the subscription is refused: {refused[0]}"
            return
        self._subscribed.set()

    def _on_disconnect(
        self, _client: object, _data: object, _flags: object, code: object, *_: object
    ) -> None:
        if not self._is_closing:
            self.lost = self.lost or f"the connection is lost: {code}"

    def _on_message(self, _client: object, _data: object, message: "MQTTMessage") -> None:
        while not self._is_closing:
            with suppress(queue.Full):
                self._came.put(message, timeout=_POLL_S)
                return


def _pattern(level: str) -> str:
    if named := _LEVEL.fullmatch(level):
        return f"(?P<{named[1]}>[^/]*)"
    return {"+": "[^/]*", "#": ".*"}.get(level, re.escape(level))


def _content(body: bytes) -> object:
    """A JSON document, or a number with a decimal comma."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        pass
    text = body.decode("utf-8", "replace").strip()
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise InvalidRecord(detail=f"it is no JSON and no number: {text[:_SHOWN]!r}") from None


def _flat(content: Mapping[str, object]) -> dict[str, object]:
    """An object with the objects in it (`{"ts": …, "values": {…}}`) opened, one level deep."""
    return dict(_entries(content))


def _entries(content: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in content.items():
        if isinstance(value, dict):
            yield from value.items()
        else:
            yield key, value


def _instant(value: object) -> object:
    """An instant of a message: a count since 1970 in any unit, ISO with an offset; other texts stay."""
    if isinstance(value, str):
        try:
            read = datetime.fromisoformat(value)
        except ValueError:
            return value
        return value if read.tzinfo is None else read.astimezone(UTC)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise InvalidRecord(detail=f"its instant is {str(value)[:_SHOWN]!r}")
    per_second = next(unit for border, unit in _UNITS if abs(value) < border)
    try:
        return datetime.fromtimestamp(value / per_second, UTC)
    except (OverflowError, ValueError, OSError):
        raise InvalidRecord(detail=f"its instant is {str(value)[:_SHOWN]!r}") from None
