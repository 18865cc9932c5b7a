"""Every sentence exists in both languages and is filled by the same facts."""

import importlib
import pkgutil
from pathlib import Path

import pytest
import yaml

import sereno
from sereno.domain import errors
from sereno.ingest.headers import Role
from tests.architecture import repository

Sentences = dict[str, str]

LANGUAGES = {"en", "es"}
CATALOGUES = sorted((repository.PACKAGE / "i18n").glob("*.yaml"))


def _error_classes(root: type[errors.SerenoError] = errors.SerenoError) -> list[type[errors.SerenoError]]:
    return [root, *(found for child in root.__subclasses__() for found in _error_classes(child))]


def _load_all_modules() -> None:
    """So that every error class exists; an extra that is not installed takes its module along."""
    for module in pkgutil.walk_packages(sereno.__path__, "sereno."):
        if module.name.endswith("__main__") or ".migrations" in module.name:
            continue
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as missing:
            if (missing.name or "").startswith("sereno"):
                raise


_load_all_modules()
CLASSES = [error for error in _error_classes() if error.__module__.startswith("sereno.")]
ERRORS = {error.code: error for error in CLASSES}


def _entries(catalogue: Path) -> dict[str, Sentences]:
    return dict(yaml.safe_load(catalogue.read_text(encoding="utf-8")) or {})


def _sentences() -> dict[str, Sentences]:
    return {code: sentences for catalogue in CATALOGUES for code, sentences in _entries(catalogue).items()}


def test_every_role_of_a_column_has_its_reason() -> None:
    """A role without one would stop every file that has such a column."""
    roles = {f"reason.{role.value}" for role in Role if role is not Role.SIGNAL}

    assert roles - set(_sentences()) == set()


def test_catalogues_exist() -> None:
    assert CATALOGUES


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=repository.name)
def test_entries_are_complete_in_both_languages(catalogue: Path) -> None:
    incomplete = {
        code
        for code, sentences in _entries(catalogue).items()
        if set(sentences) != LANGUAGES and not (set(sentences) == {"es"} and code in ERRORS)
    }

    assert not incomplete


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=repository.name)
def test_placeholders_agree_between_languages(catalogue: Path) -> None:
    different = {
        code
        for code, sentences in _entries(catalogue).items()
        if "en" in sentences
        and repository.placeholders(sentences["en"]) != repository.placeholders(sentences["es"])
    }

    assert not different


def test_key_is_defined_once() -> None:
    keys = [code for catalogue in CATALOGUES for code in _entries(catalogue)]

    assert sorted(keys) == sorted(set(keys))


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_error_has_spanish_sentence_with_the_same_facts(code: str) -> None:
    spanish = _sentences().get(code, {}).get("es", "")

    assert spanish, "no Spanish sentence"
    assert repository.placeholders(spanish) == repository.placeholders(ERRORS[code].template)


def test_error_codes_are_unique() -> None:
    codes = [error.code for error in CLASSES]

    assert sorted(codes) == sorted(set(codes))
