"""Three pictures for the README, of the demonstration: `python -m tests.console.readme_pictures`."""

import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from PIL.Image import Dither
from playwright.sync_api import Browser

from sereno.flows.demo import run_demo
from sereno.flows.workspace import Workspace
from tests.console.browsing import Look, a_browser, looked_at
from tests.console.serving import console_server
from tests.console.world import NOW

__all__ = ["PICTURES", "take_readme_pictures"]

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
MOST_BYTES = 150_000
_COLOURS = 256
_LOOK = Look(1280, "es", "light")
_TARIFF = "timezone: Europe/Madrid\ntariff: {currency: EUR, prices: {kWh: 0.16, m³: 0.45}}\n"


def take_readme_pictures(folder: Path) -> list[Path]:
    """Fleet, worst incident and its site, as the demonstration shows them on a fixed day."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        workspace = Path(place, "demo")
        workspace.mkdir()
        (workspace / "sereno.yaml").write_text(_TARIFF, "utf-8")
        with Workspace.open(workspace, clock=lambda: NOW, language="es") as opened:
            worst = run_demo(opened, seed=0, now=NOW, tell=lambda *_: None).recent[0].incident
        screens = {
            "fleet": "/console/",
            "incident": f"/console/incidents/{worst.id}",
            "site": f"/console/sites/{worst.asset.site}?range=30d",
        }
        with console_server(workspace, clock=lambda: NOW) as (address, _), a_browser() as browser:
            return [_taken(browser, address, path, folder / f"{name}.png") for name, path in screens.items()]


def _taken(browser: Browser, address: str, path: str, file: Path) -> Path:
    with looked_at(browser, address, _LOOK) as watched:
        watched.open(address + path)
        watched.page.wait_for_function(
            "() => !document.querySelector('.facts [hx-trigger=load]')?.textContent.includes('…')"
        )
        shot = watched.page.screenshot()
    # As many colours as a screen of ours has, and a quarter of the bytes.
    Image.open(BytesIO(shot)).convert("RGB").quantize(_COLOURS, dither=Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > MOST_BYTES:
        sys.exit(f"{file} has {file.stat().st_size} bytes, more than {MOST_BYTES}")
    return file


if __name__ == "__main__":
    for taken in take_readme_pictures(PICTURES):
        sys.stderr.write(f"{taken}\n")
