"""The pages of `docs/reference`, of what the code itself says: `python dev.py reference` writes them anew."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
import yaml
from prometheus_client import Metric
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import sereno
from sereno.api.guards import access_status
from sereno.api.metrics import RequestFigures, figures_as_metrics, registry_of
from sereno.api.problems import status_of
from sereno.cli.app import app
from sereno.contracts.plugins import Plugins
from sereno.domain.errors import AccessError, SerenoError
from sereno.flows.condition import ServiceFigures
from sereno.flows.service import Service
from sereno.settings.reading import describe_settings

__all__ = ["FOLDER", "error_classes", "main", "pages"]

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
I18N = Path(sereno.__file__).parent / "i18n"
_COUNTED = re.compile(r"\{\w+:[^{}|]*\|([^{}|]*)\}")
"""The word that goes with a number; the page has that of many."""
REGISTRIES = {
    "Detectors": "sereno.detect.registry",
    "Forecasters": "sereno.forecast.registry",
    "Senders": "sereno.notify.registry",
    "Sources": "sereno.ingest.sources.registry",
}
CAUSE = re.compile(r"(quality|physics|behaviour|source|problem)\.\w+\.(sentence|name|recommendation)")
ISSUE = re.compile(r"(read|quality|source)\.\w+")
ATTRIBUTE = re.compile(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)
INTRODUCTIONS = {
    "commands.md": [
        "`--workspace`, `--organization`, `--json`, `--lang`, `--quiet` and `--debug` stand before or after",
        "a command. `sereno --install-completion` makes the shell complete commands and options (bash, zsh,",
        "fish, PowerShell); `sereno --show-completion` prints how.",
        "",
        "Exit codes: 0 fine, 1 findings with `--fail-on`, 2 usage, 3 data refused, 4 configuration, 5 store",
        "or model, 70 a fault of ours, 130 interrupted.",
    ],
    "settings.md": [
        "Keys of `sereno.yaml`. Any of them is also a variable of the environment: `service.auth` is",
        "`SERENO__SERVICE__AUTH`. `<name>` stands for a name of your own, `<number>` for the place in a",
        "list.",
    ],
    "codes.md": [
        "Stable codes: programs compare these and not sentences. Words in braces are facts of the case.",
    ],
    "metrics.md": [
        "What `GET /metrics` shows in the format of Prometheus: to this machine, or with a key of the role",
        "`viewer`. Counters end in `_total`; what is not known at the moment is left out.",
    ],
    "extensions.md": [
        "What can be asked for by `kind`: ours, and those that other packages declare as entry points of the",
        "group. An extension is a class with the methods of its contract in `sereno.contracts`; the",
        "functions of `sereno.testing` check it.",
    ],
}
ERRORS = [
    'With `--json` an error is `{"error": {"code", "message", "facts"}}`; over HTTP the code stands in a',
    "problem document.",
]
ISSUES_OF_DATA = ["What `check`, `ingest` and the API say of files and records, without refusing the rest."]
CAUSES = [
    "The `cause` of an incident is what stands before `.sentence`; `.name` is what its problem is called,",
    "and `.recommendation` what to do next.",
]
CHECKS = {
    "behaviour.drift": ("a level that went away slowly", "un nivel que se fue alejando despacio"),
    "behaviour.capacity": (
        "ten days without one as good as the weeks before",
        "diez días sin uno tan bueno como las semanas anteriores",
    ),
    "behaviour.excess": (
        "five busy days, unlike the weeks before",
        "cinco días cargados, como ninguno antes",
    ),
    "physics.imbalance": (
        "an imbalance above rounding and below the limit: a flag, not an incident",
        "un desequilibrio por encima del redondeo y por debajo del límite: una marca, no una incidencia",
    ),
}
"""Checks whose incidents bear another cause, or that only flag."""
OTHER_CHECKS = ["What else judges; `check` in detections, in the history of models and in `summary --json`."]
UNSAID = ("", "None", "{}", "[]")
WRITTEN = "<!-- Written by `python dev.py reference`; a test compares it with the code. -->"


def main() -> int:
    """Write every page."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Every page by its file name."""
    made = {
        "commands.md": ("Commands", _commands()),
        "settings.md": ("Settings", _settings()),
        "codes.md": ("Codes", _codes()),
        "metrics.md": ("Metrics", _metrics()),
        "extensions.md": ("Extension points", _extensions()),
    }
    return {
        name: _joined([WRITTEN, "", f"# {title}", "", *INTRODUCTIONS[name], "", *lines])
        for name, (title, lines) in made.items()
    }


