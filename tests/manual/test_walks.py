"""Pages that lead a reader by the hand: every command of theirs runs, in their order, on what they show."""

import re
import shlex
from pathlib import Path

import pytest

from sereno.settings.profiles import load_profiles
from tests.support.processes import ROOT, environment, sereno

DOCS = ROOT / "docs"
PAGES = {
    "first-hour.md": "primera-hora.md",
    "profiles.md": "perfiles.md",
    "calibration.md": "calibracion.md",
    "incidents.md": "incidencias.md",
}
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="(.+)"')
EXIT = re.compile(r"# exit (\d+)")
WORKSPACE = re.compile(r"--workspace (\w+)")

if not DOCS.is_dir():
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


@pytest.mark.parametrize(
    ("page", "language"),
    [
        *((english, "en") for english in PAGES),
        *(pytest.param(f"es/{spanish}", "es", marks=pytest.mark.slow) for spanish in PAGES.values()),
    ],
)
def test_every_command_of_the_page_does_what_it_says(page: str, language: str, tmp_path: Path) -> None:
    """Files of the page are written, settings added, `ID` is the worst incident, and commands run in their
    order; what a `text` block shows is printed by the command before it."""
    said, n_commands = "", 0
    for kind, text in FENCE.findall((DOCS / page).read_text("utf-8")):
        if title := TITLE.search(kind):
            (tmp_path / title[1]).parent.mkdir(parents=True, exist_ok=True)
            with (tmp_path / title[1]).open("a", encoding="utf-8") as file:
                file.write(text)
        elif kind == "text":
            assert _plain(text) in _plain(said)
        elif kind == "sh":
            for line in text.splitlines():
                said = _said_by(line, tmp_path, language)
                n_commands += 1

    assert n_commands > 4


@pytest.mark.parametrize("page", ["profiles.md", "es/perfiles.md"])
def test_every_profile_and_signal_is_on_the_page(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    sections = dict(re.findall(r"^## `(\w+)`[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))

    profiles = load_profiles()
    assert set(sections) == set(profiles)
    for name, profile in profiles.items():
        assert {one for one in profile.signal_names if f"`{one}`" not in sections[name]} == set()
        assert {one.name for one in profile.identities if f"`{one.name}`" not in sections[name]} == set()


def _said_by(line: str, folder: Path, language: str) -> str:
    """What a line of shell prints; it ends as its comment says."""
    words = shlex.split(line, comments=True)
    if "ID" in words:
        listed = sereno("incidents", "list", "--json", workspace=folder / WORKSPACE.findall(line)[0])
        words[words.index("ID")] = listed.document[0]["id"]
    done = sereno(*words[1:], cwd=folder, env=environment(LANG=f"{language}.UTF-8"))
    wanted = EXIT.search(line)
    assert done.code == int(wanted[1] if wanted else 0), f"{line}\n{done.out}\n{done.err}"
    return done.out + done.err


def _plain(text: str) -> str:
    return " ".join(text.split())
