"""Which head a model does a task with, and why it cannot."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec
from harness.modeling.heads import HEADS, architecture_of, head_for
from harness.modeling.weights.model_lists import LISTS, listed
from harness.training.learners.transformer import LEARNER
from tests.unit.modeling.heads.given import TARGETS, task

ARCHITECTURES = {
    "encoder": ["bert", "roberta", "distilbert", "albert", "electra", "deberta-v2", "modernbert", "xlm-roberta"],
    "decoder": ["gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "qwen2", "gemma", "opt", "bloom", "phi"],
    "encoder-decoder": ["t5", "mt5", "bart", "mbart", "pegasus", "marian", "led", "blenderbot"],
}
CLASSIFIER = "sequence-classification"
TABLE = {
    # family: (encoder, decoder, encoder-decoder), and the same without training
    "classification": (CLASSIFIER, CLASSIFIER, "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "nli": (CLASSIFIER, CLASSIFIER, "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "similarity": (CLASSIFIER, CLASSIFIER, "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "question-answering": ("question-answering", "causal-lm", "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "summarization": (None, "causal-lm", "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "translation": (None, "causal-lm", "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "text-generation": (None, "causal-lm", "seq2seq-lm", None, "causal-lm", "seq2seq-lm"),
    "language-modeling": (None, "causal-lm", None, None, "causal-lm", None),
}


def recipe(model_type: str = "bert", pretrained: bool = False, **options: str) -> ModelSpec:
    origin = {"pretrained": "somewhere"} if pretrained else {"config": {"model_type": model_type}, "tokenizer": {}}
    return ModelSpec.model_validate({"name": "mine", "learner": "transformer", "options": options} | origin)


@pytest.mark.parametrize(
    ("expected", "model_type"), [(key, kind) for key, kinds in ARCHITECTURES.items() for kind in kinds]
)
def test_a_model_type_says_what_a_model_reads_and_writes(expected, model_type):
    assert architecture_of({"model_type": model_type}) == expected


def test_the_lists_read_from_the_file_are_those_of_transformers():
    from transformers.models.auto import modeling_auto

    assert {name: set(kinds) for name, kinds in listed().items()} == {
        name: set(getattr(modeling_auto, name)) for name in LISTS
    }


def test_two_berts_together_are_an_encoder_decoder():
    assert architecture_of({"model_type": "bert", "is_encoder_decoder": True}) == "encoder-decoder"


@pytest.mark.parametrize("family", TARGETS)
def test_every_family_has_its_heads(family):
    found = tuple(head_for(task(family, shots=shots), kind) for shots in (None, 0) for kind in ARCHITECTURES)
    assert found == TABLE[family]
    assert all(HEADS.get(name).name == name for name in found if name is not None)


@pytest.mark.parametrize(
    ("family", "settings", "asked", "architecture", "reason"),
    [
        ("summarization", {}, recipe(), "encoder", "an encoder has no head for summarization"),
        ("language-modeling", {}, recipe("t5"), "encoder-decoder", "an encoder-decoder has no head for language-modeling"),
        ("nli", {"shots": 0}, recipe(pretrained=True), "encoder", "an encoder has no head for nli without being trained on it"),
        ("language-modeling", {"shots": 0}, recipe(pretrained=True), "encoder", "an encoder has no head for language-modeling"),
        ("nli", {"shots": 0}, recipe("gpt2"), "decoder", "it has random weights, and is not trained on the task"),
        ("similarity", {"shots": 1, "prompt": "{text}"}, recipe(pretrained=True), "decoder",
         "by examples alone a model ranks words, and has none for numbers"),
        ("language-modeling", {"shots": 2}, recipe(pretrained=True), "decoder",
         "language-modeling asks nothing, so it has no examples to show"),
        ("classification", {}, recipe("t5"), "encoder-decoder",
         "the task has no prompt, by which a model that reads and writes text is asked"),
        ("classification", {"shots": 0, "prompt_trained": "class: {text}"}, recipe(pretrained=True), "encoder-decoder",
         "the task has no prompt, by which a model that reads and writes text is asked"),
        ("summarization", {}, recipe("gpt2", head=CLASSIFIER), "decoder",
         "a decoder does summarization with the head causal-lm, not sequence-classification"),
        ("nli", {}, recipe("bert", head="question-answering"), "encoder",
         "an encoder does nli with the head sequence-classification, not question-answering"),
    ],
)  # fmt: skip
def test_a_model_that_cannot_do_a_task_says_why(family, settings, asked, architecture, reason):
    assert LEARNER.not_applicable(task(family, **settings), asked, architecture) == reason


@pytest.mark.parametrize(
    ("family", "settings", "asked", "architecture"),
    [
        ("language-modeling", {"shots": 0}, recipe(pretrained=True), "decoder"),
        ("text-generation", {"shots": 0}, recipe(pretrained=True), "decoder"),
        ("summarization", {}, recipe("t5"), "encoder-decoder"),
        ("classification", {"prompt_trained": "class: {text}"}, recipe("t5"), "encoder-decoder"),
        ("classification", {}, recipe("t5", head=CLASSIFIER), "encoder-decoder"),
        ("nli", {"prompt": "{premise} {hypothesis}"}, recipe("t5"), "encoder-decoder"),
        ("nli", {"prompt": "{premise}", "shots": 3}, recipe(pretrained=True, head=CLASSIFIER), "decoder"),
    ],
)
def test_a_model_that_can_do_a_task_is_not_stopped(family, settings, asked, architecture):
    assert LEARNER.not_applicable(task(family, **settings), asked, architecture) is None


def test_an_unknown_head_is_refused_in_one_line_with_a_suggestion():
    with pytest.raises(HarnessError, match="mine") as caught:
        LEARNER.check(recipe(head="sequence-clasification"))
    assert "sequence-classification" in str(caught.value)
    assert "\n" not in str(caught.value)
