"""Finished models of images and sounds: asked, evaluated, compressed and refused on the command line."""

import json
from collections import Counter

import numpy as np
import pytest

import harness as package
from tests.item_models import DIGITS, save_image, save_item, save_item_model, save_sound

pytest.importorskip("PIL", reason="Pillow is not installed")
pytest.importorskip("soundfile", reason="soundfile is not installed")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("item-models")
    return {kind: save_item_model(folder / kind, kind) for kind in ("clip", "siglip", "clap", "vit", "ast")}


@pytest.mark.parametrize("kind", ["clip", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("siglip", "clap"))])
def test_two_towers_of_transformers_tell_files_apart_by_labels(harness, models, tmp_path, kind):
    files = [save_item(tmp_path, kind, number) for number in range(2)]
    answers = json.loads(
        harness("predict", models[kind], *files, "--labels", "cat,dog", "--logits", "--json", code=0).stdout
    )
    assert [answer["file"] for answer in answers] == [str(file) for file in files]
    (answer, _) = answers
    assert {choice["label"] for choice in answer["top"]} == {"cat", "dog"}
    assert sum(choice["probability"] for choice in answer["top"]) == pytest.approx(1)
    assert answer["logits"] == pytest.approx(theirs(models[kind], kind, files[0]), abs=1e-3)


