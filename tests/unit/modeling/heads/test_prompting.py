"""Prompts: what a model that reads and writes is asked, what it should answer, and how that is read back."""

from __future__ import annotations

import random
import re

import pytest

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.modeling.heads import prompting
from harness.modeling.weights.settings import source_facts
from tests.unit.modeling.heads.given import reader, split, task, tokenizer


def size(text: str, kind: str) -> int:
    return len(tokenizer(kind)(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(
    ("prompt", "complaint"),
    [
        ("Text: {txt}", "its prompt has {txt}, but its fields are text"),
        ("Which class?", "its prompt shows no field"),
    ],
)
def test_a_prompt_that_cannot_be_filled_in_names_the_task_and_the_fault(prompt, complaint):
    asked = reader(task("classification", prompt=prompt), "bytebpe")
    with pytest.raises(HarnessError, match="task made-up: ") as caught:
        prompting.prompts(asked, split({"text": ["a bird"]}))
    assert complaint in str(caught.value)


def test_a_task_without_a_prompt_says_so():
    with pytest.raises(HarnessError, match="it has no prompt"):
        prompting.prompts(reader(task("classification"), "bytebpe"), split({"text": ["a bird"]}))


def test_a_model_that_is_trained_to_answer_is_asked_more_shortly():
    both = {"prompt": "Which class has {text}?", "prompt_trained": "class: {text}"}
    texts = split({"text": ["a bird"]})
    assert prompting.prompts(reader(task("classification", **both), "bytebpe"), texts) == ["class: a bird"]
    shown = reader(task("classification", shots=0, **both), "bytebpe")
    assert prompting.prompts(shown, texts) == ["Which class has a bird?"]
    alone = task("classification", prompt_trained="class: {text}")
    assert prompting.prompts(reader(alone, "bytebpe"), texts) == ["class: a bird"]


@pytest.mark.parametrize("name", ["t5-tiny-span", "t5-mini-span", "t5-small-span"])
def test_a_span_recipe_s_vocabulary_holds_the_words_of_glue_s_prompts_and_answers(name):
    registry = load_registry()
    words = set(registry.model_spec(name).tokenizer.words)
    for task_name in registry.suite("glue").tasks:
        glue = registry.task(task_name)
        low, high = glue.label_range or (0, 0)
        numbers = {prompting.written_number(low + step * prompting.STEP) for step in range(round((high - low) * 5) + 1)}
        asked = set(re.sub(r"{.*?}", "", glue.prompt_trained).split())
        assert asked | (set(glue.labels) if glue.labels else numbers) <= words, task_name


def test_braces_in_a_text_stay_as_they_are():
    asked = reader(task("nli", prompt="{{P}} {premise} so {hypothesis}, {premise}"), "bytebpe")
    texts = split({"premise": ["a {b} {0} {{c}}"], "hypothesis": ["{premise}"]})
    assert prompting.prompts(asked, texts) == ["{P} a {b} {0} {{c}} so {premise}, a {b} {0} {{c}}"]


@pytest.mark.parametrize("kind", ["bytebpe", "unigram"])
@pytest.mark.parametrize("prompt", ["question: {question} context: {context}", "{context}{context}? {question}"])
def test_a_prompt_that_is_too_long_loses_the_end_of_its_longest_field_alone(kind, prompt):
    draw = random.Random(0)
    words = ["the", "old", "stone", "house", "is", "near", "a", "river", "我喜欢", "石头", "zzzz", "{x}", "Ünï"]
    contexts = [" ".join(draw.choices(words, k=count)) for count in (0, 1, 5, 20, 60, 200)]
    texts = split({"question": ["who walks?"] * len(contexts), "context": contexts})
    asked = reader(task("question-answering", prompt=prompt), kind)
    whole = prompting.prompts(asked, texts)
    for budget in (50, 60, 97):
        found, cut = prompting.fitting_prompts(asked, texts, budget)
        assert cut == sum(size(text, kind) > budget for text in whole) > 0
        for context, text, kept in zip(contexts, whole, found, strict=True):
            assert size(kept, kind) <= budget
            if size(text, kind) <= budget:
                assert kept == text
                continue
            shortened = [
                part
                for part in (context[:end] for end in range(len(context)))
                if prompt.format(question="who walks?", context=part) == kept
            ]
            assert len(shortened) == 1, "only the context may differ, and only by its end"
            assert size(kept, kind) >= budget - 6, "no more is cut than has to be"


def test_a_field_may_be_cut_down_to_nothing_but_what_surrounds_it_has_to_fit():
    asked = reader(task("summarization", prompt="summarize:\n{text}\nAnswer:"), "bytebpe")
    texts = split({"text": ["zzz " * 50]})
    alone = size("summarize:\n\nAnswer:", "bytebpe")
    assert prompting.fitting_prompts(asked, texts, alone) == (["summarize:\n\nAnswer:"], 1)
    with pytest.raises(
        HarnessError, match=f"does not fit in {alone - 1} tokens even without the text; raise max_length"
    ):
        prompting.fitting_prompts(asked, texts, alone - 1)


@pytest.mark.parametrize(
    ("family", "labels", "settings", "expected"),
    [
        ("classification", (1, 0), {"labels": ["n", "p"], "verbalizers": {"p": "good"}}, ["good", "n"]),
        ("nli", (0, 1), {"labels": ["yes", "no"]}, ["yes", "no"]),
        ("similarity", (2.57, 0.0), {}, ["2.6", "0.0"]),
        ("question-answering", (("red", "a red"), ()), {}, ["red", "unanswerable"]),
        ("summarization", (("short", "brief"), ("b",)), {}, ["short", "b"]),
        ("translation", (("un oiseau",), ("b",)), {}, ["un oiseau", "b"]),
    ],
)
def test_the_answer_to_learn_is_the_word_the_number_or_the_first_reference(family, labels, settings, expected):
    asked = reader(task(family, **settings), "bytebpe", labels=settings.get("labels", ()))
    assert prompting.answers(asked, split({"text": ["a", "b"]}, labels)) == expected


def test_numbers_are_written_to_the_nearest_fifth_and_read_back():
    for hundredths in range(0, 501):
        value = hundredths / 100
        text = prompting.written_number(value)
        assert abs(float(text) - value) <= 0.1 + 1e-9
        assert round(float(text) * 10) % 2 == 0
        assert prompting.read_number(f" {text}\n", default=-1) == float(text)
    assert [prompting.written_number(value) for value in (0.09, 0.11, 4.95, 5.0)] == ["0.0", "0.2", "5.0", "5.0"]


@pytest.mark.parametrize("text", ["", "two", "2.6 or so", "nan", "inf", "-inf", "1e9"])
def test_what_is_no_number_counts_as_the_default(text):
    assert prompting.read_number(text, default=2.5) == 2.5


def test_shown_examples_are_joined_as_lm_evaluation_harness_does():
    shown = split({"text": ["a {bird}", "the tree"]}, (1, 0))
    asked = reader(
        task("classification", prompt="Text: {text}\nClass:", labels=["bad", "good"], shots=2), "bytebpe",
        labels=("bad", "good"), shots=shown,
    )  # fmt: skip
    assert prompting.with_shots(asked, ["Text: x\nClass:"]) == [
        "Text: a {bird}\nClass: good\n\nText: the tree\nClass: bad\n\nText: x\nClass:"
    ]
    nothing = reader(task("classification", prompt="Text: {text}", shots=0), "bytebpe", shots=shown.head(0))
    assert prompting.with_shots(nothing, ["Text: x"]) == ["Text: x"]


@pytest.mark.parametrize("kind", ["bytebpe", "unigram"])
def test_a_question_without_an_answer_comes_back_as_the_empty_answer(kind):
    asked = reader(task("question-answering"), kind)
    answers = prompting.answers(asked, split({"text": ["a", "b"]}, ((), ("old stone",))))
    written = [tokenizer(kind)(answer, add_special_tokens=False)["input_ids"] for answer in answers]
    predicted = prompting.in_words(asked, written, cut=3)
    assert predicted.values.tolist() == ["", "old stone"]
    assert predicted.columns["tokens"] == [len(ids) for ids in written]
    assert predicted.settings["prompts_cut"] == 3
    summary = prompting.in_words(reader(task("summarization"), kind), written, cut=0)
    assert summary.values.tolist() == ["unanswerable", "old stone"], "elsewhere the word is a word"


def test_written_numbers_are_values_and_the_middle_of_the_range_where_there_is_none():
    asked = reader(task("similarity", label_range=(0, 5)), "unigram")
    written = [tokenizer("unigram")(text)["input_ids"] for text in ("3.6", "stone", "")]
    predicted = prompting.in_words(asked, written, cut=0)
    assert predicted.values.tolist() == [3.6, 2.5, 2.5]
    assert predicted.columns["text"] == ["3.6", "stone", ""]


def test_only_a_model_that_was_shown_examples_ends_its_answer_at_an_empty_line():
    written = [tokenizer("bytebpe")(" red\n\nquestion: who")["input_ids"]]
    untrained = reader(task("question-answering", shots=1), "bytebpe")
    assert prompting.in_words(untrained, written, 0).values.tolist() == ["red"]
    trained = reader(task("question-answering"), "bytebpe")
    assert prompting.in_words(trained, written, 0).values.tolist() == ["red\n\nquestion: who"]


def test_a_free_generation_begins_with_the_first_words_and_the_rest_is_left():
    asked = reader(task("text-generation", decoding={"prompt_words": 2}), "bytebpe")
    beginnings, rest = prompting.beginnings(asked, split({"text": ["the old stone house", "one"]}))
    assert (beginnings, rest) == (["the old", "one"], ["stone house", ""])


def test_a_tokenizer_without_an_end_of_text_cannot_serve_a_model_that_writes():
    with pytest.raises(HarnessError, match="end of text"):
        prompting.add_end(tokenizer("wordpiece"), [1])


def test_the_start_of_a_text_is_the_tokenizers_own_custom():
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    plain = tokenizer("bytebpe")
    assert prompting.start_of(plain) == [], "it puts its token after a text"
    assert prompting.start_of(tokenizer("unigram")) == []
    backend = type(plain.backend_tokenizer).from_str(plain.backend_tokenizer.to_str())
    start = ("<|endoftext|>", plain.bos_token_id)
    backend.post_processor = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[start])
    like_llama = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    assert prompting.start_of(like_llama) == [plain.bos_token_id]


@pytest.mark.parametrize(
    ("model_type", "prompt"), [("marian", "{source}"), ("mbart", "{source}"), ("t5", "translate: {source}")]
)
def test_a_model_that_only_translates_reads_the_text_alone(model_type, prompt):
    facts = source_facts({"model_type": model_type, "is_encoder_decoder": True})
    assert prompting.template_of(reader(task("translation"), "unigram", fitted=facts)) == prompt
    asked = task("classification", prompt="Text: {text}")
    assert prompting.template_of(reader(asked, "unigram", fitted=facts)) == "Text: {text}"
