"""`sereno models` and `sereno train`: who judges, what it promises, how it is taken back."""

from pathlib import Path

import pytest

from sereno.i18n.catalogue import sentence
from tests.flows.test_promotion import lines
from tests.support.builders import a_roof, a_workspace, readings_of
from tests.support.processes import sereno


def test_list_shows_what_was_asked_for_and_what_came_of_it(judged: Path) -> None:
    rows = sereno("models", "list", "--json", workspace=judged).document
    text = sereno("models", "--lang", "es", workspace=judged).out

    row = rows[0]
    assert (row["judges"], row["detector"], row["requested"]) == (True, "robust", 0.25)
    assert row["realised"] <= row["promised"]
    assert row["claim"] in {"calibrated", "indicative", "at_most"}
    assert row["id"] in text
    assert "garantía" in text


def test_card_says_all_of_one_model(judged: Path) -> None:
    name = sereno("models", "list", "--json", workspace=judged).document[0]["id"]

    card = sereno("models", "card", name[:-1], "--json", workspace=judged).document
    text = sereno("models", "card", name, workspace=judged).out

    assert (card["id"], card["profile"]) == (name, "solar")
    assert card["calibration"]["claim"]
    assert card["fingerprint"] in text


@pytest.mark.parametrize(("language", "heading"), [("es", "Lo que promete:"), ("en", "What it promises:")])
def test_card_reads_in_both_languages(judged: Path, language: str, heading: str) -> None:
    name = sereno("models", "list", "--json", workspace=judged).document[0]["id"]

    text = sereno("models", "card", name, "--lang", language, workspace=judged).out

    assert heading in text
    assert "cli.card" not in text
    assert "{" not in text


def test_version_goes_from_one_workspace_to_another(judged: Path, tmp_path: Path) -> None:
    name = sereno("models", "list", "--json", workspace=judged).document[0]["id"]
    file, other = tmp_path / "roofs.sereno", tmp_path / "other"

    written = sereno("models", "export", name, "--output", file, "--json", workspace=judged).document
    taken = sereno("models", "import", file, "--json", workspace=other).document
    shown = sereno("models", "versions", "--json", workspace=other).document
    both = sereno("models", "export", name, "--output", file, "--mlflow", tmp_path / "m", workspace=judged)

    assert (written["format"], written["digest"], written["file"]) == ("sereno", taken["digest"], str(file))
    assert [(one["id"], one["state"]) for one in shown] == [(name, "candidate")]
    assert both.code == 2
    assert sereno("models", "import", tmp_path / "none", workspace=other).code == 3


def test_other_detector_is_trained_and_rolled_back(copied: Path) -> None:
    trained = sereno("train", "--detector", "pca", "--json", workspace=copied).document["models"][0]
    assert trained["detector"] == "pca"
    assert sereno("models", "--json", workspace=copied).document[0]["judges"]

    back = sereno("models", "rollback", "--json", workspace=copied).document
    said = sereno("models", "promote", trained["id"], "--lang", "en", workspace=copied).out

    assert back["detector"] == "robust"
    assert f"{trained['id']} now judges the profile solar" in said


def test_unknown_detector_is_refused_in_the_language_that_was_asked_for(judged: Path) -> None:
    done = sereno("train", "--detector", "robst", "--lang", "es", workspace=judged)

    assert done.code == 4
    assert "no hay ningún detector «robst». Hay: robust" in done.err


def test_going_back_from_the_first_version_says_what_there_is(judged: Path) -> None:
    done = sereno("models", "rollback", "--lang", "es", workspace=judged)

    assert done.code == 5
    assert "Nada juzgó solar antes" in done.err
    assert "models versions" in done.err


def test_unknown_model_is_refused(judged: Path) -> None:
    assert sereno("models", "promote", "solar-nothing", workspace=judged).code == 5


def test_training_learns_only_what_came_before_an_instant(copied: Path) -> None:
    whole = sereno("train", "--json", workspace=copied).document["models"][0]["metrics"]["rows"]
    before = sereno("train", "--before", "2024-02-20", "--json", workspace=copied).document["models"][0]
    said = sereno("train", "--before", "2024-02-20", "--lang", "es", workspace=copied).out

    assert 0 < before["metrics"]["rows"] < whole
    assert "--before" not in said
    assert sereno("train", "--recalibrate", "--before", "2024-02-20", workspace=copied).code == 2
    assert sereno("train", "--before", "ayer", workspace=copied).code == 2


