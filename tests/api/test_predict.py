"""The door of the fifth system over HTTP, answered by forecasters that were really learnt."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from sereno.domain.readings import Readings, Window
from sereno.domain.signals import AssetKey
from sereno.domain.time import isoformat
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.api.serving import key_for, listening, served
from tests.support.builders import DAY, HOUR, a_workspace

WEATHER = {
    "Temperature": 25.5,
    "Humidity": 65.3,
    "WindSpeed": 3.2,
    "GeneralDiffuseFlows": 180.5,
    "DiffuseFlows": 95.1,
}
MORNING = WEATHER | {"Timestamp": "2024-02-14T09:00:00"}
FIRST, DAYS = datetime(2024, 1, 1, tzinfo=UTC), 44
END = FIRST + DAYS * DAY
ZONES = ("Zone 1", "Zone 2", "Zone 3")


def zones(*, signal: str = "power", n_days: int = DAYS) -> list[Window]:
    """Three zones of a city, of which nothing but the load is known."""
    history = a_metered_history(signal, n_days=n_days)
    return [replace(one, asset=AssetKey("Ciudad", name)) for one, name in zip(history, ZONES, strict=True)]


def with_temperature(window: Window) -> Window:
    """A zone that is heated: what the thermometer says comes back in the load."""
    rng = np.random.default_rng(len(window.asset.asset) + int(window.asset.asset[-1]))
    outside = 10 + 6 * np.repeat(rng.normal(size=len(window) // 24), 24)
    load = window.values[:, 0] * (1 + 0.08 * (10 - outside))
    return replace(
        window,
        signals=("power", "temperature"),
        values=np.column_stack([load, outside]),
        quality=np.zeros((len(window), 2), dtype=np.int32),
    )


def readings_of(windows: Sequence[Window]) -> Readings:
    return Readings(
        profile="load",
        assets=tuple(one.asset for one in windows),
        asset_index=np.repeat(np.arange(len(windows), dtype=np.int32), [len(one) for one in windows]),
        time=np.concatenate([one.time for one in windows]),
        signals=windows[0].signals,
        values=np.concatenate([one.values for one in windows]),
        quality=np.concatenate([one.quality for one in windows]),
    )


def a_city(folder: Path, windows: Sequence[Window], *, zone: str = "UTC", settings: str = "") -> Workspace:
    workspace = a_workspace(folder, settings=settings)
    workspace.add(readings_of(windows), zone=zone)
    return workspace


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server of a city without any weather, whose forecaster has been learnt."""
    folder = tmp_path_factory.mktemp("city") / "w"
    with a_city(folder, zones()) as workspace:
        workspace.forecast()
    with served(folder) as client:
        yield client


def asked(client: httpx.Client, instant: datetime | str, **weather: float) -> dict[str, object]:
    said = instant if isinstance(instant, str) else isoformat(instant)
    answer = client.post("/predict", json=WEATHER | weather | {"Timestamp": said})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def of(answer: dict[str, object], zone: str) -> dict[str, object]:
    (found,) = [one for one in answer["zones"] if one["asset"] == zone]  # type: ignore[attr-defined]
    return found


def test_predict_answers_with_the_fields_of_the_fifth_system(city: httpx.Client) -> None:
    """Row 4.5."""
    answer = asked(city, "2024-02-14T09:00:00")

    assert {"predicted_power_consumption_zone2", "model_version", "prediction_timestamp"} <= set(answer)
    assert answer["input_features"] == WEATHER | {
        "Day": 14,
        "Month": 2,
        "Hour": 9,
        "Minute": 0,
        "DayWeek": 3,
        "QuarterYear": 1,
        "DayYear": 45,
    }
    assert answer["predicted_power_consumption_zone2"] == of(answer, "Zone 2")["predicted_power_consumption"]
    assert str(answer["model_version"]).startswith("ridge-")


def test_every_zone_has_a_band_and_says_what_it_rests_on(city: httpx.Client) -> None:
    answer = asked(city, END + 9 * HOUR)

    for zone, actual in zip(ZONES, zones(n_days=DAYS + 1), strict=True):
        found = of(answer, zone)
        assert (found["tier"], found["cut_off"]) == ("hierarchical", isoformat(END))
        assert found["lower"] < found["predicted_power_consumption"] < found["upper"]  # type: ignore[operator]
        expected = actual.values[DAYS * 24 + 9, 0]
        assert found["predicted_power_consumption"] == pytest.approx(expected, rel=0.25)


