"""Corrections laid over raw values."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sereno.domain.corrections import Correction, CorrectionKind
from sereno.prepare.corrections import corrected
from tests.support.builders import HOUR, NAN, steps

START = datetime(2024, 1, 1, tzinfo=UTC)
RAW = [1.0, 2.0, 3.0, NAN, 5.0]


def _a_correction(kind: str, first: int, stop: int, amount: float | None = None, **changes: object):
    made = {"id": "a", "asset_id": 1, "signal": "made", "author": "Ana", "reason": "x", "at": START} | changes
    start, end = START + first * HOUR, START + stop * HOUR
    return Correction(
        kind=CorrectionKind(kind),
        started_at=start,
        ended_at=start if kind == "value" else end,
        amount=amount,
        **made,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("one", "wanted"),
    [
        (_a_correction("factor", 1, 3, 10), [1, 20, 30, NAN, 5]),
        (_a_correction("offset", 1, 3, -1), [1, 1, 2, NAN, 5]),
        (_a_correction("missing", 0, 2), [NAN, NAN, 3, NAN, 5]),
        (_a_correction("interpolate", 1, 4), [1, 2, 3, 4, 5]),
        (_a_correction("value", 3, 3, 7), [1, 2, 3, 7, 5]),
    ],
    ids=lambda one: getattr(one, "kind", ""),
)
def test_stretch_or_value_is_corrected_and_the_raw_series_stays(one: Correction, wanted: list[float]) -> None:
    raw = np.array(RAW)

    found, is_changed = corrected(steps(5), raw, [one])

    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(raw, RAW)
    differs = ~((found == raw) | (np.isnan(found) & np.isnan(raw)))
    np.testing.assert_array_equal(is_changed, differs)


def test_later_correction_works_on_what_the_earlier_one_left() -> None:
    double = _a_correction("factor", 0, 5, 2, id="b")
    add = _a_correction("offset", 0, 5, 1, id="a", at=START + timedelta(seconds=1))

    found, _ = corrected(steps(5), np.array(RAW), [add, double])

    np.testing.assert_array_equal(found, [3, 5, 7, NAN, 11])


def test_correction_that_was_taken_back_does_nothing() -> None:
    found, is_changed = corrected(
        steps(5), np.array(RAW), [_a_correction("factor", 0, 5, 2, undone_at=START)]
    )

    np.testing.assert_array_equal(found, RAW)
    assert not is_changed.any()
