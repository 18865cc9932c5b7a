"""Whatever a file holds, reading gives readings or a named refusal."""

import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sereno.domain.errors import DataError
from tests.ingest.builders import read, solar_lines, solar_text

TEXT = solar_text(solar_lines(12)).encode()
DAMAGE = st.lists(
    st.tuples(
        st.integers(0, len(TEXT)),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=8), st.sampled_from([b'"', b";", b"\n", b"\r", b"\0", b"1e400", b'="', b"NaN"])
        ),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DAMAGE)
def test_damaged_file_gives_readings_or_a_refusal(tmp_path, damage):
    data = TEXT
    for start, length, patch in damage:
        data = data[:start] + patch + data[start + length :]
    path = tmp_path / "datos.csv"
    path.write_bytes(data)
    try:
        _, report, batches = read(path)
    except DataError:
        return
    json.dumps(report.to_json(), allow_nan=False)
    assert sum(len(b.readings) for b in batches) == report.totals.records_good
    for batch in batches:
        assert not np.isinf(batch.readings.values).any()
        assert not np.isnat(batch.readings.time).any()
