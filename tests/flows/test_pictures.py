"""The picture of an incident, from stored rows alone."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from sereno.flows.pictures import picture_of
from sereno.flows.workspace import Workspace
from sereno.notify.picture import Picture
from tests.flows.test_outlook import TRAINED_ROWS, a_line, judged, open_one

RED, GREY = (0xB3, 0x26, 0x1E), (0x7D, 0x88, 0x94)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    line = a_line(lambda t: 2 + 0 * t)
    return judged(tmp_path_factory.mktemp("line"), [line], TRAINED_ROWS)


def drawn(workspace: Workspace, *, with_model: bool = True) -> Picture | None:
    incident = open_one(workspace, "vibración").incident
    with workspace.store.read() as tx:
        (asset,) = [one for one in tx.assets() if one.key == incident.asset]
        model_of = workspace.model_of if with_model else lambda _: None
        return picture_of(tx, asset, workspace.profiles[asset.profile], model_of, incident, language="es")


def plot(picture: Picture) -> np.ndarray:
    """The pixels below the legend, above the times."""
    return np.asarray(Image.open(BytesIO(picture.png)).convert("RGB")).astype(int)[110:420]


def drawn_rows(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows of pixels in which a line of the colour runs, rather than a few pixels where others meet."""
    counts = (np.abs(pixels - colour).max(axis=-1) < 12).sum(axis=-1)
    return np.flatnonzero(counts > 100)


def test_incident_is_drawn_above_what_was_expected(workspace: Workspace) -> None:
    picture = drawn(workspace)

    assert picture is not None
    assert picture.text.startswith("vibración: observado frente a esperado")
    pixels = plot(picture)
    high, usual = (drawn_rows(pixels, colour) for colour in (RED, GREY))
    assert len(high) > 0 < len(usual)
    assert high.mean() < usual.mean()


def test_nothing_is_expected_without_a_model(workspace: Workspace) -> None:
    picture = drawn(workspace, with_model=False)

    assert picture is not None
    assert len(drawn_rows(plot(picture), RED)) > 0 == len(drawn_rows(plot(picture), GREY))
