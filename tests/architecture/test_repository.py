"""The files around the code: portable, in both languages, and pinned."""

import re
from pathlib import Path

import pytest

from tests.architecture import repository

REGISTRY_HOSTS = ("pypi." + "org", "python" + "hosted.org", "npmjs." + "org", "anaconda." + "org")
# A folder of one person or one machine; written so that this line does not find itself.
PRIVATE_FOLDER = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work)/\w|[A-Z]:\\Users\\\w")
READMES = (repository.ROOT / "README.md", repository.ROOT / "README.es.md")
REMARK = re.compile(r"\s+#.*$", re.MULTILINE)
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
both_readmes = pytest.mark.skipif(
    not all(path.exists() for path in READMES), reason="the two READMEs are not here yet"
)


def test_files_name_no_registry_and_no_private_folder() -> None:
    found = {repository.name(path): _addresses(path) for path in repository.files()}

    assert not {name: addresses for name, addresses in found.items() if addresses}


@both_readmes
def test_readmes_have_the_same_headings() -> None:
    english, spanish = (_heading_levels(path) for path in READMES)

    assert english == spanish


@both_readmes
def test_readmes_show_the_same_code_each_with_its_own_remarks() -> None:
    english, spanish = (_code_blocks(path) for path in READMES)

    assert english == spanish


def test_changelog_has_an_unreleased_section() -> None:
    text = (repository.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert re.search(r"^## \[Unreleased\]$", text, re.MULTILINE)


def test_constraints_pin_every_requirement() -> None:
    lines = (repository.ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    project = repository.settings()["project"]
    required = [
        *project["dependencies"],
        *(one for extra in project["optional-dependencies"].values() for one in extra),
    ]

    pinned = {_distribution(line) for line in lines if re.fullmatch(r"[\w.-]+==[\w.+!]+( ;.*)?", line)}

    assert len(lines) == len([line for line in lines if _distribution(line) in pinned]), (
        "a line that is no pin"
    )
    assert {_distribution(requirement) for requirement in required} <= pinned


def _addresses(path: Path) -> list[str]:
    content = path.read_bytes()
    if b"\0" in content:
        return []
    text = content.decode("utf-8", errors="replace")
    return [host for host in REGISTRY_HOSTS if host in text] + PRIVATE_FOLDER.findall(text)


def _heading_levels(path: Path) -> list[int]:
    prose = FENCE.sub("", path.read_text(encoding="utf-8"))
    return [len(marks) for marks in re.findall(r"^(#+) ", prose, re.MULTILINE)]


def _code_blocks(path: Path) -> list[tuple[str, str]]:
    """Commands and code without remarks; those and blocks marked `text` are in the language of the reader."""
    blocks = FENCE.findall(path.read_text(encoding="utf-8"))
    return [(language, REMARK.sub("", code)) for language, code in blocks if language.strip() != "text"]


def _distribution(requirement: str) -> str:
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found.group().lower()) if found else ""
