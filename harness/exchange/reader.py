"""What a reader of another tool's results is: one module with one registered object.

`harness compare NAME:PATH …` asks for the reader that is registered under NAME.
"""

from __future__ import annotations

from pathlib import Path

from harness.core import plugins
from harness.core.errors import HarnessError, did_you_mean
from harness.core.reading import expanded, is_file, is_folder
from harness.exchange.outcomes import ToolResults


class ResultReader:
    """A reader; one of one's own extends this class and is registered: `register("reader", NAME, MyReader())`."""

    def read(self, path: Path) -> ToolResults:
        """What a file or folder holds.

        Args:
            path: The file or folder; it is there.

        Returns:
            The outcomes.

        Raises:
            HarnessError: it cannot be read, or is none of this tool.
        """
        raise NotImplementedError

    def recognizes(self, path: Path) -> bool:
        """Whether a file or folder looks like one of this tool, found by names and beginnings alone."""
        return False


READERS: plugins.Plugins[ResultReader] = plugins.table("reader")


def names_reader(name: str) -> bool:
    """Whether `NAME:PATH` names a reader."""
    reader, colon, _ = name.partition(":")
    return bool(colon) and reader in READERS.names()


def read_results(name: str) -> ToolResults:
    """What `NAME:PATH` holds. Raises HarnessError as the reader does, or where nothing is there, or no score."""
    tool, _, place = name.partition(":")
    path = expanded(place)
    if not (place and (is_file(path) or is_folder(path))):
        raise HarnessError(f"{name}: no such file or folder: '{place}'")
    results = READERS.get(tool).read(path)
    if not results.outcomes:
        raise HarnessError(f"{name}: it holds no score")
    return results


def recognized(place: str) -> str:
    """`NAME:PATH` of a path, by the reader that recognizes it; as it is where a reader is named.

    Raises:
        HarnessError: nothing is there, or no reader knows it, or several do.
    """
    if names_reader(place):
        return place
    path = expanded(place)
    if not (is_file(path) or is_folder(path)):
        reader, colon, _ = place.partition(":")
        hint = did_you_mean(reader, READERS.names()) if colon else ""
        raise HarnessError(f"'{place}': no such file or folder.{hint}")
    names = [name for name in READERS.names() if READERS.get(name).recognizes(path)]
    if len(names) == 1:
        return f"{names[0]}:{place}"
    which = f"it could be one of {', '.join(names)}" if names else "no reader recognizes it"
    raise HarnessError(f"{place}: {which}; say which: NAME:{place} ({', '.join(READERS.names())})")