def test_an_hour_ahead_is_what_the_forecast_says(city: httpx.Client, tmp_path: Path) -> None:
    with a_city(tmp_path / "w", zones()) as workspace:
        said = {one.asset.asset: one for one in workspace.forecast().forecasts}

    answer = asked(city, END + timedelta(minutes=59))

    for zone in ZONES:
        found = of(answer, zone)
        told = [found[name] for name in ("lower", "predicted_power_consumption", "upper")]
        low, high = said[zone].band
        assert told == pytest.approx([low[0], said[zone].median[0], high[0]], rel=1e-6)
        assert found["start"] == isoformat(END)


@pytest.mark.parametrize(
    ("instant", "tier"),
    [
        (END - 3 * DAY, "hierarchical"),
        (END + 6 * DAY, "seasonal_naive"),
        (END + 8 * DAY, "constant"),
        (END + 700 * DAY, "constant"),
        (FIRST - 700 * DAY, "constant"),
        (FIRST, "constant"),
        (datetime(1900, 1, 1, tzinfo=UTC), "constant"),
        (datetime(2199, 12, 31, 23, 59, tzinfo=UTC), "constant"),
    ],
    ids=["stored", "this week", "next week", "in two years", "two years before", "the first", "1900", "2199"],
)
def test_any_instant_has_an_answer(city: httpx.Client, instant: datetime, tier: str) -> None:
    answer = asked(city, instant)

    for zone, window in zip(ZONES, zones(), strict=True):
        found = of(answer, zone)
        assert found["tier"] == tier
        assert 0.8 * window.values.min() <= found["lower"] <= found["predicted_power_consumption"]  # type: ignore[operator]
        assert found["predicted_power_consumption"] <= found["upper"] <= 1.2 * window.values.max()  # type: ignore[operator]


def test_what_is_usual_is_of_that_time_of_day(city: httpx.Client) -> None:
    night, noon = (of(asked(city, END + 30 * DAY + hour * HOUR), "Zone 1") for hour in (1, 13))
    hours = zones()[0].values.reshape(-1, 24)

    assert night["upper"] < noon["lower"]  # type: ignore[operator]
    for found, hour in ((night, 1), (noon, 13)):
        assert hours[:, hour].min() <= found["predicted_power_consumption"] <= hours[:, hour].max()


def test_nothing_from_the_instant_on_is_used(city: httpx.Client) -> None:
    found = of(asked(city, END - 3 * DAY + HOUR / 2), "Zone 2")

    assert (found["start"], found["cut_off"]) == (isoformat(END - 3 * DAY),) * 2


def test_weather_that_was_never_learnt_changes_nothing(city: httpx.Client) -> None:
    warm, cold = (asked(city, END + DAY, Temperature=degrees) for degrees in (35.0, -5.0))

    assert warm["zones"] == cold["zones"]
    assert of(warm, "Zone 2")["weather_effect"] == 0.0


def test_weather_that_was_learnt_counts_though_others_were_absent(tmp_path: Path) -> None:
    """Only the temperature was stored: the diffuse flows of the question are passed over."""
    options = "forecast: {kind: ridge, options: {covariates: [temperature, diffuse_flows]}}\n"
    history = [with_temperature(one) for one in zones(n_days=80)]
    with a_city(tmp_path / "w", history, settings=options) as workspace:
        workspace.forecast()

    with served(tmp_path / "w") as client:
        end = FIRST + 80 * DAY
        cold, warm = (of(asked(client, end + 12 * HOUR, Temperature=one), "Zone 2") for one in (-2.0, 22.0))
        bright = of(asked(client, end + 12 * HOUR, Temperature=22.0, DiffuseFlows=900.0), "Zone 2")

    assert cold["predicted_power_consumption"] > 1.2 * warm["predicted_power_consumption"]  # type: ignore[operator]
    assert cold["weather_effect"] > 0 > warm["weather_effect"]  # type: ignore[operator]
    assert bright == warm


def test_a_time_without_a_zone_is_that_of_the_site(tmp_path: Path) -> None:
    with a_city(tmp_path / "w", zones(), zone="Africa/Casablanca") as workspace:
        workspace.forecast()

    with served(tmp_path / "w") as client:
        plain, exact = asked(client, "2024-02-14T09:20:00"), asked(client, "2024-02-14T08:20:00Z")

    assert plain["zones"] == exact["zones"]
    assert exact["input_features"] == plain["input_features"]
    assert plain["input_features"]["Hour"] == 9  # type: ignore[index]


