"""Which detector learns, from settings to the stored model."""

import itertools
import json
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.archive import pack, unpack
from sereno.domain.errors import DetectorOptionUnknown, DetectorUnknown, SettingsError
from sereno.domain.judgement import Calibration, Claim, IncidentKind, Severity
from sereno.domain.readings import Window
from sereno.flows.incidents import IncidentView
from sereno.flows.models import load_model
from sereno.flows.workspace import Workspace
from tests.support.builders import PROFILES, a_roof, a_workspace, readings_of
from tests.support.third_party import TrainedMedian, declared

ROOF = a_roof(rows=200, generation={(150, 160): 0.0})
MEDIAN = "tests.support.third_party:MedianDetector"


def _with_roof(folder: Path, settings: str, rows: int = 200) -> Workspace:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sereno.yaml").write_text(f"timezone: Europe/Madrid\n{settings}", "utf-8")
    workspace = a_workspace(folder)
    workspace.add(readings_of(ROOF.rows(0, rows)), zone=ROOF.zone)
    return workspace


def test_detector_of_another_package_learns_judges_and_is_loaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = "detector: median\n"
    with declared(tmp_path / "site", monkeypatch, median=MEDIAN):
        workspace = _with_roof(tmp_path / "w", settings)
        card = workspace.train()[0]
        workspace.score()
        model = load_model(tmp_path / "w" / "models" / f"{card.digest}.sereno", PROFILES)

        assert card.detector == "median"
        assert card.settings["quantile"] == 0.99
        assert isinstance(model.detector, TrainedMedian)
        assert a_workspace(tmp_path / "w").score().n_rows == 0
        assert card.id in {view.incident.worst.model for view in workspace.incidents()}


def test_profile_s_own_detector_wins_over_that_of_all_and_inherits_the_rest(tmp_path: Path) -> None:
    settings = "detector: {kind: nothing, seed: 5}\ndetectors: {solar: robust}\n"
    with pytest.raises(DetectorUnknown):
        _with_roof(tmp_path / "wrong", settings)

    settings = "detector: {seed: 5, trees: 10}\ndetectors: {solar: {kind: robust, options: {n_trees: 12}}}\n"
    card = _with_roof(tmp_path / "w", settings).train()[0]

    assert (card.settings["seed"], card.settings["n_trees"]) == (5, 12)


def test_training_takes_the_detector_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = _with_roof(tmp_path / "w", "detector: {trees: 10}\n")
    with declared(tmp_path / "site", monkeypatch, median=MEDIAN):
        other, first = workspace.train(detector="median")[0], workspace.train()[0]

    assert (other.detector, first.detector) == ("median", "robust")
    assert other.id != first.id


@pytest.mark.parametrize("kind", ["pca", "forest", "ensemble"])
def test_built_in_detector_finds_the_dead_stretch_whether_judged_at_once_or_in_batches(
    tmp_path: Path, kind: str
) -> None:
    found = []
    for name, cuts in (("once", [0, 200]), ("batches", [0, 120, 153, 154, 200])):
        workspace = _with_roof(tmp_path / name, f"detector: {kind}\n", rows=120)
        workspace.train()
        for start, stop in itertools.pairwise(cuts):
            workspace.add(readings_of(ROOF.rows(start, stop)), zone=ROOF.zone, judge=True)
        workspace.score()
        found.append([_told(view) for view in workspace.incidents() if view.incident.worst.model])

    assert found[0] == found[1]
    assert any(started == ROOF.time[150].item() for started, _ in found[0])


def _told(view: IncidentView) -> tuple[datetime, float]:
    worst = view.incident.worst
    return worst.started_at.replace(tzinfo=None), worst.score


def test_card_from_before_claims_is_read() -> None:
    calibration = Calibration(2.0, 0.7, 1, 2, budget=0.25, realised=0.2, supported=0.1, asset_weeks=20.0)
    document = {one.name: getattr(calibration, one.name) for one in fields(Calibration)}

    today = Calibration.of_document(
        json.loads(json.dumps({**document, "claim": Claim.AT_MOST, "bands": [2, 3]}))
    )
    old = Calibration.of_document({k: v for k, v in document.items() if k not in {"claim", "bands"}})

    assert old == calibration
    assert (today.claim, today.bands) == (Claim.AT_MOST, (2, 3))


