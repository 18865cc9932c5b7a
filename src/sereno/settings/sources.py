"""Branches of `sereno.yaml` for where readings come from."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Discriminator, Field, SecretStr, Tag, model_validator

from sereno.settings.branch import Branch, Duration

__all__ = [
    "SOURCES",
    "FolderSource",
    "ModbusDevice",
    "ModbusRegister",
    "ModbusSource",
    "MqttSource",
    "OpcuaNode",
    "OpcuaSource",
    "OtherSource",
    "SourceName",
    "SourceSettings",
    "SqlSource",
    "source_branch",
]

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
_TENTH = timedelta(milliseconds=100)
MIN_QUEUE = 20
"""With an OPC UA queue of one, a quarter of the values was lost without a word."""


SourceName = Annotated[str, Field(pattern=r"^[\w. -]+$", max_length=80)]
"""What stands in keys and on screens: letters, digits, spaces, `_`, `-` and `.`."""


class _Source(Branch):
    """What every source has."""

    silent_after: Duration | None = Field(
        default=None, description="Time without a sign of life that is an incident, as 1h; never without one."
    )
    profile: str | None = Field(
        default=None, description="Profile of what it sends; that of the workspace, or by its columns, else."
    )
    timezone: str | None = Field(
        default=None, description="IANA zone of its times without one; that of the workspace otherwise."
    )
    site: str | None = Field(
        default=None, description="Site of what names none; otherwise the name of the source."
    )
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="What its columns are called here, with their unit: {P_TOT: 'active_power (W)'}; "
        "`ignore` leaves one out.",
    )
    step: Duration | None = Field(
        default=None,
        ge=_TENTH,
        description="Rhythm to which times are rounded down, as 1min; the last value of a step counts. "
        "As sent without one.",
    )


class FolderSource(_Source):
    """A folder that other systems write files into."""

    kind: Literal["folder"] = Field(default="folder", description="Kind of source.")
    path: str = Field(description="Folder, relative to the workspace or absolute.")
    pattern: str = Field(default="*", description="Which file names are taken (shell pattern).")
    interval: Duration = Field(default=_MINUTE, description="Time between two looks, as 60s.")


class SqlSource(_Source):
    """A table of a database that is asked again and again."""

    kind: Literal["sql"] = Field(description="Kind of source.")
    url: SecretStr = Field(
        description="sqlite:///…, postgresql://…, or env:NAME or file:PATH; only read, unless a flag is set."
    )
    table: str | None = Field(default=None, description="Table or view, with its schema where needed.")
    query: str | None = Field(default=None, description="SELECT that stands in for a table.")
    time_column: str | None = Field(
        default=None, description="Column of the instant; otherwise the one that is typed or named so."
    )
    key_column: str | None = Field(
        default=None, description="Column that grows with each row; otherwise the primary key."
    )
    processed_flag: str | None = Field(
        default=None, description="Column that is 0 until we have stored the row, and is then set to 1."
    )
    signal_column: str | None = Field(
        default=None, description="Column that names the signal, where each row holds one value."
    )
    value_column: str | None = Field(default=None, description="Column of that value.")
    interval: Duration = Field(default=_MINUTE, description="Time between two questions, as 60s.")
    overlap: Duration = Field(
        default=_HOUR, description="How far back each question reaches, for rows that came late, as 1h."
    )
    batch: int | None = Field(
        default=None, ge=1, le=100_000, description="Rows of a question: 1,000, or 100 with a flag."
    )
    silent_after: Duration | None = Field(
        default=_DAY, description="Time without a new row that is an incident, as 1d; never with null."
    )

    @model_validator(mode="after")
    def _suited(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError("say either table or query")
        if self.processed_flag is not None and self.table is None:
            raise ValueError("processed_flag needs a table: the rows of a query cannot be marked")
        if (self.signal_column is None) != (self.value_column is None):
            raise ValueError("signal_column and value_column belong together")
        return self


class MqttSource(_Source):
    """Topics of an MQTT broker."""

    kind: Literal["mqtt"] = Field(description="Kind of source.")
    host: str = Field(description="Name or address of the broker.")
    port: int | None = Field(default=None, ge=1, le=65_535, description="1883, or 8883 with TLS.")
    topics: list[str] = Field(
        min_length=1,
        description="Topics with what their parts name: plants/{site}/{asset}/{signal}; + and # pass.",
    )
    user: str | None = Field(default=None, description="User name.")
    password: SecretStr | None = Field(default=None, description="Password, as env:NAME or file:PATH.")
    tls: bool = Field(default=False, description="Encrypt, and check the broker's certificate.")
    ca_file: str | None = Field(
        default=None, description="Certificates that are trusted; those of the system otherwise."
    )
    cert_file: str | None = Field(
        default=None, description="Our own certificate, for brokers that ask for it."
    )
    key_file: str | None = Field(default=None, description="Its key.")
    client_id: str | None = Field(
        default=None,
        max_length=65_535,
        description="By which the broker knows us again; otherwise made of source and store.",
    )
    time: str | None = Field(
        default=None,
        description="Name of the instant in a message, or `arrival`; otherwise found by its name.",
    )
    version: Literal["3.1.1", "5"] = Field(
        default="5", description="Of MQTT, as text; 3.1.1 for old brokers."
    )
    qos: Literal[0, 1] = Field(default=1, description="1 loses nothing; 0 may.")
    keepalive: Duration = Field(
        default=_MINUTE,
        ge=timedelta(seconds=1),
        description="Time after which silence is asked about, as 60s.",
    )
    session_expiry: Duration = Field(
        default=7 * _DAY, description="How long the broker keeps messages for us while we are away, as 7d."
    )
    max_payload_bytes: int = Field(
        default=65_536,
        ge=1,
        le=16_777_216,
        description="Size of a message; larger ones are set aside [bytes].",
    )
    silent_after: Duration | None = Field(
        default=_HOUR, description="Time without a message that is an incident, as 1h; never with null."
    )


class OpcuaNode(Branch):
    """A variable of an OPC UA server."""

    node: str = Field(description="Its node id, as ns=2;s=Pump1.Current.")
    signal: str = Field(description="What it is here, with its unit where it is another: 'active_power (W)'.")
    asset: str | None = Field(default=None, description="Whose it is; of the site itself without one.")


class OpcuaSource(_Source):
    """Variables of an OPC UA server (extra `opcua`)."""

    kind: Literal["opcua"] = Field(description="Kind of source.")
    url: str = Field(description="Address, as opc.tcp://192.168.1.20:4840.")
    nodes: list[OpcuaNode] = Field(min_length=1, description="Variables that are watched.")
    user: str | None = Field(default=None, description="User name.")
    password: SecretStr | None = Field(default=None, description="Password, as env:NAME or file:PATH.")
    security: str | None = Field(
        default=None,
        description="Policy, mode, certificate and key, as Basic256Sha256,SignAndEncrypt,own.der,own.pem.",
    )
    interval: Duration = Field(
        default=timedelta(seconds=1), ge=_TENTH, description="Time between two messages of the server, as 1s."
    )
    sampling: Duration = Field(
        default=timedelta(seconds=1), ge=timedelta(0), description="Rhythm in which the server looks, as 1s."
    )
    queue_size: int = Field(
        default=100,
        ge=MIN_QUEUE,
        le=100_000,
        description="Values that the server keeps between two messages.",
    )
    history: bool = Field(
        default=True, description="Whether what was missed is read from the server's history."
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10), ge=_TENTH, description="How long an answer may take, as 10s."
    )
    silent_after: Duration | None = Field(
        default=_HOUR, description="Time without a connection that is an incident, as 1h; never with null."
    )


class ModbusRegister(Branch):
    """A value of a Modbus device."""

    address: int = Field(ge=0, le=65_535, description="Of its first register or bit, from 0.")
    signal: str = Field(description="What it is here, with its unit where it is another: 'active_power (W)'.")
    type: Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64", "bit"] = (
        Field(default="uint16", description="How it is written.")
    )
    table: Literal["holding", "input", "coil", "discrete"] = Field(
        default="holding", description="Where it stands."
    )
    word_order: Literal["big", "little"] = Field(
        default="big", description="Which register of several comes first."
    )
    byte_order: Literal["big", "little"] = Field(
        default="big", description="Which byte of a register comes first."
    )
    scale: float = Field(default=1.0, description="What it is multiplied by.")
    offset: float = Field(default=0.0, description="What is added then.")


class ModbusDevice(Branch):
    """A device behind a Modbus gateway."""

    unit: int = Field(default=1, ge=0, le=255, description="Its number on the bus.")
    asset: str | None = Field(default=None, description="Whose values they are; the site's without one.")
    registers: list[ModbusRegister] = Field(min_length=1, description="What is read.")


class ModbusSource(_Source):
    """Registers behind a Modbus TCP gateway, which has one connection (extra `modbus`)."""

    kind: Literal["modbus"] = Field(description="Kind of source.")
    host: str = Field(description="Name or address of the gateway.")
    port: int = Field(default=502, ge=1, le=65_535, description="Its port.")
    devices: list[ModbusDevice] = Field(min_length=1, description="All devices behind it.")
    interval: Duration = Field(
        default=timedelta(seconds=10), ge=_TENTH, description="Time between two readings, as 10s."
    )
    timeout: Duration = Field(
        default=timedelta(seconds=3), ge=_TENTH, description="How long an answer may take, as 3s."
    )
    silent_after: Duration | None = Field(
        default=_HOUR, description="Time without an answer that is an incident, as 1h; never with null."
    )


class OtherSource(_Source):
    """A source that another package brings; its options are looked at when it is built."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="Kind that a package declares as an entry point of sereno.sources.")


SOURCES: Mapping[str, type[_Source]] = {
    "folder": FolderSource,
    "sql": SqlSource,
    "mqtt": MqttSource,
    "opcua": OpcuaSource,
    "modbus": ModbusSource,
}
_OTHER = "other"


def _kind_of(said: object) -> str:
    kind = said.get("kind", "folder") if isinstance(said, Mapping) else getattr(said, "kind", "folder")
    return kind if isinstance(kind, str) and kind in SOURCES else _OTHER


def source_branch(tag: str) -> type[_Source]:
    """The branch of a kind, as errors name it."""
    return SOURCES.get(tag, OtherSource)


SourceSettings = Annotated[
    Annotated[FolderSource, Tag("folder")]
    | Annotated[SqlSource, Tag("sql")]
    | Annotated[MqttSource, Tag("mqtt")]
    | Annotated[OpcuaSource, Tag("opcua")]
    | Annotated[ModbusSource, Tag("modbus")]
    | Annotated[OtherSource, Tag(_OTHER)],
    Discriminator(_kind_of),
]
