"""What `harness corpus filter` is asked for: rules in order, from a YAML file or a preset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import field_validator

from harness.core.errors import HarnessError, unknown
from harness.core.reading import expanded, is_file
from harness.core.strict_spec import Strict, load_spec
from harness.corpora.rules.base import Rule, make_rule
from harness.corpora.rules.dedup import Dedup
from harness.corpora.text.words import Splitter

PRESETS = Path(__file__).parent / "presets"


class FilterSpec(Strict):
    """The rules of a filter, in the order in which they are applied.

    Attributes:
        description: What it is for.
        rules: Each a rule's name, or its name with settings: `{gopher-quality: {min_words: 20}}`.
        splitter: What cuts words: `rules` of our own, or `spacy`, whose counts are those of datatrove.
    """

    description: str = ""
    rules: list[dict[str, dict[str, Any]]]
    splitter: Splitter = "rules"

    @field_validator("rules", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise ValueError("a list of rules is expected")
        return [{rule: {}} if isinstance(rule, str) else _mapping(rule) for rule in value]


def _mapping(rule: Any) -> Any:
    if not isinstance(rule, Mapping) or len(rule) != 1:
        raise ValueError("a rule is its name, or its name with settings")
    return {str(name): options or {} for name, options in rule.items()}


def presets() -> dict[str, Path]:
    """The presets' files by name."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}


def load_filter(rules: str) -> FilterSpec:
    """The filter of a preset or of a YAML file. Raises HarnessError where there is none, or it is none."""
    if rules in presets():
        return load_spec(FilterSpec, presets()[rules])
    path = expanded(rules)
    if not is_file(path):
        raise unknown("preset", rules, presets(), "--rules", "; a file of rules is a YAML file")
    return load_spec(FilterSpec, path)


def make_rules(spec: FilterSpec, where: str) -> list[Rule]:
    """The rules with all their settings.

    Raises:
        HarnessError: an unknown rule or setting, or the rule dedup elsewhere than at the end.
    """
    rules = [make_rule(name, options, where) for rule in spec.rules for name, options in rule.items()]
    if any(isinstance(rule, Dedup) for rule in rules[:-1]):
        raise HarnessError(f"{where}: dedup compares what the other rules leave, so that it must be the last rule")
    return rules
