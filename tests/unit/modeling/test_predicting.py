"""Predictions equal what the model itself computes: every kind of head, both spellings of a mask, greedy loops by hand;
bad checkpoints and texts are one clear line.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.pretraining_specs import TokenizerSpec
from harness.modeling import predicting
from harness.modeling.predicting import predict
from harness.report.text.prediction_text import render

CHINESE = "我是一个程序员。"
TEXTS = [
    "The farmer's dog barked at the cats.",
    "A dog walks, barking loudly; the dogs walked.",
    "The cat is walking to the farm.",
    CHINESE,
    "我是一个学生。",
]
HOSTILE = {"num_beams": 3, "repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_new_tokens": 3}
"""Generation settings a checkpoint may bring along: rules, which hold, and beams, which prediction does not search."""

Save = Callable[..., Path]


def change_json(file: Path, **settings: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def wordpiece(length: int = 32) -> Any:
    from harness.training import tokenizers

    return tokenizers.train(TokenizerSpec(vocab_size=200), TEXTS, length)


def byte_level(**special: str) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=list(dict.fromkeys(special.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    if "cls_token" in special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special)


def roberta_tokenizer() -> Any:
    return byte_level(cls_token="<s>", pad_token="<pad>", sep_token="</s>", unk_token="<unk>", mask_token="<mask>")


def unigram() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=100, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")


SIZES = {
    "Bert": {
        "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64,
        "max_position_embeddings": 32, "initializer_range": 0.3,
    },
    "Roberta": {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64,
        "max_position_embeddings": 22, "initializer_range": 0.3, "pad_token_id": 1, "type_vocab_size": 1,
    },
    "Electra": {
        "hidden_size": 32, "embedding_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 64, "max_position_embeddings": 32,
    },
    "GPT2": {
        "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 48, "initializer_range": 0.3,
        "bos_token_id": None, "eos_token_id": None,
    },
    "T5": {
        "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, "initializer_factor": 3.0,
        "decoder_start_token_id": 0,
    },
    "Bart": {
        "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 24,
        "init_std": 0.3, "forced_eos_token_id": 2, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
        "decoder_start_token_id": 2,
    },
    "LED": {
        "d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "attention_window": 8,
        "max_encoder_position_embeddings": 24, "max_decoder_position_embeddings": 6, "init_std": 0.3, "pad_token_id": 1,
        "bos_token_id": 0, "eos_token_id": None, "decoder_start_token_id": 2,
    },
}  # fmt: skip


def build(architecture: str, tokenizer: Any, **settings: Any) -> Any:
    """A tiny random model."""
    import transformers

    family = next(name for name in SIZES if architecture.startswith(name))
    transformers.set_seed(0)
    config = getattr(transformers, f"{family}Config")(**{"vocab_size": len(tokenizer), **SIZES[family], **settings})
    return getattr(transformers, architecture)(config).eval()


def saved(folder: Path, model: Any, tokenizer: Any) -> Path:
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """`save(architecture, tokenizer, **settings)`: a folder of a tiny random model."""
    return lambda architecture, tokenizer, **settings: saved(
        tmp_path / architecture, build(architecture, tokenizer, **settings), tokenizer
    )


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    tokenizer = wordpiece()
    model = build("BertForMaskedLM", tokenizer)
    return saved(tmp_path_factory.mktemp("bert"), model, tokenizer), model, tokenizer


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    tokenizer = roberta_tokenizer()
    model = build("RobertaForMaskedLM", tokenizer)
    return saved(tmp_path_factory.mktemp("roberta"), model, tokenizer), model, tokenizer


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    tokenizer = byte_level(bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    model = build("GPT2LMHeadModel", tokenizer)
    model.generation_config.update(**HOSTILE)
    return saved(tmp_path_factory.mktemp("gpt2"), model, tokenizer), model, tokenizer


@pytest.fixture(scope="module")
def t5(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    tokenizer = unigram()
    model = build("T5ForConditionalGeneration", tokenizer)
    model.generation_config.update(**HOSTILE)
    return saved(tmp_path_factory.mktemp("t5"), model, tokenizer), model, tokenizer


def probabilities(model: Any, ids: list[int], position: int, **inputs: Any) -> list[float]:
    """Of each vocabulary entry at one position, straight from the model."""
    import torch

    with torch.inference_mode():
        return model(torch.tensor([ids]), **inputs).logits[0, position].double().softmax(-1).tolist()


def best(distribution: list[float], count: int) -> list[int]:
    return sorted(range(len(distribution)), key=lambda entry: -distribution[entry])[:count]


def greedy(model: Any, ids: list[int], steps: int) -> list[int]:
    """A continuation without cache or generate()."""
    done = list(ids)
    for _ in range(steps):
        done.append(best(probabilities(model, done, -1), 1)[0])
    return done[len(ids) :]


def by_rules(model: Any, ids: list[int], steps: int) -> list[int]:
    """The greedy text of generate(), by the rules of the checkpoint's generation_config."""
    import copy

    import torch

    asked = copy.deepcopy(model.generation_config)
    asked.do_sample, asked.num_beams, asked.max_length, asked.max_new_tokens = False, 1, None, steps
    asked.temperature = asked.top_k = asked.top_p = None
    rows = torch.tensor([ids])
    output = model.generate(input_ids=rows, attention_mask=torch.ones_like(rows), generation_config=asked)[0].tolist()
    return output[1:] if model.config.is_encoder_decoder else output[len(ids) :]


