"""What a piece of code depends on, read off its imports and never off a list of files."""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path

import anomalylib
from anomalylib.files import sha256_of


def code_hash(*modules: str, packages: tuple[str, ...] = ("anomalylib",)) -> str:
    """SHA-256 over the sources of some modules and of all in `packages` that they import.

    The templates of a room belong to those of its modules that import Jinja2.
    """
    digest = hashlib.sha256()
    for name in sorted(closure(modules, packages)):
        digest.update(f"{name} {sha256_of(_file(name))}\n".encode())
        if direct_imports(name, ("jinja2",)):
            for template in sorted(_file(name).parent.glob("templates/*")):
                digest.update(f"{template.name} {sha256_of(template)}\n".encode())
    return digest.hexdigest()


def closure(modules: Iterable[str], packages: tuple[str, ...] = ("anomalylib",)) -> frozenset[str]:
    """Some modules and all that they import, directly or through others.

    Imports inside functions count, those for type checkers alone do not. What is
    imported by a name that is computed must be among `modules`.
    """
    reached: set[str] = set()
    waiting = set(modules)
    while waiting:
        reached |= waiting
        waiting = set().union(*(direct_imports(name, packages) for name in waiting)) - reached
    return frozenset(reached)


@functools.cache
def direct_imports(module: str, packages: tuple[str, ...] = ("anomalylib",)) -> frozenset[str]:
    """The modules that one module imports itself."""
    return frozenset(imported(ast.parse(_file(module).read_text(encoding="utf-8")), packages))


def imported(tree: ast.Module, packages: tuple[str, ...] = ("anomalylib",)) -> Iterator[str]:
    """The modules of `packages` that code imports, also by public names of `anomalylib`."""
    aliases = set()
    for node in _run(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in packages:
                    yield alias.name
                if alias.name == "anomalylib":
                    aliases.add(alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            if (node.module or "").partition(".")[0] in packages:
                for alias in node.names:
                    yield _home(node.module, alias.name)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in aliases
        ):
            yield _home("anomalylib", node.attr)


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree but those below ``if TYPE_CHECKING``, which nobody runs."""
    yield tree
    for child in ast.iter_child_nodes(tree):
        skipped = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        if not skipped:
            yield from _run(child)


def _home(module: str, name: str) -> str:
    """The module that ``from module import name`` takes the name from."""
    if module == "anomalylib" and name in anomalylib.HOMES:
        return anomalylib.HOMES[name]
    inner = f"{module}.{name}"
    return inner if _file(inner).is_file() else module


@functools.cache
def _file(module: str) -> Path:
    """The source of a module, found without importing it."""
    top, *inner = module.split(".")
    folder = Path(importlib.util.find_spec(top).origin).parent
    path = folder.joinpath(*inner)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
