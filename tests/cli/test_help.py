"""Help is there for every command, and costs nothing."""

import ast
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
import yaml
from typer.main import get_command

from sereno.cli.app import app
from sereno.cli.helping import FRAMES
from sereno.i18n.catalogue import phrase
from tests.support.processes import ROOT, run_code, sereno

COMMANDS = [
    *("check", "ingest", "train", "score", "watch", "summary", "simulate", "demo", "doctor"),
    *("incidents", "incidents list", "incidents show", "incidents ack", "incidents comment"),
    *("incidents assign", "incidents shelve", "incidents close", "incidents export"),
    *(
        "incidents unshelve",
        "incidents reopen",
        "incidents undo",
        "silences",
        "silences list",
        "silences add",
        "silences end",
    ),
    *("corrections", "corrections add", "corrections list", "corrections undo"),
    *("export", "export preprocessed", "export results", "export anomalies", "export clusters"),
    *("receivers", "receivers list", "receivers test"),
    *("sources", "sources list", "sources test"),
    *("notifications", "notifications list", "notifications resend", "notifications deliver"),
    *("health", "report", "segment", "run", "evaluate", "regimes"),
    *("config", "config check", "config explain", "config schema"),
]
HEAVY = ("numpy", "polars", "sklearn", "sqlalchemy", "scipy", "watchfiles", "alembic")


def test_help_names_every_command() -> None:
    done = sereno("--help")

    assert done.code == 0
    assert all(name.split()[0] in done.out for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_its_options(command: str) -> None:
    done = sereno(*command.split(), "--help")

    assert done.code == 0
    assert done.out.startswith(f"Usage: sereno {command}")
    assert len(done.out.splitlines()) > 4


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["score", "--help"],
        ["incidents", "--help"],
        ["export", "preprocessed", "--help"],
        ["segment", "--help"],
        ["evaluate", "--help"],
        ["run", "--help"],
        ["nonsense"],
    ],
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from sereno.cli import main\n"
        f"main({words!r})\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )

    done = run_code(code)

    assert done.err.splitlines()[-1] == "[]"


def _texts(command: Any) -> Iterator[str]:
    """All that help says of a command and of those below it."""
    yield from (text for text in (command.help, command.epilog) if text)
    yield from (one.help for one in command.params if getattr(one, "help", None))
    for below in getattr(command, "commands", {}).values():
        yield from _texts(below)


def test_all_help_is_there_in_spanish_and_no_more() -> None:
    known = yaml.safe_load((resources.files("sereno.i18n") / "help" / "es.yaml").read_text("utf-8"))

    said = {" ".join(text.split()) for text in _texts(get_command(app))}

    assert said | set(FRAMES.values()) == set(known)
    assert all(one.strip() for one in known.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_in_spanish_has_no_english_left(command: str) -> None:
    done = sereno(*command.split(), "--help", "--lang", "es")

    assert done.code == 0
    assert done.out.startswith(f"Uso: sereno {command}")
    assert not re.search(
        r"^(Options|Commands|Arguments|Usage):|required\]|\[default:|and exit", done.out, re.MULTILINE
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chek"], "No existe la orden «chek». ¿Quería decir 'check'?"),
        (["check"], "Falta el argumento «files»."),
        (["check", "--foo", "x"], "No existe la opción --foo"),
        (["train", "--budget", "abc"], "Valor no válido para '--budget': no es un número"),
        (["simulate", "solar", "--rows", "0"], "Valor no válido para '--rows': debe ser 1 como mínimo"),
        (
            ["check", "--decimal", ";", "x"],
            "Valor no válido para '--decimal': ';' no es ninguno de '.', ','.",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_parser_complains_in_spanish(words: list[str], said: str) -> None:
    done = sereno(*words, "--lang", "es")

    assert done.code == 2
    assert done.err.startswith("Uso: sereno")
    assert said in done.err


def test_module_and_version_answer() -> None:
    done = run_code(
        "import runpy, sys; sys.argv = ['sereno', '--help']; runpy.run_module('sereno', run_name='__main__')"
    )

    assert (done.code, "Usage" in done.out) == (0, True)


def test_help_in_spanish_costs_little_more_than_in_english() -> None:
    code = (
        "import sys, time; from sereno.cli.entry import main\n"
        "main(['--lang', sys.argv[1], '--help']); print('cpu', time.process_time())"
    )

    def cpu_seconds(language: str) -> float:
        return float(run_code(code, language).out.rpartition("cpu ")[2])

    pairs = [(cpu_seconds("es"), cpu_seconds("en")) for _ in range(3)]

    assert min(spanish / english for spanish, english in pairs) < 1.8


def test_what_a_command_refuses_has_words_in_spanish() -> None:
    told = set()
    for file in (ROOT / "src" / "sereno" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "typer.BadParameter":
                told |= {one.value for one in node.args if isinstance(one, ast.Constant)}

    assert len(told) > 5
    assert [text for text in told if phrase(text, "es") == text] == []
