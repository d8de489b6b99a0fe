"""Names say what a value is, in the terms of the field: the words that stand for neither are not used again."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.unit.test_layers import TREES

LEFT = {"one", "own", "found", "said", "told"}
"""Words that no name of a variable, parameter, attribute, function or class consists of."""
LEFT_EVERYWHERE = {
    "arm", "arms", "bench", "evidence", "headline", "headlines", "likeness", "outlet", "outlets", "pace", "refit", "remembered",
    "rightness", "share", "shares", "side", "sides", "stepper", "strangers", "sweep", "teaching", "twin", "twins", "visit",
    "visits",
}  # fmt: skip
"""Words that are no part of such a name either; `side_by_side` is no side."""


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Of a module: the names it gives, each with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, node.name


def test_no_name_is_a_word_that_was_left():
    used = [
        f"{module}:{line}: {name}"
        for module, tree in TREES.items()
        for line, name in names(tree)
        if name.strip("_").casefold() in LEFT
        or LEFT_EVERYWHERE & set(name.casefold().replace("side_by_side", "").split("_"))
    ]
    assert used == [], "name it for what the value is"


def test_names_of_all_kinds_are_looked_at():
    source = "def told(own):\n    for one in own:\n        said: int = 1\n    self.found = [one for one in own]\nclass Own: pass\n"
    assert {name.casefold() for _, name in names(ast.parse(source))} >= LEFT
