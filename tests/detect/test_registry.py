from pathlib import Path

import pytest

from sereno.contracts import Detector
from sereno.contracts.plugins import Plugins
from sereno.detect.registry import (
    ENTRY_POINTS,
    build_detector,
    check_detector_name,
    detector_names,
    options_of,
)
from sereno.detect.robust import RobustDetector
from sereno.domain.errors import (
    DetectorMisconfigured,
    DetectorOptionUnknown,
    DetectorUnknown,
    ExtraMissing,
)
from tests.support.builders import LINE
from tests.support.third_party import MedianDetector, declared

MEDIAN = "tests.support.third_party:MedianDetector"


def test_detector_is_built_from_profile_and_options() -> None:
    built = build_detector("robust", LINE, {"n_trees": 20}, common={"seed": 3, "n_trees": 50, "gain": 1})

    assert built == RobustDetector(LINE, seed=3, n_trees=20)
    assert options_of(built) == {"seed": 3, "n_trees": 20}


def test_every_name_builds_from_the_profile_alone() -> None:
    for name in detector_names():
        detector: Detector = build_detector(name, LINE)
        assert detector.profile is LINE


def test_unknown_name_is_refused_with_the_nearest_first() -> None:
    with pytest.raises(DetectorUnknown) as caught:
        build_detector("robst", LINE, where="sereno.yaml:3")

    assert str(caught.value).startswith("sereno.yaml:3: there is no detector 'robst'. There are: robust")


def test_unknown_option_is_refused_with_the_nearest_first() -> None:
    with pytest.raises(DetectorOptionUnknown) as caught:
        build_detector("robust", LINE, {"n_tree": 3})

    assert caught.value.facts["known"] == "n_trees, seed"


@pytest.mark.parametrize("value", ["many", 2.5, True, [3]], ids=repr)
def test_option_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(DetectorMisconfigured) as caught:
        build_detector("robust", LINE, {"n_trees": value})

    assert "'n_trees' is a int" in str(caught.value)


def test_detector_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with declared(tmp_path, monkeypatch, median=MEDIAN):
        check_detector_name("median", where="here")
        built = build_detector("median", LINE, {"quantile": 1})

        assert "median" in detector_names()
        assert built == MedianDetector(LINE, quantile=1.0)

    assert "median" not in detector_names()


@pytest.mark.parametrize(
    "place", ["nowhere.at_all:Detector", "tests.support.third_party:Missing", "json:dumps"], ids=str
)
def test_package_that_declares_what_is_no_detector_is_named(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        declared(tmp_path, monkeypatch, median=place),
        pytest.raises(DetectorMisconfigured) as caught,
    ):
        build_detector("median", LINE)

    assert caught.value.facts["name"] == "median"


def test_package_cannot_take_the_name_of_a_built_in_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with declared(tmp_path, monkeypatch, robust=MEDIAN):
        assert isinstance(build_detector("robust", LINE), RobustDetector)
        assert detector_names().count("robust") == 1


def test_missing_library_of_a_detector_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_more.py").write_text("import a_library_that_is_not_here\n", "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    only = Plugins(ENTRY_POINTS, {"lstm": "needs_more:LstmDetector"})
    monkeypatch.setattr("sereno.detect.registry._PLUGINS", only)

    with pytest.raises(ExtraMissing) as caught:
        build_detector("lstm", LINE)

    assert caught.value.facts == {"feature": "The detector 'lstm'", "extra": "deep"}