def test_training_says_what_was_closed_as_real_and_not_learnt(copied: Path) -> None:
    name = sereno("incidents", "list", "--json", workspace=copied).document[0]["id"]
    sereno("incidents", "close", name, "--verdict", "real", workspace=copied)

    said = sereno("train", "--lang", "es", workspace=copied).out

    assert "No se ha aprendido de" in said
    assert "{" not in said


@pytest.mark.parametrize(("language", "said"), [("es", "se queda"), ("en", "stays")])
def test_recalibration_without_new_rows_says_so(judged: Path, language: str, said: str) -> None:
    done = sereno("train", "--recalibrate", "--lang", language, workspace=judged)

    assert done.code == 0
    assert said in done.out


def test_recalibration_learns_nothing_else(judged: Path) -> None:
    assert sereno("train", "--recalibrate", "--detector", "pca", workspace=judged).code == 2
    document = sereno("train", "--recalibrate", "--json", workspace=judged).document

    assert {one["decision"] for one in document["recalibrations"]} == {"kept_unsure"}


def test_workspace_without_models_says_so(tmp_path: Path) -> None:
    done = sereno("models", "--lang", "en", workspace=tmp_path / "w")

    assert done.code == 0
    assert "No model has been trained yet" in done.out


def test_candidate_is_compared_refused_and_forced(copied: Path) -> None:
    first = sereno("models", "--json", workspace=copied).document[0]["id"]
    learnt = sereno("train", "--candidate", "--detector", "ewma", "--json", workspace=copied).document
    candidate = learnt["models"][0]["id"]

    compared = sereno("models", "compare", candidate, "--lang", "en", workspace=copied)
    refused = sereno("models", "promote", candidate, "--lang", "en", workspace=copied)
    unsaid = sereno("models", "promote", candidate, "--force", workspace=copied)
    forced = sereno(
        "models", "promote", candidate, "--force", "--reason", "trial", "--json", workspace=copied
    )
    states = {
        one["id"]: one["state"] for one in sereno("models", "versions", "--json", workspace=copied).document
    }

    assert "so few days" in compared.out
    assert (refused.code, unsaid.code) == (5, 2)
    assert "0 whole days that neither has seen" in refused.err
    assert forced.document["id"] == candidate
    assert states == {first: "retired", candidate: "champion"}


def test_card_shows_lineage_figures_and_state(judged: Path) -> None:
    name = sereno("models", "list", "--json", workspace=judged).document[0]["id"]

    sheet = sereno("models", "show", name, "--json", workspace=judged).document
    text = sereno("models", "show", name, "--lang", "es", workspace=judged).out

    assert sheet["state"] == "champion"
    assert {"fingerprint", "settings", "seed", "code_version", "digest", "learnt_by"} <= set(sheet["lineage"])
    assert {"requested", "promised", "realised"} <= set(sheet["figures"])
    assert "vigente" in text
    assert sheet["lineage"]["fingerprint"] in text


def test_training_done_again_says_so_with_its_exit_code(copied: Path) -> None:
    done = sereno("reproduce", "--lang", "en", workspace=copied)

    assert done.code == 0, done.err
    assert "reproducible, bit for bit" in done.out
    assert (copied / "reports" / "reproducibility.json").is_file()


def test_retraining_says_what_stands_against_it(copied: Path) -> None:
    done = sereno("models", "retrain", "--lang", "en", workspace=copied)

    assert done.code == 0
    assert "too few new days" in done.out


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "2 assets were not learnt, with too little history that teaches: "),
        (
            "es",
            "No se han aprendido 2 equipos, sin historia suficiente de la que aprender: ",
        ),
    ],
)
def test_training_names_the_assets_that_it_could_not_learn(tmp_path: Path, language: str, said: str) -> None:
    folder = tmp_path / "w"
    with a_workspace(folder) as workspace:
        whole, *early = lines(n_days=40, n_assets=3)
        for window in (whole, *(one.rows(0, 5) for one in early)):
            workspace.add(readings_of(window), zone="UTC")

    alone = sereno("train", "--lang", language, workspace=folder).out
    with a_workspace(folder) as workspace:
        workspace.add(readings_of(a_roof(rows=2, name="Nave 1")), zone="UTC")
    beside = sereno("train", "--lang", language, workspace=folder).out
    document = sereno("train", "--json", workspace=folder).document

    names = ", ".join(sorted(str(one.asset) for one in early))
    assert f"{said}{names}\n" in alone
    assert document["not_learnt"] == [*sorted(str(one.asset) for one in early), "Nave 1"]
    assert beside == alone.replace(
        f"{said}{names}", sentence("cli.unlearnt", language, assets=3, names=f"{names}, Nave 1")
    )
