"""Criticality of an hour: every word is reached, bounds belong above, words of others are understood."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.criticality import Criticality, CriticalityScale, criticality_of_word

USUAL = CriticalityScale()
"""The threshold is worth 2 sigmas."""


@pytest.mark.parametrize(
    ("exceedance", "word"),
    [
        (40.0, "Alta"),
        (1.5, "Alta"),
        (1.49, "Media"),
        (1.0, "Media"),
        (0.99, "Baja"),
        (0.75, "Baja"),
        (0.74, "Muy Baja"),
        (0.0, "Muy Baja"),
        (float("nan"), "Indeterminada"),
    ],
)
def test_each_level_is_reached(exceedance: float, word: str) -> None:
    (level,) = USUAL.grade(np.array([exceedance])).tolist()

    assert Criticality(level).word == word


def test_settings_move_the_bands() -> None:
    strict = CriticalityScale(detection=2.75, high=9.0, medium=4.0, low=2.0)

    levels = strict.grade(np.array([3.3, 1.5, 0.8, 0.7]))

    assert [Criticality(level).word for level in levels.tolist()] == ["Alta", "Media", "Baja", "Muy Baja"]


@given(st.lists(st.floats(0, 1e6), min_size=2))
def test_stranger_is_never_less_critical(exceedances: list[float]) -> None:
    levels = USUAL.grade(np.sort(np.array(exceedances)))

    assert np.all(np.diff(levels) >= 0)


@pytest.mark.parametrize(
    ("word", "level"),
    [
        ("Alta", Criticality.HIGH),
        ("ALTA ", Criticality.HIGH),
        ("Crítica", Criticality.HIGH),
        ("muy_baja", Criticality.VERY_LOW),
        ("Leve", Criticality.LOW),
        ("medium", Criticality.MEDIUM),
        ("indeterminada", Criticality.UNDETERMINED),
        ("regular", None),
        ("", None),
    ],
)
def test_words_of_others_are_understood(word: str, level: Criticality | None) -> None:
    assert criticality_of_word(word) is level


def test_words_and_levels_agree() -> None:
    assert [criticality_of_word(level.word) for level in Criticality] == list(Criticality)
