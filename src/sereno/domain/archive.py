"""Arrays and JSON in one run of bytes: what sereno writes instead of pickles.

magic line, SHA-256 line, one JSON line (header, and name, dtype, shape of each array), the arrays' bytes
"""

import hashlib
import json
from collections.abc import Mapping
from math import prod

import numpy as np

__all__ = ["ArchiveError", "digest_of", "pack", "unpack"]

_MAGIC = b"sereno 1\n"
_ALLOWED_KINDS = "biufM"
_JSON = json.JSONEncoder(sort_keys=True, allow_nan=False)


class ArchiveError(ValueError):
    """The bytes are no archive, or were altered."""


def pack(header: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The archive of a JSON-able header and named arrays; equal input gives equal bytes."""
    plain = {name: np.asarray(array) for name, array in sorted(arrays.items())}
    table = [[name, array.dtype.str, list(array.shape)] for name, array in plain.items()]
    first = _JSON.encode({"header": header, "arrays": table}).encode()
    body = first + b"\n" + b"".join(array.tobytes() for array in plain.values())
    return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(data: bytes) -> tuple[dict[str, object], dict[str, np.ndarray]]:
    """Header and arrays of an archive whose digest holds.

    Raises:
        ArchiveError: Not an archive, another version, cut short or altered.
    """
    if not data.startswith(_MAGIC):
        raise ArchiveError("it does not begin as a sereno archive does")
    digest, _, body = data[len(_MAGIC) :].partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        raise ArchiveError("its content does not match its digest")
    first, _, raw = body.partition(b"\n")
    described = json.loads(first)
    arrays, offset = {}, 0
    for name, dtype_text, shape in described["arrays"]:
        dtype = np.dtype(dtype_text)
        if dtype.kind not in _ALLOWED_KINDS:
            raise ArchiveError(f"array '{name}' is of a kind that is never written ({dtype_text})")
        count = prod(shape)
        arrays[name] = np.frombuffer(raw, dtype=dtype, count=count, offset=offset).reshape(shape).copy()
        offset += arrays[name].nbytes
    return described["header"], arrays


def digest_of(data: bytes) -> str:
    """The SHA-256 that an archive carries in its second line."""
    return data[len(_MAGIC) :].partition(b"\n")[0].decode()