def greedy_output(model: Any, ids: list[int], start: int, steps: int) -> list[int]:
    """An output text without cache or generate()."""
    import torch

    done = [start]
    for _ in range(steps):
        done.append(best(probabilities(model, ids, -1, decoder_input_ids=torch.tensor([done])), 1)[0])
    return done[1:]


def assert_top(top: list[dict[str, Any]], distribution: list[float], count: int) -> None:
    assert [choice["id"] for choice in top] == best(distribution, count)
    assert [choice["probability"] for choice in top] == pytest.approx(best_values(distribution, count), rel=1e-4)


def best_values(distribution: list[float], count: int) -> list[float]:
    return sorted(distribution, reverse=True)[:count]


# Masked language models


def test_each_mask_is_filled_as_the_model_fills_it(bert):
    folder, model, tokenizer = bert
    text = "the [MASK] barked at [MASK] cats"
    (result,) = predict(folder, [text], top_k=4)
    ids = tokenizer(text)["input_ids"]
    masked = [position for position, token in enumerate(ids) if token == tokenizer.mask_token_id]
    assert result["kind"] == "fill-mask" and result["text"] == text
    assert result["model"] == {"architecture": "BertForMaskedLM", "parameters": model.num_parameters()}
    assert [mask["position"] for mask in result["masks"]] == masked and len(masked) == 2
    for mask in result["masks"]:
        assert_top(mask["top"], probabilities(model, ids, mask["position"]), 4)


def test_the_whole_vocabulary_sums_to_one_in_falling_order_and_pieces_keep_their_marks(bert):
    folder, _, tokenizer = bert
    (result,) = predict(folder, ["the [MASK]"], top_k=len(tokenizer))
    top = result["masks"][0]["top"]
    values = [choice["probability"] for choice in top]
    assert sum(values) == pytest.approx(1) and values == sorted(values, reverse=True)
    assert {choice["token"]: choice["id"] for choice in top} == tokenizer.get_vocab()


