"""Specs by name. Those that come with this package are known to be sound once they were checked in this state: their
names are there at once, and each is made when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from harness.core.spec_files import kind_of
from harness.core.strict_spec import Strict, parse
from harness.core.variants import expand_variants

SpecT = TypeVar("SpecT", bound=Strict)


@dataclass
class SoundFile:
    """What a file of specs was read to hold, and is known to be sound.

    Args:
        path: The file.
        values: The mapping in it.
    """

    path: Path
    values: Mapping[str, Any]
    _variants: list[dict[str, Any]] = field(default_factory=list)

    def spec(self, number: int) -> Any:
        """The spec of one of its variants, the only one where it has none."""
        if not self._variants:
            self._variants = expand_variants(self.values, str(self.path))
        return parse(kind_of(self.values, self.path)[1], self._variants[number], str(self.path))


@dataclass
class Unread(Generic[SpecT]):
    """One spec of a sound file, made at most once."""

    file: SoundFile
    number: int
    _spec: SpecT | None = None

    def spec(self) -> SpecT:
        """The spec itself."""
        if self._spec is None:
            self._spec = self.file.spec(self.number)
        return self._spec


class SpecTable(Mapping[str, SpecT]):
    """Specs of one kind by name.

    Args:
        specs: Specs, and what stands for those that are not made yet.
    """

    def __init__(self, specs: Mapping[str, SpecT | Unread[SpecT]]) -> None:
        self._specs = dict(specs)

    def __getitem__(self, name: str) -> SpecT:
        spec = self._specs[name]
        return spec.spec() if isinstance(spec, Unread) else spec

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def __iter__(self) -> Iterator[str]:
        return iter(self._specs)

    def __len__(self) -> int:
        return len(self._specs)

    def with_more(self, specs: Mapping[str, SpecT]) -> SpecTable[SpecT]:
        """A table that has these as well, in place of any of their names."""
        return SpecTable({**self._specs, **specs})
