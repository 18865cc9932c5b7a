from datetime import timedelta
from pathlib import Path

import pytest

from sereno.domain.errors import SettingsError
from sereno.settings.reading import describe_settings, load_settings, save_setting


def _load(folder: Path, text: str = "", **environment: str):
    (folder / "sereno.yaml").write_text(text, "utf-8")
    return load_settings(folder, environment)


def _refused(folder: Path, text: str, **environment: str) -> dict[str, object]:
    with pytest.raises(SettingsError) as caught:
        _load(folder, text, **environment)
    return dict(caught.value.facts)


def test_defaults_hold_when_there_is_no_file(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path, {})

    assert loaded.tree.budget == 0.25
    assert {origin for _, _, origin in loaded.effective()} == {"default"}


@pytest.mark.parametrize(
    ("text", "line", "detail", "near"),
    [
        ("language: es\nbugdet: 0.5\n", 2, "unknown key 'bugdet'", "'budget'"),
        ("detector:\n  trees: 50\n  sede: 3\n", 3, "unknown key 'detector.sede'", "'seed'"),
        ("tariff:\n  curency: EUR\n", 2, "unknown key 'tariff.curency'", "'currency'"),
        (
            "sources:\n  roof:\n    path: x\n    patern: '*.csv'\n",
            4,
            "unknown key 'sources.roof.patern'",
            "'pattern'",
        ),
    ],
    ids=["top", "branch", "optional branch", "map"],
)
def test_unknown_key_is_refused_with_its_line_and_the_nearest_one(
    tmp_path: Path, text: str, line: int, detail: str, near: str
) -> None:
    facts = _refused(tmp_path, text)

    assert facts["where"] == f"{tmp_path / 'sereno.yaml'}:{line}"
    assert facts["detail"] == detail
    assert near in str(facts["hint"])


def test_unknown_key_unlike_any_other_names_those_there_are(tmp_path: Path) -> None:
    assert "budget" in str(_refused(tmp_path, "xyzzy: 1\n")["hint"])


@pytest.mark.parametrize(
    ("text", "key"),
    [("budget: -1\n", "budget"), ("budget: mucho\n", "budget"), ("detector: {trees: 5}\n", "detector.trees")],
    ids=["bound", "type", "branch"],
)
def test_wrong_value_is_refused_with_its_line_and_what_was_found(tmp_path: Path, text: str, key: str) -> None:
    facts = _refused(tmp_path, text)

    assert facts["where"] == f"{tmp_path / 'sereno.yaml'}:1"
    assert f"'{key}'" in str(facts["detail"])
    assert "found" in str(facts["detail"])


@pytest.mark.parametrize(
    "text",
    ["a: [1\n", "- 1\n- 2\n", "solo texto\n", "store: sqlite:///a.db\n"],
    ids=["broken", "list", "text", "branch as text"],
)
def test_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert str(tmp_path / "sereno.yaml") in str(_refused(tmp_path, text)["where"])


def test_environment_wins_over_the_file_and_says_so(tmp_path: Path) -> None:
    loaded = _load(
        tmp_path, "budget: 0.5\ndetector: {seed: 3}\n", SERENO__BUDGET="1.5", SERENO__DETECTOR__TREES="20"
    )

    effective = {key: (value, origin) for key, value, origin in loaded.effective()}
    assert effective["budget"] == (1.5, "SERENO__BUDGET")
    assert effective["detector.trees"] == (20, "SERENO__DETECTOR__TREES")
    assert effective["detector.seed"] == (3, f"{tmp_path / 'sereno.yaml'}:2")


def test_unknown_key_in_the_environment_names_its_variable(tmp_path: Path) -> None:
    assert _refused(tmp_path, "", SERENO__BUGDET="1")["where"] == "SERENO__BUGDET"


def test_environment_below_a_plain_value_is_refused(tmp_path: Path) -> None:
    assert "'budget'" in str(_refused(tmp_path, "budget: 1\n", SERENO__BUDGET__X="2")["detail"])


def test_environment_fills_a_branch_that_the_file_leaves_empty(tmp_path: Path) -> None:
    assert _load(tmp_path, "detector:\n", SERENO__DETECTOR__TREES="20").tree.detector.trees == 20


