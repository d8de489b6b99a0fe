"""What the files of modules were found to say, kept between processes: reading them takes longer than all else that a
plan of results that are there does.
"""

from __future__ import annotations

import contextlib
import platform
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from harness.core.cache_folder import cache_folder
from harness.core.checked import keep_checked, read_checked
from harness.core.errors import HarnessError
from harness.core.facts import Facts
from harness.core.hashing import hash_file, hash_json, short
from harness.core.installation import folders_of_distributions


class KnownSource(Facts):
    """A module's file: its state when it was read, and what `code_identity` makes of it."""

    state: list[int]
    digest: str
    modules: list[str]


class KnownDistributions(Facts):
    """Which distributions a package's files are of, and the folders of packages, with their states, this holds for."""

    folders: list[list[str | int]]
    names: dict[str, list[str]]


class KnownSources(Facts):
    """All that is kept."""

    sources: dict[str, KnownSource]
    distributions: KnownDistributions | None = None


class SourceCache:
    """One file in the cache folder, for the package in `package` as `reader` (a file) reads it. A file that is missing,
    damaged or cannot be written costs time and nothing else.
    """

    def __init__(self, package: Path, reader: Path) -> None:
        key = hash_json([str(package), platform.python_version(), hash_file(reader)])
        self._path = cache_folder() / f"sources-{short(key)}.json"
        self._known = KnownSources(sources={})
        self._changed = False
        with contextlib.suppress(HarnessError, ValueError):
            self._known = KnownSources.model_validate(read_checked(self._path))

    def get(self, name: str, path: Path, state: tuple[int, ...]) -> KnownSource | None:
        """What is known of a module's file in this state."""
        known = self._known.sources.get(f"{name} {path}")
        return known if known is not None and known.state == list(state) else None

    def put(self, name: str, path: Path, known: KnownSource) -> None:
        """Know this of a module's file."""
        self._known.sources[f"{name} {path}"] = known
        self._changed = True

    def distributions(self) -> dict[str, list[str]]:
        """The distributions that each importable package's files are of."""
        folders = folders_of_distributions()
        known = self._known.distributions
        if known is None or known.folders != folders:
            names = {name: sorted(set(of)) for name, of in packages_distributions().items()}
            known = KnownDistributions(folders=folders, names=names)
            self._known = self._known.model_copy(update={"distributions": known})
            self._changed = True
        return known.names

    def keep(self) -> None:
        """Write what is new."""
        if not self._changed:
            return
        self._changed = False
        keep_checked(self._path, self._known.model_dump(mode="json"))


def source_cache(package: Path, reader: Path) -> SourceCache:
    """What is kept for a package in the cache folder of now, read once a process."""
    return _opened(package, reader, cache_folder())


@cache
def _opened(package: Path, reader: Path, folder: Path) -> SourceCache:
    return SourceCache(package, reader)
