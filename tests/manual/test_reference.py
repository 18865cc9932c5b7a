"""The reference pages say what the code says, and leave nothing of it out."""

import re
from pathlib import Path

import pytest

import sereno
from sereno.settings.reading import describe_settings
from tests.manual import reference
from tests.support.commands import command_names

PACKAGE = Path(sereno.__file__).parent
METRIC = re.compile(r'"(sereno_[a-z_]+)"')
NO_METRICS = {
    *("sereno_session", "sereno_form", "sereno_language", "sereno_theme"),
    *("sereno_read_only", "sereno_organization"),
}
CODE = re.compile(r'"((?:read|quality|physics|behaviour|source)\.[a-z_]+)"')

if not reference.FOLDER.is_dir():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _page(name: str) -> str:
    return (reference.FOLDER / name).read_text("utf-8")


def test_pages_are_current() -> None:
    made = reference.pages()

    stale = {name for name, text in made.items() if _page(name) != text}
    assert stale == set(), "python dev.py reference writes them anew"
    assert {path.name for path in reference.FOLDER.glob("*.md")} == set(made)


def test_every_command_setting_and_error_has_its_place() -> None:
    commands = {
        tuple(name.split()) for name in re.findall(r"^## `sereno (.*)`$", _page("commands.md"), re.MULTILINE)
    }
    settings, codes = _page("settings.md"), _page("codes.md")

    assert commands == command_names()
    assert not {key for key, *_ in describe_settings() if f"| `{key}` |" not in settings}
    assert not {code for code in reference.error_classes() if f"| `{code}` |" not in codes}


def test_every_code_that_the_sources_name_is_listed() -> None:
    """Codes stand in the modules that find them; screens, the doctor and failpoints have names like them."""
    others = {"source.before_settle"}
    named = {
        code
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(PACKAGE / "console") and path.name != "doctor.py"
        for code in CODE.findall(path.read_text("utf-8"))
    }
    codes = _page("codes.md")

    missing = {code for code in named if f"`{code}`" not in codes and f"`{code}." not in codes}
    assert len(named) > 40
    assert missing == others


def test_every_metric_that_the_sources_name_is_listed() -> None:
    """Wherever it is made; cookies and names in the database begin as metrics do."""
    named = {name for path in PACKAGE.rglob("*.py") for name in METRIC.findall(path.read_text("utf-8"))}
    page = _page("metrics.md")

    assert len(named) > 10
    assert {name for name in named if f"`{name}`" not in page} == NO_METRICS


def test_every_group_of_extensions_is_listed_with_all_that_is_built_in() -> None:
    page = _page("extensions.md")
    groups = set(re.findall(r"^## \w+: `(.*)`$", page, re.MULTILINE))

    declared = {
        group
        for path in PACKAGE.rglob("registry.py")
        for group in re.findall(r'"(sereno\.[a-z]+)"', path.read_text("utf-8"))
    }
    assert groups == declared


def test_every_option_of_an_extension_is_explained() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .*? \| (.*) \|$", _page("extensions.md"), re.MULTILINE)

    assert len(rows) > 100
    assert {name for name, meaning in rows if not meaning.strip()} == set()
