"""Runs of every family with an encoder, a decoder and an encoder–decoder; and of models that are shown examples."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import call_harness, read_json

pytestmark = pytest.mark.slow

MODELS = {
    "bert": {"model_type": "bert", "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 64, "max_position_embeddings": 128},
    "gpt": {"model_type": "gpt2", "n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 256},
    "t5": {"model_type": "t5", "d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 1, "num_decoder_layers": 1,
           "num_heads": 2},
}  # fmt: skip
TOKENIZERS = {
    "bert": {"kind": "wordpiece", "vocab_size": 300},
    "gpt": {"kind": "bytebpe", "vocab_size": 400},
    "t5": {"kind": "unigram", "vocab_size": 700},
}
OBJECTIVES = {"bert": "mlm", "gpt": "clm", "t5": "span-corruption"}

TASKS = ["sst2", "rte", "stsb", "squad", "entities", "dialogsum", "multi30k-en-fr", "wikitext", "story-generation"]
IMPOSSIBLE = {
    ("entities", "t5"): "an encoder-decoder has no head for token-classification",
    ("dialogsum", "bert"): "an encoder has no head for summarization",
    ("multi30k-en-fr", "bert"): "an encoder has no head for translation",
    ("wikitext", "bert"): "an encoder has no head for language-modeling",
    ("wikitext", "t5"): "an encoder-decoder has no head for language-modeling",
    ("story-generation", "bert"): "an encoder has no head for text-generation",
}


def recipe(folder: Path, name: str, model: str, **more: Any) -> list[str]:
    (folder / "mine").mkdir(exist_ok=True)
    values = {
        "name": name, "learner": "transformer", "config": MODELS[model], "tokenizer": TOKENIZERS[model],
        "training": {"epochs": 1, "batch_size": 16, "learning_rate": 1e-3, "max_length": 128},
    }  # fmt: skip
    (folder / "mine" / f"{name}.yaml").write_text(json.dumps(values | more))  # JSON is YAML
    return ["--model", name]


def pretrained(folder: Path, name: str, model: str) -> list[str]:
    pretraining = {
        "objective": OBJECTIVES[model], "sentences": 1000, "steps": 20, "block_size": 32, "batch_size": 16,
    }  # fmt: skip
    tokenizer = TOKENIZERS[model] | {"corpus": "pretraining"}
    return recipe(folder, name, model, tokenizer=tokenizer, pretraining=pretraining)


@pytest.fixture(scope="module")
def whole(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The command line in a folder with one finished run of every family, the command of the run, what it printed."""
    folder = tmp_path_factory.mktemp("families")
    call = partial(call_harness, folder, machine_cache)
    models = [flag for model in MODELS for flag in recipe(folder, model, model)]
    tasks = [flag for task in TASKS for flag in ("--task", task)]
    command = ["run", *tasks, *models, "--limit", "30", "--include", "mine"]
    return call, command, call(*command)


def test_every_model_does_the_families_it_can_and_is_named_where_it_cannot(whole):
    harness, _, done = whole
    for (task, model), reason in IMPOSSIBLE.items():
        assert f"not applicable: {model} on {task}: {reason}" in done.stderr.splitlines()
        assert f"  {model} on {task}: {reason}" in harness("show").stdout.splitlines()
    result = read_json(harness("show", "--json").stdout)
    assert {(one["task"], one["model"]): one["reason"] for one in result["not_applicable"]} == IMPOSSIBLE
    assert result["status"] == "done"
    possible = {(task, model) for task in TASKS for model in MODELS} - set(IMPOSSIBLE)
    assert {(score["task"]["name"], score["model"]["name"]) for score in result["scores"]} == possible
    assert {score["n"] for score in result["scores"]} == {30}


