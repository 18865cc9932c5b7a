"""Chromium, and pages that note every complaint and every request that leaves the machine."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, sync_playwright

__all__ = ["Look", "Watched", "a_browser", "looked_at"]

PLACES = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
TIMEOUT_MS = 20_000


@dataclass(frozen=True)
class Look:
    """How somebody looks at the console."""

    width: int = 1440
    language: Literal["es", "en"] = "es"
    theme: Literal["light", "dark"] = "light"
    has_script: bool = True

    def __str__(self) -> str:
        return f"{self.width}-{self.language}-{self.theme}"


@dataclass
class Watched:
    """A page and what went wrong on it.

    Attributes:
        complaints: Errors and warnings of its console, and exceptions.
        foreign: Addresses of other machines that it asked for.
    """

    page: Page
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def open(self, address: str) -> None:
        """Go there and wait until its charts are drawn."""
        self.page.goto(address)
        self.settle()

    def settle(self) -> None:
        """Wait until nothing is loading any more and charts are drawn."""
        self.page.wait_for_function(
            """() => [...document.querySelectorAll('[data-chart]')].every((one) =>
                one.dataset.ready === 'bands' || (one.dataset.ready && !one.dataset.bands))
                && !document.querySelector('.htmx-request')"""
        )


@contextmanager
def a_browser() -> Iterator[Browser]:
    """A browser without a window.

    Raises:
        pytest.skip.Exception: There is no Chromium here.
    """
    place = next((one for one in (*PLACES, shutil.which("chromium")) if one and shutil.which(one)), None)
    with sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=place, args=["--no-sandbox"])
        except Error:
            pytest.skip("Chromium is not installed: the console is not tested in a browser")
        yield found
        found.close()


@contextmanager
def looked_at(browser: Browser, address: str, look: Look = Look()) -> Iterator[Watched]:
    """A page of a fresh browser profile."""
    context = browser.new_context(
        viewport={"width": look.width, "height": 900 if look.width > 600 else 844},
        locale={"es": "es-ES", "en": "en-GB"}[look.language],
        color_scheme=look.theme,
        reduced_motion="reduce",
        java_script_enabled=look.has_script,
        accept_downloads=True,
    )
    context.set_default_timeout(TIMEOUT_MS)
    watched = Watched(context.new_page())
    home = urlsplit(address).netloc

    def heard(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            watched.complaints.append(message.text)

    def asked(request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != home:
            watched.foreign.append(request.url)

    def failed(error: Error) -> None:
        watched.complaints.append(str(error))

    listeners: dict[Any, Callable[[Any], None]] = {"console": heard, "pageerror": failed, "request": asked}
    for event, listener in listeners.items():
        watched.page.on(event, listener)
    try:
        yield watched
    finally:
        # What a page says of requests that closing it cuts short is no complaint.
        for event, listener in listeners.items():
            watched.page.remove_listener(event, listener)
        context.close()