def test_energies_are_told_as_power(tmp_path: Path) -> None:
    quarter = timedelta(minutes=15)
    history = a_metered_history("energy", n_meters=1, n_days=30, step=quarter)
    with a_city(tmp_path / "w", history) as workspace:
        (said,) = workspace.forecast(horizon=quarter).forecasts

    with served(tmp_path / "w") as client:
        answer = asked(client, FIRST + 30 * DAY)

    (found,) = answer["zones"]  # type: ignore[misc]
    assert found["predicted_power_consumption"] == 4 * said.median[0]
    assert answer["predicted_power_consumption_zone2"] is None


def test_a_question_is_for_one_site(tmp_path: Path) -> None:
    history = [*zones(), replace(zones()[0], asset=AssetKey("Otra", "Zone 2"))]
    with a_city(tmp_path / "w", history) as workspace:
        workspace.forecast()

    with served(tmp_path / "w") as client:
        other = client.post("/predict", json=MORNING, params={"site": "Otra"}).json()
        nowhere = client.post("/predict", json=MORNING, params={"site": "Nada"})

    assert [one["site"] for one in other["zones"]] == ["Otra"]
    assert nowhere.status_code == 422
    assert "Nada" in nowhere.json()["detail"]


def test_without_a_forecaster_it_says_how_to_get_one(tmp_path: Path) -> None:
    a_city(tmp_path / "w", zones()).close()

    with served(tmp_path / "w") as client:
        answer = client.post("/predict", json=MORNING)
        health = client.get("/health").json()

    assert (answer.status_code, answer.json()["code"]) == (503, "forecaster.missing")
    assert "sereno forecast" in answer.json()["detail"]
    assert (health["status"], health["model_loaded"], health["forecaster_path"]) == ("degraded", False, None)


def test_a_damaged_forecaster_is_none(tmp_path: Path) -> None:
    with a_city(tmp_path / "w", zones()) as workspace:
        workspace.forecast()
    (file,) = (tmp_path / "w" / "models").glob("*.forecaster")
    file.write_bytes(file.read_bytes()[:-3])

    with served(tmp_path / "w") as client:
        answer = client.post("/predict", json=MORNING)

    assert (answer.status_code, answer.json()["code"]) == (503, "forecaster.missing")


def test_the_forecaster_that_was_learnt_last_answers(tmp_path: Path) -> None:
    with a_city(tmp_path / "w", zones()) as workspace:
        workspace.forecast()
    with served(tmp_path / "w") as client:
        first = asked(client, END)["model_version"]
        with Workspace.open(tmp_path / "w") as other:
            other.forecast(forecaster="seasonal_naive")
        second = asked(client, END)["model_version"]

    assert [str(one).partition("-")[0] for one in (first, second)] == ["ridge", "seasonal_naive"]


def test_health_tells_of_the_forecaster_and_the_last_prediction(tmp_path: Path) -> None:
    """Rows 4.3 and 4.6."""
    with a_city(tmp_path / "w", zones()) as workspace:
        workspace.forecast()
    with served(tmp_path / "w") as client:
        before = client.get("/health").json()
        answer = asked(client, END)
        after = client.get("/health").json()

    assert (before["status"], before["model_loaded"], before["last_prediction"]) == ("healthy", True, None)
    assert before["model_path"] == before["forecaster_path"]
    assert (tmp_path / "w" / before["forecaster_path"]).is_file()
    assert after["last_prediction"] == answer["prediction_timestamp"]
    assert after["prediction_latency_ms"] > 0


@pytest.mark.parametrize(
    "wrong",
    [{"Humidity": -500}, {"Timestamp": "2024-13-01"}, {"Timestamp": "0001-01-01T00:00:00"}, {"Wind": 1}],
    ids=["humidity", "month", "year", "unknown"],
)
def test_what_cannot_be_is_refused(city: httpx.Client, wrong: dict[str, object]) -> None:
    assert city.post("/predict", json=MORNING | wrong).status_code == 422


def test_a_key_that_only_writes_is_told_nothing(tmp_path: Path) -> None:
    from sereno.domain.access import Role
    from sereno.flows.service import Service

    with a_city(tmp_path / "w", zones()) as workspace:
        workspace.forecast()
    with Service(tmp_path / "w") as service, listening(service) as address:
        keys = [key_for(service, role) for role in (Role.SOURCE, Role.VIEWER)]
        told = [
            httpx.post(f"{address}/predict", json=MORNING, headers={"X-API-Key": key}).status_code
            for key in keys
        ]
        local = httpx.post(f"{address}/predict", json=MORNING).status_code

    assert ([*told, local]) == [403, 200, 200]
