"""The catalogues: YAML files `key: {en: …, es: …}` of this package, with named placeholders.

`{rows}` is a fact; `{rows:row|rows}` is the word that goes with it, for one and for any other number.
"""

import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

import yaml

from sereno.domain.errors import SerenoError
from sereno.domain.issues import DataIssue

__all__ = [
    "LANGUAGES",
    "error_sentence",
    "has",
    "issue_sentence",
    "machine_language",
    "phrase",
    "sentence",
]

LANGUAGES = ("es", "en")
_PHRASE = "phrase."
_COUNTED = re.compile(r"\{(\w+):([^{}|]*)\|([^{}|]*)\}")
"""`{rows:row|rows}`: the first word where the fact is one, the second elsewhere."""


def machine_language(environment: Mapping[str, str] | None = None) -> str:
    """English where the machine says so, Spanish elsewhere."""
    environment = os.environ if environment is None else environment
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "en" if value.lower().startswith("en") else "es"
    return "es"


def has(key: str) -> bool:
    """Whether a catalogue holds the key."""
    return key in _catalogue()


def sentence(key: str, language: str, /, **facts: object) -> str:
    """The sentence of a key, filled with facts; a fact may be a function that makes it."""
    known = _Facts(facts)
    text = _catalogue()[key][language]
    return _COUNTED.sub(lambda found: found[2 if str(known[found[1]]) == "1" else 3], text).format_map(known)


def error_sentence(error: SerenoError, language: str) -> str:
    """What went wrong, for a person; the English of an error is its own template."""
    if language == "en" or not has(error.code):
        return str(error)
    facts = {name: phrase(value, language) for name, value in error.facts.items()}
    return sentence(error.code, language, **facts).strip()


def issue_sentence(issue: DataIssue, language: str) -> str:
    """What is true about the data, for a person."""
    if not has(issue.code):
        return f"{issue.code}: {issue.where} ({issue.count})"
    facts: dict[str, object] = {**issue.facts, "where": issue.where, "count": issue.count}
    if language != "en":
        facts = {name: phrase(value, language) for name, value in facts.items()}
    return " ".join(sentence(issue.code, language, **facts).split())


@cache
def _catalogue() -> Mapping[str, Mapping[str, str]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    merged: dict[str, Mapping[str, str]] = {}
    for file in resources.files("sereno.i18n").iterdir():
        if file.name.endswith(".yaml"):
            merged.update(yaml.load(file.read_text("utf-8"), Loader=loader) or {})
    return merged


def phrase(value: object, language: str) -> object:
    """A fragment that code wrote in English, in the language of the reader; names and numbers as they are."""
    if not isinstance(value, str):
        return value
    for pattern, key in _phrases():
        if found := pattern.fullmatch(value):
            return sentence(key, language, **found.groupdict())
    return value


@cache
def _phrases() -> Sequence[tuple[re.Pattern[str], str]]:
    found = []
    for key, entry in _catalogue().items():
        if key.startswith(_PHRASE):
            parts = re.split(r"\{(\w+)\}", entry["en"])
            text = "".join(f"(?P<{p}>.+?)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
            found.append((re.compile(text, re.DOTALL), key))
    return found


class _Facts(dict[str, object]):
    """The facts of a sentence; one that is a function is asked only where the sentence needs it.

    A fact that an issue does not carry shows as `?` rather than as an error in the middle of a report.
    """

    def __getitem__(self, key: str) -> object:
        fact = super().__getitem__(key)
        return fact() if callable(fact) else fact

    def __missing__(self, key: str) -> str:
        return "?"
