import ast
import re
from string import Formatter

import pytest

from sereno.domain.errors import DataError, MissingColumns, SerenoError, UsageError
from sereno.domain.issues import DataIssue
from sereno.i18n import catalogue
from sereno.i18n.catalogue import (
    error_sentence,
    has,
    issue_sentence,
    machine_language,
    phrase,
    sentence,
)
from tests.support.processes import ROOT

_COUNTED = (
    "alertas alerts anomalías anomalies assets asset-weeks blocks bloques celdas cells columnas columns días "
    "days equipos episodes episodios faults fallos filas files ficheros hours horas incidencias incidents "
    "lecturas líneas lines readings records registros rows semanas-equipo sites tablas tables valores values "
    "veces times zonas zones"
)
_AFTER = "".join(rf"(?<!{words})" for words in (r"[\d.,]", "of ", "last ", "de ", "últimos ", "workspace "))
_ONE_IN_PLURAL = re.compile(rf"{_AFTER}1 (?:{'|'.join(_COUNTED.split())})\b")


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(catalogue._catalogue()))
def test_sentences_of_a_key_take_the_same_facts(key: str) -> None:
    sentences = catalogue._catalogue()[key]

    assert all(text.strip() for text in sentences.values())
    assert "es" in sentences
    assert len({frozenset(_fields(text)) for text in sentences.values()}) == 1


@pytest.mark.parametrize("kind", ["missing", "out_of_range", "frozen"])
@pytest.mark.parametrize("part", ["sentence", "recommendation"])
def test_every_data_cause_has_its_words(kind: str, part: str) -> None:
    assert has(f"quality.{kind}.{part}")


def test_missing_fact_shows_as_a_question_mark() -> None:
    assert "?" in sentence("sentence.lasted", "en", span="3 days")


def test_error_speaks_the_language_of_the_reader() -> None:
    error = MissingColumns(file="a.csv", profile="solar", found="'x'", hint="")

    assert error_sentence(error, "en") == str(error)
    assert error_sentence(error, "es") != str(error)
    assert "a.csv" in error_sentence(error, "es")


def test_issue_without_a_sentence_still_says_what_and_where() -> None:
    assert issue_sentence(DataIssue("quality.unheard_of", "columna 3", 7), "es") == (
        "quality.unheard_of: columna 3 (7)"
    )


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "es_ES.UTF-8"}, "es"),
        ({"LANG": "de_DE.UTF-8"}, "es"),
        ({"LC_ALL": "en_US.UTF-8", "LANG": "es_ES"}, "en"),
        ({}, "es"),
    ],
    ids=str,
)
def test_language_is_the_machine_s_or_spanish(environment: dict[str, str], expected: str) -> None:
    assert machine_language(environment) == expected


@pytest.mark.parametrize("error", [SerenoError, DataError, UsageError], ids=lambda error: error.__name__)
def test_error_without_its_facts_is_a_fault_of_ours(error: type[SerenoError]) -> None:
    with pytest.raises(KeyError):
        error()


def test_word_goes_with_its_number() -> None:
    one = DataIssue("read.broken_row", "a.csv", 1, {"examples": "7"})
    many = DataIssue("read.broken_row", "a.csv", 21, {"examples": "7"})

    assert issue_sentence(one, "es").startswith("1 fila de a.csv no se pudo leer y está en cuarentena: 7.")
    assert issue_sentence(many, "es").startswith("21 filas de a.csv no se pudieron leer y están en cuarenten")
    assert issue_sentence(one, "en").startswith("1 row of a.csv could not be read and is in quarantine: 7.")


def test_no_sentence_speaks_of_one_in_the_plural() -> None:
    wrong = []
    for key, sentences in catalogue._catalogue().items():
        facts = {name: 1 for text in sentences.values() for name in _fields(text)}
        told = [sentence(key, language, **facts) for language in sentences]
        wrong += [text for text in told if _ONE_IN_PLURAL.search(text) and not key.startswith("phrase.")]

    assert wrong == []


def test_what_is_not_there_is_called_by_its_name_in_spanish() -> None:
    """Each word and each plain hint of `NotFound` that stands in the code."""
    said: set[str] = set()
    for file in (ROOT / "src" / "sereno").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "NotFound":
                given = {one.arg: one.value for one in node.keywords if one.arg in {"what", "hint"}}
                said |= {
                    str(one.value) for one in given.values() if isinstance(one, ast.Constant) and one.value
                }

    assert {"incident", "receiver", "`sereno keys list` shows them."} <= said
    assert [text for text in said if phrase(text, "es") == text] == []
