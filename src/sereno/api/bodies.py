"""Bodies of requests: taken in within limits, expanded within limits, and cut into records."""

import asyncio
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import Request

from sereno.domain.errors import BodyTooLarge, BodyUnreadable, RequestUnsupported, TooSlow
from sereno.domain.issues import MAX_QUARANTINE_TEXT, QuarantinedRow

__all__ = ["CSV", "JSON", "NDJSON", "Body", "BodyLimits", "Records", "read_body", "records_in"]

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
_KINDS: Mapping[str, str] = {
    JSON: JSON,
    "text/json": JSON,
    NDJSON: NDJSON,
    "application/ndjson": NDJSON,
    "application/jsonl": NDJSON,
    CSV: CSV,
    "application/csv": CSV,
    "application/vnd.ms-excel": CSV,
}
_WINDOW_BITS: Mapping[str, int] = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_CHUNK = 65_536
_RETRY_S = 1


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How much one request may bring.

    Attributes:
        max_bytes: Of the body, both as sent and expanded.
        max_fields: Of one record.
        receive_s: Time to send it in [s].
    """

    max_bytes: int = 16 * 2**20
    max_records: int = 10_000
    max_fields: int = 200
    receive_s: float = 60.0


LIMITS = BodyLimits()


@dataclass(frozen=True, slots=True)
class Body:
    """What was sent, expanded; and what kind it is."""

    content: bytes
    kind: str

    @property
    def digest(self) -> str:
        """Of the content."""
        return hashlib.sha256(self.kind.encode() + b"\n" + self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Records:
    """The records of a body, with the line of each, and lines that are none."""

    found: Sequence[Mapping[str, object]]
    lines: Sequence[int]
    broken: tuple[QuarantinedRow, ...] = ()


async def read_body(request: Request, *, kinds: Sequence[str], limits: BodyLimits = LIMITS) -> Body:
    """The body of a request.

    Args:
        kinds: What may be sent; the first is taken where nothing is said.

    Raises:
        RequestUnsupported: It is of another kind, or packed in another way.
        BodyTooLarge: It passes a limit.
        BodyUnreadable: It is not packed as it says.
        TooSlow: It did not arrive in time.
    """
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    kind = _KINDS.get(said, "") if said else kinds[0]
    if kind not in kinds:
        raise RequestUnsupported(found=said, known=", ".join(kinds))
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.max_bytes:
        raise _too_large(limits)
    try:
        async with asyncio.timeout(limits.receive_s):
            content = await _receive(request, limits)
    except TimeoutError as error:
        raise TooSlow(waited_s=limits.receive_s, retry_after_s=_RETRY_S) from error
    packing = request.headers.get("content-encoding", "identity").strip().lower()
    if packing in {"", "identity"}:
        return Body(content, kind)
    if packing not in _WINDOW_BITS:
        raise RequestUnsupported(found=f"Content-Encoding: {packing}", known=", ".join(_WINDOW_BITS))
    return Body(_expand(content, _WINDOW_BITS[packing], limits), kind)


def records_in(body: Body, limits: BodyLimits = LIMITS) -> Records:
    """The records of a JSON or NDJSON body.

    Raises:
        BodyUnreadable: It is none.
        BodyTooLarge: There are too many.
    """
    text = _text(body.content)
    if body.kind == NDJSON:
        return _of_lines(text, limits)
    said = _parsed(text)
    listed = said if isinstance(said, list) else [said]
    if not listed:
        raise BodyUnreadable(detail="it holds no records")
    return _checked([(number, one) for number, one in enumerate(listed, start=1)], (), limits)


async def _receive(request: Request, limits: BodyLimits) -> bytes:
    parts, n_bytes = [], 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > limits.max_bytes:
            raise _too_large(limits)
        parts.append(part)
    return b"".join(parts)


def _expand(content: bytes, window_bits: int, limits: BodyLimits) -> bytes:
    """What a packed body holds, never more of it than the limit at a time."""
    packer = zlib.decompressobj(window_bits)
    parts, n_bytes = [], 0
    try:
        while content and not packer.eof:
            part = packer.decompress(content, _CHUNK)
            n_bytes += len(part)
            if n_bytes > limits.max_bytes:
                raise _too_large(limits)
            parts.append(part)
            content = packer.unconsumed_tail
    except zlib.error as error:
        raise BodyUnreadable(detail=f"it is not packed as it says ({error})") from error
    if not packer.eof:
        raise BodyUnreadable(detail="it ends before its content is complete")
    return b"".join(parts)


def _of_lines(text: str, limits: BodyLimits) -> Records:
    found: list[tuple[int, object]] = []
    broken: list[QuarantinedRow] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found.append((number, _parsed(line)))
        except BodyUnreadable:
            broken.append(QuarantinedRow(number, "read.broken_row", line[:MAX_QUARANTINE_TEXT]))
    if not found and not broken:
        raise BodyUnreadable(detail="it holds no records")
    return _checked(found, tuple(broken), limits)


def _checked(
    found: Sequence[tuple[int, object]], broken: tuple[QuarantinedRow, ...], limits: BodyLimits
) -> Records:
    """Flat records of a bounded size; what is none is set aside."""
    if len(found) + len(broken) > limits.max_records:
        raise BodyTooLarge(detail=f"more than {limits.max_records} records")
    good, odd = [], list(broken)
    for number, one in found:
        if isinstance(one, dict) and one and len(one) <= limits.max_fields and _is_flat(one):
            good.append((number, one))
        else:
            text = json.dumps(one, ensure_ascii=False)[:MAX_QUARANTINE_TEXT]
            odd.append(QuarantinedRow(number, "read.broken_row", text))
    return Records([one for _, one in good], [number for number, _ in good], tuple(odd))


def _is_flat(record: Mapping[str, object]) -> bool:
    return not any(isinstance(value, dict | list) for value in record.values())


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BodyUnreadable(detail=f"it is no JSON ({error})") from error


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BodyUnreadable(detail="it is not UTF-8") from error


def _too_large(limits: BodyLimits) -> BodyTooLarge:
    return BodyTooLarge(detail=f"more than {limits.max_bytes} bytes")