def _joined(lines: Iterable[str]) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def error_classes() -> dict[str, type[SerenoError]]:
    """Every class of errors of the package, by its code."""
    for module in pkgutil.walk_packages(sereno.__path__, "sereno."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as missing:  # an extra that is not here
                if (missing.name or "").startswith("sereno"):
                    raise
    return {one.code: one for one in _below(SerenoError) if one.__module__.startswith("sereno.")}


def _below(root: type[SerenoError]) -> list[type[SerenoError]]:
    return [root, *(found for child in root.__subclasses__() for found in _below(child))]


def _commands() -> Iterator[str]:
    root = typer.main.get_command(app)
    context = root.make_context("sereno", ["--workspace", ".", "config"], resilient_parsing=True)
    yield from _options(root, context)
    yield from _command(root, "sereno", context)


def _command(command: Any, name: str, context: Any) -> Iterator[str]:
    for word, one in getattr(command, "commands", {}).items():
        full = f"{name} {word}"
        inner = type(context)(one, info_name=word, parent=context)
        yield f"## `{full}`"
        yield ""
        yield " ".join((one.help or "").split())
        yield ""
        yield from _options(one, inner)
        yield from _command(one, full, inner)


def _options(command: Any, context: Any) -> Iterator[str]:
    rows = [record for one in command.params if (record := one.get_help_record(context)) is not None]
    yield from _table(("option", "what it does"), [(f"`{name}`", text) for name, text in rows])


def _settings() -> Iterator[str]:
    branches: dict[str, list[tuple[str, str, str]]] = {}
    for key, _, default, text in describe_settings():
        branches.setdefault(key.partition(".")[0], []).append((f"`{key}`", _default(default), text))
    for branch, rows in branches.items():
        yield ""
        yield f"## `{branch}`"
        yield ""
        yield from _table(("key", "default", "meaning"), rows)


def _codes() -> Iterator[str]:
    known = _sentences()
    rows = [
        (f"`{code}`", str(one.exit_code), _status(one), one.template, known.get(code, {}).get("es", ""))
        for code, one in sorted(error_classes().items())
    ]
    yield from ["## Errors", "", *ERRORS, ""]
    yield from _table(("code", "exit", "HTTP", "sentence", "frase"), rows)
    yield from ["## Issues of data", "", *ISSUES_OF_DATA, ""]
    yield from _sentence_table(code for code in known if ISSUE.fullmatch(code) and "en" in known[code])
    yield from ["## Causes of incidents", "", *CAUSES, ""]
    yield from _sentence_table(code for code in known if CAUSE.fullmatch(code))
    yield from ["## Other checks", "", *OTHER_CHECKS, ""]
    yield from _table(
        ("check", "what it finds", "qué encuentra"), [(f"`{one}`", *CHECKS[one]) for one in CHECKS]
    )


def _status(kind: type[SerenoError]) -> str:
    return str(access_status(kind) if issubclass(kind, AccessError) else int(status_of(kind)))


def _sentence_table(codes: Iterable[str]) -> Iterator[str]:
    found = _sentences()
    rows = [(f"`{code}`", found[code].get("en", ""), found[code].get("es", "")) for code in sorted(codes)]
    yield from _table(("code", "sentence", "frase"), rows)


def _sentences() -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {}
    for path in sorted(I18N.glob("*.yaml")):
        found |= yaml.safe_load(_COUNTED.sub(r"\1", path.read_text("utf-8"))) or {}
    return found


def _metrics() -> Iterator[str]:
    rows = [
        (f"`{one.name}`", one.type, ", ".join(f"`{label}`" for label in labels), one.documentation)
        for one, labels in _families()
    ]
    yield from _table(("name", "type", "labels", "meaning"), sorted(rows))


def _families() -> Iterator[tuple[Metric, Sequence[str]]]:
    figures = ServiceFigures(
        notifications=Counter(dead=1), last_reading_age_s=0.0, store_bytes=0, incidents=Counter(low=1)
    )
    with tempfile.TemporaryDirectory() as folder, Service(Path(folder)) as service:
        registry = registry_of(service)
        requests = RequestFigures(registry)
        requests.requests.labels("GET", "/", "200").inc()
        requests.seconds.labels("/").observe(0.0)
        collected = {one.name: one for one in registry.collect()}
    collected |= {one.name: one for one in figures_as_metrics(figures)}
    for one in collected.values():
        labels = getattr(one, "_labelnames", None) or (one.samples[0].labels if one.samples else ())
        yield one, [label for label in labels if label != "le"]


def _extensions() -> Iterator[str]:
    for title, module in REGISTRIES.items():
        plugins: Plugins = importlib.import_module(module)._PLUGINS
        yield ""
        yield f"## {title}: `{plugins.group}`"
        for name in plugins.built_in:
            found = plugins.load(name)
            assert isinstance(found, type)
            yield ""
            yield f"### `{name}`"
            yield ""
            yield (inspect.getdoc(found) or "").partition("\n")[0]
            yield ""
            yield from _fields(found)


def _fields(found: type) -> Iterator[str]:
    if issubclass(found, BaseModel):
        rows = [
            (
                f"`{one.alias or name}`",
                _default(one.get_default(call_default_factory=True)),
                one.description or "",
            )
            for name, one in found.model_fields.items()
        ]
    elif dataclasses.is_dataclass(found):
        said = _attributes(found)
        rows = [
            (f"`{one.name}`", _default(one.default), said.get(one.name, ""))
            for one in dataclasses.fields(found)
            if one.init and not one.name.startswith("_") and one.name in said
        ]
    else:
        rows = []
    yield from _table(("option", "default", "meaning"), rows)


def _attributes(found: type) -> dict[str, str]:
    """What the docstrings of a class and of those that it is made of say of its fields."""
    said: dict[str, str] = {}
    for one in reversed(found.__mro__):
        text = inspect.cleandoc(one.__dict__.get("__doc__") or "").partition("Attributes:")[2]
        for names, meaning in ATTRIBUTE.findall(text):
            said |= dict.fromkeys(names.split(", "), " ".join(meaning.split()))
    return said


def _default(value: object) -> str:
    is_unsaid = value in (None, dataclasses.MISSING, PydanticUndefined, {}, [], (), *UNSAID)
    return "" if is_unsaid else f"`{value}`"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        cells = [" ".join(cell.split()).replace("|", "\\|") for cell in row]
        yield f"| {' | '.join(cells)} |"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