@pytest.mark.parametrize("checkpoint", ["bert", "roberta"])
def test_either_spelling_of_a_mask_is_the_tokenizers_own(checkpoint, request):
    folder, _, tokenizer = request.getfixturevalue(checkpoint)
    spelled = predict(folder, ["the [MASK] barked", "the <mask> barked", f"the {tokenizer.mask_token} barked"])
    assert spelled[0]["masks"] == spelled[1]["masks"] == spelled[2]["masks"]
    assert [result["text"] for result in spelled[:2]] == ["the [MASK] barked", "the <mask> barked"]
    assert len(spelled[0]["masks"]) == 1


@pytest.mark.parametrize("checkpoint", ["bert", "roberta"])
@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_a_text_without_a_mask_is_masked_one_by_one(checkpoint, rows, request, monkeypatch):
    folder, model, tokenizer = request.getfixturevalue(checkpoint)
    ids = tokenizer("the dog walks")["input_ids"]
    monkeypatch.setattr(predicting, "LOGITS_AT_ONCE", rows * len(ids) * len(tokenizer))
    (result,) = predict(folder, ["the dog walks"], top_k=3)
    assert [row["position"] for row in result["positions"]] == list(range(1, len(ids) - 1))
    total = 0.0
    for row in result["positions"]:
        hidden = [*ids]
        hidden[row["position"]] = tokenizer.mask_token_id
        distribution = probabilities(model, hidden, row["position"])
        own = ids[row["position"]]
        assert row["id"] == own
        assert row["rank"] == best(distribution, len(distribution)).index(own) + 1
        assert row["probability"] == pytest.approx(distribution[own], rel=1e-4)
        assert row["log_probability"] == pytest.approx(math.log(distribution[own]), rel=1e-4)
        assert_top(row["top"], distribution, 3)
        total += math.log(distribution[own])
    assert result["pseudo_log_likelihood"] == pytest.approx(total, rel=1e-4)
    assert result["pseudo_perplexity"] == pytest.approx(math.exp(-total / (len(ids) - 2)), rel=1e-4)


def test_a_special_token_in_the_text_is_one_of_its_tokens(bert):
    (result,) = predict(bert[0], ["the dog [SEP] a cat"])
    assert "[SEP]" in [row["token"] for row in result["positions"]]


def test_a_pretraining_model_fills_masks_with_its_language_model_head(save, bert):
    folder = save("BertForPreTraining", wordpiece())
    (result,) = predict(folder, ["the [MASK] barked"])
    from transformers import BertForPreTraining

    model, ids = BertForPreTraining.from_pretrained(folder).eval(), bert[2]("the [MASK] barked")["input_ids"]
    import torch

    expected = model(torch.tensor([ids])).prediction_logits[0, 2].double().softmax(-1).tolist()
    assert_top(result["masks"][0]["top"], expected, 5)
    assert result["model"]["architecture"] == "BertForPreTraining"


def test_half_precision_weights_are_computed_with_in_float32(tmp_path):
    tokenizer = wordpiece()
    model = build("BertForMaskedLM", tokenizer).bfloat16()
    (result,) = predict(saved(tmp_path / "model", model, tokenizer), ["the [MASK] barked"])
    expected = probabilities(model.float(), tokenizer("the [MASK] barked")["input_ids"], 2)
    assert_top(result["masks"][0]["top"], expected, 5)


# Causal language models


def test_a_continuation_is_the_greedy_text_by_the_checkpoints_rules(gpt2):
    folder, model, tokenizer = gpt2
    (result,) = predict(folder, ["The dog"], top_k=6, max_new_tokens=12)
    ids = tokenizer("The dog")["input_ids"]
    expected = by_rules(model, ids, 12)
    assert result["kind"] == "text-generation" and result["stopped"] == "max_new_tokens"
    assert [token["id"] for token in result["tokens"]] == expected
    assert result["generated"] == tokenizer.decode(expected, skip_special_tokens=True)
    assert_top(result["top"], probabilities(model, ids, -1), 6)
    for step, token in enumerate(result["tokens"]):
        distribution = probabilities(model, ids + expected[:step], -1)
        assert token["probability"] == pytest.approx(distribution[token["id"]], rel=1e-4)


