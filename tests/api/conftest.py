"""A fleet that is learnt once, and a copy of it for each test that acts on it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.api.fleet import SETTINGS, build_fleet
from tests.api.serving import served


@pytest.fixture(scope="session")
def fleet_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace with incidents; not to be changed."""
    return build_fleet(tmp_path_factory.mktemp("fleet") / "workspace")


@pytest.fixture(scope="module")
def looking(fleet_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server of the fleet, for tests that only look."""
    folder = tmp_path_factory.mktemp("looking") / "workspace"
    shutil.copytree(fleet_template, folder)
    with served(folder) as client:
        yield client


@pytest.fixture
def fleet(fleet_template: Path, tmp_path: Path) -> Path:
    """A workspace with incidents of its own for each test."""
    return Path(shutil.copytree(fleet_template, tmp_path / "workspace"))


@pytest.fixture
def acting(fleet: Path) -> Iterator[httpx.Client]:
    """A client of a server of the test's own fleet."""
    with served(fleet) as client:
        yield client


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def stored(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a server of a fleet, on each of the two kinds of database."""
    folder = tmp_path_factory.mktemp("stored") / "workspace"
    if request.param == "sqlite":
        shutil.copytree(request.getfixturevalue("fleet_template"), folder)
        with served(folder) as client:
            yield client
        return
    from tests.support.postgres import fresh_database

    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        build_fleet(folder, settings=f"{SETTINGS}store: {{url: '{url}'}}\n")
        with served(folder) as client:
            yield client