def test_what_a_model_cannot_do_is_blank_in_the_table(whole):
    harness, _, done = whole
    (table,) = read_json(harness("leaderboard", "--format", "json").stdout)["tables"]
    assert [column["task"] for column in table["columns"]] == TASKS
    for row in table["rows"]:
        lacking = {task for task, model in IMPOSSIBLE if model == row["label"]}
        assert {task for task in TASKS if row["scores"].get(task) is None} == lacking
    lines = [line for line in done.stdout.splitlines() if line.startswith("| bert")]
    assert [cell.strip() for cell in lines[0].split("|")][-5:] == ["–", "–", "–", "–", ""]


def test_every_metric_comes_out_the_same_from_the_stored_predictions(whole):
    harness, _, _ = whole
    rows = read_json(harness("score", "--json").stdout)
    assert all(row["same"] for row in rows)
    metrics = {row["metric"] for row in rows}
    assert {"accuracy", "pearson", "squad_f1", "rougeL", "bleu", "bits_per_byte", "distinct_2"} <= metrics


def test_a_second_run_computes_nothing_and_prints_the_same(whole):
    harness, command, done = whole
    again = harness(*command)
    last = again.stderr.splitlines()[-1]
    assert re.fullmatch(r"run \S+: 42 cells: 42 cached, in [\d.]+ s", last), last
    assert again.stdout == done.stdout


def test_pretrained_models_are_shown_examples_and_never_trained_on_the_task(harness, tmp_path):
    models = [flag for model in MODELS for flag in pretrained(tmp_path, f"{model}-pre", model)]
    models += recipe(tmp_path, "gpt-random", "gpt")
    tasks = ["sst2@0-shot", "sst2@2-shot", "squad@1-shot", "wikitext@0-shot", "wikitext@2-shot", "stsb@0-shot"]
    flags = [flag for task in tasks for flag in ("--task", task)]
    done = harness("run", *flags, *models, "--limit", "20", "--seeds", "2", "--include", "mine")
    result = read_json(harness("show", "--json").stdout)
    assert {cell["kind"] for cell in result["cells"]} == {"pretrain", "score", "contamination"}
    found = {(one["task"]["name"], one["model"]["name"], one["seed"]) for one in result["scores"]}
    shown = {
        (task, model, seed)
        for task, seeds in (("sst2@0-shot", (0,)), ("sst2@2-shot", (0, 1)), ("squad@1-shot", (0, 1)))
        for model in ("gpt-pre", "t5-pre") for seed in seeds
    }  # fmt: skip
    assert found == shown | {("wikitext@0-shot", "gpt-pre", 0)}
    why = {(one["task"], one["model"]): one["reason"] for one in result["not_applicable"]}
    assert why["sst2@2-shot", "bert-pre"] == "an encoder has no head for classification without being trained on it"
    assert why["sst2@0-shot", "gpt-random"] == "it has random weights, and is not trained on the task"
    assert why["wikitext@2-shot", "gpt-pre"] == "language-modeling asks nothing, so it has no examples to show"
    assert why["stsb@0-shot", "gpt-pre"] == "by examples alone a model ranks words, and has none for numbers"
    assert all(f"not applicable: {model} on {task}: {reason}" in done.stderr for (task, model), reason in why.items())
    scores = [one for one in result["scores"] if one["task"]["name"].startswith("sst2@")]
    assert all(one["lineage"]["finetune"] is None and one["lineage"]["pretrain"] for one in scores)
    assert all(bool(one["data"]["trained_on"]) == ("2-shot" in one["task"]["name"]) for one in scores)


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        (
            "question-answering",
            "an encoder does classification with the head sequence-classification, not question-answering",
        ),
        ("question-anwsering", "question-answering"),
    ],
)
def test_a_head_that_does_not_fit_is_refused_in_one_line(harness, tmp_path, head, complaint):
    misfit = recipe(tmp_path, "misfit", "bert", options={"head": head})
    done = harness("run", "--task", "cola", *misfit, "--limit", "20", "--include", "mine", code=2)
    assert complaint in done.stderr
    assert done.stderr.startswith("error: ") and len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("results/cells/*/*"))
