"""The pages for who comes from an earlier system: every name on our side exists, in both languages."""

import importlib
import importlib.util
import re
from functools import cache
from pathlib import Path

import pytest

import sereno
from sereno.api import description
from sereno.api.routes import doors, health, predict
from sereno.settings.profiles import load_profiles
from sereno.settings.reading import describe_settings
from tests.manual.test_contugas import THEIRS
from tests.support.commands import misunderstood
from tests.support.processes import ROOT

PAGES = [ROOT / "docs" / "from-earlier-systems.md", ROOT / "docs" / "es" / "desde-sistemas-anteriores.md"]
ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.*?) ?\|$", re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
PACKAGE = Path(sereno.__file__).parent

if not all(page.is_file() for page in PAGES):
    pytest.skip("the pages of the manual are not installed", allow_module_level=True)


def _rows(page: Path) -> list[tuple[str, str, str]]:
    found = ROW.findall(page.read_text("utf-8"))
    return [row for row in found if row[0] not in ("there", "allí", "---")]


NAMES = sorted({name for _, ours, _ in _rows(PAGES[0]) for name in SPAN.findall(ours)})


@cache
def _sources() -> str:
    paths = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.yaml")]
    return "\n".join(path.read_text("utf-8") for path in paths)


@cache
def _declared() -> set[str]:
    """Keys of settings and signals of profiles."""
    signals = {signal for profile in load_profiles().values() for signal in profile.signal_names}
    return signals | {key for key, *_ in describe_settings()}


@cache
def _routes() -> set[str]:
    routers = (description.router, doors.router, health.router, predict.router)
    return {
        f"{method} {route.path}"  # type: ignore[attr-defined]
        for router in routers
        for route in router.routes
        for method in route.methods  # type: ignore[attr-defined]
    }


def _exists(name: str) -> bool:
    if name.startswith("sereno "):
        return misunderstood([word.strip("'") for word in name.split()[1:]]) == ""
    if name.startswith(("GET ", "POST ")):
        return name in _routes()
    if name.startswith("python -m "):
        return importlib.util.find_spec(name.rsplit(maxsplit=1)[-1]) is not None
    if name.startswith("sereno."):
        module, _, rest = name.removeprefix("sereno.").partition(".")
        found: object = importlib.import_module(f"sereno.{module}")
        for part in rest.split("."):
            found = getattr(found, part, None)
        return callable(found)
    if name in _declared() or (ROOT / name).is_file():
        return True
    return "/" not in name and re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", _sources()) is not None


@pytest.mark.parametrize("name", NAMES)
def test_our_name_exists(name: str) -> None:
    assert _exists(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "sereno trian",
            "sereno serve --prot 1",
            "POST /procesa",
            "sereno.compat.SistemaAlertas",
            "status.cautious",
        ),
        *("python -m sereno.compatible", "alertas_viejas.json", "deploy/compose.yml"),
    ],
)
def test_a_name_that_is_not_ours_would_be_seen(name: str) -> None:
    assert not _exists(name)


def test_both_languages_place_the_same_names() -> None:
    english, spanish = (_rows(page) for page in PAGES)

    assert [ours for _, ours, _ in english] == [ours for _, ours, _ in spanish]
    assert [SPAN.findall(theirs) for theirs, *_ in english] == [
        SPAN.findall(theirs) for theirs, *_ in spanish
    ]
    assert len(english) > 100


def test_every_key_of_the_configuration_is_placed() -> None:
    theirs = {f"{branch}.{key}" for branch, keys in THEIRS.items() for key in keys.split()}
    table = PAGES[0].read_text("utf-8").partition("## `config.yaml`")[2]

    assert theirs | {"dashboard", "logging"} == {SPAN.findall(row[0])[0] for row in ROW.findall(table)[2:]}
