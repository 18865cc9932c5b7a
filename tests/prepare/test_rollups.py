"""Figures of hours and days against a plain loop over the values."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.readings import Quality
from sereno.domain.rollups import FIGURES, Span
from sereno.prepare.rollups import roll_up, span_starts

ZONES = ("UTC", "Europe/Madrid", "Asia/Kolkata", "Australia/Adelaide")
CLOCKS_CHANGE = datetime(2024, 3, 30, 12, tzinfo=UTC), datetime(2024, 10, 26, 12, tzinfo=UTC)
CELLS = st.tuples(
    st.floats(-1e6, 1e6) | st.just(math.nan),
    st.sampled_from([0, int(Quality.BAD), int(Quality.ESTIMATED), int(Quality.SPIKE | Quality.IMBALANCE)]),
)


def _local_start(instant, zone, span):
    local = instant.replace(tzinfo=UTC).astimezone(ZoneInfo(zone))
    hour = local.hour if span is Span.HOUR else 0
    begun = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    return begun.astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("span", list(Span))
@pytest.mark.parametrize("first", CLOCKS_CHANGE)
def test_spans_begin_where_the_clock_of_the_site_says(zone, span, first):
    time = np.datetime64(first.replace(tzinfo=None), "us") + np.arange(200) * np.timedelta64(15, "m")

    found = span_starts(time, zone, span)

    assert found.tolist() == [_local_start(one, zone, span) for one in time.tolist()]


@given(rows=st.lists(CELLS, max_size=60), per_span=st.integers(1, 7))
def test_figures_are_those_of_a_loop(rows, per_span):
    starts = np.datetime64("2024-01-01", "us") + np.arange(len(rows)) // per_span * np.timedelta64(1, "h")
    values, quality = (np.array(part) for part in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 2

    found = roll_up(starts, values.astype(float), quality.astype(np.int32))

    expected = {}
    for start, (value, bits) in zip(starts.tolist(), rows, strict=True):
        if not math.isnan(value):
            expected.setdefault(start, []).append((value, bits in (0, int(Quality.ESTIMATED))))
    assert found.start.tolist() == list(expected)
    for place, held in enumerate(expected.values()):
        fit = [value for value, is_fit in held if is_fit]
        assert (found.n_values[place], found.n_bad[place]) == (len(held), len(held) - len(fit))
        wanted = (math.fsum(fit), min(fit), max(fit), fit[-1]) if fit else (math.nan,) * len(FIGURES)
        figures = [getattr(found, name)[place] for name in FIGURES]
        np.testing.assert_allclose(figures, wanted, rtol=1e-12, atol=1e-6)
