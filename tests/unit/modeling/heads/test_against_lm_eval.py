"""Without training: what lm-evaluation-harness finds for the same checkpoint, prompts, examples and texts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import metrics
from harness.core.predictions import Predictions, as_references
from harness.core.specs import TaskSpec
from harness.training.learners import LEARNERS, PredictRequest
from tests.unit.modeling.heads.given import TEXTS, model, split, task, tokenizer

pytest.importorskip("lm_eval", reason="lm_eval is not installed: pip install nlp-harness[lm-eval]")

PROMPT = "Is the sentiment of this sentence negative or positive?\nSentence: {text}\nAnswer:"
VERBALIZERS = {"neg": "negative", "pos": "positive", "mixed": "a stone house"}
LABELS = tuple(VERBALIZERS)
SENTENCES = [f"{one} {other}" for one in (*TEXTS[:2], *TEXTS[4:]) for other in TEXTS[:4]]
TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt2")
    model("AutoModelForCausalLM", "gpt2", "bytebpe").save_pretrained(folder)
    tokenizer("bytebpe").save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def theirs(checkpoint: Path) -> Any:
    from lm_eval.models.huggingface import HFLM

    # The tokenizer of the checkpoint puts its special token after a text, where it would count as part of the answer.
    return HFLM(str(checkpoint), device="cpu", dtype="float32", batch_size=4, add_bos_token=False)


def predicted(checkpoint: Path, of: TaskSpec, data: Any, shown: Any = None) -> Predictions:
    request = PredictRequest(of, LABELS if of.family == "classification" else (), data, checkpoint, 0, shown)
    return LEARNERS.get("transformer").predict(request)


def evaluated(theirs: Any, folder: Path, config: dict[str, Any], train: Any, dev: Any) -> dict[str, Any]:
    """Scores and samples, in the order of `dev`, of a task that reads both splits from files."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    files = {}
    for name, data in (("train", train), ("validation", dev)):
        labels = data.labels or [None] * len(data)
        rows = [{"text": text, "label": label} for text, label in zip(data.fields["text"], labels, strict=True)]
        files[name] = str(folder / f"{name}.json")
        Path(files[name]).write_text("\n".join(json.dumps(row) for row in rows))
    settings = {
        "task": "made_up",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        "training_split": "train",
        "validation_split": "validation",
        "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"},
    }
    done = lm_eval.simple_evaluate(
        theirs, tasks=[settings | config], bootstrap_iters=0, log_samples=True,
        task_manager=TaskManager(include_defaults=False),
    )  # fmt: skip
    samples = sorted(done["samples"]["made_up"], key=lambda sample: sample["doc_id"])
    return {"scores": done["results"]["made_up"], "samples": samples}


@pytest.mark.parametrize("shots", [0, 1, 3])
def test_ranked_words(checkpoint, theirs, tmp_path, shots):
    draw = np.random.default_rng(0)
    train = split({"text": SENTENCES[::-1]}, draw.integers(0, 3, len(SENTENCES)).tolist())
    dev = split({"text": SENTENCES}, draw.integers(0, 3, len(SENTENCES)).tolist())
    shown = train.draw(shots, seed=5)
    of = task("classification", prompt=PROMPT, labels=list(LABELS), verbalizers=VERBALIZERS, shots=shots)
    ours = predicted(checkpoint, of, dev, shown)
    config = {
        "output_type": "multiple_choice",
        "doc_to_text": re.sub(r"{(\w+)}", r"{{\1}}", PROMPT),
        "doc_to_choice": list(VERBALIZERS.values()),
        "doc_to_target": "label",
        "num_fewshot": shots,
        "metric_list": [{"metric": "acc"}],
    }
    found = evaluated(theirs, tmp_path, config, shown if shots else train, dev)
    likelihoods = [[choice[0][0] for choice in sample["resps"]] for sample in found["samples"]]
    np.testing.assert_allclose(ours.columns["logits"], likelihoods, atol=TOLERANCE)
    assert metrics.get("accuracy").score(ours.values, np.asarray(dev.labels)) == found["scores"]["acc,none"]
    assert (ours.settings["prompts_cut"] > 0) == (shots == 3), "three examples are more than the model can read"


def test_prompts_that_end_with_white_space(checkpoint, theirs):
    from lm_eval.api.instance import Instance

    texts = split({"text": SENTENCES[:4]})
    for end in (" ", "\n", ""):
        of = task("classification", prompt="{text}" + end, labels=list(LABELS), verbalizers=VERBALIZERS, shots=0)
        requests = [
            Instance("loglikelihood", {}, (text + end, f" {word}"), 0)
            for text in texts.fields["text"] for word in VERBALIZERS.values()
        ]  # fmt: skip
        expected = np.reshape([value for value, _ in theirs.loglikelihood(requests)], (4, 3))
        np.testing.assert_allclose(predicted(checkpoint, of, texts).columns["logits"], expected, atol=TOLERANCE)


