"""HTML on paper: printed by the Chromium of this machine, where there is one."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sereno.domain.errors import PdfUnavailable

__all__ = ["BROWSERS", "find_browser", "print_pdf"]

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
_LONGEST_S = 120


def find_browser() -> str | None:
    """The program that prints; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def print_pdf(html: str, path: Path, *, browser: str | None = None) -> None:
    """Print a page that needs nothing else, whole or not at all.

    Raises:
        PdfUnavailable: There is no browser, or it did not print.
        OSError: The system refuses the file.
    """
    program = browser or find_browser()
    if program is None:
        raise PdfUnavailable(detail=f"none of {', '.join(BROWSERS)} is installed")
    with tempfile.TemporaryDirectory(prefix="sereno-pdf-") as folder:
        page, made = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_text(html, "utf-8")
        _run([program, *_flags(folder), f"--print-to-pdf={made}", page.as_uri()])
        if not made.is_file():
            raise PdfUnavailable(detail=f"{program} wrote nothing")
        partial = path.with_name(path.name + ".part")
        shutil.copyfile(made, partial)
        partial.replace(path)


def _flags(folder: str) -> list[str]:
    flags = ["--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]
    flags += [f"--user-data-dir={folder}/profile", "--host-resolver-rules=MAP * ~NOTFOUND"]
    # Chromium refuses its sandbox to root; the page is ours and loads nothing.
    return [*flags, "--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else flags


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_LONGEST_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PdfUnavailable(detail=str(error)) from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise PdfUnavailable(detail=f"{command[0]}: {said[0]}")
