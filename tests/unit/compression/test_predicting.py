"""`harness predict` with compressed folders: in their own runtime, the same answers as scoring gets."""

from __future__ import annotations

import pytest

from harness.core.errors import HarnessError
from harness.modeling.predicting import predict
from harness.report.text.prediction_text import render

METHODS = ["int8", "int8-torch", "int8-weight", "bf16", "onnx", "prune-structured:0.5"]
RUNTIMES = {"int8": "onnxruntime", "onnx": "onnxruntime", "int8-torch": "torch-int8"}


@pytest.mark.parametrize("method", METHODS)
def test_classes_are_those_that_are_scored(trained, compressed, method):
    if RUNTIMES.get(method) == "onnxruntime":
        pytest.importorskip("onnxruntime")
    model = trained("bert")
    folder, said = compressed(model, method)
    texts = model.dev.fields["text"][:6]
    found = predict(folder, texts, with_logits=True)
    scored = model.predict(folder).columns["logits"][:6]
    assert [one["logits"] for one in found] == [pytest.approx(row.tolist(), abs=2e-2) for row in scored]
    assert {one["model"]["runtime"] for one in found} == {said["runtime"]}
    assert {one["model"]["parameters"] for one in found} == {said["after"]["parameters"]}
    first = render(found).splitlines()[0]
    assert first == f"BertForSequenceClassification, {said['after']['parameters']:,} parameters, in {said['runtime']}"


@pytest.mark.parametrize(
    "method",
    [*METHODS, "openvino"],
)
@pytest.mark.parametrize(("kind", "task"), [("t5", "dialogsum"), ("gpt2", "story-generation")])
def test_models_that_write_write_in_their_runtime(trained, compressed, kind, task, method):
    import torch

    from harness.modeling.runtimes import open_model

    for package in {"openvino": ["onnxruntime", "openvino"]}.get(method, [RUNTIMES.get(method, "torch")]):
        if package != "torch-int8":
            pytest.importorskip(package)
    folder, said = compressed(trained(kind, task, 12), method)
    (found,) = predict(folder, ["The farmer sold"], max_new_tokens=5, with_logits=True)
    assert found["model"]["runtime"] == said["runtime"]
    served = open_model(folder)
    ids = served.tokenizer("The farmer sold", add_special_tokens=kind == "t5", return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        if kind == "t5":
            output = served.module(input_ids=ids, decoder_input_ids=torch.tensor([[served.tokenizer.pad_token_id]]))
        else:
            output = served.module(input_ids=ids)
    assert found["logits"] == pytest.approx(output.logits[0, -1].tolist(), abs=1e-3)
    assert 1 <= len(found["tokens"]) <= 5


def test_the_command_takes_a_folder_that_holds_a_graph_alone(trained, compressed):
    pytest.importorskip("onnxruntime")
    from typer.testing import CliRunner

    from harness.cli.app import app

    folder, _ = compressed(trained("bert"), "onnx")
    assert not list(folder.glob("*.safetensors"))
    done = CliRunner().invoke(app, ["predict", str(folder), "--text", "it was a superb film today"])
    assert done.exit_code == 0, done.output
    assert "in onnxruntime" in done.output and "good" in done.output


def test_a_graph_without_classes_is_refused(trained, compressed):
    pytest.importorskip("onnxruntime")
    folder, _ = compressed(trained("bert", "squad", 40), "onnx")
    with pytest.raises(HarnessError, match="BertForQuestionAnswering, has no language-model head"):
        predict(folder, ["Who sold the bread?"])


def test_a_damaged_folder_is_one_line(trained, compressed):
    folder, _ = compressed(trained("bert"), "int8-weight")
    (folder / "config.json").write_text("{")
    with pytest.raises(HarnessError, match="cannot load its configuration"):
        predict(folder, ["it was a superb film"])
