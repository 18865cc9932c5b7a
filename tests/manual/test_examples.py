"""Every page of the manual: its commands are understood, its settings are valid, its links lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sereno.settings.reading import load_settings
from sereno.settings.tree import Settings
from tests.support.commands import command_names, misunderstood, own_commands
from tests.support.processes import ROOT

FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
OPENING = re.compile(r'```(?:\w+(?: title="[^"]+")?)?')
INDENTED = re.compile(r"^ {4}(sereno [^\n]*)$", re.MULTILINE)
INLINE = re.compile(r"`sereno ([^`]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SHELLS = {"sh", "bash", "console"}
TWIN = re.compile(r"\[En español\]\((es/[\w-]+\.md)\)")
HEADING = re.compile(r"^#+ ", re.MULTILINE)
REMARK = re.compile(r"\s+#.*$", re.MULTILINE)
PLACEHOLDER = re.compile(r"\b[A-Z][A-Z_]+\b|…|<|\|")
PAGES = sorted(
    path
    for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    if "decisions" not in path.parts and path.name != "CHANGELOG.md"
)
TWINS = {
    page: page.parent / found[1]
    for page in PAGES
    if page.parent == ROOT / "docs" and (found := TWIN.search(page.read_text("utf-8")))
}
"""English pages and the Spanish ones that they lead to."""
OWN_NAMES = "physics.md"
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())

if not (ROOT / "docs").is_dir():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _shell(page: Path) -> Iterator[str]:
    text = page.read_text("utf-8")
    yield from (code for kind, code in FENCE.findall(text) if kind in SHELLS)
    yield from INDENTED.findall(FENCE.sub("", text))


@each_page
def test_every_command_is_understood(page: Path) -> None:
    said = [words for code in _shell(page) for words in own_commands(code.replace("[", "").replace("]", ""))]

    wrong = {" ".join(words): why for words in said if (why := _refusal(words))}
    assert wrong == {}


@each_page
def test_every_command_in_a_sentence_exists(page: Path) -> None:
    names = command_names()
    said = [re.split(r"[|\s]", words) for words in INLINE.findall(page.read_text("utf-8"))]

    unknown = {
        " ".join(words)
        for words in said
        if words[0].isidentifier() and words[0].islower() and (words[0],) not in names
    }
    assert unknown == set()


@each_page
def test_settings_are_valid(page: Path, tmp_path: Path) -> None:
    """Blocks of YAML whose keys are those of `sereno.yaml`; others are profiles, recipes and the like."""
    blocks = [code for kind, code in FENCE.findall(page.read_text("utf-8")) if kind == "yaml"]
    for code in blocks:
        said = yaml.safe_load(code)
        if isinstance(said, dict) and set(said) & set(Settings.model_fields):
            known = _without_unknown_receivers(said)
            (tmp_path / "sereno.yaml").write_text(yaml.safe_dump(known, allow_unicode=True), "utf-8")
            load_settings(tmp_path, {})


@each_page
def test_blocks_of_code_are_blocks_on_the_site_too(page: Path) -> None:
    """Behind the language the site takes options only; with any other word a block becomes a paragraph."""
    opened = [line for line in page.read_text("utf-8").splitlines() if line.startswith("```")]

    assert [line for line in opened if not OPENING.fullmatch(line)] == []


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text("utf-8"))
    targets = [link for link in LINK.findall(text) if "://" not in link and not link.startswith("mailto:")]

    broken = {link for link in targets if not _leads_somewhere(page, link)}
    assert broken == set()


def test_every_page_is_in_both_languages_or_says_that_it_is_not() -> None:
    english = {page.name for page in PAGES if page.parent == ROOT / "docs"}

    assert english - {page.name for page in TWINS} <= {"benchmarks.md"}


@pytest.mark.parametrize("page", TWINS, ids=lambda page: page.name)
def test_both_languages_show_the_same_code_under_as_many_headings(page: Path) -> None:
    """But for remarks, what is printed, and names of a plant's own."""
    texts = [one.read_text("utf-8") for one in (page, TWINS[page])]

    assert len({len(HEADING.findall(FENCE.sub("", text))) for text in texts}) == 1
    shown = [[(kind, REMARK.sub("", code)) for kind, code in FENCE.findall(text)] for text in texts]
    english, spanish = ([block for block in blocks if block[0] != "text"] for blocks in shown)
    assert english == spanish or page.name == OWN_NAMES


def _refusal(words: list[str]) -> str:
    """Why a command is not understood; words that stand for others are not held against it."""
    known = [word for word in words if word != "…"]
    said = misunderstood(known)
    return "" if said and any(PLACEHOLDER.search(word) for word in known) and "No such" not in said else said


def _without_unknown_receivers(said: dict[str, object]) -> dict[str, object]:
    """An example of routes may name receivers that another block of its page declares."""
    named = set(re.findall(r"to: \[?([\w, ]+)", yaml.safe_dump(said, default_flow_style=None)))
    names = {name.strip() for group in named for name in group.split(",")}
    receivers = said.get("receivers") or {}
    assert isinstance(receivers, dict)
    stand_in = {
        "kind": "smtp",
        "options": {"host": "mail.example", "from": "a@example.org", "to": ["b@example.org"]},
    }
    return {**said, "receivers": {**dict.fromkeys(names, stand_in), **receivers}}


def _leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    """Anchors of headings as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}
