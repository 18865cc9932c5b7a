"""Help and usage in the language of the reader; in English they stand beside the code."""

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Protocol

import yaml

from sereno.i18n.catalogue import phrase

__all__ = ["FRAMES", "frame", "translate"]

FRAMES = {
    r"^Usage:": "Usage:",
    r"^Options:$": "Options:",
    r"^Commands:$": "Commands:",
    r"^Arguments:$": "Arguments:",
    r"\[default:": "[default:",
    r"\[required\]": "[required]",
    r"; required\]": "; required]",
    r"^Try ('.*') for help\.$": r"Try \1 for help.",
    r"Show this message and exit\.": "Show this message and exit.",
}
"""What the parser writes around the texts, and what that is called among them."""
_ERROR = "Error: "


class _Command(Protocol):
    help: str | None
    short_help: str | None
    epilog: str | None
    params: list[Any]


def translate(command: _Command, language: str) -> None:
    """Give a command, its options and all below it the help of a language."""
    known = _known(language)
    for name in ("help", "short_help", "epilog"):
        setattr(command, name, _said(getattr(command, name, None), known))
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = _said(parameter.help, known)
    for below in getattr(command, "commands", {}).values():
        translate(below, language)


def frame(text: str, language: str) -> str:
    """Help or a complaint of the parser, with the words that the parser itself puts around."""
    if language == "en":
        return text
    known = _known(language)
    for pattern, name in FRAMES.items():
        text = re.sub(pattern, known[name], text, flags=re.MULTILINE)
    before, error, message = text.partition(_ERROR)
    return f"{before}{error}{_complaint(message.strip(), language)}\n" if error else text


def _complaint(message: str, language: str) -> str:
    """What the parser refuses; of a value that does not fit, the reason too."""
    head, colon, reason = message.partition(": ")
    if head.startswith("Invalid value for") and colon:
        reason = str(phrase(reason.removeprefix("Value error, "), language))
        return f"{phrase(head, language)}: {reason}"
    return str(phrase(message, language))


def _said(text: str | None, known: Mapping[str, str]) -> str | None:
    return None if text is None else known.get(" ".join(text.split()), text)


@cache
def _known(language: str) -> Mapping[str, str]:
    """The texts of a language by the English ones; none of English."""
    if language == "en":
        return {}
    file = resources.files("sereno.i18n") / "help" / f"{language}.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    texts: Mapping[str, str] = yaml.load(file.read_text("utf-8"), Loader=loader)
    return texts