def test_a_continuation_stops_at_the_end_of_text(gpt2, tmp_path):
    folder, model, tokenizer = gpt2
    expected = by_rules(model, tokenizer("The dog")["input_ids"], 12)
    end = expected[3]
    shutil.copytree(folder, tmp_path / "model")
    change_json(tmp_path / "model" / "generation_config.json", eos_token_id=[end])
    (result,) = predict(tmp_path / "model", ["The dog"], max_new_tokens=12)
    assert [token["id"] for token in result["tokens"]] == expected[: expected.index(end) + 1]
    assert result["stopped"] == "eos"


def test_a_continuation_ends_where_the_positions_end(gpt2):
    folder, model, tokenizer = gpt2
    text = "dog" * 40
    ids = tokenizer(text)["input_ids"]
    while len(ids) > 46:
        text = text[:-3]
        ids = tokenizer(text)["input_ids"]
    (result,) = predict(folder, [text], max_new_tokens=30)
    assert len(result["tokens"]) == 48 - len(ids) + 1 and result["stopped"] == "positions"
    assert [token["id"] for token in result["tokens"]] == greedy(model, ids, len(result["tokens"]))


def test_no_byte_marks_show_in_tokens(gpt2):
    folder, _, tokenizer = gpt2
    (result,) = predict(folder, ["The dog"], top_k=len(tokenizer))
    tokens = [choice["token"] for choice in result["top"]]
    assert not any("Ġ" in token or "Ċ" in token for token in tokens)
    assert " dog" in tokens


def test_a_tokenizer_that_ends_texts_does_not_end_the_prompt(save):
    tokenizer = wordpiece()
    folder = save("GPT2LMHeadModel", tokenizer)
    (result,) = predict(folder, ["the dog"], max_new_tokens=5)
    ids = tokenizer("the dog")["input_ids"][:-1]
    model = build("GPT2LMHeadModel", tokenizer)
    assert [token["id"] for token in result["tokens"]] == greedy(model, ids, 5)


def test_a_continued_word_is_joined_to_its_beginning():
    tokenizer = wordpiece()
    walk = tokenizer("walk", add_special_tokens=False)["input_ids"]
    more = [tokenizer.convert_tokens_to_ids(piece) for piece in ("##s", "dog")]
    assert predicting._written(tokenizer, walk, more) == "s dog"
    metaspace = unigram()
    the, dog = (metaspace(word, add_special_tokens=False)["input_ids"] for word in ("The", "dog"))
    assert predicting._written(metaspace, the, dog) == " dog"


# Text to text


def test_an_output_is_the_greedy_text_by_the_checkpoints_rules(t5):
    folder, model, tokenizer = t5
    (result,) = predict(folder, ["the dog walks"], top_k=4, max_new_tokens=8)
    ids = tokenizer("the dog walks")["input_ids"]
    expected = by_rules(model, ids, 8)
    import torch

    assert result["kind"] == "text2text-generation"
    assert [token["id"] for token in result["tokens"]] == expected
    assert result["generated"] == tokenizer.decode(expected, skip_special_tokens=True)
    assert_top(result["top"], probabilities(model, ids, -1, decoder_input_ids=torch.tensor([[0]])), 4)


def test_a_space_before_a_word_shows(t5):
    folder, _, tokenizer = t5
    (result,) = predict(folder, ["the dog"], top_k=len(tokenizer))
    tokens = {choice["id"]: choice["token"] for choice in result["top"]}
    assert tokens[tokenizer.convert_tokens_to_ids("▁")] == " "
    assert not any("▁" in token for token in tokens.values())


