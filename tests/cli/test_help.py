"""Help is there for every command, and costs nothing."""

import pytest

from tests.support.processes import run_code, sereno

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


def test_module_and_version_answer() -> None:
    done = run_code(
        "import runpy, sys; sys.argv = ['sereno', '--help']; runpy.run_module('sereno', run_name='__main__')"
    )

    assert (done.code, "Usage" in done.out) == (0, True)
