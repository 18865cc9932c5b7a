"""What is shown beside an incident, and that mail carries it."""

from io import BytesIO

from PIL import Image

from sereno.flows.pictures import picture_of
from sereno.flows.workspace import Workspace


def test_every_incident_of_a_year_has_a_picture(judged_daily: Workspace) -> None:
    views = judged_daily.incidents()
    drawn = {}
    with judged_daily.store.read() as tx:
        for view in views:
            asset, incident = tx.asset_of(view.incident.id), view.incident
            drawn[incident.id] = picture_of(tx, asset, view.place.profile, judged_daily.model, incident, "es")

    behaviour = [drawn[view.incident.id] for view in views if view.incident.kind.value == "behaviour"]
    pngs = [picture.png for picture in drawn.values() if picture is not None]
    assert len(behaviour) >= 3
    assert None not in behaviour
    assert all(len(png) < 40_000 and Image.open(BytesIO(png)).width > 600 for png in pngs)
    assert all("esperado" in picture.text for picture in behaviour if picture is not None)


def test_without_a_model_the_observed_alone_is_shown(judged_daily: Workspace) -> None:
    view = judged_daily.incidents()[0]
    with judged_daily.store.read() as tx:
        asset = tx.asset_of(view.incident.id)
        found = picture_of(tx, asset, view.place.profile, lambda _: None, view.incident, "en")

    assert found is not None
