"""One world and one server to look at for all tests of the console, one browser for each of its files."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from sereno.flows.service import Service
from tests.console.browsing import a_browser
from tests.console.serving import console_server, copied
from tests.console.world import NOW, build_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace; to be copied before it is changed."""
    folder = tmp_path_factory.mktemp("console") / "world"
    build_world(folder)
    return folder


@pytest.fixture(scope="session")
def looking(world: Path) -> Iterator[str]:
    """The address of a server that nobody changes anything on."""
    with console_server(world, clock=lambda: NOW) as (address, _):
        yield address


@pytest.fixture
def client(looking: str) -> Iterator[httpx.Client]:
    """Asks that server without a browser."""
    with httpx.Client(base_url=looking, timeout=30, headers={"accept-language": "en"}) as found:
        yield found


@pytest.fixture
def own(world: Path, tmp_path: Path) -> Iterator[tuple[str, Service]]:
    """A server whose world belongs to the test."""
    with console_server(copied(world, tmp_path / "world"), clock=lambda: NOW) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; tests are skipped where there is none.

    Ended with its file: while it lives, Playwright keeps an event loop in the thread of the tests.
    """
    with a_browser() as found:
        yield found
