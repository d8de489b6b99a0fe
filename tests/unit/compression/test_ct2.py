"""Generative models in CTranslate2: the texts and likelihoods of torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.compression.base import Request, Target
from harness.compression.ct2 import SERVED, Ct2
from harness.core.decoding_spec import DecodingSpec
from harness.core.errors import HarnessError
from harness.core.requests import Generation, Likelihood, TextLikelihood
from harness.modeling.inference.generate import generate
from harness.modeling.inference.likelihood import of_continuations, of_texts
from harness.modeling.inference.requests import answer
from harness.modeling.runtimes import open_model
from harness.modeling.size import weights_of
from harness.modeling.weights.settings import Settings, read_settings, write_settings
from tests.unit.modeling.heads import given

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")

HEADS = {"gpt2": "causal-lm", "llama": "causal-lm", "t5": "seq2seq-lm", "bart": "seq2seq-lm"}
SIZES: dict[str, dict[str, Any]] = {"t5": {"d_kv": 16, "num_heads": 2}}
TEXTS = ["the old stone house is near the river.", "a small bird", "the bird sings over the green tree and walks"]


def saved(folder: Path, kind: str, **generation: Any) -> Path:
    auto_class = "AutoModelForCausalLM" if HEADS[kind] == "causal-lm" else "AutoModelForSeq2SeqLM"
    tokens = "unigram" if kind == "t5" else "bytebpe"
    model = given.model(auto_class, kind, tokens, **SIZES.get(kind, {}))
    for name, value in generation.items():
        setattr(model.generation_config, name, value)
    model.save_pretrained(folder)
    given.tokenizer(tokens).save_pretrained(folder)
    write_settings(folder, Settings(head=HEADS[kind], max_length=64))
    return folder


def compressed(source: Path, target: Path, kind: str = "float32") -> dict[str, Any]:
    scratch = target.with_name(f"{target.name}-scratch")
    for folder in (target, scratch):
        folder.mkdir()
    return Ct2(Ct2.Options(type=kind)).compress(Request(source, source, target, scratch))


@pytest.fixture(scope="module", params=HEADS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """A model in torch and in CTranslate2."""
    folder = tmp_path_factory.mktemp(request.param)
    source = saved(folder / "source", request.param)
    compressed(source, folder / "ct2")
    return open_model(source), open_model(folder / "ct2")


def prompts(model: Any) -> list[list[int]]:
    ids = [list(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in TEXTS]
    return [[*row, model.tokenizer.eos_token_id] if model.module.config.is_encoder_decoder else row for row in ids]


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("most", [1, 9])
def test_texts_are_those_of_torch(both, beams, most):
    decoding = DecodingSpec(max_new_tokens=most, num_beams=beams)
    ours, theirs = (generate(model.module, model.tokenizer, prompts(model), decoding) for model in both)
    assert ours == theirs and max(map(len, ours)) == most


def test_texts_end_where_the_model_has_no_more_positions(both):
    torch_model, served = both
    if torch_model.module.config.is_encoder_decoder:
        pytest.skip("an encoder–decoder's output begins at its first position")
    limit = torch_model.module.config.max_position_embeddings
    long = [(prompts(torch_model)[0] * 60)[: limit - 3]]
    written = generate(served.module, served.tokenizer, long, DecodingSpec(max_new_tokens=20))
    assert written == generate(torch_model.module, torch_model.tokenizer, long, DecodingSpec(max_new_tokens=20))
    assert len(written[0]) == 3


def test_likelihoods_are_those_of_torch(both):
    choices = [[[9, 12, 7], [8, 11]], [[5, 6], [30]], [[40, 41, 42, 43], [7, 9]]]
    ours, theirs = (of_continuations(model.module, prompts(model), choices) for model in both)
    assert theirs == pytest.approx(ours, abs=1e-4, rel=1e-5)
    requests = [
        Likelihood("the old stone", " house"),
        Likelihood("the old stone", " bird sings"),
        Likelihood("a", " tree"),
    ]
    answers = [answer(model.module, model.tokenizer, requests).responses for model in both]
    assert [likely.is_greedy for likely in answers[0]] == [likely.is_greedy for likely in answers[1]]
    assert [likely.nats for likely in answers[1]] == pytest.approx(
        [likely.nats for likely in answers[0]], abs=1e-4, rel=1e-5
    )


def test_whole_texts_and_written_requests_are_those_of_torch(both):
    torch_model, served = both
    requests = [Generation(TEXTS[1], ("e",), 6), Generation(TEXTS[0], ("\n",), 3)]
    ours, theirs = (answer(model.module, model.tokenizer, requests).responses for model in both)
    assert theirs == ours
    if not torch_model.module.config.is_encoder_decoder:
        rows = prompts(torch_model)
        whole = [answer(model.module, model.tokenizer, [TextLikelihood(TEXTS[0])]).responses[0] for model in both]
        assert whole[1] == pytest.approx(whole[0], abs=1e-4, rel=1e-5)
        assert of_texts(served.module, rows, 0, 6) == pytest.approx(of_texts(torch_model.module, rows, 0, 6), abs=1e-4)


def test_what_is_drawn_is_the_same_for_the_same_seed(both):
    _, served = both
    decoding = DecodingSpec(max_new_tokens=8, do_sample=True, temperature=1.5, top_k=50, top_p=0.9)
    drawn = [generate(served.module, served.tokenizer, prompts(served), decoding, seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("kind", [pytest.param("llama", marks=pytest.mark.slow), "t5"])
def test_int8_is_of_all_matrices_and_smaller(tmp_path, kind):
    source = saved(tmp_path / "source", kind)
    whole, small = compressed(source, tmp_path / "whole"), compressed(source, tmp_path / "small", "int8")
    assert small["coverage"]["int8"] == small["coverage"]["linear"] == whole["coverage"]["linear"] > 0
    bytes_of = {
        name: weights_of(tmp_path / name, read_settings(tmp_path / name)) for name in ("source", "whole", "small")
    }
    assert bytes_of["small"]["bytes"] < 0.4 * bytes_of["source"]["bytes"]
    assert bytes_of["whole"]["parameters"] == pytest.approx(bytes_of["source"]["parameters"], rel=0.02)
    assert bytes_of["small"]["parameters"] == bytes_of["whole"]["parameters"]
    served = [open_model(tmp_path / name) for name in ("source", "small")]
    logits = [of_continuations(model.module, prompts(model), [[[9, 12]]] * 3) for model in served]
    assert np.abs(logits[0] - logits[1]).max() < 0.1 * np.abs(logits[0]).max()


def test_rules_of_an_encoder_decoder_are_kept(tmp_path):
    rules = {
        "min_length": 6, "no_repeat_ngram_size": 2, "forced_bos_token_id": 20, "forced_eos_token_id": 0,
        "bad_words_ids": [[33]], "suppress_tokens": [40, 41],
    }  # fmt: skip
    source = saved(tmp_path / "source", "bart", **rules)
    compressed(source, tmp_path / "ct2")
    models = [open_model(tmp_path / name) for name in ("source", "ct2")]
    decoding = DecodingSpec(max_new_tokens=9)
    ours, theirs = (generate(model.module, model.tokenizer, prompts(model), decoding) for model in models)
    assert ours == theirs and all(row[0] == 20 for row in ours)


@pytest.mark.parametrize("beams", [1, 2])
def test_rules_that_force_nothing_are_kept_by_beams_too(tmp_path, beams):
    source = saved(tmp_path / "source", "bart", min_length=6, no_repeat_ngram_size=2, bad_words_ids=[[33]])
    compressed(source, tmp_path / "ct2")
    models = [open_model(tmp_path / name) for name in ("source", "ct2")]
    decoding = DecodingSpec(max_new_tokens=9, num_beams=beams)
    ours, theirs = (generate(model.module, model.tokenizer, prompts(model), decoding) for model in models)
    assert ours == theirs


def test_an_empty_input_is_refused(tmp_path):
    source = saved(tmp_path / "source", "t5")
    compressed(source, tmp_path / "ct2")
    model = open_model(tmp_path / "ct2")
    end = model.tokenizer.eos_token_id
    with pytest.raises(HarnessError, match="reads no input that is empty"):
        generate(model.module, model.tokenizer, [[end]], DecodingSpec(max_new_tokens=3))
    with pytest.raises(HarnessError, match="reads no input that is empty"):
        of_continuations(model.module, [[end]], [[[9]]])


def test_a_marian_is_the_same_though_its_padding_is_left_out(tmp_path):
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

    words = ["</s>", "<unk>", *given.WORDS.split(), "<pad>"]
    backend = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, "<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    tokens = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>", unk_token="<unk>", pad_token="<pad>")
    pad = len(words) - 1
    torch.manual_seed(0)
    config = MarianConfig(
        vocab_size=len(words), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, init_std=0.4,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64, pad_token_id=pad,
        eos_token_id=0, decoder_start_token_id=pad, forced_eos_token_id=0, dropout=0.0, bos_token_id=None,
    )  # fmt: skip
    model = MarianMTModel(config).eval()
    model.generation_config.bad_words_ids = [[pad]]
    source = tmp_path / "source"
    model.save_pretrained(source)
    tokens.save_pretrained(source)
    write_settings(source, Settings(head="seq2seq-lm", max_length=64))
    compressed(source, tmp_path / "ct2")
    both = [open_model(source), open_model(tmp_path / "ct2")]
    decoding = DecodingSpec(max_new_tokens=7)
    ours, theirs = (
        generate(model.module, model.tokenizer, model.tokenizer(TEXTS)["input_ids"], decoding) for model in both
    )
    assert ours == theirs


def test_threads_are_as_many_as_asked_for(tmp_path, monkeypatch):
    import ctranslate2

    asked: list[dict[str, Any]] = []
    generator = ctranslate2.Generator

    def opened(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        return generator(*arguments, **options)

    source = saved(tmp_path / "source", "gpt2")
    compressed(source, tmp_path / "ct2")
    monkeypatch.setattr(ctranslate2, "Generator", opened)
    for threads in (1, 2):
        open_model(tmp_path / "ct2", threads)
    assert [(options["intra_threads"], options["inter_threads"]) for options in asked] == [(1, 1), (2, 1)]


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (Target("bert", "sequence-classification"), "ct2 serves models that write text, not the head sequence-"),
        (Target("mamba", "causal-lm"), "ct2 does not convert the architecture mamba; it converts bart"),
        (Target("gpt2", "sequence-classification"), "ct2 serves models that write text"),
    ],
)
def test_what_is_not_served_is_refused_before_any_work(target, reason):
    assert reason in str(Ct2(Ct2.Options()).not_applicable(target))
    assert all(Ct2(Ct2.Options()).not_applicable(Target(kind, "causal-lm")) is None for kind in SERVED)


def test_types_this_cpu_lacks_are_refused(tmp_path):
    import ctranslate2

    kinds = ctranslate2.get_supported_compute_types("cpu")
    lacking = [kind for kind in ("float16", "bfloat16", "int16") if kind not in kinds]
    if not lacking:
        pytest.skip("this CPU computes in all types")
    with pytest.raises(HarnessError, match=f"ct2:{lacking[0]}: this CPU computes in "):
        compressed(saved(tmp_path / "source", "gpt2"), tmp_path / "ct2", lacking[0])


def test_rules_that_are_decoded_otherwise_are_refused(tmp_path):
    with pytest.raises(HarnessError, match="its generation_config has repetition_penalty"):
        compressed(saved(tmp_path / "source", "gpt2", repetition_penalty=1.3), tmp_path / "ct2")


def test_a_conversion_that_changes_the_model_is_refused(tmp_path, monkeypatch):
    from ctranslate2.converters import transformers as converters

    source = saved(tmp_path / "source", "gpt2")
    loader = type(converters._MODEL_LOADERS["GPT2Config"])
    made = loader.set_decoder if hasattr(loader, "set_decoder") else None
    assert made is not None

    def changed(self: Any, spec: Any, module: Any) -> None:
        module.ln_f.weight.data.mul_(1.1)
        made(self, spec, module)

    monkeypatch.setattr(loader, "set_decoder", changed)
    with pytest.raises(HarnessError, match="gives other logits than in torch"):
        compressed(source, tmp_path / "ct2")


@pytest.mark.parametrize("damage", ["cut", "nonsense", "gone", "vocabulary"])
def test_a_damaged_folder_is_told_in_a_line(tmp_path, damage):
    compressed(saved(tmp_path / "source", "gpt2"), tmp_path / "ct2")
    file = tmp_path / "ct2" / "model.bin"
    whole = file.read_bytes()
    if damage == "gone":
        file.unlink()
    elif damage == "vocabulary":
        (tmp_path / "ct2" / "vocabulary.json").write_text("[")
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"\x06\0\0\0" + b"\xff" * 200)
    with pytest.raises(HarnessError) as raised:
        open_model(tmp_path / "ct2")
    assert "\n" not in str(raised.value)
    if damage in ("cut", "nonsense"):
        with pytest.raises(HarnessError, match="damaged: not a whole CTranslate2 model"):
            weights_of(tmp_path / "ct2", read_settings(tmp_path / "ct2"))


def test_the_folder_is_one_of_ctranslate2_as_well(tmp_path):
    import ctranslate2

    compressed(saved(tmp_path / "source", "gpt2"), tmp_path / "ct2")
    model = ctranslate2.Generator(str(tmp_path / "ct2"))
    tokens = json.loads((tmp_path / "ct2" / "vocabulary.json").read_text())
    assert (
        len(model.generate_batch([[tokens[20]]], max_length=4, include_prompt_in_result=False)[0].sequences_ids[0]) <= 4
    )
