"""Two companies with the same plants, the same fault and the same receivers share one store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sereno.domain.time import from_numpy
from sereno.flows.organizations import add_organization
from sereno.flows.workspace import Workspace
from tests.support.builders import DAY, MADRID, a_roof, readings_of
from tests.support.postgres import plain_database

ROWS, FAULT = 240, 12
SETTINGS = """timezone: Europe/Madrid
detector: {trees: 10}
receivers:
  guardia: {kind: webhook, options: {url: "http://127.0.0.1:9/"}}
routes: [{to: [guardia]}]
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A workspace of two companies; on a server whose policies hold for who connects."""
    place = tmp_path / "w"
    place.mkdir()
    if request.param == "sqlite":
        (place / "sereno.yaml").write_text(SETTINGS, "utf-8")
        yield place
    else:
        with plain_database(request.getfixturevalue("postgres_server")) as url:
            (place / "sereno.yaml").write_text(f"{SETTINGS}store: {{url: '{url}'}}\n", "utf-8")
            yield place


def _opened(folder: Path) -> Workspace:
    now = from_numpy(a_roof(rows=ROWS).time[-1]) + DAY
    return Workspace.open(folder, clock=lambda: now, language="es")


def _live(workspace: Workspace) -> None:
    """Learn from good months, then see a fault as it comes in."""
    good = a_roof(rows=ROWS).rows(0, ROWS - FAULT)
    bad = a_roof(rows=ROWS, generation={(ROWS - FAULT, None): 0.1}).rows(ROWS - FAULT, ROWS)
    workspace.add(readings_of(good), zone=MADRID)
    workspace.train()
    workspace.score()
    workspace.add(readings_of(bad), zone=MADRID, judge=True)


def test_what_happens_to_one_company_happens_to_the_other_by_itself(root: Path) -> None:
    acme = add_organization(root, "acme")
    with (acme / "sereno.yaml").open("a", encoding="utf-8") as file:
        file.write(SETTINGS)
    with _opened(root) as mine, _opened(acme) as theirs:
        _live(mine)
        assert theirs.incidents() == []
        assert theirs.models() == []
        assert theirs.notifications() == []
        _live(theirs)

        ours, others = ([view.incident for view in one.incidents()] for one in (mine, theirs))
        assert [one.group_key for one in ours] == [one.group_key for one in others] != []
        assert {one.id for one in ours}.isdisjoint({one.id for one in others})
        assert len(mine.notifications()) == len(theirs.notifications()) > 0

        mine.acknowledge(ours[0].id, actor="ana")
        assert theirs.incident(others[0].id).incident.owner == ""
        theirs.deliver_due()
        told = {one["status"] for one in mine.notifications()}
        assert told == {"queued"}  # what the other company's notifier tried touched nothing of ours
