"""Completion of commands and options, in a real shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import environment

PROGRAM = shutil.which("sereno", path=str(Path(sys.executable).parent))
SCRIPT = """
set -eu
eval "$(_SERENO_COMPLETE=source_bash sereno)"
COMP_WORDS=({words}) COMP_CWORD={position}
_sereno_completion sereno
echo "${{COMPREPLY[@]}}"
"""

pytestmark = pytest.mark.skipif(
    PROGRAM is None or shutil.which("bash") is None, reason="bash or the program sereno is not here"
)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sereno mod", {"models"}),
        ("sereno models pro", {"promote"}),
        ("sereno serve --ro", {"--role"}),
        ("sereno serve --role en", {"engine"}),
    ],
)
def test_bash_completes(words: str, expected: set[str]) -> None:
    script = SCRIPT.format(words=words, position=len(words.split()) - 1)
    path = f"{Path(str(PROGRAM)).parent}{os.pathsep}{os.environ['PATH']}"

    done = subprocess.run(
        ["bash", "-c", script], env=environment(PATH=path), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == expected