def test_a_model_that_can_fill_and_write_writes_and_within_its_positions(save):
    tokenizer = roberta_tokenizer()
    folder = save("BartForConditionalGeneration", tokenizer)
    (result,) = predict(folder, ["the dog"], max_new_tokens=100)
    model = build("BartForConditionalGeneration", tokenizer)
    expected = by_rules(model, tokenizer("the dog")["input_ids"], 24)
    assert [token["id"] for token in result["tokens"]] == expected and expected[-1] == 2, "the end is forced"
    assert result["stopped"] == "eos"


def test_an_encoder_and_a_decoder_have_positions_of_their_own(save):
    folder = save("LEDForConditionalGeneration", roberta_tokenizer())
    (result,) = predict(folder, ["." * 22])
    assert len(result["tokens"]) == 6 and result["stopped"] == "positions"
    assert "25 tokens, but LEDForConditionalGeneration reads at most 24" in one_line(folder, "." * 23)


@pytest.mark.parametrize("where", ["generation_config.json", "config.json"])
def test_an_output_begins_with_the_language_its_checkpoint_writes(where, save):
    import torch

    tokenizer = roberta_tokenizer()
    folder = save("BartForConditionalGeneration", tokenizer)
    if where == "config.json":
        (folder / "generation_config.json").unlink()  # as in checkpoints of before there was one
    change_json(folder / where, forced_bos_token_id=7)
    (result,) = predict(folder, ["the dog"], max_new_tokens=3)
    model, ids = build("BartForConditionalGeneration", tokenizer), tokenizer("the dog")["input_ids"]
    first = probabilities(model, ids, -1, decoder_input_ids=torch.tensor([[2]]))
    assert result["tokens"][0]["id"] == 7
    assert result["tokens"][0]["probability"] == pytest.approx(first[7], rel=1e-4)
    assert_top(result["top"], first, 5)


# Classifiers


def test_a_classifier_gives_its_classes(save):
    import torch

    tokenizer = wordpiece()
    labels = {"id2label": {0: "bad", 1: "so-so", 2: "good"}, "label2id": {"bad": 0, "so-so": 1, "good": 2}}
    folder = save("BertForSequenceClassification", tokenizer, **labels)
    (result,) = predict(folder, ["the dog walks"], top_k=5, with_logits=True)
    model = build("BertForSequenceClassification", tokenizer, **labels)
    logits = model(**tokenizer("the dog walks", return_tensors="pt")).logits[0]
    expected = torch.softmax(logits, -1).tolist()
    assert result["kind"] == "text-classification"
    assert result["logits"] == pytest.approx(logits.tolist(), rel=1e-4)
    assert [row["id"] for row in result["top"]] == best(expected, 3)
    assert [row["label"] for row in result["top"]] == [labels["id2label"][row["id"]] for row in result["top"]]
    assert [row["probability"] for row in result["top"]] == pytest.approx(best_values(expected, 3), rel=1e-4)
    assert len(predict(folder, ["a"], top_k=2)[0]["top"]) == 2


def test_classes_that_do_not_exclude_each_other_have_probabilities_of_their_own(save):
    folder = save("BertForSequenceClassification", wordpiece(), num_labels=3, problem_type="multi_label_classification")
    (result,) = predict(folder, ["the dog"], with_logits=True)
    for row in result["top"]:
        assert row["probability"] == pytest.approx(1 / (1 + math.exp(-result["logits"][row["id"]])))


def test_a_regression_gives_its_value(save):
    (result,) = predict(save("BertForSequenceClassification", wordpiece(), num_labels=1), ["the dog"], with_logits=True)
    assert [result["value"]] == result["logits"] and "top" not in result
    assert f"value {result['value']:.4f}" in render([result])


# Whatever the head


@pytest.mark.parametrize("checkpoint", ["bert", "roberta", "gpt2", "t5"])
def test_chinese_works_and_results_are_json(checkpoint, request):
    folder, _, tokenizer = request.getfixturevalue(checkpoint)
    text = CHINESE[:6] if checkpoint == "roberta" else CHINESE  # bytes of letters are tokens: 18 at most
    (result,) = predict(folder, [text], with_logits=True, max_new_tokens=3)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert _first(result)["top"] and len(_first(result)["logits"]) == len(tokenizer)
    assert json.dumps(text, ensure_ascii=False) in render([result])


