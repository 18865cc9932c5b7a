"""Names and supply-point numbers in texts of any notation, whole or in pieces."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sereno.domain.masking import Mask, MaskedStream
from sereno.domain.privacy import Pseudonyms

NAMES = Pseudonyms(
    lambda: b"k" * 32, "acme", ["Casa *"], ["Casa Ruiz", "Casa Ruiz Norte", 'Casa "Sol" & Cía']
)
MASK = Mask(NAMES.instead(), NAMES.of)


@pytest.mark.parametrize(
    "number",
    [
        *("ES0021000000000001AB", "ES0021000000000001AB1F", "es0021000000000001ab"),
        *("ES 0021 0000 0000 0001 AB", "ES-0021-0000-0000-0001-AB", "ES%200021%200000%200000%200001%20AB"),
        *("PT0002000012345678XY", "IT001E12345678"),
    ],
)
@pytest.mark.parametrize("around", ["{}", '"\\n{}"', "?site={}&x=1", "file_{}.csv", ">{}<", "%2F{}%2F"])
def test_a_number_is_found_wherever_it_stands(number: str, around: str) -> None:
    plain = re.sub(r" |-|%20", "", number).upper()

    assert MASK.text(around.format(number)) == around.format(NAMES.of(plain))


@pytest.mark.parametrize("length", range(14, 25))
@pytest.mark.parametrize("around", ["Total {}", "'{}'", "&#39;43: Total {}&#39;", '"\\n{}…"'])
def test_a_number_that_was_cut_short_is_hidden_too(length: int, around: str) -> None:
    cut = "ES 0031 4054 1234 5678 YZ"[:length].rstrip()
    expected = re.escape(around).replace(r"\{\}", "p-[0-9a-f]{12}")

    assert re.fullmatch(expected, MASK.text(around.format(cut)))
    assert NAMES.text(f"Total {cut}") == f"Total {NAMES.of(cut)}"


@pytest.mark.parametrize("text", ["ES0021", "IES0021 0000", "2024-01-01T00:00:00Z", "0021000000000001"])
def test_what_is_no_number_stays(text: str) -> None:
    assert MASK.text(text) == text


def test_the_longest_name_counts() -> None:
    assert (
        MASK.text("Casa Ruiz Norte, Casa Ruiz") == f"{NAMES.of('Casa Ruiz Norte')}, {NAMES.of('Casa Ruiz')}"
    )


def test_parts_of_words_are_no_names() -> None:
    assert MASK.text("laCasa Ruiz, Casa Ruizes") == "laCasa Ruiz, Casa Ruizes"


@given(
    parts=st.lists(
        st.sampled_from(["Casa Ruiz", "Casa Ruiz Norte", "ES0021000000000001AB", " y ", "\\n", "x", ", "])
    ),
    cuts=st.lists(st.integers(0, 40)),
)
def test_a_text_in_pieces_is_masked_as_the_whole(parts: list[str], cuts: list[int]) -> None:
    text, stream, pieces = "".join(parts), MaskedStream(MASK), []
    for cut in cuts:
        piece, text = text[:cut], text[cut:]
        pieces.append(stream.feed(piece))
    pieces.append(stream.feed(text, is_last=True))

    assert "".join(pieces) == MASK.text("".join(parts))


def test_little_of_a_long_text_is_kept_back() -> None:
    stream = MaskedStream(MASK)

    written = sum(len(stream.feed("texto " * 1000)) for _ in range(50))

    assert 50 * 6000 - written <= MASK.longest + 1
