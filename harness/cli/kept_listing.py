"""What `harness list` said before, while neither this installation nor its specs have changed since."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from harness.cli.options import show_tables
from harness.core.installation import PACKAGE, Kept, state_of

OPTIONS = {"--json", "--plain"}
"""Those of `harness list` under which it says what it always says."""
OF_PLUGINS = "harness.core.plugins"
"""Imported where something may have been registered: then nobody knows what there is to list but by asking."""


def answer(arguments: Sequence[str]) -> Callable[[], None] | None:
    """What prints the answer to a call of `harness list`; None where it is not known."""
    options = {argument for argument in arguments if argument.startswith("-")}
    if OF_PLUGINS in sys.modules or not options <= OPTIONS:
        return None
    words = [argument for argument in arguments if argument not in options]
    text = _kept().get(question(words, "--json" in options))
    return (lambda: show_tables(text, bool(options))) if isinstance(text, str) else None


def keep(words: Sequence[str], as_json: bool, text: str) -> None:
    """Remember what a call was answered with.

    Args:
        words: The kind, and the name where one was given.
        as_json: Whether JSON was asked for.
        text: The answer.
    """
    _kept().put(question(words, as_json), text)


def question(words: Sequence[str], as_json: bool) -> str:
    """A call, as answers to it are kept under."""
    return json.dumps([*words, as_json])


def _kept() -> Kept:
    return Kept("listings", PACKAGE, state_of(PACKAGE))
