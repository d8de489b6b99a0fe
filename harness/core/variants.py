"""One file for several specs that differ in a word, such as a task in many languages.

With `variants: [de, fr]` each text of the file, keys included, has `{variant}` replaced by the name of the variant;
with `variants: {de: {country: DE}}` also `{variant.country}`. The name of the spec must have `{variant}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.text import clipped

VARIANTS = "variants"
MARK = re.compile(r"\{variant(?:\.([A-Za-z_]+))?\}")
MOST = 1000


def expand_variants(values: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    """The mappings that a file with `variants` stands for, in their order; the file's own where it has none.

    Args:
        values: What the file holds.
        where: What errors call it.

    Raises:
        HarnessError: `variants` is no list of names and no mapping of names to words, the name of the spec does not
            tell them apart, or a text has a word that a variant does not give.
    """
    if VARIANTS not in values:
        return [dict(values)]
    rest = {key: value for key, value in values.items() if key != VARIANTS}
    name = rest.get("name")
    if not isinstance(name, str) or "{variant}" not in name:
        raise HarnessError(f"{where}: with {VARIANTS} the name has {{variant}} in it, e.g. 'xnli-{{variant}}'")
    return [_filled(rest, variant, words, where) for variant, words in _variants(values[VARIANTS], where).items()]


def _variants(given: Any, where: str) -> dict[str, dict[str, str]]:
    """The words of each variant by its name."""
    expected = f"{where}: {VARIANTS}: give a list of names, or a mapping of names to words, at most {MOST}"
    if not isinstance(given, list | dict) or not 0 < len(given) <= MOST:
        raise HarnessError(expected)
    for name in given:
        words = given[name] if isinstance(given, dict) else {}
        texts = [name, *([*words, *words.values()] if isinstance(words, dict) else [words])]
        if wrong := [text for text in texts if not isinstance(text, str) or not text]:
            raise HarnessError(f"{expected}, all of them texts; {clipped(repr(name))} has {clipped(repr(wrong[0]))}")
        if isinstance(given, list) and given.count(name) > 1:
            raise HarnessError(f"{where}: {VARIANTS}: {clipped(repr(name))} is given twice")
        if not isinstance(words, dict):
            raise HarnessError(f"{expected}; {clipped(repr(name))} has {clipped(repr(words))}")
    return given if isinstance(given, dict) else {name: {} for name in given}


def _filled(value: Any, variant: str, words: Mapping[str, str], where: str) -> Any:
    """A value of the file with the variant's words in place of their marks."""
    if isinstance(value, dict):
        return {
            _filled(key, variant, words, where): _filled(inner, variant, words, where) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_filled(inner, variant, words, where) for inner in value]
    if not isinstance(value, str):
        return value

    def word(mark: re.Match[str]) -> str:
        if mark[1] is None:
            return variant
        if mark[1] not in words:
            hint = did_you_mean(mark[1], words)
            raise HarnessError(f"{where}: {VARIANTS}: {variant} does not say what {mark[0]} is.{hint}")
        return words[mark[1]]

    return MARK.sub(word, value)
