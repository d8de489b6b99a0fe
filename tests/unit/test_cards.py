"""Cards of tasks and models."""

from __future__ import annotations

import json

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.report.text.cards import card, chance, published_rows

REGISTRY = load_registry([])


def test_a_card_says_what_the_file_says() -> None:
    text = card(REGISTRY, "tasks", "boolq", as_json=False)
    for line in ("examples  train 9,427 · dev 3,270 · test 3,245", "licence   CC BY-SA 3.0", "chance    accuracy 50.0"):
        assert line in text
    assert "BERT-large           accuracy  test   77.4   https://arxiv.org/abs/1905.00537" in text
    assert json.loads(card(REGISTRY, "tasks", "boolq", as_json=True))["card"]["size"]["dev"] == 3270
    assert "google-t5/t5-small@" in card(REGISTRY, "models", "t5-small", as_json=False)


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("tasks", "boolk", "unknown task 'boolk'. Did you mean 'boolq'?"),
        ("models", "t5-smal", "unknown model 't5-smal'. Did you mean 't5-small'?"),
        ("metrics", "accuracy", "unknown kind with cards 'metrics'. Known: models, tasks."),
    ],
)
def test_what_has_no_card_is_named(kind: str, name: str, message: str) -> None:
    with pytest.raises(HarnessError) as error:
        card(REGISTRY, kind, name, as_json=False)
    assert message in str(error.value)


@pytest.mark.parametrize("name", list(REGISTRY.tasks))
def test_every_card_can_be_shown(name: str) -> None:
    assert card(REGISTRY, "tasks", name, as_json=False).startswith(f"{name}: ")


def test_chance_is_of_what_the_file_knows() -> None:
    assert chance(REGISTRY.task("mnli")) == "accuracy 33.3, guessing evenly"
    assert chance(REGISTRY.task("cola")) == "matthews_correlation 0, guessing evenly"
    assert chance(REGISTRY.task("banking77")) == ""


def test_scores_of_several_variants_name_their_task() -> None:
    names = [row[0] for row in published_rows([REGISTRY.task("anli-r1"), REGISTRY.task("anli-r2")])]
    assert [name.partition(":")[0] for name in names] == ["anli-r1", "anli-r2"]
