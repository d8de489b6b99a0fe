"""The house: files import down, never in a circle, and at their top. import-linter holds the layers as well; it sees
neither imports by name (`lazy`) nor where an import stands.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.code_identity import PACKAGE, closure

LAYERS = (
    {"core"},
    {"metrics", "data", "exchange"},
    {"libraries"},
    {"stats", "modeling"},
    {"training", "measurement", "corpora"},
    {"compression", "attacks"},
    {"pipeline"},
    {"gating"},
    {"report"},
    {"api"},
    {"cli", "pytest_plugin", "pytest_gate", "pytest_scoring"},
    {"__main__"},
)
HEAVY = {
    "torch", "transformers", "datasets", "evaluate", "accelerate", "onnxruntime", "onnx", "openvino", "torchao",
    "sklearn", "scipy", "pandas", "tokenizers", "matplotlib", "safetensors",
}  # fmt: skip
SLOW = HEAVY | {"numpy"}
"""What is not imported before there is something to compute: numpy takes a sixth of what a command may take to start."""
MOST_LINES = 400


def module_name(path: Path) -> str:
    parts = ["harness", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_bytes()) for name, path in FILES.items()}


def own_imports(name: str) -> Iterator[tuple[str, bool]]:
    """The modules of the package that a module imports, and whether that is by name (`lazy`)."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "harness":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in FILES else node.module), False
        elif isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names if alias.name.split(".")[0] == "harness")
        elif isinstance(node, ast.Call) and getattr(node.func, "id", None) == "lazy" and name != "harness.core.lazy":
            yield node.args[0].value, True  # type: ignore[attr-defined]


IMPORTS = {name: {target for target, _ in own_imports(name) if target != name} for name in FILES}


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_every_file_imports_from_its_own_room_or_from_a_lower_one():
    floor = {name: number for number, names in enumerate(LAYERS) for name in names}
    assert {room(name) for name in FILES} - {""} == set(floor), "a room that no layer names"
    upward = [
        f"{name} -> {target}"
        for name, targets in IMPORTS.items()
        for target in targets
        if room(name) and room(target) and room(name) != room(target) and floor[room(target)] >= floor[room(name)]
    ]
    assert upward == []


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Nodes that reach themselves, in groups."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        waiting, seen = list(graph[start]), set[str]()
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                waiting += graph.get(node, ())
        reached[start] = seen
    return [
        sorted(other for other in reached[node] if node in reached.get(other, ()))
        for node in graph
        if node in reached[node]
    ]


def test_no_files_import_in_a_circle():
    assert circles(IMPORTS) == []


def test_no_folders_import_in_a_circle():
    folders: dict[str, set[str]] = {}
    for name, targets in IMPORTS.items():
        own = name if FILES[name].name == "__init__.py" else name.rpartition(".")[0]
        for target in targets:
            other = target if FILES[target].name == "__init__.py" else target.rpartition(".")[0]
            if other != own and "harness" not in (own, other):
                folders.setdefault(own, set()).add(other)
    assert circles(folders) == []


def test_own_modules_are_imported_at_the_top_of_a_file():
    inside = []
    for name, tree in TREES.items():
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.Lambda)]
        for node in {node for function in functions for node in ast.walk(function)}:
            module = node.module if isinstance(node, ast.ImportFrom) else None
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if any((one or "").split(".")[0] == "harness" for one in [module, *names]):
                inside.append(f"{name}:{node.lineno}")  # type: ignore[attr-defined]
    assert inside == []


def heavy(name: str, packages: set[str] = HEAVY) -> bool:
    """Whether importing a module imports torch or another package of its weight."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for node in TREES[module].body:
            if isinstance(node, ast.Import) and {alias.name.split(".")[0] for alias in node.names} & packages:
                return True
            if isinstance(node, ast.ImportFrom) and node.module:
                if node.module.split(".")[0] in packages:
                    return True
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    waiting += [target for target in (full, node.module) if target in FILES]
    return False


def test_a_module_is_named_lazily_only_where_importing_it_imports_torch_or_numpy():
    lazy = {(name, target) for name in FILES for target, by_name in own_imports(name) if by_name}
    assert lazy, "there is nothing to check"
    assert [pair for pair in sorted(lazy) if not heavy(pair[1], SLOW)] == []


def test_what_the_command_line_plans_with_imports_no_torch():
    assert not heavy("harness.pipeline.planner.plan") and not heavy("harness.report.text.page")


@pytest.mark.parametrize(
    "name", ["harness.cli.run", "harness.cli.show", "harness.cli.listing", "harness.pipeline.executors.local"]
)
def test_what_answers_from_what_is_there_imports_no_numpy_either(name):
    assert not heavy(name, SLOW)


def test_no_file_is_longer_than_a_reader_keeps_in_mind():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in FILES.items()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_the_closure_of_the_whole_package_is_the_whole_package():
    """What code identity reads and what this file reads are the same imports, but for those of type checkers."""
    found = closure("harness.pipeline.steps.finetune")
    assert set(found) <= set(FILES) and len(found) > 50
    for name in found:
        skipped = {id(inner) for node in ast.walk(TREES[name]) if is_for_checkers(node) for inner in ast.walk(node)}
        targets = {
            full if (full := f"{node.module}.{alias.name}") in FILES else node.module
            for node in ast.walk(TREES[name])
            if isinstance(node, ast.ImportFrom)
            and (node.module or "").startswith("harness")
            and id(node) not in skipped
            for alias in node.names
        }
        assert targets - {"harness", "harness.core.builtin"} <= set(found), name


def is_for_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and getattr(node.test, "id", None) == "TYPE_CHECKING"
