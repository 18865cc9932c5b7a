"""What screens ask of many assets at once gives what asking one by one gives."""

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from sereno.domain.arrays import micros_of
from sereno.domain.errors import NotFound
from sereno.domain.time import from_numpy
from sereno.store import Store
from tests.support.builders import DAY, HOUR, MADRID, SOLAR, SOLAR_SIGNALS, a_window, readings_of

SITES = 3


def _filled(store: Store) -> dict[str, int]:
    windows = [
        a_window(
            rows=200 + 10 * n,
            gap_at=50,
            signals=SOLAR_SIGNALS,
            profile="solar",
            zone=MADRID,
            seed=n,
            asset=type(a_window().asset)(f"Planta {n}", f"Planta {n}"),
        )
        for n in range(SITES)
    ]
    with store.begin() as tx:
        for one in windows:
            batch = readings_of(one)
            ids = tx.ensure_assets(batch.assets, profile="solar", zone=MADRID)
            tx.append(batch, SOLAR, ids, at=from_numpy(one.time[-1]))
        return {one.key.site: one.id for one in tx.assets()}


def test_last_reading_of_each_asset_is_that_of_its_span(store: Store) -> None:
    ids = _filled(store)

    with store.read() as tx:
        found = tx.last_readings()
        spans = {one: tx.span(one) for one in ids.values()}

    assert found == {one: span[1] for one, span in spans.items() if span is not None}
    assert len(found) == SITES


def test_extremes_are_those_of_the_rows_and_nan_where_there_are_none(store: Store) -> None:
    ids = _filled(store)
    with store.read() as tx:
        rows = tx.rows(ids["Planta 0"], "solar")
        first = int(micros_of(rows.time)[0])
        hour = int(HOUR / timedelta(microseconds=1))
        edges = [first + n * 7 * hour for n in range(40)]

        low, high = tx.extremes(ids["Planta 0"], "solar", ("consumption", "nothing", "export"), edges)

    micros = micros_of(rows.time)
    for column, name in ((0, "consumption"), (2, "export")):
        values = rows.values[:, rows.signals.index(name)]
        for part, (begin, end) in enumerate(pairwise(edges)):
            own = values[(micros >= begin) & (micros < end)]
            own = own[~np.isnan(own)]
            if len(own):
                assert (low[part, column], high[part, column]) == pytest.approx((own.min(), own.max()))
            else:
                assert np.isnan([low[part, column], high[part, column]]).all()
    assert np.isnan(low[:, 1]).all()
    assert np.isnan(low[-1]).all()


def test_sums_count_what_lies_in_the_stretch(store: Store) -> None:
    ids = _filled(store)
    with store.read() as tx:
        rows = tx.rows(ids["Planta 1"], "solar")
        start, end = from_numpy(rows.time[10]), from_numpy(rows.time[60])

        found = tx.sums(ids["Planta 1"], "solar", ["generation", "nothing"], start, end)
        empty = tx.sums(ids["Planta 1"], "solar", ["generation"], end + 90 * DAY, end + 91 * DAY)

    column = rows.values[10:60, rows.signals.index("generation")]
    assert found == {"generation": pytest.approx(np.nansum(column))}
    assert empty == {}


@pytest.mark.parametrize("method", ["extremes", "sums", "detections_between"])
def test_asset_of_nobody_is_not_looked_into(store: Store, method: str) -> None:
    _filled(store)
    instants = (from_numpy(np.datetime64("2024-01-01", "us")), from_numpy(np.datetime64("2024-02-01", "us")))
    arguments = {
        "extremes": ("solar", ("generation",), [0, 1]),
        "sums": ("solar", ["generation"], *instants),
        "detections_between": instants,
    }[method]

    with store.read() as tx, pytest.raises(NotFound):
        getattr(tx, method)(999, *arguments)


def test_pulse_changes_when_something_is_judged(store: Store) -> None:
    from sereno.store import WatchState

    with store.read() as tx:
        empty = tx.pulse()
    ids = _filled(store)
    with store.read() as tx:
        filled = tx.pulse()
        span = tx.span(ids["Planta 0"])
    assert span is not None
    with store.begin() as tx:
        tx.save_watch_state(ids["Planta 0"], "judge", WatchState(span[1], b"", ""))
    with store.read() as tx:
        judged = tx.pulse()

    assert len({empty, filled, judged}) == 3