def test_dotenv_names_the_database(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://u:secreta@h:5432/smartenergy\n", "utf-8")

    loaded = _load(tmp_path)

    assert loaded.tree.store.url is not None
    assert loaded.tree.store.url.get_secret_value() == "postgresql://u:secreta@h:5432/smartenergy"
    assert loaded.origins["store.url"] == str(tmp_path / ".env")


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("store: {url: 'sqlite:///a.db'}\n", {"DATABASE_URL": "sqlite:///b.db"}, "sqlite:///a.db"),
        ("", {"DATABASE_URL": "sqlite:///b.db"}, "sqlite:///b.db"),
        ("", {"SERENO__STORE__URL": "sqlite:///c.db", "DATABASE_URL": "x"}, "sqlite:///c.db"),
        ("store:\n", {"DATABASE_URL": "sqlite:///b.db"}, "sqlite:///b.db"),
    ],
    ids=["settings first", "environment before .env", "own variable first", "empty branch"],
)
def test_database_comes_from_the_most_specific_place(
    tmp_path: Path, text: str, environment: dict[str, str], expected: str
) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:///d.db\n", "utf-8")

    url = _load(tmp_path, text, **environment).tree.store.url

    assert url is not None
    assert url.get_secret_value() == expected


def test_secrets_stay_hidden(tmp_path: Path) -> None:
    loaded = _load(tmp_path, "store: {url: 'postgresql://u:secreta@h/db'}\n")

    assert "secreta" not in repr(loaded)
    assert "secreta" not in repr(list(loaded.effective()))


def test_secret_is_not_shown_when_it_is_wrong(tmp_path: Path) -> None:
    facts = _refused(tmp_path, "store: {url: [secreta]}\n")

    assert "secreta" not in str(facts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", timedelta(seconds=90)),
        ("15min", timedelta(minutes=15)),
        ("1.5h", timedelta(minutes=90)),
        ("2 d", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
    ],
    ids=str,
)
def test_durations_are_written_as_people_do(tmp_path: Path, text: str, expected: timedelta) -> None:
    loaded = _load(tmp_path, f"sources: {{roof: {{path: x, interval: {text}}}}}\n")

    assert loaded.tree.sources["roof"].interval == expected


@pytest.mark.parametrize("text", ["pronto", "15 parsecs", "min", "1.5.5h", "'-5min'"])
def test_duration_without_sense_is_refused(tmp_path: Path, text: str) -> None:
    facts = _refused(tmp_path, f"sources: {{roof: {{path: x, interval: {text}}}}}\n")

    assert "15min" in str(facts["detail"])


def test_unknown_time_zone_is_refused_with_the_nearest(tmp_path: Path) -> None:
    facts = _refused(tmp_path, "timezone: Europe/Madird\n")

    assert facts["where"] == f"{tmp_path / 'sereno.yaml'}:1"
    assert "Europe/Madrid" in str(facts["hint"])


def test_saved_setting_keeps_what_people_wrote(tmp_path: Path) -> None:
    (tmp_path / "sereno.yaml").write_text("# nuestra planta\nbudget: 0.5", "utf-8")

    save_setting(tmp_path, "timezone", "Europe/Madrid")

    assert (tmp_path / "sereno.yaml").read_text("utf-8") == (
        "# nuestra planta\nbudget: 0.5\ntimezone: Europe/Madrid\n"
    )
    assert load_settings(tmp_path, {}).tree.timezone == "Europe/Madrid"


def test_every_option_is_described() -> None:
    described = {key: text for key, _, _, text in describe_settings()}

    assert {"budget", "store.url", "detector.kind", "sources.<name>.path", "tariff.currency"} <= set(
        described
    )
    assert all(text.endswith(".") for text in described.values())


def test_methods_of_exports_have_their_spanish_names_too(tmp_path: Path) -> None:
    text = "exports: {imputation: media_cliente, normalization: min_max_scaler}\n"

    exports = _load(tmp_path, text).tree.exports

    assert (exports.imputation.value, exports.normalization.value) == ("mean", "min_max")


def test_unknown_method_of_exports_is_refused_with_those_there_are(tmp_path: Path) -> None:
    facts = _refused(tmp_path, "exports:\n  outliers: 3sigma\n")

    assert facts["where"] == f"{tmp_path / 'sereno.yaml'}:2"
    assert "robust_zscore" in str(facts["detail"])
