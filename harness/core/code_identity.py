"""Which code a result depends on, as one hash: the import closure of its step, normalized, with what it stands on.

The closure is read from the sources by their syntax trees, nothing is imported. Comments, docstrings, blank lines and
positions do not count; neither do imports that only type checkers follow. The tables of plug-ins are not followed, or
each result would depend on all of them: the plug-ins that a result uses are entries beside its step.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.core import installation
from harness.core.cache_folder import cache_folder
from harness.core.hashing import hash_json
from harness.core.installation import Kept
from harness.core.known_sources import KnownSource, source_cache

PACKAGE = installation.PACKAGE
TABLES = frozenset({"harness", "harness.core.builtin"})
"""Modules that only say where others are: the lazy public names, the built-in plug-ins."""
NUMBERLESS = frozenset(
    {"click", "filelock", "jinja2", "matplotlib", "psutil", "pydantic", "pytest", "rich", "typer", "typing_extensions"}
)
"""Packages whose version changes no result: they print, lock, draw, or check what they are given."""


@dataclass(frozen=True)
class Source:
    """One module: the hash of its normalized code, the modules it imports, and the packages it imports from."""

    digest: str
    modules: tuple[str, ...]
    packages: frozenset[str]


def identity(*entries: str | Path) -> str:
    """The hash of all code and library versions that the entries depend on.

    Args:
        entries: Modules by dotted name, or files of plug-ins.

    Returns:
        SHA-256 (hex). Equal as long as no code in the import closure of the entries changed, and none of the
        third-party packages it imports has another version.
    """
    return _identity(tuple(sorted({str(entry) for entry in entries})))


def closure(*entries: str | Path) -> dict[str, Path]:
    """The modules that the entries import, directly or not, themselves included, by name, with their files."""
    waiting = [_entry(str(entry)) for entry in entries]
    files: dict[str, Path] = {}
    seen: set[tuple[str, Path]] = set()
    while waiting:
        name, root = waiting.pop()
        if (name, root) in seen or name in TABLES:
            continue
        seen.add((name, root))
        path = _file(name, root)
        if path is None:
            continue
        files[name] = path
        top = name.partition(".")[0]
        for imported in read_source(path, name).modules:
            imported_top = imported.partition(".")[0]
            if imported_top in ("harness", top):
                place = root if imported_top == top else PACKAGE.parent
                waiting += [(part, place) for part in _with_parents(imported) if (part, place) not in seen]
    return files


def packages(*entries: str | Path) -> dict[str, str]:
    """The versions of the third-party packages that the closure of the entries imports, where they are installed."""
    return _packages(closure(*entries))


def _packages(files: dict[str, Path]) -> dict[str, str]:
    named = {package for name, path in files.items() for package in read_source(path, name).packages}
    local = {"harness", *(name.partition(".")[0] for name in files)}
    versions = {name: _version(name) for name in sorted(named - local - NUMBERLESS - sys.stdlib_module_names)}
    return {name: found_version for name, found_version in versions.items() if found_version is not None}


def forget() -> None:
    """Read the closures anew: a plug-in's module has been executed again, and it may have changed."""
    _identity.cache_clear()
    _kept.cache_clear()
    installation.forget()


@cache
def _identity(entries: tuple[str, ...]) -> str:
    """Kept where all entries are of this package: then nothing but its installation is asked for."""
    kept = _kept(PACKAGE, cache_folder()) if all(map(_is_own, entries)) else None
    known = kept.get(hash_json(entries)) if kept is not None else None
    if isinstance(known, str):
        return known
    sources = closure(*entries)
    files = {name: read_source(path, name).digest for name, path in sources.items()}
    whole = hash_json({"code": files, "packages": _packages(sources)})
    source_cache(PACKAGE, Path(__file__)).keep()
    if kept is not None:
        kept.put(hash_json(entries), whole)
    return whole


@cache
def _kept(package: Path, folder: Path) -> Kept:
    return Kept("identities", package, installation.state_of(package))


def _is_own(entry: str) -> bool:
    return (entry.startswith("harness.") and not entry.endswith(".py")) or Path(entry).is_relative_to(PACKAGE)


def _entry(entry: str) -> tuple[str, Path]:
    """The module name of an entry and the folder its name is looked up in."""
    if not entry.endswith(".py"):
        return entry, PACKAGE.parent
    path = Path(entry).resolve()
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts, folder = [folder.name, *parts], folder.parent
    return ".".join(parts).removesuffix(".__init__"), folder


def _file(name: str, root: Path) -> Path | None:
    place = root.joinpath(*name.split("."))
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            return path
    return None


def _with_parents(name: str) -> list[str]:
    """A module and the packages around it: importing it runs them too."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def module_file(name: str) -> Path:
    """The file of a module of this package, found without importing it."""
    path = _file(name, PACKAGE.parent)
    assert path is not None, name
    return path


def read_source(path: Path, name: str) -> Source:
    """The module `name` in the file `path`. Raises SyntaxError where it is no Python."""
    stat = path.stat()
    return _source(path, name, (stat.st_ino, stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size))


@cache
def _source(path: Path, name: str, state: tuple[int, ...]) -> Source:
    kept = source_cache(PACKAGE, Path(__file__))
    known = kept.get(name, path, state)
    if known is None:
        tree = ast.parse(path.read_bytes())
        modules = list(dict.fromkeys(_imported(tree, name, path.name == "__init__.py")))
        _normalize(tree)
        digest = hashlib.sha256(ast.dump(tree, annotate_fields=False).encode()).hexdigest()
        known = KnownSource(state=list(state), digest=digest, modules=modules)
        kept.put(name, path, known)
    packages = frozenset(module.partition(".")[0] for module in known.modules)
    return Source(known.digest, tuple(known.modules), packages)


SHOWN = frozenset({"description", "panel", "metavar", "shown", "flag"})
"""Arguments of a spec's fields that only the help shows."""


def _normalize(tree: ast.AST) -> None:
    """Drop strings that stand alone, docstrings of modules, classes, functions and attributes, and help of specs."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in ("setting", "Field"):
            node.keywords = [keyword for keyword in node.keywords if keyword.arg not in SHOWN]
            if node.func.id == "setting":  # type: ignore[attr-defined]
                node.args = node.args[:1]
        for body in (getattr(node, "body", None), getattr(node, "orelse", None)):
            if isinstance(body, list):
                body[:] = [statement for statement in body if not _stands_alone(statement)]


def _stands_alone(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _imported(tree: ast.AST, name: str, is_package: bool) -> Iterator[str]:
    """The full names of what a module imports, wherever in it; of `from a import b` both `a` and `a.b`."""
    for node in _runtime_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parts = name.split(".")
                base = parts[: len(parts) - node.level + is_package]
                module = ".".join([*base, *([module] if module else [])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "lazy":
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def _runtime_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and getattr(child.test, "id", None) == "TYPE_CHECKING":
                waiting += child.orelse
            else:
                waiting.append(child)


@cache
def _version(package: str) -> str | None:
    distributions = source_cache(PACKAGE, Path(__file__)).distributions().get(package)
    try:
        return version(distributions[0]) if distributions else None
    except PackageNotFoundError:
        return None