def test_an_empty_prompt(checkpoint, theirs):
    from lm_eval.api.instance import Instance

    of = task("classification", prompt="{text}", labels=list(LABELS), verbalizers=VERBALIZERS, shots=0)
    requests = [Instance("loglikelihood", {}, ("", f" {word}"), 0) for word in VERBALIZERS.values()]
    expected = [[value for value, _ in theirs.loglikelihood(requests)]]
    ours = predicted(checkpoint, of, split({"text": [""]}))
    np.testing.assert_allclose(ours.columns["logits"], expected, atol=TOLERANCE)


def test_a_tokenizer_that_begins_texts_with_its_own_token(checkpoint, tmp_path):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from tokenizers import processors
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(checkpoint)
    start = (tokens.bos_token, tokens.bos_token_id)
    tokens.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start[0]} $A", special_tokens=[start]
    )
    AutoModelForCausalLM.from_pretrained(checkpoint).save_pretrained(tmp_path)
    tokens.save_pretrained(tmp_path)
    theirs = HFLM(str(tmp_path), device="cpu", dtype="float32", batch_size=4, add_bos_token=True)
    texts = split({"text": SENTENCES[:4]})
    of = task("classification", prompt=PROMPT, labels=list(LABELS), verbalizers=VERBALIZERS, shots=0)
    requests = [
        Instance("loglikelihood", {}, (PROMPT.format(text=text), f" {word}"), 0)
        for text in texts.fields["text"] for word in VERBALIZERS.values()
    ]  # fmt: skip
    expected = np.reshape([value for value, _ in theirs.loglikelihood(requests)], (4, 3))
    ours = predicted(tmp_path, of, texts).columns["logits"]
    np.testing.assert_allclose(ours, expected, atol=TOLERANCE)
    without = predicted(checkpoint, of, texts).columns["logits"]
    assert abs(ours - without).max() > 0.1, "the token must make a difference"


def test_perplexities(checkpoint, theirs, tmp_path):
    texts = split({"text": [*TEXTS, " ".join(TEXTS) * 4, "one"]})
    names = ["word_perplexity", "byte_perplexity", "bits_per_byte"]
    of = task("language-modeling", metrics=names, shots=0)
    ours = predicted(checkpoint, of, texts)
    assert max(ours.columns["tokens"]) > 2 * 256, "a text must take several windows"
    config = {
        "output_type": "loglikelihood_rolling",
        "doc_to_text": "",
        "doc_to_target": lambda doc: doc["text"],
        "metric_list": [{"metric": name} for name in names],
    }
    found = evaluated(theirs, tmp_path, config, texts, texts)
    likelihoods = [sample["resps"][0][0] for sample in found["samples"]]
    np.testing.assert_allclose(ours.values, likelihoods, atol=TOLERANCE)
    references = as_references([(text,) for text in texts.fields["text"]])
    for name in names:
        value = metrics.get(name).score(ours.values, references)
        assert value == pytest.approx(found["scores"][f"{name},none"], rel=1e-5)


@pytest.mark.parametrize("shots", [0, 2])
def test_what_is_written_until_an_empty_line(checkpoint, theirs, shots):
    from lm_eval.api.instance import Instance

    data = split({"text": SENTENCES[:9]}, [("a bird",)] * 9)
    of = task("summarization", prompt="{text}\nSummary:", shots=shots, decoding={"max_new_tokens": 24})
    shown = data.draw(shots, seed=0)
    ours = predicted(checkpoint, of, data, shown)
    before = "".join(f"{text}\nSummary: a bird\n\n" for text in shown.fields["text"])
    settings = {"until": ["\n\n"], "max_gen_toks": 24, "do_sample": False}
    requests = [Instance("generate_until", {}, (f"{before}{text}\nSummary:", settings), 0) for text in SENTENCES[:9]]
    expected = [text.strip() for text in theirs.generate_until(requests)]
    assert ours.values.tolist() == expected
    assert len(set(expected)) > 1


def test_words_ranked_by_an_encoder_decoder(tmp_path):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    model("AutoModelForSeq2SeqLM", "t5", "unigram", initializer_factor=1.0).save_pretrained(tmp_path)
    tokenizer("unigram").save_pretrained(tmp_path)
    theirs = HFLM(str(tmp_path), device="cpu", dtype="float32", batch_size=4)
    texts = split({"text": SENTENCES[:5]})
    of = task("classification", prompt=PROMPT, labels=list(LABELS), verbalizers=VERBALIZERS, shots=0)
    requests = [
        Instance("loglikelihood", {}, (PROMPT.format(text=text), f" {word}"), 0)
        for text in texts.fields["text"] for word in VERBALIZERS.values()
    ]  # fmt: skip
    expected = np.reshape([value for value, _ in theirs.loglikelihood(requests)], (5, 3))
    np.testing.assert_allclose(predicted(tmp_path, of, texts).columns["logits"], expected, atol=TOLERANCE)
