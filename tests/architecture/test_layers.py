"""Imports go down through the layers, and heavy libraries stay where they are used."""

import subprocess
import sys

import pytest

from tests.architecture import repository

DOORS = {"cli", "api", "console", "compat", "sklearn"}
STAGES = {
    "detect",
    "drift",
    "evaluate",
    "forecast",
    "incidents",
    "ingest",
    "notify",
    "prepare",
    "report",
    "scale",
    "segment",
    "simulate",
    "store",
}
DOMAIN = [module for module in repository.modules() if module.is_relative_to(repository.PACKAGE / "domain")]
SPEAKING_STAGES = {"notify", "report"}
CONTRACTS = {
    contract["id"]: contract for contract in repository.settings()["tool"]["importlinter"]["contracts"]
}


def test_layer_contracts_hold() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_logo=True))",
    ]

    done = subprocess.run(command, cwd=repository.ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("contract", "field", "wanted"),
    [
        ("doors", "source_modules", DOORS),
        ("doors", "forbidden_modules", STAGES),
        ("options", "source_modules", STAGES),
        ("sentences", "source_modules", STAGES - SPEAKING_STAGES),
    ],
)
def test_contract_names_every_room_that_exists(contract: str, field: str, wanted: set[str]) -> None:
    named = {module.removeprefix("sereno.") for module in CONTRACTS[contract][field]}

    assert named == wanted & repository.rooms()


def test_domain_imports_standard_library_and_numpy_only() -> None:
    allowed = {*sys.stdlib_module_names, "numpy"}

    foreign = [
        f"{repository.name(module)}: {name}"
        for module in DOMAIN
        for name in repository.imported(repository.tree(module))
        if name.split(".")[0] not in allowed and not name.startswith("sereno.domain")
    ]

    assert not foreign


@pytest.mark.parametrize("statement", ["import sereno", "import sereno.cli"])
def test_import_does_not_load_heavy_libraries(statement: str) -> None:
    heavy = ["alembic", "polars", "scipy", "sklearn", "sqlalchemy"]
    program = f"import sys; {statement}; print([name for name in {heavy} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
