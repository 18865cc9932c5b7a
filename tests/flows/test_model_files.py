"""A version as one file: another workspace takes it in as a candidate, or refuses it and stays as it was."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sereno.domain.archive import pack, unpack
from sereno.domain.errors import FileMissing, ModelCorrupt, NotFound, SystemRefused
from sereno.domain.judgement import ModelCard
from sereno.flows.workspace import Workspace
from sereno.testing.forecasters import a_metered_history
from tests.flows.test_promotion import lines
from tests.support.builders import a_workspace, readings_of

LINES = lines(n_days=30)
METERS = a_metered_history("power", n_meters=2, n_days=45)
SETTINGS = "detector: {kind: pca}\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace with a detector of lines and a forecaster of meters."""
    with a_workspace(tmp_path_factory.mktemp("source") / "w", settings=SETTINGS) as made:
        made.add(readings_of(*LINES), zone="UTC")
        made.train()
        made.add(readings_of(*METERS), zone="UTC")
        made.forecast(profile="load")
        yield made


def ids(workspace: Workspace) -> dict[str, str]:
    """Id of the version of each family."""
    return {str(one["family"]): str(one["id"]) for one in workspace.versions()}


def test_a_detector_judges_elsewhere_as_it_does_here(source: Workspace, tmp_path: Path) -> None:
    version = ids(source)["detector"]
    file = source.export_model(version[:-2], tmp_path / "version.sereno")

    with a_workspace(tmp_path / "w", settings=SETTINGS) as other:
        card = other.import_model(file)
        state = other.versions()[0]["state"]
        before = other.active_models()
        other.promote_model(card.id, actor="ana")
        model, first = other.model("process"), source.model("process")
        assert model is not None
        assert first is not None
        scores = [[one.detector.score(line)[0].values for line in LINES] for one in (model, first)]
        (entry, *_) = other.model_history(card.id)

    assert (card, state, before) == (source.model_card(version), "candidate", {})
    assert all(np.array_equal(*pair, equal_nan=True) for pair in zip(*scores, strict=True))
    assert entry["event"] == "judges"


def test_a_forecaster_forecasts_elsewhere_as_it_did_here(source: Workspace, tmp_path: Path) -> None:
    version = ids(source)["forecaster"]
    file = source.export_model(version, tmp_path / "version.sereno")

    with a_workspace(tmp_path / "w") as other:
        other.add(readings_of(*METERS), zone="UTC")
        card = other.import_model(file)
        other.promote_model(card.id)
        said, here = other.forecast(), source.forecast(profile="load")

    assert set(said.learnt.values()) <= {"known", "days added"}
    assert [one.quantiles.tolist() for one in said.forecasts] == [
        one.quantiles.tolist() for one in here.forecasts
    ]


def test_equal_versions_give_equal_files_and_come_in_once(source: Workspace, tmp_path: Path) -> None:
    version = ids(source)["detector"]
    one, two = (source.export_model(version, tmp_path / name) for name in ("one", "two"))

    with a_workspace(tmp_path / "w") as other:
        first, again = other.import_model(one), other.import_model(two)
        n_versions = len(other.versions())
        with other.store.read() as tx:
            told = [(entry.event.value, entry.reason) for entry in tx.registry()]

    assert one.read_bytes() == two.read_bytes()
    assert (first, n_versions) == (again, 1)
    assert told == [("learnt", "imported")]


def _other_card(data: bytes) -> bytes:
    header, arrays = unpack(data)
    header["card"]["metrics"] = {"recall": 1.0}  # type: ignore[index]
    return pack(header, arrays)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:400] + b"x" + data[401:],
        lambda _: b"\x80\x04pickle",
        lambda _: pack({"format": "other", "family": "detector", "card": {}}, {}),
        _other_card,
    ],
    ids=["cut", "altered", "pickle", "other", "embellished"],
)
def test_a_file_that_is_not_what_it_says_changes_nothing(
    source: Workspace, tmp_path: Path, spoil: object
) -> None:
    assert callable(spoil)
    file = source.export_model(ids(source)["detector"], tmp_path / "version.sereno")
    file.write_bytes(spoil(file.read_bytes()))

    with a_workspace(tmp_path / "w") as other:
        with pytest.raises(ModelCorrupt):
            other.import_model(file)
        left = [path.name for path in (other.folder / "models").glob("*")]

        assert (other.versions(), left) == ([], [])


def test_a_version_of_a_profile_that_is_not_here_is_refused(source: Workspace, tmp_path: Path) -> None:
    file = source.export_model(ids(source)["detector"], tmp_path / "version.sereno")
    header, arrays = unpack(file.read_bytes())
    header["card"]["profile"] = "pumps"  # type: ignore[index]
    file.write_bytes(pack(header, arrays))

    with a_workspace(tmp_path / "w") as other, pytest.raises(NotFound) as refused:
        other.import_model(file)

    assert "process" in str(refused.value)


def test_paths_that_cannot_be_used_are_said(source: Workspace, tmp_path: Path) -> None:
    version = ids(source)["detector"]
    (tmp_path / "file").write_text("", "utf-8")

    with pytest.raises(SystemRefused):
        source.export_model(version, tmp_path / "file" / "version.sereno")
    with pytest.raises(FileMissing):
        source.import_model(tmp_path / "nowhere.sereno")


def test_another_training_of_the_same_name_is_refused(source: Workspace, tmp_path: Path) -> None:
    version = ids(source)["detector"]
    file = source.export_model(version, tmp_path / "version.sereno")
    card = source.model_card(version)
    assert isinstance(card, ModelCard)

    with a_workspace(tmp_path / "w") as other:
        with other.store.begin() as tx:
            tx.save_model(replace(card, digest="0" * 64), "models/other.sereno")
        with pytest.raises(ModelCorrupt):
            other.import_model(file)
