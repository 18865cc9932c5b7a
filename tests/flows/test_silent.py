"""A source that falls silent is an incident of its own, which ends by itself."""

from datetime import timedelta
from pathlib import Path

import pytest

from sereno.flows.feeds import declared_feeds
from sereno.flows.silent import SILENT, SilenceWatch
from sereno.flows.workspace import Workspace
from tests.support.sources import BEGIN, declare_sources

HOUR = timedelta(hours=1)
SOURCE = {"kind": "sql", "url": "sqlite:////nowhere.db", "table": "t", "silent_after": "1h", "site": "norte"}


class Scene:
    """A workspace with a source, and a clock that is set by hand."""

    def __init__(self, folder: Path, *, silent_after: str | None = "1h") -> None:
        declare_sources(folder, {"planta": {**SOURCE, "silent_after": silent_after}})
        self.now = BEGIN
        self.workspace = Workspace.open(folder, clock=lambda: self.now)
        self.watch = self._watch()

    def _watch(self) -> SilenceWatch:
        feeds = declared_feeds(self.workspace.setup, self.workspace.store.url)
        return SilenceWatch(self.workspace.store, self.workspace.policy, feeds, "UTC")

    def restart(self) -> None:
        self.watch = self._watch()

    def hear(self, after: timedelta) -> None:
        self.now = BEGIN + after
        with self.workspace.store.begin() as tx:
            tx.save_source_state("planta", heard_at=self.now)

    def look(self, after: timedelta) -> list[str]:
        self.now = BEGIN + after
        self.watch.look(self.now)
        return [view.incident.condition.value for view in self.workspace.incidents()]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    found = Scene(tmp_path / "w")
    yield found  # type: ignore[misc]
    found.workspace.close()


def test_silence_opens_one_incident_and_ends_with_the_next_sign(scene: Scene) -> None:
    assert scene.look(0 * HOUR) == []
    scene.hear(0.5 * HOUR)
    assert scene.look(1.4 * HOUR) == []
    assert scene.look(1.6 * HOUR) == ["active"]
    assert scene.look(9 * HOUR) == ["active"]
    scene.hear(10 * HOUR)
    assert scene.look(10.1 * HOUR) == ["cleared"]

    (view,) = scene.workspace.incidents()
    told = view.to_json(scene.now)
    assert (told["cause"], told["kind"], told["site"], told["asset"]) == (SILENT, "data", "norte", "planta")
    assert view.incident.started_at == BEGIN + 0.5 * HOUR
    assert view.incident.ended_at == BEGIN + 10 * HOUR
    assert "planta" in str(told["sentence"])
    assert "silencio" in str(told["sentence_es"])
    assert "sereno sources test" in str(told["recommendation"])


def test_source_that_was_never_heard_of_is_silent_since_somebody_listens(scene: Scene) -> None:
    scene.look(0 * HOUR)

    assert scene.look(1.1 * HOUR) == ["active"]
    assert scene.workspace.incidents()[0].incident.started_at == BEGIN


def test_time_in_which_nobody_listened_is_not_silence(scene: Scene) -> None:
    scene.hear(0 * HOUR)
    scene.look(0.1 * HOUR)
    scene.restart()

    assert scene.look(50 * HOUR) == []
    assert scene.look(50.5 * HOUR) == []
    assert scene.look(51.1 * HOUR) == ["active"]


def test_incident_outlives_a_restart(scene: Scene) -> None:
    scene.hear(0 * HOUR)
    scene.look(0 * HOUR)
    scene.look(2 * HOUR)
    scene.restart()

    assert scene.look(3 * HOUR) == ["active"]
    scene.hear(4 * HOUR)
    assert scene.look(4 * HOUR) == ["cleared"]


def test_second_silence_is_told_again(scene: Scene) -> None:
    scene.hear(0 * HOUR)
    scene.look(0 * HOUR)
    scene.look(2 * HOUR)
    scene.hear(100 * HOUR)
    scene.look(100 * HOUR)

    assert sorted(scene.look(102 * HOUR)) == ["active", "cleared"]


def test_source_that_need_not_speak_is_never_silent(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "w", silent_after=None)
    with scene.workspace:
        scene.hear(0 * HOUR)
        scene.look(0 * HOUR)

        assert scene.look(10_000 * HOUR) == []


def test_silent_source_is_among_no_assets(scene: Scene) -> None:
    scene.look(0 * HOUR)
    scene.look(2 * HOUR)

    assert scene.workspace.asset_keys() == []
    assert scene.workspace.score().n_assets == 0
    assert scene.workspace.last_reading_at() is None
