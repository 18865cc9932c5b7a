"""What notebooks draw: incidents beside what was expected, forecasts beside what came."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.errors import NotFound
from sereno.domain.readings import Readings
from sereno.flows.courses import time_ticks
from sereno.flows.drawing import draw_forecast, draw_incident
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.support.builders import DAY, MADRID, a_workspace

CLASSES = re.compile(r'class="(\w+)"')


def test_the_picture_of_an_incident_shows_what_was_expected_and_says_its_sentence(
    judged_daily: Workspace,
) -> None:
    view = next(one for one in judged_daily.incidents() if one.incident.kind.value == "behaviour")

    plot = draw_incident(judged_daily, view.incident.id)

    assert plot.title == view.sentence(judged_daily.language)
    assert {"line", "second", "area", "shade"} <= set(CLASSES.findall(plot.svg))


def test_an_incident_that_is_not_there_is_not_found(judged_daily: Workspace) -> None:
    with pytest.raises(NotFound):
        draw_incident(judged_daily, "zzzz")


def test_a_forecast_is_drawn_beside_what_came(tmp_path: Path) -> None:
    workspace = a_workspace(tmp_path / "w", language="es")
    workspace.add(_metered(n_days=40), zone="UTC")
    origin = datetime(2024, 1, 1, tzinfo=UTC) + 38 * DAY

    (forecast,) = workspace.forecast(origin=origin, horizon=2 * DAY).forecasts
    plot = draw_forecast(workspace, forecast, before=DAY)

    classes = CLASSES.findall(plot.svg)
    assert classes.count("area") == 2
    assert {"line", "second"} <= set(classes)
    assert "potencia [kW]" in plot.title
    assert "su propio modelo" in plot.about


def test_a_plot_shows_itself_in_a_notebook_as_an_image_with_its_words(judged_daily: Workspace) -> None:
    plot = draw_incident(judged_daily, judged_daily.incidents()[0].incident.id)

    shown = plot._repr_html_()

    assert shown.count("<img ") == 1
    assert "<style" not in shown
    assert plot.about in shown


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (5, ["30/03 12:00", "30/03 13:00", "30/03 14:00", "30/03 15:00"]),
        (24 * 4, ["31/03/2024", "01/04/2024", "02/04/2024", "03/04/2024"]),
        (24 * 9, ["31/03/2024", "03/04/2024", "06/04/2024"]),
    ],
    ids=["hours", "days", "every third day"],
)
def test_ticks_of_time_stand_where_local_days_begin(hours: int, said: Sequence[str]) -> None:
    """Madrid loses an hour on 31 March 2024: midnights are 23:00 UTC before and 22:00 UTC after it."""
    first = int(datetime(2024, 3, 30, 11, tzinfo=UTC).timestamp())
    time = first + 3600 * np.arange(hours - 1)

    ticks = time_ticks(time, MADRID)

    assert [text for _, text in ticks] == said
    if hours > 24:
        starts = [datetime.fromtimestamp(place, tz=UTC).hour for place, _ in ticks]
        assert starts == [23, *[22] * (len(starts) - 1)]


def test_daily_rows_have_their_ticks_on_rows() -> None:
    first = int(datetime(2024, 6, 1, 22, tzinfo=UTC).timestamp())
    time = first + 86_400 * np.arange(40)

    places = [place for place, _ in time_ticks(time, MADRID)]

    assert places[0] == first
    assert set(places) <= set(time.tolist())


def test_no_rows_have_no_ticks() -> None:
    assert time_ticks(np.empty(0, dtype=np.int64), MADRID) == []


def _metered(n_days: int) -> Readings:
    (window,) = a_metered_history("power", n_meters=1, n_days=n_days)
    return Readings(
        profile="load",
        assets=(window.asset,),
        asset_index=np.zeros(len(window), dtype=np.int32),
        time=window.time,
        signals=("power",),
        values=window.values,
        quality=window.quality,
    )
