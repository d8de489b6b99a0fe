"""YAML as data only: safe-loaded, duplicate keys refused, bounded in size, depth and number of values, the offending
file and line named. A date is the text it is written as.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from harness.core.errors import HarnessError
from harness.core.reading import LARGEST, ReadingError, read_text

MOST_BYTES = 2**20
DEEPEST = 50
"""Lists and mappings inside one another."""
MOST_VALUES = 100_000
"""Values of a file, what an alias stands for counted wherever it stands."""
DATE = "tag:yaml.org,2002:timestamp"


class _StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, by libyaml where PyYAML was built with it, that refuses a key given twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str | int | float | bool | None):
                raise yaml.constructor.ConstructorError(None, None, "a key must be a plain value", key_node.start_mark)
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key '{key}'", key_node.start_mark)
            if seen and type(key) is not type(next(iter(seen))):
                raise yaml.constructor.ConstructorError(None, None, "keys of several kinds", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> int | float:
        """A number that fits 64 bits."""
        read = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        try:
            number: int | float = read(node)
        except (ValueError, OverflowError):
            raise self._refused(node, "no number that can be read") from None
        if isinstance(number, int) and not -LARGEST <= number < LARGEST:
            raise self._refused(node, "a number beyond 64 bits")
        return number

    def construct_other(self, node: yaml.Node) -> Any:
        """Dates, bytes, sets and the like are nothing that a spec holds."""
        kind = node.tag.rpartition(":")[2]
        raise self._refused(node, f"values of the kind !!{kind} are not read; write it in quotes")

    def _refused(self, node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
        return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != DATE]
    for first, resolvers in _StrictLoader.yaml_implicit_resolvers.items()
}
for _kind in ("int", "float"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _StrictLoader.construct_number)
for _kind in ("timestamp", "binary", "set", "omap", "pairs"):
    _StrictLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", _StrictLoader.construct_other)


def load_mapping(path: Path) -> dict[str, Any]:
    """The mapping a YAML file holds.

    Raises:
        HarnessError: the file cannot be read, is not YAML, holds a duplicate key, a value that is no text, number,
            list or mapping, too many or too deep ones, or is not a mapping.
    """
    try:
        text = read_text(path, MOST_BYTES)
    except ReadingError as error:
        raise HarnessError(f"cannot read {path}: {error.reason}") from None
    try:
        _check_depth(text)
        value = _loaded(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise HarnessError(f"{path}{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise HarnessError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except (TypeError, ValueError, AttributeError, LookupError):
        raise HarnessError(f"{path}: not YAML: a value does not fit its tag") from None
    if not isinstance(value, dict):
        raise HarnessError(f"{path}: expected a mapping of keys to values, found {type(value).__name__}")
    return value


def _check_depth(text: str) -> None:
    """Before a document is composed, which recurses. Raises yaml.YAMLError."""
    depth = 0
    for event in yaml.parse(text, Loader=_StrictLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise yaml.YAMLError(f"nested more than {DEEPEST} levels deep in line {line}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _loaded(text: str) -> Any:
    loader = _StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_size(root: yaml.Node) -> None:
    """Raises yaml.MarkedYAMLError where aliases stand for more values than are read, or for what they are in."""
    sizes: dict[int, int | None] = {}

    def size(node: yaml.Node) -> int:
        known = sizes.get(id(node), 0)
        if known is None:
            raise yaml.MarkedYAMLError(None, None, "an alias stands inside what it stands for", node.start_mark)
        if not known:
            sizes[id(node)] = None
            parts = getattr(node, "value", "")
            inner = [] if isinstance(parts, str) else [node for part in parts for node in _nodes(part)]
            sizes[id(node)] = known = 1 + sum(map(size, inner))
            if known > MOST_VALUES:
                raise yaml.MarkedYAMLError(None, None, f"more than {MOST_VALUES:,} values", node.start_mark)
        return known

    size(root)


def _nodes(part: yaml.Node | tuple[yaml.Node, yaml.Node]) -> tuple[yaml.Node, ...]:
    return part if isinstance(part, tuple) else (part,)
