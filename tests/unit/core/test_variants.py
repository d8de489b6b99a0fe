"""One file for several specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.variants import expand_variants

FILE = """
name: capitals-{variant}
family: translation
description: From {variant.from} to {variant.to}
fields: {source: "text.{variant.from}", target: "text.{variant.to}"}
metrics: [bleu]
prompt: "translate {variant.from} to {variant.to}: {source}"
variants:
  en-de: {from: en, to: de}
  en-fr: {from: en, to: fr}
"""


def test_a_file_is_a_task_for_each_variant(tmp_path: Path) -> None:
    file = tmp_path / "capitals.yaml"
    file.write_text(FILE, encoding="utf-8")
    registry = load_registry([file])
    task = registry.task("capitals-en-fr")
    assert task.description == "From en to fr"
    assert task.fields == {"source": "text.en", "target": "text.fr"}
    assert task.prompt == "translate en to fr: {source}"
    assert {name for name in registry.tasks if name.startswith("capitals")} == {"capitals-en-de", "capitals-en-fr"}
    assert registry.origins["task", "capitals-en-de"] == file


def test_variants_of_earlier_runs_are_known(tmp_path: Path) -> None:
    file = tmp_path / "capitals.yaml"
    file.write_text(FILE, encoding="utf-8")
    assert "capitals-en-de" in load_registry([], earlier=[str(file)]).tasks


def test_names_alone_are_put_into_every_text_and_key() -> None:
    values = {"name": "x-{variant}", "variants": ["de", "fr"], "deep": [{"{variant}": "a {variant} b", "n": 3}]}
    assert expand_variants(values, "x.yaml") == [
        {"name": "x-de", "deep": [{"de": "a de b", "n": 3}]},
        {"name": "x-fr", "deep": [{"fr": "a fr b", "n": 3}]},
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "variants": ["de"]}, "x.yaml: with variants the name has {variant} in it"),
        ({"variants": ["de"]}, "the name has {variant} in it"),
        ({"name": "x-{variant}", "variants": []}, "give a list of names"),
        ({"name": "x-{variant}", "variants": 3}, "give a list of names"),
        ({"name": "x-{variant}", "variants": ["de", "de"]}, "'de' is given twice"),
        ({"name": "x-{variant}", "variants": [{"a": "b"}]}, "all of them texts"),
        ({"name": "x-{variant}", "variants": ["no", False]}, "all of them texts"),
        ({"name": "x-{variant}", "variants": {"de": {"a": 1}}}, "all of them texts; 'de' has 1"),
        ({"name": "x-{variant}", "variants": {"de": "a"}}, "names to words, at most 1000; 'de' has 'a'"),
        (
            {"name": "x-{variant}", "variants": {"de": {"country": "DE"}}, "p": "{variant.county}"},
            "de does not say what {variant.county} is. Did you mean 'country'?",
        ),
    ],
)
def test_what_cannot_be_expanded_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        expand_variants(values, "x.yaml")
    assert message in str(error.value)
