"""Registers of devices behind a Modbus TCP gateway, read one after the other over its one connection."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from sereno.contracts.source import Polled, Record
from sereno.domain.errors import ExtraMissing, Fact, SourceUnreachable
from sereno.domain.issues import DataIssue
from sereno.domain.readings import MarkedValue, Quality
from sereno.domain.time import Clock, system_clock

if TYPE_CHECKING:
    from pymodbus.client import ModbusTcpClient

__all__ = ["ModbusDevice", "ModbusRegister", "ModbusSource"]

REFUSED = "source.exception"
MAX_REGISTERS, MAX_BITS = 120, 1_900
"""Of one request; the protocol allows 125 and 2,000 (Modbus application protocol 1.1b3, section 6)."""
_NO_ANSWER = 0
_BITS = ("coil", "discrete")
_FORMATS: Mapping[str, str] = {
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
    "float32": "f",
    "float64": "d",
}
_NAMES = {
    _NO_ANSWER: "no answer",
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "server device failure",
    5: "acknowledge",
    6: "server device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}
"""Modbus application protocol 1.1b3, section 7."""

Cells = Sequence[int] | Sequence[bool]
Order = Literal["big", "little"]


@dataclass(frozen=True)
class ModbusRegister:
    """A value and how it is written."""

    address: int
    signal: str
    type: str = "uint16"
    table: Literal["holding", "input", "coil", "discrete"] = "holding"
    word_order: Order = "big"
    byte_order: Order = "big"
    scale: float = 1.0
    offset: float = 0.0

    @property
    def length(self) -> int:
        """How many registers, or bits, it takes."""
        if self.table in _BITS or self.type == "bit":
            return 1
        return struct.calcsize(f">{_FORMATS[self.type]}") // 2

    def value(self, cells: Cells) -> float:
        """What its registers say, in the unit of the signal."""
        if self.table in _BITS or self.type == "bit":
            raw = float(cells[0] & 1)
        else:
            raw = _decoded(cells, self.type, self.word_order, self.byte_order)
        return raw * self.scale + self.offset


@dataclass(frozen=True)
class ModbusDevice:
    """A device on the bus."""

    registers: tuple[ModbusRegister, ...]
    unit: int = 1
    asset: str | None = None


@dataclass(frozen=True)
class ModbusSource:
    """A gateway and the devices behind it."""

    host: str
    devices: tuple[ModbusDevice, ...]
    port: int = 502
    interval: timedelta = timedelta(seconds=10)
    timeout: timedelta = timedelta(seconds=3)

    @property
    def address(self) -> str:
        """For people."""
        return f"modbus://{self.host}:{self.port}"

    @contextmanager
    def connect(self) -> Iterator["ModbusLink"]:
        """The one connection to the gateway."""
        try:
            from pymodbus.client import ModbusTcpClient
        except ImportError as error:
            raise ExtraMissing(feature="Modbus", extra="modbus") from error
        client = ModbusTcpClient(
            self.host, port=self.port, timeout=self.timeout.total_seconds(), retries=1, reconnect_delay=0
        )
        try:
            if not client.connect():  # type: ignore[no-untyped-call]
                raise SourceUnreachable(address=self.address, detail="nobody answers")
            yield ModbusLink(self, client)
        finally:
            client.close()  # type: ignore[no-untyped-call]


class ModbusLink:
    """A connection to a gateway."""

    def __init__(self, source: ModbusSource, client: "ModbusTcpClient", clock: Clock = system_clock) -> None:
        self._source = source
        self._client = client
        self._clock = clock

    def poll(self, after: str | None) -> Polled:  # noqa: ARG002 - a register knows no past
        """The values of all devices now; one that a device refuses is missing, with the reason."""
        issues: list[DataIssue] = []
        records = [self._record(device, issues) for device in self._source.devices]
        n_registers = sum(len(device.registers) for device in self._source.devices)
        if len(issues) == n_registers and all(one.facts["code"] == _NO_ANSWER for one in issues):
            raise SourceUnreachable(address=self._source.address, detail="no device answers")
        return Polled(records=records, issues=issues)

    def settle(self, polled: Polled) -> None:
        """There is nothing to be marked."""

    def _record(self, device: ModbusDevice, issues: list[DataIssue]) -> Record:
        values: dict[str, object] = {}
        for block in _blocks(device.registers):
            values |= self._values(device, block, issues)
        where = {} if device.asset is None else {"asset": device.asset}
        return {"timestamp": self._clock(), **where, **values}

    def _values(
        self, device: ModbusDevice, block: Sequence[ModbusRegister], issues: list[DataIssue]
    ) -> dict[str, object]:
        first = block[0].address
        found = self._read(device.unit, block[0].table, first, sum(one.length for one in block))
        if not isinstance(found, int):
            cuts = [one.address - first for one in block]
            cells = [found[cut : cut + one.length] for cut, one in zip(cuts, block, strict=True)]
            return {one.signal: one.value(own) for one, own in zip(block, cells, strict=True)}
        if len(block) > 1 and found != _NO_ANSWER:  # which of them is it?
            return {k: v for one in block for k, v in self._values(device, [one], issues).items()}
        for one in block:
            facts: dict[str, Fact] = {
                "unit": device.unit,
                "code": found,
                "name": _NAMES.get(found, "unknown exception"),
            }
            place = f"{device.asset or device.unit}/{one.signal} ({one.table} {one.address})"
            issues.append(DataIssue(REFUSED, place, 1, facts))
        return {one.signal: MarkedValue(float("nan"), Quality.BAD) for one in block}

    def _read(self, unit: int, table: str, address: int, count: int) -> Cells | int:
        """Registers or bits; the code of the exception instead, 0 where nobody answers."""
        from pymodbus.exceptions import ConnectionException, ModbusIOException

        client = self._client
        ask = {
            "holding": client.read_holding_registers,
            "input": client.read_input_registers,
            "coil": client.read_coils,
            "discrete": client.read_discrete_inputs,
        }[table]
        try:
            answer = ask(address, count=count, device_id=unit)
        except ModbusIOException:
            return self._no_answer()
        except (ConnectionException, OSError) as error:
            raise SourceUnreachable(address=self._source.address, detail=str(error).rstrip(".")) from error
        if answer.isError():
            return int(getattr(answer, "exception_code", _NO_ANSWER))
        cells: Cells = answer.bits if table in _BITS else answer.registers
        return cells if len(cells) >= count else _NO_ANSWER

    def _no_answer(self) -> int:
        """A device that is off must not take the others along; a gateway that is off must."""
        is_lost = not self._client.connected
        if is_lost and not self._client.connect():  # type: ignore[no-untyped-call]
            raise SourceUnreachable(address=self._source.address, detail="the connection is lost")
        return _NO_ANSWER


def _blocks(registers: Sequence[ModbusRegister]) -> Iterator[list[ModbusRegister]]:
    """Registers that follow one another without a gap: one request each."""
    block: list[ModbusRegister] = []
    for one in sorted(registers, key=lambda r: (r.table, r.address)):
        limit = MAX_BITS if one.table in _BITS else MAX_REGISTERS
        if block:
            end = block[-1].address + block[-1].length
            is_next = block[0].table == one.table and one.address == end
            if not is_next or end + one.length - block[0].address > limit:
                yield block
                block = []
        block.append(one)
    if block:
        yield block


def _decoded(cells: Cells, kind: str, word_order: Order, byte_order: Order) -> float:
    words = list(cells) if word_order == "big" else list(reversed(cells))
    raw = b"".join(struct.pack(">H" if byte_order == "big" else "<H", word) for word in words)
    return float(struct.unpack(f">{_FORMATS[kind]}", raw)[0])
