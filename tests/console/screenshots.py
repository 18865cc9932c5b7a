"""Pictures of every screen in every look: `python -m tests.console.screenshots FOLDER [--workspace FOLDER]`.

Without a workspace of its own a small simulated world is built, and the README's pictures are taken, too.
"""

import argparse
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from sereno.domain.time import system_clock
from tests.console.browsing import a_browser, looked_at
from tests.console.readme_pictures import PICTURES, take_readme_pictures
from tests.console.screens import LOOKS, SCREENS, address_of
from tests.console.serving import console_server
from tests.console.world import NOW, build_world


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--workspace", type=Path, help="a workspace as the demo makes it, by its own clock")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        workspace = given.workspace or Path(place, "world")
        if given.workspace is None:
            build_world(workspace)
            take_readme_pictures(PICTURES)
        _take(given.folder, workspace, is_still=given.workspace is None)


def _take(folder: Path, workspace: Path, *, is_still: bool) -> None:
    def still() -> datetime:
        return NOW

    clock = still if is_still else system_clock
    with console_server(workspace, clock=clock) as (address, service), a_browser() as browser:
        for look in LOOKS:
            with looked_at(browser, address, look) as watched:
                for name in SCREENS:
                    watched.open(address + address_of(name, service.workspace("default")))
                    path = folder / f"{name}-{look}.png"
                    watched.page.screenshot(path=path, full_page=True)
                    sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    main()
