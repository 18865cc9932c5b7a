from dataclasses import replace

import numpy as np
import pytest

from sereno.domain.judgement import Memory
from sereno.domain.readings import Window
from sereno.prepare.mistakes import Mistakes, find_mistakes, second_opinions
from sereno.prepare.spikes import Spikes
from tests.support.builders import HOUR, LINE, SOLAR, a_roof, a_window


def with_columns(window: Window, rows: slice, change: dict[str, np.ndarray]) -> Window:
    values = window.values.copy()
    for name, column in change.items():
        values[rows, window.signals.index(name)] = column[rows]
    return replace(window, values=values)


def column(window: Window, name: str) -> np.ndarray:
    return window.values[:, window.signals.index(name)]


def exchanged(window: Window, one: str, other: str, rows: slice) -> Window:
    return with_columns(window, rows, {one: column(window, other), other: column(window, one)})


def named(window: Window, shares: np.ndarray) -> list[str]:
    order = np.argsort(-shares.sum(axis=0), kind="stable")
    return [window.signals[place] for place in order.tolist()]


def found(window: Window) -> Mistakes:
    return find_mistakes(window, SOLAR, spikes_of(window), Memory())


def spikes_of(window: Window, largest: float = 0.0) -> Spikes:
    nothing = np.zeros(window.values.shape)
    largests = np.full(len(window.signals), largest)
    return Spikes(nothing, nothing > 0, nothing, nothing > 0, nothing, nothing, largests, Memory())


@pytest.fixture
def roof() -> Window:
    return a_roof(rows=24 * 6, step=HOUR, start="2024-06-01T00")


PAIRS = [
    ("generation", "consumption"),
    ("export", "import"),
    ("self_consumption", "export"),
    ("generation", "self_consumption"),
    ("consumption", "import"),
]


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_exchanged_columns_are_named(roof: Window, pair: tuple[str, str]) -> None:
    window = exchanged(roof, *pair, slice(24, 120))

    mistakes = found(window)

    rows = np.flatnonzero(mistakes.exchanged.any(axis=1))
    assert set(named(window, mistakes.exchanged)[:2]) == set(pair)
    assert rows.min() >= 25
    assert rows.max() < 120


def test_sound_roof_has_no_mistakes(roof: Window) -> None:
    mistakes = found(roof)

    assert not mistakes.wrong.any()
    assert second_opinions(roof, SOLAR)[0].all()


def test_one_row_is_not_enough_for_an_exchange(roof: Window) -> None:
    window = exchanged(roof, "generation", "consumption", slice(36, 37))

    assert not found(window).exchanged.any()


@pytest.mark.parametrize("signal", ["generation", "consumption", "self_consumption", "export", "import"])
def test_turned_sign_is_named(roof: Window, signal: str) -> None:
    window = with_columns(roof, slice(48, 96), {signal: -column(roof, signal)})

    mistakes = found(window)

    assert mistakes.turned.any()
    assert named(window, mistakes.turned)[0] == signal


def test_negative_volume_of_the_usual_size_has_a_turned_sign() -> None:
    window = a_window([10.0, -9.0, -0.1, -500.0], signals=("made",))
    mistakes = find_mistakes(window, LINE, spikes_of(window, 12.0), Memory())

    assert mistakes.turned[:, 0].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("factor", [1_000.0, 0.001])
@pytest.mark.parametrize("signal", ["generation", "import"])
def test_balance_proves_the_unit_of_one_meter(roof: Window, signal: str, factor: float) -> None:
    window = with_columns(roof, slice(48, 96), {signal: column(roof, signal) * factor})

    factors = second_opinions(window, SOLAR)[1]

    own = factors[:, roof.signals.index(signal)]
    others = np.delete(factors, roof.signals.index(signal), axis=1)
    assert set(np.unique(own)) == {0.0, factor}
    assert (own[others.any(axis=1)] == factor).all()
    assert (others > 0).sum() < (own > 0).sum()


@pytest.mark.parametrize("cut", [1, 30, 37, 38, 39, 100])
def test_stream_finds_the_exchange_that_a_batch_finds(roof: Window, cut: int) -> None:
    window = exchanged(roof, "generation", "consumption", slice(36, 60))
    whole = find_mistakes(window, SOLAR, spikes_of(window), Memory())
    start, rest = window.rows(0, cut), window.rows(cut, len(window))

    first = find_mistakes(start, SOLAR, spikes_of(start), Memory())
    second = find_mistakes(rest, SOLAR, spikes_of(rest), first.memory)

    assert np.array_equal(np.vstack((first.exchanged, second.exchanged)), whole.exchanged)
    assert whole.since is not None
    rows = whole.exchanged.any(axis=1)
    late = np.full(len(rows), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    for one, place in ((first, slice(0, cut)), (second, slice(cut, len(rows)))):
        late[place] = np.datetime64("NaT", "us") if one.since is None else one.since
    assert np.array_equal(late[rows], whole.since[rows])
