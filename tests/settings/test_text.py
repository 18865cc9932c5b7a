"""Taking a branch out of `sereno.yaml` leaves the rest as a person wrote it."""

import pytest

from sereno.settings.text import cut_branch

TEXT = """# our roofs
timezone: Europe/Madrid
store:
  # the server in the cellar
  url: postgresql://ana:s3cret@cellar/sereno

# who hears of it
language: es
"""


def test_branch_is_cut_with_its_own_remarks() -> None:
    rest, cut = cut_branch(TEXT, "store")

    assert rest == "# our roofs\ntimezone: Europe/Madrid\n\n# who hears of it\nlanguage: es\n"
    assert cut == "store:\n  # the server in the cellar\n  url: postgresql://ana:s3cret@cellar/sereno\n"


@pytest.mark.parametrize(
    ("text", "rest", "cut"),
    [
        ("", "", ""),
        ("language: es\n", "language: es\n", ""),
        ("store: {url: 'x'}\nlanguage: es\n", "language: es\n", "store: {url: 'x'}\n"),
        ("language: es\nstore: {url: 'x'}", "language: es\n", "store: {url: 'x'}"),
        ("{store: {url: x}, language: es}", "language: es\n", "store:\n  url: x\n"),
        ('"store": {url: x}\n', "", '"store": {url: x}\n'),
        ("- store\n", "- store\n", ""),
        ("store: [", "store: [", ""),
    ],
)
def test_branch_is_cut_however_it_is_written(text: str, rest: str, cut: str) -> None:
    assert cut_branch(text, "store") == (rest, cut)
