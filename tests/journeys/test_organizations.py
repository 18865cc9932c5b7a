"""Promise: two companies in one database never meet, also where sites and meters have the same names."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from sereno.domain.errors import NotFound
from sereno.domain.silences import Matcher
from sereno.flows.build import TellingRules, open_setup
from sereno.flows.silencing import SilenceRequest
from sereno.flows.workspace import Workspace
from sereno.incidents.grouping import own_name
from sereno.store import open_store
from tests.flows.hooks import hook_settings
from tests.support.builders import HOUR, MADRID, NOW, a_roof, readings_of, with_cells

ROWS = 60
ROOF = a_roof(rows=ROWS, step=HOUR, start="2025-05-30T00", zone="UTC")
TROUBLE = with_cells(ROOF, slice(50, ROWS), "consumption", 99.0)


@contextmanager
def company(folder: Path, url: str, name: str) -> Iterator[Workspace]:
    """The workspace of a company whose data lies in a database with that of others."""
    folder.mkdir(exist_ok=True)
    tree = {
        "timezone": MADRID,
        "receivers": {"ana": hook_settings("http://127.0.0.1:9/")},
        "routes": [{"to": ["ana"], "escalate": [{"after": "30min", "to": ["ana"]}]}],
    }
    (folder / "sereno.yaml").write_text(yaml.safe_dump(tree), "utf-8")
    setup = open_setup(folder, clock=lambda: NOW, language="en")
    rules = TellingRules.of_settings(setup.settings, setup.profiles)
    store = open_store(url, organization=name, before_commit=rules.tell_recorded)
    with Workspace(setup, store) as workspace:
        yield workspace


def test_companies_with_the_same_names_have_incidents_of_their_own(database_url: str, tmp_path: Path) -> None:
    names = ("default", "Aguas del Sur", "Aguas del Norte")
    ids, openings = {}, {}
    for name in names:
        with company(tmp_path / name, database_url, name) as workspace:
            workspace.add(readings_of(TROUBLE), zone="UTC", judge=True)
            (view,) = workspace.incidents()
            ids[name] = view.incident.id
            openings[name] = workspace.events(view.incident.id)[0].detection
            told = workspace.notifications()

        assert [one["incident"] for one in told] == [ids[name]]

    assert len(set(ids.values())) == len(names)
    assert openings["default"] is not None
    assert ids["default"] == own_name(openings["default"])


def test_what_people_of_one_company_do_is_nothing_to_another(database_url: str, tmp_path: Path) -> None:
    with (
        company(tmp_path / "one", database_url, "one") as one,
        company(tmp_path / "other", database_url, "other") as other,
    ):
        for workspace in (one, other):
            workspace.add(readings_of(TROUBLE), zone="UTC", judge=True)
        (mine,) = [view.incident.id for view in one.incidents()]
        (theirs,) = [view.incident.id for view in other.incidents()]
        request = SilenceRequest(Matcher(), "ana", "works", MADRID, ends_at=NOW + timedelta(days=1))
        silences = [workspace.add_silence(request) for workspace in (one, other)]
        one.end_silence(silences[0].id, actor="ana")
        one.acknowledge(mine, actor="ana")

        for attempt in (one.incident, one.events, one.told_of):
            with pytest.raises(NotFound):
                attempt(theirs)
        with pytest.raises(NotFound):
            one.acknowledge(theirs, actor="ana")
        with pytest.raises(NotFound):
            one.end_silence(silences[1].id, actor="ana")
        states = [view.incident.state.value for view in (*one.incidents(), *other.incidents())]
        visible = [view.incident.visibility(NOW) for view in (*one.incidents(), *other.incidents())]

    assert states == ["acknowledged", "new"]
    assert visible == ["shown", "silenced"]
