"""The model specs that the package ships."""

from __future__ import annotations

import pytest

from harness.core.registry import load_registry
from harness.data.hub_access import COMMIT

EXPECTED = [
    "t5-small", "t5-base", "flan-t5-small", "flan-t5-base", "gpt2", "distilgpt2", "smollm2-135m", "qwen2.5-0.5b",
    "electra-small", "deberta-v3-small", "deberta-v3-base", "mbert", "xlm-roberta-base", "bge-small-en", "bge-base-en",
    "e5-small", "e5-base", "gte-small", "gte-base", "opus-mt-en-de", "opus-mt-en-fr", "opus-mt-zh-en", "minilm",
    "bert-base-uncased", "distilbert", "roberta-base", "modernbert-base",
]  # fmt: skip
SPECS = load_registry([]).model_specs
OF_THE_HUB = [name for name, spec in SPECS.items() if spec.pretrained]
UNPINNED = {"opus-mt-fr-en", "opus-mt-es-en"}


def test_the_models_that_people_expect_are_there() -> None:
    assert set(EXPECTED) <= set(OF_THE_HUB)


@pytest.mark.parametrize("name", OF_THE_HUB)
def test_a_model_of_the_hub_says_what_it_is_and_how_it_is_trained(name: str) -> None:
    spec = SPECS[name]
    if name in UNPINNED:
        assert spec.revision is None
    else:
        assert COMMIT.fullmatch(spec.revision or "") and spec.card.licence
    assert spec.card.homepage == f"https://huggingface.co/{spec.pretrained}"
    assert spec.card.citation and spec.card.finetuning
    assert spec.training.learning_rate


@pytest.mark.parametrize("name", [name for name, spec in SPECS.items() if spec.config])
def test_a_model_that_is_trained_from_scratch_names_its_precision(name: str) -> None:
    spec = SPECS[name]
    assert {part.precision for part in (spec.training, spec.pretraining) if part is not None} == {"fp32"}