def _first(result: dict[str, Any]) -> dict[str, Any]:
    return (result.get("masks") or result.get("positions") or [result])[0]


def test_chinese_letters_are_judged_one_by_one_and_filled(bert):
    whole, masked = predict(bert[0], [CHINESE, CHINESE.replace("程", "[MASK]")])
    assert [row["token"] for row in whole["positions"]] == list(CHINESE)
    hidden = whole["positions"][CHINESE.index("程")]
    assert masked["masks"][0]["position"] == hidden["position"]
    assert [row["id"] for row in masked["masks"][0]["top"]] == [row["id"] for row in hidden["top"]]


@pytest.mark.parametrize("checkpoint", ["bert", "gpt2", "t5"])
def test_logits_are_those_of_the_choices_and_come_when_asked_for(checkpoint, request):
    folder = request.getfixturevalue(checkpoint)[0]
    text = "the [MASK] walks" if checkpoint == "bert" else "the dog walks"
    entry = _first(predict(folder, [text], with_logits=True)[0])
    total = sum(math.exp(logit) for logit in entry["logits"])
    for choice in entry["top"]:
        assert math.exp(entry["logits"][choice["id"]]) / total == pytest.approx(choice["probability"], rel=1e-6)
    assert "logits" not in _first(predict(folder, [text])[0])


def test_several_texts_are_predicted_as_each_alone(gpt2):
    both = predict(gpt2[0], ["The dog", "A cat is walking"])
    assert both == [*predict(gpt2[0], ["The dog"]), *predict(gpt2[0], ["A cat is walking"])]


def test_what_people_read(bert, gpt2):
    filled, judged = predict(bert[0], ["the [MASK]", "the dog"], top_k=2, with_logits=True)
    lines = render([filled, judged]).splitlines()
    assert lines[0] == f"BertForMaskedLM, {filled['model']['parameters']:,} parameters"
    assert lines[2] == 'fill-mask: "the [MASK]"'
    assert lines[3].split() == ["position", "rank", "probability", "logit", "id", "token"]
    first = filled["masks"][0]["top"][0]
    assert lines[5].split(maxsplit=5) == [
        "2", "1", f"{first['probability']:.4f}", f"{filled['masks'][0]['logits'][first['id']]:.4f}", str(first["id"]),
        json.dumps(first["token"], ensure_ascii=False),
    ]  # fmt: skip
    assert lines[-1] == (
        f"pseudo-log-likelihood {judged['pseudo_log_likelihood']:.4f}, "
        f"pseudo-perplexity {judged['pseudo_perplexity']:.2f}, 2 tokens"
    )
    assert '"dog": ' in lines[-2]
    (continued,) = predict(gpt2[0], ["The\ndog"], max_new_tokens=3)
    text = render([continued])
    assert 'text-generation: "The\\ndog"' in text
    assert f"generated: {json.dumps(continued['generated'], ensure_ascii=False)}" in text
    assert "3 tokens, stopped by max_new_tokens" in text
    assert render([]) == ""


# Errors