def theirs(folder, kind, file):
    """The logits of `transformers` alone."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from harness.core.items import item_of_file
    from harness.modeling.processors import prepared, processor_in

    processor, modality = processor_in(folder), "audio" if kind == "clap" else "image"
    template = "This is a sound of {}." if kind == "clap" else "a photo of a {}."
    inputs = processor.inputs(torch.from_numpy(prepared([item_of_file(file)], modality, processor)))
    padding = {"padding": "max_length", "max_length": 18} if kind == "siglip" else {"padding": True}
    texts = AutoTokenizer.from_pretrained(folder)(
        [template.format(name) for name in ("cat", "dog")], return_tensors="pt", **padding
    )
    read = {"input_ids": texts["input_ids"]} | ({} if kind == "siglip" else {"attention_mask": texts["attention_mask"]})
    model = AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        output = model(**inputs, **read)
    logits = output.logits_per_audio if kind == "clap" else output.logits_per_image
    return (logits - (model.logit_bias if kind == "siglip" else 0))[0].tolist()


@pytest.mark.parametrize("kind", ["vit", pytest.param("ast", marks=pytest.mark.slow)])
def test_classifiers_of_items_name_their_classes(harness, models, tmp_path, kind):
    printed = harness("predict", models[kind], save_item(tmp_path, kind), "--top-k", "1", code=0).stdout
    assert ("image-classification" if kind == "vit" else "audio-classification") in printed
    assert any(name in printed for name in (*DIGITS, "rain", "wind"))


def test_items_are_asked_from_python(models, tmp_path):
    towers = package.load(models["clip"])
    assert towers.kind == "zero-shot-image-classification"
    (answer,) = towers.predict([save_image(tmp_path / "0.png")], captions=["a photo of a cat", "a photo of a dog"])
    assert answer["top"][0]["label"].startswith("a photo of a")
    classifier = package.load(models["ast"])
    assert len(classifier.predict([save_sound(tmp_path / "0.wav")])[0]["top"]) == 2


def test_what_cannot_be_asked_of_items_is_said_in_a_line(harness, models, tmp_path):
    image, sound = save_image(tmp_path / "0.png"), save_sound(tmp_path / "0.wav")
    wrong = [
        ((models["clip"], image), "give --labels a,b,c"),
        ((models["clip"], "--labels", "a,b"), "name files"),
        ((models["clip"], sound, "--labels", "a,b"), "no image, but a sound"),
        ((models["clip"], tmp_path / "none.png", "--labels", "a,b"), "no such file"),
        ((models["clip"], image, "--labels", "a,b", "--text", "c"), "one of the two"),
        ((models["clip"], image, "--labels", "a,b", "--template", "a photo"), "it has no {label}"),
        ((models["clip"], image, "--labels", "a, "), "empty"),
        ((models["vit"], image, "--labels", "a,b"), "classes of its own"),
        ((models["vit"], image, "--context", "a"), "name files"),
    ]
    for arguments, message in wrong:
        answer = harness("predict", *arguments, code=2)
        assert message in answer.stderr and answer.stderr.count("\n") == 1, arguments


def test_a_folder_is_scored_without_training_by_its_towers_and_as_it_is_by_its_classes(harness, models, tmp_path):
    kinds = ["--model", models["clip"], "--model", models["siglip"], "--model", models["vit"]]
    harness("run", "--no-train", *kinds, "--task", "digits", "--task", "digits@0-shot", "--limit", "40", code=0)
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").rglob("record.json")]
    scored = Counter(record["task"]["name"] for record in records if record["kind"] == "score")
    assert scored == {"digits@0-shot": 2, "digits": 1}


@pytest.mark.slow
def test_towers_compressed_in_a_run_are_scored_in_their_runtime(harness, models, tmp_path):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    methods = ["--compress", "onnx", "--compress", "int8"]
    asked = ["--model", models["clip"], "--task", "digits@0-shot", "--limit", "60"]
    harness("run", "--no-train", *asked, *methods, code=0)
    records = [json.loads(path.read_text()) for path in (tmp_path / "results").rglob("record.json")]
    scored = [record for record in records if record["kind"] == "score"]
    hashes = {record["runtime"]: set() for record in scored}
    for record in scored:
        hashes[record["runtime"]].add(record["predictions"]["sha256"])
    assert len(scored) == 3 and hashes.keys() == {"onnxruntime", None}
    assert hashes[None] <= hashes["onnxruntime"], "float graphs say what torch says"


def test_towers_and_classifiers_say_how_a_task_can_be_asked_of_them(harness, models):
    answer = harness("evaluate", models["clip"], "--task", "digits", code=2)
    assert "ask for digits@0-shot" in answer.stderr
    answer = harness("evaluate", models["vit"], "--task", "digits@0-shot", code=2)
    assert "ask for digits" in answer.stderr
    answer = harness("evaluate", models["ast"], "--task", "digits", code=2)
    assert "needs another architecture" in answer.stderr


SLOWER = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("siglip", "clap", "vit", "ast")]


@pytest.mark.parametrize("kind", ["clip", *SLOWER])
def test_a_compressed_model_of_items_answers_in_its_runtime(models, tmp_path, kind):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    files = [save_item(tmp_path, kind, number) for number in range(3)]
    asked = {} if kind in ("vit", "ast") else {"labels": ["cat", "dog", "rain"]}

    def probabilities(folder):
        answers = package.load(folder).predict(files, top_k=20, **asked)
        return np.array([[choice["probability"] for choice in by_id(answer["top"])] for answer in answers])

    wanted = probabilities(models[kind])
    for method, tolerance in (("onnx", 1e-5), ("int8", 0.06), ("int8-weight", 0.01), ("bf16", 0.03)):
        made = package.compress(models[kind], method, tmp_path / method)
        assert np.abs(probabilities(tmp_path / method) - wanted).max() < tolerance, method
        assert made.record["after"]["parameters"], method
    graphs = {path.name for path in (tmp_path / "int8").glob("*.onnx")}
    item = "audio.onnx" if kind == "clap" else "image.onnx"
    assert graphs == ({"text.onnx", item} if asked else {"model.onnx"})


def by_id(choices):
    return sorted(choices, key=lambda choice: choice["id"])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "clap"])
def test_vectors_of_the_towers_graphs_are_those_of_torch(models, tmp_path, kind):
    pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    import torch

    from harness.core.items import item_of_file
    from harness.modeling.inference import towers
    from harness.modeling.processors import prepared, processor_in
    from harness.modeling.runtimes import open_model

    package.compress(models[kind], "onnx", tmp_path / "onnx")
    processor = processor_in(tmp_path / "onnx")
    items = [item_of_file(save_item(tmp_path, kind, number)) for number in range(5)]
    inputs = processor.inputs(torch.from_numpy(prepared(items, processor.modality, processor)))
    texts = ["a photo of a cat", "rain", "this is a sound of one two four five"]
    vectors = []
    for folder in (models[kind], tmp_path / "onnx"):
        opened = open_model(folder)
        read = towers.token_ids(opened.tokenizer, texts, kind, 16)
        with torch.inference_mode():
            vectors.append(
                [
                    towers.item_vectors(opened.module, inputs),
                    towers.text_vectors(opened.module, **{"ids": read["input_ids"], "mask": read["attention_mask"]}),
                ]
            )
    for ours, graph in zip(*vectors, strict=True):
        assert torch.allclose(ours, graph, atol=1e-5)


@pytest.mark.parametrize("method", ["ct2", "openvino", "prune-magnitude:0.5", "int8:smooth=0.5"])
def test_methods_that_do_not_compress_items_say_so(harness, models, tmp_path, method):
    answer = harness("compress", models["clip"], "--method", method, "-o", tmp_path / "out", code=2)
    assert (
        "images and sounds" in answer.stderr or "smooth looks at texts" in answer.stderr or "examples" in answer.stderr
    )
    assert answer.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
