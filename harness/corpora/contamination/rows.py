"""Rows of a split by their letters and digits alone."""

from __future__ import annotations

from collections.abc import Iterator

import regex

from harness.data.frame import Split

SIGNS = regex.compile(r"[\p{P}\p{S}\s]+")


def plain(text: str) -> str:
    """A text by its letters and digits: case, punctuation and white space do not count."""
    return SIGNS.sub(" ", text).strip().casefold()


def plain_rows(split: Split) -> Iterator[tuple[str, ...]]:
    """Each row's texts, plain, in the order of the fields' names."""
    return zip(*(map(plain, split.fields[name]) for name in sorted(split.fields)), strict=True)
