"""How every module of the package is written."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.architecture import repository

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

PRINTING = {"cli"}


def test_only_cli_prints() -> None:
    printing = [
        f"{repository.name(module)}:{node.lineno}"
        for module in repository.modules()
        if _room(module) not in PRINTING
        for node in ast.walk(repository.tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert not printing


def test_public_names_have_docstrings() -> None:
    undocumented = [
        f"{repository.name(module)}:{name}"
        for module in repository.modules()
        for name, node in _public(repository.tree(module))
        if not ast.get_docstring(node)
    ]

    assert not undocumented


def test_init_only_reexports() -> None:
    other = [
        f"{repository.name(module)}:{node.lineno}"
        for module in repository.modules()
        if module.name == "__init__.py"
        for node in repository.tree(module).body
        if not _is_reexport(node)
    ]

    assert not other


def _room(module: Path) -> str:
    return module.relative_to(repository.PACKAGE).parts[0].removesuffix(".py")


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
