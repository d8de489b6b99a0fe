"""`harness evaluate` of models that others saved: classifiers, question answerers, models that write, sentence encoders,
and ONNX files.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.registry import load_registry
from tests.unit.modeling.heads import given

pytest.importorskip("onnxruntime")
SST2 = ("--task", "sst2", "--limit", "24")
MAP = ("--label-map", "LABEL_0=negative", "--label-map", "LABEL_1=positive")


def saved(folder: Path, auto_class: str, model_type: str, kind: str, **settings: Any) -> Path:
    """A small model with random weights as `transformers` alone saves it."""
    given.model(auto_class, model_type, kind, **settings).save_pretrained(folder)
    given.tokenizer(kind).save_pretrained(folder)
    return folder


def scored(harness, *arguments: str) -> dict[str, Any]:
    (score,) = json.loads(harness("evaluate", *arguments, "--json").stdout)["scores"]
    return score


def predicted(tmp_path: Path, score: dict[str, Any]) -> list[Any]:
    import pyarrow.parquet as pq

    file = tmp_path / "results" / "cells" / score["cell"][:2] / score["cell"] / "predictions.parquet"
    return pq.read_table(file).column("prediction").to_pylist()


def texts(task: str, limit: int) -> Any:
    from harness import data

    return data.load(load_registry().task(task), "synthetic", limit, ["dev"]).splits["dev"]


def by_hand(folder: Path, auto_class: str, *columns: Any) -> Any:
    """Logits of each example on its own, as plain `transformers` gives them."""
    import torch
    import transformers

    model = getattr(transformers, auto_class).from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    limit = min(512, model.config.max_position_embeddings)
    with torch.no_grad():
        rows = [
            tokenizer(*row, return_tensors="pt", truncation=True, max_length=limit)
            for row in zip(*columns, strict=True)
        ]
        return np.stack([model(**row).logits[0].numpy() for row in rows])


@pytest.mark.parametrize(("model_type", "kind"), [("bert", "wordpiece"), ("gpt2", "bytebpe")])
def test_a_classifier_of_anybody_needs_a_map_where_it_names_no_classes(harness, tmp_path, model_type, kind):
    folder = saved(tmp_path / "theirs", "AutoModelForSequenceClassification", model_type, kind, num_labels=2)
    refusal = harness("evaluate", "theirs", *SST2, code=2).stderr
    assert "LABEL_0, LABEL_1, which does not say which is which" in refusal and "--label-map LABEL_0=" in refusal
    score = scored(harness, "theirs", *SST2, *MAP)
    logits = by_hand(folder, "AutoModelForSequenceClassification", texts("sst2", 24).fields["text"])
    assert predicted(tmp_path, score) == logits.argmax(1).tolist()
    swapped = scored(harness, "theirs", *SST2, "--label-map", "LABEL_0=positive", "--label-map", "LABEL_1=negative")
    assert predicted(tmp_path, swapped) == (1 - logits.argmax(1)).tolist()
    (tmp_path / "map.yaml").write_text("LABEL_0: negative\nLABEL_1: positive\n")
    assert "1 cached" in harness("evaluate", "theirs", *SST2, "--label-map", "map.yaml").stderr


@pytest.mark.parametrize(("model_type", "kind"), [("bert", "wordpiece"), ("bart", "bytebpe")])
def test_a_model_of_three_classes_answers_a_task_of_two_by_a_map(harness, tmp_path, model_type, kind):
    names = {0: "entailment", 1: "neutral", 2: "contradiction"}
    saved(
        tmp_path / "nli", "AutoModelForSequenceClassification", model_type, kind,
        num_labels=3, id2label=names, label2id={name: index for index, name in names.items()},
    )  # fmt: skip
    asked = ("nli", "--task", "rte", "--limit", "20")
    assert "entailment, neutral, contradiction" in harness("evaluate", *asked, code=2).stderr
    score = scored(
        harness, *asked, "--label-map", "neutral=not_entailment", "--label-map", "contradiction=not_entailment"
    )
    assert set(predicted(tmp_path, score)) <= {0, 1} and score["n"] == 20


@pytest.mark.parametrize(
    ("given_map", "message"),
    [
        (("--label-map", "LABEL_0=negativ"), "no task of the run has a class 'negativ'. Did you mean 'negative'?"),
        (("--label-map", "LABLE_0=negative", *MAP), "no model of the run has a class LABLE_0"),
        (("--label-map", "LABEL_0=negative", "--label-map", "LABEL_0=positive"), "given twice"),
        (("--label-map", "LABEL_0="), "is no MODEL_LABEL=TASK_LABEL"),
        (("--label-map", "nowhere.yaml"), "cannot read nowhere.yaml"),
    ],
)
def test_a_map_that_says_nothing_is_refused(harness, tmp_path, given_map, message):
    saved(tmp_path / "theirs", "AutoModelForSequenceClassification", "bert", "wordpiece", num_labels=2)
    assert message in harness("evaluate", "theirs", *SST2, *given_map, code=2).stderr


def test_a_map_is_of_finished_models(harness):
    assert "goes with finished models" in harness("run", *SST2, "--model", "tfidf", *MAP, code=2).stderr


def test_a_regressor_gives_numbers_and_a_classifier_does_not(harness, tmp_path):
    folder = saved(tmp_path / "numbers", "AutoModelForSequenceClassification", "bert", "wordpiece", num_labels=1)
    asked = ("--task", "stsb", "--limit", "20")
    split = texts("stsb", 20)
    by_them = by_hand(folder, "AutoModelForSequenceClassification", split.fields["text"], split.fields["text_pair"])
    assert predicted(tmp_path, scored(harness, "numbers", *asked)) == pytest.approx(by_them[:, 0].tolist(), abs=1e-4)
    saved(tmp_path / "classes", "AutoModelForSequenceClassification", "bert", "wordpiece", num_labels=3)
    assert "asks for one number" in harness("evaluate", "classes", *asked, code=2).stderr


@pytest.mark.slow
def test_a_question_answerer_of_anybody_and_its_int8_are_scored(harness, tmp_path):
    saved(tmp_path / "qa", "AutoModelForQuestionAnswering", "bert", "wordpiece")
    asked = ("--task", "squad", "--limit", "8")
    whole = scored(harness, "qa", *asked)
    context = texts("squad", 8).fields["context"]
    assert all(answer in text for answer, text in zip(predicted(tmp_path, whole), context, strict=True))
    harness("compress", "qa", "--method", "onnx", "-o", "qa-onnx")
    graph = scored(harness, "qa-onnx", *asked)
    assert graph["runtime"] == "onnxruntime" and predicted(tmp_path, graph) == predicted(tmp_path, whole)
    harness("compress", "qa", "--method", "int8", "-o", "qa-int8")
    assert scored(harness, "qa-int8", *asked)["n"] == 8


@pytest.mark.slow
def test_a_model_that_writes_is_scored_and_its_graphs(harness, tmp_path):
    saved(tmp_path / "t5", "AutoModelForSeq2SeqLM", "t5", "unigram", initializer_factor=1.0)
    asked = ("--task", "dialogsum", "--limit", "3")
    whole = scored(harness, "t5", *asked)
    harness("compress", "t5", "--method", "onnx", "-o", "t5-onnx")
    assert predicted(tmp_path, scored(harness, "t5-onnx", *asked)) == predicted(tmp_path, whole)


@pytest.mark.slow
def test_a_gpt_of_anybody_is_scored_on_texts_and_shown_examples(harness, tmp_path):
    saved(tmp_path / "gpt", "AutoModelForCausalLM", "gpt2", "bytebpe")
    assert scored(harness, "gpt", "--task", "wikitext", "--limit", "3")["scores"]["bits_per_byte"]["value"] > 0
    shown = scored(harness, "gpt", "--task", "sst2@2-shot", "--limit", "6")
    run = json.loads(harness("run", "--model", "./gpt", "--task", "sst2@2-shot", "--limit", "6", "--json").stdout)
    assert predicted(tmp_path, shown) == predicted(tmp_path, run["scores"][0])
    assert "its head is causal-lm" in harness("evaluate", "gpt", "--task", "sst2", "--limit", "6", code=2).stderr
    for method in ("onnx", "int8-torch"):
        harness("compress", "gpt", "--method", method, "-o", method)
        score = scored(harness, method, "--task", "sst2@2-shot", "--limit", "6")
        assert score["runtime"] == {"onnx": "onnxruntime", "int8-torch": "torch-int8"}[method]
        if method == "onnx":
            assert predicted(tmp_path, score) == predicted(tmp_path, shown)


def sentence_encoder(folder: Path, **pooling: Any) -> Path:
    saved(folder, "AutoModel", "bert", "wordpiece")
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, **pooling}))
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [{"path": path, "type": f"sentence_transformers.models.{kind}"} for path, kind in kinds.items()]
    (folder / "modules.json").write_text(json.dumps(modules))
    return folder


def cosines(folder: Path, split: Any, pool: Any) -> list[float]:
    import torch
    import transformers

    model = transformers.AutoModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    def vector(text: str) -> Any:
        with torch.no_grad():
            return pool(model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0])

    pairs = zip(split.fields["text"], split.fields["text_pair"], strict=True)
    return [float(torch.cosine_similarity(vector(first), vector(second), dim=0)) for first, second in pairs]


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ({"pooling_mode_mean_tokens": True}, lambda tokens: tokens.mean(0)),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, lambda tokens: tokens[0]),
        ({"pooling_mode_max_tokens": True}, lambda tokens: tokens.amax(0)),
        ({"pooling_mode": "lasttoken"}, lambda tokens: tokens[-1]),
    ],
)
def test_a_sentence_encoder_is_scored_by_the_cosine_of_its_vectors(harness, tmp_path, pooling, pool):
    folder = sentence_encoder(tmp_path / "encoder", **pooling)
    score = scored(harness, "encoder", "--task", "stsb", "--limit", "12")
    assert predicted(tmp_path, score) == pytest.approx(cosines(folder, texts("stsb", 12), pool), abs=1e-5)
    assert score["decoding"]["similarity"] == "cosine"


def test_what_a_sentence_encoder_does_beside_is_not_passed_over(harness, tmp_path):
    folder = sentence_encoder(tmp_path / "encoder", pooling_mode_mean_tokens=True)
    asked = ("evaluate", "encoder", "--task", "stsb", "--limit", "6")
    modules = json.loads((folder / "modules.json").read_text())
    for module, message in (
        ({"path": "3_CNN", "type": "x.CNN"}, "modules.json has a CNN, which is not read"),
        ({"path": "../3_Dense", "type": "x.Dense"}, "has a Dense outside the folder"),
        ({"path": "3_Dense", "type": "x.Dense"}, "3_Dense/config.json: No such file"),
    ):
        (folder / "modules.json").write_text(json.dumps([*modules, module]))
        assert message in harness(*asked, code=2).stderr
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode": "median"}')
    assert "pooling median; known: cls, mean" in harness(*asked, code=2).stderr
    (folder / "1_Pooling" / "config.json").write_text('["mean"]')
    assert "expected an object" in harness(*asked, code=2).stderr
    (folder / "modules.json").unlink()  # then it is the mean, as sentence-transformers does
    assert scored(harness, "encoder", "--task", "stsb", "--limit", "6")["decoding"]["pooling"] == ["mean"]
    assert "needs sequence-classification" in harness("evaluate", "encoder", *SST2, code=2).stderr


def by_sentence_transformers(folder: Path, split: Any) -> list[float]:
    import torch
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    first, second = (model.encode(list(split.fields[name]), convert_to_tensor=True) for name in ("text", "text_pair"))
    return torch.cosine_similarity(first.double(), second.double()).tolist()


def sentence_transformer(base: Path, folder: Path, *after: Any) -> Path:
    """What sentence-transformers itself saves: an encoder, its mean, and these modules."""
    from sentence_transformers import SentenceTransformer, models

    encoder = models.Transformer(str(base))
    SentenceTransformer(modules=[encoder, models.Pooling(32, "mean"), *after]).save_pretrained(str(folder))
    return folder


def dense(size: int, activation: str, **more: Any) -> Any:
    import torch
    from sentence_transformers import models

    return models.Dense(32, size, activation_function=getattr(torch.nn, activation)(), **more)


@pytest.mark.parametrize("model_type", ["bert", "t5"])
@pytest.mark.parametrize("layers", ["dense", "residual", "between", "normalized"])
def test_layers_after_pooling_are_those_of_sentence_transformers(harness, tmp_path, model_type, layers):
    pytest.importorskip("sentence_transformers")
    import torch
    from sentence_transformers import models

    torch.manual_seed(0)
    if model_type == "t5":
        encoder = given.model("AutoModelForTextEncoding", "t5", "unigram")
        encoder.save_pretrained(tmp_path / "base")
        given.tokenizer("unigram").save_pretrained(tmp_path / "base")
    else:
        saved(tmp_path / "base", "AutoModel", "bert", "wordpiece")
    after = {
        "dense": lambda: [dense(24, "Identity", bias=False), models.Normalize()],
        "residual": lambda: [dense(16, "GELU", use_residual=True)],
        "between": lambda: [models.Normalize(), dense(32, "Tanh"), models.LayerNorm(32), models.Dropout(0.5)],
        "normalized": lambda: [models.Normalize()],
    }[layers]()
    folder = sentence_transformer(tmp_path / "base", tmp_path / "encoder", *after)
    score = scored(harness, "encoder", "--task", "stsb", "--limit", "12")
    theirs = by_sentence_transformers(folder, texts("stsb", 12))
    assert predicted(tmp_path, score) == pytest.approx(theirs, abs=1e-5)
    assert ("layers" in score["decoding"]) == (layers != "normalized")
    if layers == "dense":
        refusal = harness("compress", "encoder", "--method", "int8-weight", "-o", "small", code=2).stderr
        assert "layers after its pooling is not compressed" in refusal and not (tmp_path / "small").exists()
        weights = tmp_path / "encoder" / "2_Dense" / "model.safetensors"
        changed = bytearray(weights.read_bytes())
        changed[-1] ^= 0x55
        weights.write_bytes(changed)
        assert "1 cached" not in harness("evaluate", "encoder", "--task", "stsb", "--limit", "12").stderr
        weights.write_bytes(b"nothing")
        assert "cannot read" in harness("evaluate", "encoder", "--task", "stsb", "--limit", "12", code=2).stderr
        weights.rename(weights.with_name("pytorch_model.bin"))
        refusal = harness("evaluate", "encoder", "--task", "stsb", "--limit", "12", code=2).stderr
        assert "2_Dense holds a pickle" in refusal


def test_what_a_dense_module_computes_by_is_one_of_a_list(harness, tmp_path):
    pytest.importorskip("sentence_transformers")
    saved(tmp_path / "base", "AutoModel", "bert", "wordpiece")
    folder = sentence_transformer(tmp_path / "base", tmp_path / "encoder", dense(8, "Tanh"))
    file = folder / "2_Dense" / "config.json"
    values = json.loads(file.read_text())
    for change, message in (
        ({"activation_function": "os.system"}, "activation_function os.system; known: Identity, Tanh"),
        ({"activation_function": "torch.nn.modules.module.Module"}, "activation_function torch.nn.modules.module"),
        ({"activation_function": None}, "activation_function None"),
        ({"module_input_name": "token_embeddings"}, "a layer that is not of the text's vector"),
    ):
        file.write_text(json.dumps(values | change))
        assert message in harness("evaluate", "encoder", "--task", "stsb", "--limit", "6", code=2).stderr


def test_a_sentence_encoder_reads_as_many_tokens_as_its_tokenizer_says(harness, tmp_path):
    pytest.importorskip("sentence_transformers")
    base = saved(tmp_path / "base", "AutoModel", "bert", "wordpiece")
    given_tokenizer = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps({**given_tokenizer, "model_max_length": 8}))
    folder = sentence_transformer(base, tmp_path / "encoder")
    score = scored(harness, "encoder", "--task", "stsb", "--limit", "12")
    theirs = by_sentence_transformers(folder, texts("stsb", 12))
    assert predicted(tmp_path, score) == pytest.approx(theirs, abs=1e-5)


def exported(harness, folder: Path, to: Path) -> Path:
    """A plain graph with its tokenizer beside it: what an exporter leaves, without our settings."""
    harness("compress", folder.name, "--method", "onnx", "-o", to.name)
    (to / "harness.json").unlink()
    (to / "compression.json").unlink()
    return to


def test_an_onnx_file_with_its_tokenizer_is_scored(harness, tmp_path):
    folder = saved(tmp_path / "theirs", "AutoModelForSequenceClassification", "bert", "wordpiece", num_labels=2)
    graph = exported(harness, folder, tmp_path / "graph")
    expected = predicted(tmp_path, scored(harness, "theirs", *SST2, *MAP))
    for named in ("graph", "graph/model.onnx"):
        score = scored(harness, named, *SST2, *MAP)
        assert predicted(tmp_path, score) == expected and score["runtime"] == "onnxruntime"
    (graph / "onnx").mkdir()
    shutil.move(graph / "model.onnx", graph / "onnx" / "model_quantized.onnx")
    assert predicted(tmp_path, scored(harness, "graph/onnx/model_quantized.onnx", *SST2, *MAP)) == expected
    (graph / "config.json").unlink()  # the outputs alone tell what it does
    assert predicted(tmp_path, scored(harness, "graph", *SST2, *MAP)) == expected
    shutil.copy(graph / "onnx" / "model_quantized.onnx", graph / "onnx" / "model.onnx")
    assert (
        "several graphs, onnx/model.onnx, onnx/model_quantized.onnx"
        in harness("evaluate", "graph", *SST2, code=2).stderr
    )


def test_a_graph_that_cannot_be_scored_is_refused_in_one_line(harness, tmp_path):
    graph = tmp_path / "broken"
    graph.mkdir()
    (graph / "model.onnx").write_bytes(b"no graph")
    given.tokenizer("wordpiece").save_pretrained(graph)
    assert "no ONNX graph" in harness("evaluate", "broken/model.onnx", *SST2, *MAP, code=2).stderr
    assert (
        "an ONNX graph is scored by `harness evaluate`"
        in harness("run", "--model", "broken/model.onnx", *SST2, code=2).stderr
    )
