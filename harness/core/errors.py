"""Errors a user can act on: one line that says what, where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from harness.core.text import clipped


class HarnessError(Exception):
    """A problem with an input. The command line prints its message alone and exits with `exit_code`."""

    exit_code = 2


class TaskAbsentError(HarnessError):
    """The data source does not hold this task. A run reports it and goes on."""


class StoredFileError(HarnessError):
    """A stored file that cannot be used."""


class DamagedFileError(StoredFileError):
    """A stored file does not have the bytes its record names."""


class DamagedRunError(DamagedFileError):
    """A run's manifest does not have the bytes that were written; the message says what quarantines it."""


class UnreadableFileError(StoredFileError):
    """A stored file that cannot be opened: nothing is known of its bytes, and nothing may be done to it."""


class UnwritableError(HarnessError):
    """A file that cannot be written."""


class IncompatibleError(HarnessError):
    """A baseline that is missing, damaged, or of something else than what it is to be compared with."""

    exit_code = 4


class RegressionError(AssertionError):
    """A test's model is worse than its baseline, or its code slower."""


class InconclusiveError(AssertionError):
    """Neither a regression nor its absence could be shown; the pytest plug-in skips, unless it is strict."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` for the closest known name, else the list of known names; ready to append."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{close[0]}'?"
    return f" Known: {', '.join(names)}." if names else ""


OF_YOUR_OWN = "; one of your own comes with --include PATH"
"""The hint of `unknown` where a file or folder can add names."""


def unknown(kind: str, name: str, known: Iterable[str], where: str = "", hint: str = "") -> HarnessError:
    """The error for a name nobody registered, e.g. `unknown task 'colla'. Did you mean 'cola'?`"""
    place = f" in {where}" if where else ""
    meant = did_you_mean(name, known)
    more = hint if not meant.startswith(" Did") else ""
    return HarnessError(f"unknown {kind} '{clipped(name)}'{place}{more}.{meant}")
