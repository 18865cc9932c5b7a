"""How every module of the package is written."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture import repository

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

PRINTING = {"cli"}
INITS = [path for path in repository.modules() if path.name == "__init__.py"]
every_module = pytest.mark.parametrize("module", repository.modules(), ids=repository.name)


@every_module
def test_module_prints_only_in_cli(module: Path) -> None:
    room = module.relative_to(repository.PACKAGE).parts[0].removesuffix(".py")

    prints = [
        node.lineno
        for node in ast.walk(repository.tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert room in PRINTING or not prints, f"print in lines {prints}"


@every_module
def test_public_names_have_docstrings(module: Path) -> None:
    undocumented = [name for name, node in _public(repository.tree(module)) if not ast.get_docstring(node)]

    assert not undocumented


@pytest.mark.parametrize("module", INITS, ids=repository.name)
def test_init_only_reexports(module: Path) -> None:
    body = repository.tree(module).body

    other = [ast.unparse(node).splitlines()[0] for node in body if not _is_reexport(node)]

    assert not other


def _public(module: ast.Module) -> Iterator[tuple[str, Documented]]:
    yield "module", module
    for node in module.body:
        yield from _public_in(node, "")


def _public_in(node: ast.stmt, owner: str) -> Iterator[tuple[str, Documented]]:
    if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if node.name.startswith("_") or _is_exempt(node):
        return
    yield f"{owner}{node.name}", node
    if isinstance(node, ast.ClassDef):
        for member in node.body:
            yield from _public_in(member, f"{node.name}.")


def _is_exempt(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Overrides and overloads are documented where they are declared, setters at their property."""
    names = {ast.unparse(decorator).split(".")[-1] for decorator in node.decorator_list}
    return bool(names & {"overload", "override", "setter"})


def _is_reexport(node: ast.stmt) -> bool:
    """Docstring, imports, `__all__` and its like, the lazy `__getattr__` and the silent log handler."""
    match node:
        case ast.Import() | ast.ImportFrom() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name.startswith("_")
        case ast.FunctionDef(name=name):
            return name in {"__getattr__", "__dir__"}
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), body=body):
            return all(isinstance(inner, ast.Import | ast.ImportFrom) for inner in body)
        case ast.Expr(value=ast.Call() as call):
            return "NullHandler" in ast.unparse(call)
        case _:
            return False
