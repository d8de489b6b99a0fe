"""A decoder's head: the loss of `transformers`, of answers alone; texts whose every token counts once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.modeling.heads.causal_lm import HEAD
from harness.modeling.inference.batching import IGNORED
from tests.unit.modeling.heads.given import TEXTS, batch_of, model, reader, split, task, tokenizer

SUMMARIES = split(
    {"text": ["a red tree", "the old stone house is near the river. " * 6, "birds"]},
    (("a tree",), ("house near river",), ("the bird sings over the river and the house",)),
)
TOKENS = tokenizer("bytebpe")
END = TOKENS.eos_token_id


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
@pytest.mark.parametrize("rows", [[0], [0, 1, 2]])
def test_the_loss_is_that_of_transformers_summed_over_answers(model_type, rows):
    import torch

    plain = model("AutoModelForCausalLM", model_type, "bytebpe")
    settings = reader(task("summarization"), "bytebpe")
    encoded = HEAD.encode(settings, SUMMARIES)
    batch = batch_of(encoded, TOKENS, rows)
    count = int((batch["labels"][:, 1:] != IGNORED).sum())
    with torch.no_grad():
        expected = float(plain(**batch).loss) * count
        alone = sum(
            float(plain(**one).loss) * int((one["labels"] != IGNORED).sum())
            for one in (batch_of(encoded, TOKENS, [row]) for row in rows)
        )
        found = float(HEAD.loss(plain, dict(batch), settings))
    assert found == pytest.approx(expected, rel=1e-4)
    assert found == pytest.approx(alone, rel=1e-4), "padding must change nothing"


def test_the_gradient_is_that_of_transformers():
    import torch

    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    settings = reader(task("summarization"), "bytebpe")
    batch = batch_of(HEAD.encode(settings, SUMMARIES), TOKENS)
    count = int((batch["labels"][:, 1:] != IGNORED).sum())
    gradients = []
    for loss in (lambda: HEAD.loss(plain, dict(batch), settings), lambda: plain(**batch).loss * count):
        plain.zero_grad()
        loss().backward()
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in plain.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3)


def test_the_prompt_is_read_and_the_answer_alone_is_learned():
    settings = reader(task("summarization", decoding={"max_new_tokens": 20}), "bytebpe")
    encoded = HEAD.encode(settings, SUMMARIES)
    assert encoded.truncated == 1
    for row, labels, (answer,) in zip(
        encoded.columns["input_ids"], encoded.columns["labels"], SUMMARIES.labels, strict=True
    ):
        assert len(row) == len(labels) <= settings.max_length
        learned = [label for label in labels if label != IGNORED]
        assert row[-len(learned) :] == learned == labels[-len(learned) :]
        assert TOKENS.decode(learned) == f" {answer}<|endoftext|>"
        assert TOKENS.decode(row[: -len(learned)]).startswith("summarize: ")
    learned_in_all = sum(label != IGNORED for labels in encoded.columns["labels"] for label in labels)
    assert HEAD.targets(encoded) == pytest.approx(learned_in_all / 3)


def test_an_answer_is_cut_to_what_is_written_at_most_and_ends_nevertheless():
    for limit, longest in ((4, 4), (1000, 32)):
        settings = reader(task("summarization", decoding={"max_new_tokens": limit}), "bytebpe")
        long = split({"text": ["a red tree " * 30]}, (("zzz " * 100,),))
        (labels,) = HEAD.encode(settings, long).columns["labels"]
        learned = [label for label in labels if label != IGNORED]
        assert len(learned) == longest + 1 and learned[-1] == END
        assert len(labels) <= settings.max_length


@pytest.mark.parametrize("max_length", [4, 7, 64])
def test_of_a_text_to_model_every_token_is_predicted_once(max_length):
    settings = reader(task("language-modeling"), "bytebpe", max_length=max_length)
    encoded = HEAD.encode(settings, split({"text": TEXTS}))
    predicted = [label for labels in encoded.columns["labels"] for label in labels[1:]]
    whole = [TOKENS(text, add_special_tokens=False)["input_ids"] + [END] for text in TEXTS]
    assert predicted == [token for ids in whole for token in ids]
    assert max(encoded.lengths) <= max_length
    begun = [row[0] for row in encoded.columns["input_ids"]]
    assert begun.count(TOKENS.bos_token_id) == len(TEXTS)


def test_likelihoods_of_texts_are_those_of_the_plain_model():
    import torch

    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    predicted = HEAD.predict(plain, reader(task("language-modeling"), "bytebpe"), split({"text": TEXTS}))
    for text, value, count in zip(TEXTS, predicted.values, predicted.columns["tokens"], strict=True):
        ids = TOKENS(text, add_special_tokens=False)["input_ids"]
        assert count == len(ids)
        if count <= 64:
            rows = torch.tensor([[TOKENS.bos_token_id, *ids]])
            with torch.no_grad():
                assert value == pytest.approx(-float(plain(rows, labels=rows).loss) * count, abs=1e-3)


@pytest.mark.parametrize("end", ["", " ", "\n"])
@pytest.mark.parametrize("max_length", [24, 200])
def test_the_likeliest_word_wins_after_a_prompt_cut_from_its_beginning(end, max_length):
    import torch

    labels = ("positive", "zzz zzz zzz", "a")
    texts = split({"text": ["", "a red tree", "the old stone house is near the river. " * 2]}, (0, 1, 2))
    of = task("classification", prompt="Text: {text}\nClass:" + end, labels=list(labels), shots=1)
    settings = reader(of, "bytebpe", max_length=max_length, labels=labels, shots=texts.head(1))
    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    expected = np.zeros((3, 3))
    for row, text in enumerate(texts.fields["text"]):
        prompt = f"Text: \nClass:{end} positive\n\nText: {text}\nClass:"
        before = TOKENS(prompt, add_special_tokens=False)["input_ids"]
        for column, label in enumerate(labels):
            whole = TOKENS(f"{prompt}{end} {label}", add_special_tokens=False)["input_ids"]
            after = whole[len(before) :]
            seen = torch.tensor([whole[-max_length - 1 : -1]])
            with torch.no_grad():
                scores = plain(seen).logits[0, -len(after) :].log_softmax(-1)
            expected[row, column] = sum(float(scores[place, token]) for place, token in enumerate(after))
    predicted = HEAD.predict(plain, settings, texts)
    np.testing.assert_allclose(predicted.columns["logits"], expected, atol=1e-3)
    assert predicted.values.tolist() == expected.argmax(1).tolist()
    assert predicted.settings["prompts_cut"] == (3 if max_length == 24 else 0)


def test_a_prompt_of_nothing_is_the_start_token():
    import torch

    settings = reader(
        task("classification", prompt="{text}", labels=["a", "the"], shots=0), "bytebpe", labels=("a", "the")
    )
    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    with torch.no_grad():
        scores = plain(torch.tensor([[TOKENS.bos_token_id]])).logits[0, -1].log_softmax(-1)
    words = [TOKENS(word, add_special_tokens=False)["input_ids"] for word in (" a", " the")]
    assert all(len(ids) == 1 for ids in words)
    predicted = HEAD.predict(plain, settings, split({"text": [""]}))
    np.testing.assert_allclose(predicted.columns["logits"], [[float(scores[ids[0]]) for ids in words]], atol=1e-4)


def test_prompts_with_examples_longer_than_the_model_reads_are_cut_and_counted():
    texts = split({"text": ["the old stone house is near the river. " * 40, "red"]}, (("a",), ("b",)))
    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    of = task("summarization", shots=2, decoding={"max_new_tokens": 8})
    predicted = HEAD.predict(plain, reader(of, "bytebpe", max_length=256, shots=texts), texts)
    assert predicted.settings["prompts_cut"] == 2
    assert max(predicted.columns["tokens"]) <= 8


def test_numbers_need_a_trained_head():
    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    with pytest.raises(HarnessError, match="no way to a number"):
        HEAD.predict(plain, reader(task("similarity", shots=0), "bytebpe"), split({"text": ["a"], "text_pair": ["b"]}))


@pytest.mark.parametrize("ends", [("", " "), (" ", ""), ("", "")])
def test_prompts_around_the_longest_that_the_model_has_positions_for_are_scored(ends):
    import torch

    positions = 64
    labels = ("bad", "very very good")
    word = "the "
    texts = [word * count + end for count in range(52, 70, 2) for end in ends]
    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe", n_positions=positions)
    of = task("classification", prompt="{text}", labels=list(labels), shots=0)
    settings = reader(of, "bytebpe", max_length=positions, labels=labels)
    predicted = HEAD.predict(plain, settings, split({"text": texts}))
    expected = np.zeros((len(texts), 2))
    for row, text in enumerate(texts):
        before = TOKENS(text.rstrip(), add_special_tokens=False)["input_ids"]
        for column, label in enumerate(labels):
            whole = TOKENS(f"{text} {label}", add_special_tokens=False)["input_ids"]
            after = whole[len(before) :]
            with torch.no_grad():
                scores = plain(torch.tensor([whole[-positions - 1 : -1]])).logits[0, -len(after) :].log_softmax(-1)
            expected[row, column] = sum(float(scores[place, token]) for place, token in enumerate(after))
    np.testing.assert_allclose(predicted.columns["logits"], expected, atol=1e-3)
    assert 0 < predicted.settings["prompts_cut"] < len(texts)


def test_an_answer_without_a_token_of_its_own_is_refused():
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    merging = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<e>": 0, "ask": 1}, unk_token="ask"))
    merging.pre_tokenizer = tokenizers.pre_tokenizers.Split("?", "isolated")
    of = task("classification", prompt="{text}", labels=["a", "b"], shots=0)
    joined = PreTrainedTokenizerFast(tokenizer_object=merging, bos_token="<e>", eos_token="<e>")
    settings = replace(reader(of, "bytebpe", labels=("a", "b")), tokenizer=joined)
    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    with pytest.raises(HarnessError, match="the answer 'a' adds no token to its prompt"):
        HEAD.predict(plain, settings, split({"text": ["ask"]}))


def test_what_a_tokenizer_loses_of_a_text_is_charged():
    from tokenizers.normalizers import Lowercase

    from harness.core.pretraining_specs import TokenizerSpec
    from harness.training import tokenizers

    plain = model("AutoModelForCausalLM", "gpt2", "bytebpe")
    folded = tokenizers.train(TokenizerSpec(kind="bytebpe", vocab_size=400), TEXTS, 512)
    folded.backend_tokenizer.normalizer = Lowercase()
    settings = reader(task("language-modeling"), "bytebpe")
    lossy = replace(settings, tokenizer=folded)
    same = split({"text": ["a red tree", "A Red TREE"]})
    kept, lost = (HEAD.predict(plain, one, same) for one in (settings, lossy))
    assert kept.cautions == () and "charged_texts" not in kept.settings
    assert lost.settings["charged_texts"] == 1 and "does not give 1 of 2 texts back" in lost.cautions[0]
    assert lost.values[0] - lost.values[1] >= 6 * np.log(256), "six letters of another case"