def one_line(folder: Path, *texts: str, **settings: Any) -> str:
    with pytest.raises(HarnessError) as caught:
        predict(folder, texts or ["the dog"], **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(text, bert):
    assert "it is empty" in one_line(bert[0], "the dog", text)


def test_a_text_without_tokens_is_refused(bert):
    assert "it has no tokens" in one_line(bert[0], "\u200b")


def test_nothing_to_predict_is_refused(bert):
    with pytest.raises(HarnessError, match="give --text"):
        predict(bert[0], [])


@pytest.mark.parametrize(
    ("checkpoint", "fits", "limit"), [("bert", "dog " * 30, 32), ("roberta", "." * 18, 20), ("gpt2", "." * 48, 48)]
)
def test_a_text_longer_than_the_positions_is_refused(checkpoint, fits, limit, request):
    folder, _, tokenizer = request.getfixturevalue(checkpoint)
    assert len(tokenizer(fits)["input_ids"]) == limit
    predict(folder, [fits], max_new_tokens=1)
    said = one_line(folder, f"{fits}{'dog' if checkpoint == 'bert' else '.'}")
    assert f"{limit + 1} tokens" in said and f"at most {limit};" in said
    assert len(said) < 150


def test_an_input_longer_than_the_encoders_positions_is_refused(save):
    folder = save("BartForConditionalGeneration", roberta_tokenizer())
    assert "25 tokens, but BartForConditionalGeneration reads at most 24" in one_line(folder, "." * 23)


def test_relative_positions_have_no_limit(t5):
    (result,) = predict(t5[0], ["dog " * 600], max_new_tokens=1)
    assert len(result["tokens"]) == 1


@pytest.mark.parametrize("settings", [{"top_k": 0}, {"top_k": -1}, {"max_new_tokens": 0}])
def test_numbers_below_one_are_refused(settings, bert):
    assert "must be at least 1" in one_line(bert[0], **settings)


@pytest.mark.parametrize("checkpoint", ["bert", "gpt2", "t5"])
def test_more_choices_than_the_vocabulary_has_are_refused(checkpoint, request):
    folder, _, tokenizer = request.getfixturevalue(checkpoint)
    said = one_line(folder, top_k=len(tokenizer) + 1)
    assert f"--top-k {len(tokenizer) + 1}" in said and f"has {len(tokenizer)} entries" in said


@pytest.mark.parametrize("architecture", ["BertModel", "BertForMultipleChoice", "BertForNextSentencePrediction"])
def test_a_model_without_a_head_to_predict_with_is_refused(architecture, save):
    folder = save(architecture, wordpiece())
    assert f"its architecture, {architecture}, has no head to predict with" in one_line(folder)


def test_a_tagger_gives_a_tag_for_each_word_and_entities_where_its_tags_are_iob(save):
    folder = save("BertForTokenClassification", wordpiece())
    (answer,) = predict(folder, ["the dog, the cat"])
    assert answer["kind"] == "token-classification"
    assert [word["word"] for word in answer["words"]] == ["the", "dog", ",", "the", "cat"]
    assert {word["tag"] for word in answer["words"]} <= {"LABEL_0", "LABEL_1"}
    assert answer["entities"] == []
    assert "LABEL_" in render([answer])
    config = json.loads((folder / "config.json").read_text())
    config |= {"id2label": {"0": "S-ANIMAL", "1": "S-ANIMAL"}}
    (folder / "config.json").write_text(json.dumps(config))
    (answer,) = predict(folder, ["the dog"])
    assert [(one["type"], one["text"], one["start"], one["end"]) for one in answer["entities"]] == [
        ("ANIMAL", "the", 0, 3), ("ANIMAL", "dog", 4, 7),
    ]  # fmt: skip
    assert "ANIMAL" in render([answer])
    assert "--logits: a tagger" in one_line(folder, with_logits=True)


def test_a_discriminator_is_no_language_model(save):
    folder = save("ElectraForPreTraining", wordpiece())
    assert "its weights do not fit its config.json" in one_line(folder) and "generator_predictions" in one_line(folder)


def test_a_head_that_is_not_in_the_weights_is_not_made_up(save):
    folder = save("BertModel", wordpiece())
    change_json(folder / "config.json", architectures=["BertForMaskedLM"])
    said = one_line(folder)
    assert "its weights do not fit its config.json" in said and "cls.predictions" in said


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"architectures": None}, "names no architectures"),
        ({"model_type": "brrt"}, "cannot load its configuration"),
        ({"hidden_size": "wide"}, "cannot load its configuration"),
        ({"hidden_size": 64}, "its weights do not fit its config.json"),
    ],
    ids=["no architecture", "an unknown type", "a wrong value", "another width"],
)
def test_a_configuration_that_does_not_do_is_refused(settings, expected, save):
    folder = save("BertForMaskedLM", wordpiece())
    change_json(folder / "config.json", **settings)
    assert expected in one_line(folder)


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path):
    assert "no such folder" in one_line(tmp_path / "nowhere")
    assert "no config.json" in one_line(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "found no weights" in one_line(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    said = one_line(tmp_path)
    assert "only pytorch_model.bin, a pickle, which can run code when loaded" in said and str(tmp_path) in said


def test_a_pickle_beside_safetensors_is_not_opened(save):
    folder = save("BertForMaskedLM", wordpiece())
    (folder / "model.safetensors").rename(folder / "other.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    said = one_line(folder)
    assert "cannot load the model in" in said and "model.safetensors" in said


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "GPT2LMHeadModel", "T5ForConditionalGeneration"])
def test_a_folder_without_a_tokenizer_is_refused(architecture, tmp_path):
    folder = saved(tmp_path / "model", build(architecture, wordpiece()), None)
    assert f"model {folder}: no tokenizer in it" in one_line(folder)


def test_a_tokenizer_without_its_vocabulary_is_refused(save):
    folder = save("BertForMaskedLM", wordpiece())
    change_json(folder / "tokenizer_config.json", tokenizer_class="BertTokenizer")
    predict(folder, ["the dog"])
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer in it" in one_line(folder)


def test_a_tokenizer_of_bytes_needs_no_vocabulary(save):
    from transformers import ByT5Tokenizer

    tokenizer = ByT5Tokenizer()
    folder = save("T5ForConditionalGeneration", tokenizer)
    (result,) = predict(folder, [CHINESE], max_new_tokens=2)
    model = build("T5ForConditionalGeneration", tokenizer)
    assert [token["id"] for token in result["tokens"]] == greedy_output(model, tokenizer(CHINESE)["input_ids"], 0, 2)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_damaged_file_is_refused(name, save):
    folder = save("BertForMaskedLM", wordpiece())
    (folder / name).write_text("{")
    line = one_line(folder)
    assert "cannot load" in line and str(folder) in line


def test_another_models_tokenizer_is_refused(save):
    tokenizer = wordpiece()
    folder = save("BertForMaskedLM", tokenizer, vocab_size=5)
    assert "its tokenizer is another model's" in one_line(folder)


def test_a_tokenizer_without_a_mask_is_refused(save):
    folder = save("BertForMaskedLM", byte_level(unk_token="<unk>"))
    assert "its tokenizer has no mask token" in one_line(folder)


def test_an_output_that_cannot_begin_is_refused(save):
    folder = save("T5ForConditionalGeneration", unigram(), decoder_start_token_id=None)
    assert "names no decoder_start_token_id" in one_line(folder)


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "BertForSequenceClassification"])
def test_weights_that_are_no_numbers_are_told(architecture, tmp_path):
    import torch

    tokenizer = wordpiece()
    model = build(architecture, tokenizer)
    torch.nn.init.constant_(model.bert.embeddings.LayerNorm.weight, math.nan)
    assert "it predicts NaN" in one_line(saved(tmp_path / "model", model, tokenizer))


def test_a_text_that_the_tokenizer_does_not_know_is_warned_of(save):
    from harness.report.text.prediction_text import render

    tokenizer = wordpiece()
    folder = save("BertForMaskedLM", tokenizer)
    known, unknown = predict(folder, ["the dog", "猫 犬"])
    assert "unknown_tokens" not in known and unknown["unknown_tokens"] == 2
    assert "warning: 2 tokens stand for what the tokenizer does not know" in render([unknown])
    assert "warning" not in render([known])
