"""Named plug-ins: built-in ones found by module name and imported when asked for, others registered by their code."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from pathlib import Path
from typing import Any, Generic, TypeVar

from harness.core.errors import HarnessError, unknown

T = TypeVar("T")


class Plugins(Generic[T]):
    """The plug-ins of one kind. A built-in `name` is the attribute `attribute` of its module, or the one named after a
    colon, as in entry points (`harness.metrics.rouge:ROUGE_1`); its module is imported when asked for.
    """

    def __init__(self, kind: str, attribute: str, builtin: dict[str, str]) -> None:
        self.kind = kind
        self._attribute = attribute
        self._builtin = builtin
        self._added: dict[str, tuple[T, Path]] = {}

    def names(self) -> list[str]:
        return sorted({*self._builtin, *self._added})

    def register(self, name: str, plugin: T, source: Path | None = None) -> T:
        """Add a plug-in from outside, defined in the file `source` (by default that of its class).

        Raises:
            HarnessError: the name is taken by other code.
        """
        source = source or Path(inspect.getsourcefile(type(plugin)) or "")
        if name in self._builtin:
            raise HarnessError(f"{source}: {self.kind} '{name}' is already built in; choose another name")
        if name in self._added and self._added[name][1] != source:
            raise HarnessError(f"{self.kind} '{name}' is defined twice: in {self._added[name][1]} and in {source}")
        self._added[name] = (plugin, source)
        return plugin

    def check(self, name: str, where: str = "") -> None:
        """Raises HarnessError, with a did-you-mean, for a name nobody registered."""
        if name not in self._builtin and name not in self._added:
            raise unknown(self.kind, name, self.names(), where)

    def get(self, name: str, where: str = "") -> T:
        self.check(name, where)
        if name in self._added:
            return self._added[name][0]
        module, _, attribute = self._builtin[name].partition(":")
        plugin: Any = getattr(importlib.import_module(module), attribute or self._attribute)
        return plugin

    def source(self, name: str) -> Path:
        """The file that defines a plug-in, found without importing a built-in one."""
        self.check(name)
        if name in self._added:
            return self._added[name][1]
        found = importlib.util.find_spec(self._builtin[name].partition(":")[0])
        assert found is not None and found.origin is not None
        return Path(found.origin)
