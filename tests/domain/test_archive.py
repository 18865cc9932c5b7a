import pickle

import numpy as np
import pytest

from sereno.domain.archive import ArchiveError, digest_of, pack, unpack
from sereno.domain.judgement import Memory

ARRAYS = {
    "numbers": np.array([[1.5, np.nan], [np.inf, -0.0]]),
    "flags": np.array([True, False]),
    "times": np.array(["2024-01-01"], dtype="datetime64[us]"),
    "nothing": np.empty((0, 3)),
    "one": np.array(7),
}


def test_archive_gives_back_header_and_arrays() -> None:
    header, arrays = unpack(pack({"name": "Año", "n": None}, ARRAYS))

    assert header == {"name": "Año", "n": None}
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in ARRAYS.items()
    }


def test_archive_is_the_same_bytes_when_the_content_is() -> None:
    backwards = dict(reversed(ARRAYS.items()))

    assert pack({"a": 1, "b": 2}, ARRAYS) == pack({"b": 2, "a": 1}, backwards)


def test_archive_is_refused_when_any_byte_differs() -> None:
    data = pack({"a": 1}, ARRAYS)

    for place in range(len(data)):
        altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        with pytest.raises(ArchiveError):
            unpack(altered)


@pytest.mark.parametrize(
    "data",
    [b"", b"sereno 1\n", pickle.dumps({"model": 1}), pack({}, ARRAYS)[:-1], b"sereno 2\n" + pack({}, {})[9:]],
    ids=["empty", "magic only", "pickle", "cut", "other version"],
)
def test_archive_is_refused_when_it_is_none(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        unpack(data)


def test_array_of_objects_is_never_read() -> None:
    data = pack({}, {"x": np.array(["text"])})

    with pytest.raises(ArchiveError, match="never written"):
        unpack(data)


def test_digest_is_that_of_the_second_line() -> None:
    data = pack({}, ARRAYS)

    assert digest_of(data) == data.split(b"\n")[1].decode()


def test_memory_returns_from_its_bytes() -> None:
    memory = Memory.load(Memory(ARRAYS).dump())

    assert memory.dump() == Memory(ARRAYS).dump()


def test_unpacked_arrays_can_be_written_to() -> None:
    _, arrays = unpack(pack({}, {"x": np.zeros(3)}))

    arrays["x"][0] = 1.0

    assert arrays["x"].tolist() == [1.0, 0.0, 0.0]
