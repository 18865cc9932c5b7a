"""What others wrote: named, unchanged, with its licence beside it, and in the bill of materials."""

import hashlib
import importlib.util
import tomllib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import pytest

from tests.architecture import repository

ROOT = repository.ROOT
LIST = ROOT / "THIRD_PARTY.toml"
TOOL = ROOT / "deploy" / "sbom.py"
PLACES = ("api/static", "console/static/vendor", "simulate/data")
OURS = {"README.txt", "__init__.py", "docs.js", "redoc.js"}

if not (LIST.is_file() and TOOL.is_file()):
    pytest.skip("the list of what others wrote is not installed", allow_module_level=True)

COMPONENTS: list[dict[str, Any]] = tomllib.loads(LIST.read_text("utf-8"))["component"]


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("sbom", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bill() -> Mapping[str, Any]:
    """The bill of materials of this environment."""
    found: Mapping[str, Any] = _tool().bill_of_materials()
    return found


@pytest.mark.parametrize("one", COMPONENTS, ids=lambda one: one["name"])
def test_files_are_those_that_are_listed_and_have_their_licence(one: Mapping[str, Any]) -> None:
    found = {path: hashlib.sha256((ROOT / path).read_bytes()).hexdigest() for path in one["files"]}
    licences = [(ROOT / path).read_text("utf-8") for path in one["licence_files"]]

    assert found == one["files"]
    assert any("Permission" in text or "Apache License" in text for text in licences)
    assert one["version"][:7] in "".join(one["files"]) + (
        ROOT / "src/sereno/api/static/README.txt"
    ).read_text("utf-8") + "".join(licences)


def test_nothing_of_others_is_unlisted() -> None:
    listed = {path for one in COMPONENTS for path in [*one["files"], *one["licence_files"]]}
    there = {
        repository.name(path)
        for path in repository.files()
        for place in PLACES
        if path.is_relative_to(repository.PACKAGE / place) and path.name not in OURS
    }

    assert there == listed


def test_bill_names_every_requirement_and_every_file_of_others(bill: Mapping[str, Any]) -> None:
    components = {one["bom-ref"]: one for one in bill["components"]}
    names = {one["name"]: one["scope"] for one in bill["components"]}
    project = repository.settings()["project"]
    needed = {_tool().normal(_tool().Requirement(one).name) for one in project["dependencies"]}
    hashed = {
        part["name"]: part["hashes"][0]["content"]
        for one in components.values()
        for part in one.get("components", ())
    }

    assert {name for name in needed if names.get(name) != "required"} == set()
    assert names.get("psycopg") == "optional"
    assert not {"pytest", "mypy", "ruff", "hypothesis"} & set(names)
    assert hashed == {path: digest for one in COMPONENTS for path, digest in one["files"].items()}


def test_bill_is_whole_and_the_same_each_time(bill: Mapping[str, Any]) -> None:
    references = [one["bom-ref"] for one in bill["components"]]
    known = {"sereno", *references}

    assert len(references) == len(set(references))
    assert {ref for one in bill["dependencies"] for ref in [one["ref"], *one["dependsOn"]]} <= known
    assert all(one["licenses"] for one in bill["components"])
    assert _tool().bill_of_materials() == bill
