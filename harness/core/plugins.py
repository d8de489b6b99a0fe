"""The one registry of named plug-ins: metrics, families, heads, learners, objectives, compressors, runtimes, data
sources, operations of augmentation, attacks, rules, executors, report formats, readers and trackers.

Built-in plug-ins are named in `harness.core.builtin` and imported when asked for; others are registered by their code,
a module of the group `harness.plugins` or a file given by `--include`.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from harness.core import code_identity
from harness.core.builtin import BUILTIN
from harness.core.code_identity import module_file
from harness.core.errors import OF_YOUR_OWN, HarnessError, unknown
from harness.core.text import clipped

T = TypeVar("T")


class Plugins(Generic[T]):
    """The plug-ins of one kind."""

    def __init__(self, kind: str, builtin: dict[str, str]) -> None:
        self.kind = kind
        self._builtin = builtin
        self._added: dict[str, tuple[T, Path]] = {}

    def names(self) -> list[str]:
        """All names, built in and added, in order."""
        return sorted({*self._builtin, *self._added})

    def register(self, name: str, plugin: T, source: Path | None = None) -> T:
        """Add a plug-in from outside, defined in the file `source` (by default that of its class).

        Raises:
            HarnessError: the name is taken by other code.
        """
        source = source or _source_of(plugin)
        if not isinstance(name, str) or not name:
            raise HarnessError(f"{source}: the name of a {self.kind} is a text, not {clipped(repr(name))}")
        if name in self._builtin:
            raise HarnessError(f"{source}: {self.kind} '{name}' is already built in; choose another name")
        if name in self._added and self._added[name][1] != source:
            raise HarnessError(f"{self.kind} '{name}' is defined twice: in {self._added[name][1]} and in {source}")
        if name in self._added:
            code_identity.forget()
        self._added[name] = (plugin, source)
        return plugin

    def check(self, name: str, where: str = "") -> None:
        """Raises HarnessError, with a did-you-mean, for a name nobody registered."""
        if name not in self._builtin and name not in self._added:
            raise unknown(self.kind, name, self.names(), where, hint=OF_YOUR_OWN)

    def get(self, name: str, where: str = "") -> T:
        """The plug-in of a name. Raises HarnessError as `check` does."""
        self.check(name, where)
        if name in self._added:
            return self._added[name][0]
        module, _, attribute = self._builtin[name].partition(":")
        plugin: T = getattr(importlib.import_module(module), attribute)
        return plugin

    def source(self, name: str) -> Path:
        """The file that defines a plug-in, found without importing a built-in one."""
        self.check(name)
        if name in self._added:
            return self._added[name][1]
        return module_file(self._builtin[name].partition(":")[0])


_TABLES: dict[str, Plugins[Any]] = {kind: Plugins(kind, names) for kind, names in BUILTIN.items()}
KINDS = tuple(_TABLES)


def table(kind: str) -> Plugins[Any]:
    """All plug-ins of a kind. Raises HarnessError, with a did-you-mean, for a kind there is none of."""
    if kind not in _TABLES:
        raise unknown("kind of plug-in", kind, KINDS)
    return _TABLES[kind]


def register(kind: str, name: str, plugin: Any) -> Any:
    """Add a plug-in of one's own.

    Args:
        kind: One of `KINDS`: metric, family, head, learner, objective, compressor, runtime, source, rule,
            augmentation, attack, executor, format, reader, tracker.
        name: How it is asked for.
        plugin: The object (of compressors, objectives, augmentations, attacks and rules the class). The module
            that calls this is its source: a change of that file, or of what it imports, makes results computed with it
            stale.

    Returns:
        The plug-in.

    Raises:
        HarnessError: an unknown kind, or a name that is built in or taken by another module.
    """
    return table(kind).register(name, plugin, source=Path(sys._getframe(1).f_code.co_filename))


@contextlib.contextmanager
def refusing_exit(who: str) -> Iterator[None]:
    """Turns the attempt of others' code to end the program into an error: an exit code is this program's to give.

    Raises:
        HarnessError: the code within called `sys.exit` or the like.
    """
    try:
        yield
    except SystemExit as error:
        raise HarnessError(f"{who} tried to end the program: sys.exit({error.code!r})") from None
    except Exception as error:
        if not hasattr(error, "exit_code") or isinstance(error, HarnessError):  # that of typer and click
            raise
        raise HarnessError(f"{who} tried to end the program: {type(error).__name__}") from None


def reason_of(error: Exception) -> str:
    """What others' code raised, in a line, whatever its text does."""
    try:
        text = clipped(" ".join(str(error).split()), 200)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}".rstrip(": ")


INCLUDED = "harness_include_"
"""What the names of modules begin with that `--include` has imported."""


def snapshot() -> dict[str, dict[str, Any]]:
    """What has been added so far, for `restore`: plug-ins by kind, and the modules of `--include`."""
    added: dict[str, dict[str, Any]] = {kind: dict(table._added) for kind, table in _TABLES.items()}
    return added | {INCLUDED: {name: sys.modules[name] for name in sys.modules if name.startswith(INCLUDED)}}


def restore(before: Mapping[str, Mapping[str, Any]]) -> None:
    """Forget what was added since `snapshot`: the same files, included again, are executed again."""
    if before == snapshot():
        return
    for kind, table in _TABLES.items():
        table._added = dict(before[kind])
    for name in [name for name in sys.modules if name.startswith(INCLUDED) and name not in before[INCLUDED]]:
        del sys.modules[name]
    code_identity.forget()


def lookup(kind: str, name: str, where: str = "") -> Any:
    """The plug-in of a kind and name. Raises HarnessError, with a did-you-mean, where there is none."""
    return table(kind).get(name, where)


def _source_of(plugin: Any) -> Path:
    return Path(inspect.getsourcefile(plugin if inspect.isclass(plugin) else type(plugin)) or "")