def test_sigma_bands_of_the_settings_grade_what_is_found(tmp_path: Path) -> None:
    settings = "calibration: {method: sigma_bands, sigmas: [2, 3, 4, 400]}\ndetector: {trees: 10}\n"
    workspace = _with_roof(tmp_path / "w", settings, rows=120)
    card = workspace.train()[0]
    workspace.add(readings_of(ROOF), zone=ROOF.zone)
    workspace.score()

    bands = card.calibration.bands
    worst = [
        v.incident.worst for v in workspace.incidents() if v.incident.worst.kind is IncidentKind.BEHAVIOUR
    ]
    assert (card.calibration.method, card.calibration.claim, len(bands)) == ("sigma_bands", Claim.NONE, 3)
    assert worst
    assert all(one.severity == 1 + sum(one.score / one.threshold >= b for b in bands) for one in worst)
    assert max(one.severity for one in worst) is Severity.HIGH


@pytest.mark.parametrize("sigmas", ["[3, 2, 4, 5]", "[2, 3]", "[2, 2, 3, 4]", "[-1, 2, 3, 4]"])
def test_bands_that_make_no_sense_are_refused(tmp_path: Path, sigmas: str) -> None:
    with pytest.raises(SettingsError):
        _with_roof(tmp_path / "w", f"calibration: {{method: sigma_bands, sigmas: {sigmas}}}\n")


def test_detector_that_is_gone_is_named_when_its_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = _with_roof(tmp_path / "w", "")
    with declared(tmp_path / "site", monkeypatch, median=MEDIAN):
        card = workspace.train(detector="median")[0]

    with pytest.raises(DetectorUnknown) as caught:
        a_workspace(workspace.folder).score()

    assert (caught.value.facts["name"], caught.value.facts["where"]) == ("median", card.id)


@pytest.mark.parametrize(
    ("settings", "error", "said"),
    [
        ("detector: robus\n", DetectorUnknown, "sereno.yaml:2: there is no detector 'robus'"),
        ("detector:\n  kind: robus\n", DetectorUnknown, "sereno.yaml:3: there is no detector 'robus'"),
        ("detectors: {solar: robus}\n", DetectorUnknown, "sereno.yaml:2: there is no detector 'robus'"),
        ("detectors: {sola: robust}\n", SettingsError, "'sola' is not a profile"),
        ("detector: {kinds: robust}\n", SettingsError, "Did you mean 'kind'?"),
    ],
    ids=["short", "kind", "of a profile", "profile", "key"],
)
def test_wrong_detector_in_settings_is_named_with_its_line(
    tmp_path: Path, settings: str, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=r"sereno\.yaml:\d") as caught:
        _with_roof(tmp_path / "w", settings)

    assert said in str(caught.value)


def test_wrong_option_in_settings_is_named_with_its_line(tmp_path: Path) -> None:
    workspace = _with_roof(tmp_path / "w", "detector:\n  options: {tree: 3}\n")

    with pytest.raises(DetectorOptionUnknown) as caught:
        workspace.train()

    assert "sereno.yaml:2: the detector 'robust' has no option 'tree'" in str(caught.value)


def test_artefact_from_before_layouts_still_judges(
    judged_daily: Workspace, daily_windows: list[Window]
) -> None:
    path = next((judged_daily.folder / "models").glob("*.sereno"))
    today = load_model(path, PROFILES)
    header, arrays = unpack(path.read_bytes())
    del header["layouts"]
    path.write_bytes(pack(header, arrays))

    old = load_model(path, PROFILES)

    assert {key: layout.signals for key, layout in old.layouts.items()} == {
        key: layout.signals for key, layout in today.layouts.items()
    }
    assert all(layout.zone == daily_windows[0].zone for layout in old.layouts.values())
    scores = [m.detector.score(daily_windows[0])[0].values for m in (old, today)]
    assert np.array_equal(*scores, equal_nan=True)
