"""Every promise of the manual names a test that is there."""

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT

NAMED = re.compile(r"`([\w/]*test_\w+\.py)(?:::(test_\w+))?`")


@pytest.mark.parametrize("page", ["docs/promises.md", "docs/es/promesas.md"])
def test_every_promise_names_tests_that_are_there(page: str) -> None:
    rows = [line for line in (ROOT / page).read_text("utf-8").splitlines() if line.startswith("| ")][2:]
    folder = Path()
    assert rows
    for row in rows:
        named = NAMED.findall(row)
        assert named, row
        for path, test in named:
            folder = Path(path).parent if "/" in path else folder
            file = ROOT / folder / Path(path).name
            assert file.is_file(), path
            assert f"def {test}(" in file.read_text("utf-8") or not test, test
