"""`harness predict` with compressed folders: in their own runtime, the same answers as scoring gets."""

from __future__ import annotations

import json
import re
from typing import Any

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


@pytest.mark.parametrize("method", [None, "onnx", "int8", "int8-weight", "bf16"])
def test_answers_are_those_that_are_scored(trained, compressed, method):
    import harness

    if RUNTIMES.get(method or "") == "onnxruntime":
        pytest.importorskip("onnxruntime")
    model = trained("bert", "squad", 40)
    folder = compressed(model, method)[0] if method else model.folder
    questions, contexts = model.dev.fields["question"][:8], model.dev.fields["context"][:8]
    found = predict(folder, questions, contexts=contexts, top_k=3)
    assert [one["answer"] for one in found] == model.predict(folder).values[:8].tolist()
    for one, context in zip(found, contexts, strict=True):
        assert one["kind"] == "question-answering" and one["answer"] in context and len(one["top"]) == 3
        assert [best["score"] for best in one["top"]] == sorted((best["score"] for best in one["top"]), reverse=True)
    loaded = harness.load(folder).predict(questions, top_k=3, contexts=contexts)
    assert [one["top"] for one in loaded] == [one["top"] for one in found]
    assert f"answer: {json.dumps(found[0]['answer'])}" in render(found)


@pytest.mark.parametrize(
    ("texts", "contexts", "message"),
    [
        (["who?"], [], "give --context TEXT beside --text QUESTION, or --input FILE"),
        (["who?", "what?", "when?"], ["a", "b"], "3 questions and 2 contexts; give one for all, or one for each"),
        (["who?"], [" "], '--context " ": it is empty'),
        ([""], ["a"], '--text "": it is empty'),
    ],
)
def test_questions_without_a_text_to_find_answers_in_are_refused(trained, texts, contexts, message):
    with pytest.raises(HarnessError, match=re.escape(message)):
        predict(trained("bert", "squad", 40).folder, texts, contexts=contexts)


def test_the_command_reads_questions_from_a_file(trained, tmp_path):
    from typer.testing import CliRunner

    from harness.cli.app import app

    model = trained("bert", "squad", 40)
    questions, contexts = model.dev.fields["question"][:3], model.dev.fields["context"][:3]
    rows = [{"question": one, "context": text} for one, text in zip(questions, contexts, strict=True)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, ["predict", str(model.folder), *arguments])

    done = call("--input", str(tmp_path / "rows.jsonl"), "--json")
    assert done.exit_code == 0, done.output
    expected = predict(model.folder, questions, contexts=contexts)
    assert json.loads(done.stdout) == json.loads(json.dumps(expected))
    one = call("--text", questions[0], "--context", contexts[0], "--json")
    assert json.loads(one.stdout)[0]["top"] == [pytest.approx(best) for best in expected[0]["top"]]
    (tmp_path / "texts.csv").write_text("text\nwho?\n")
    (tmp_path / "others.csv").write_text("questions,context\nwho?,he\n")
    (tmp_path / "numbers.jsonl").write_text('{"question": "who?", "context": 3}\n')
    for arguments, message in (
        (("--input", "texts.csv"), "give --context TEXT"),
        (
            ("--input", "others.csv"),
            "it has no column question; it takes question and context. Did you mean 'questions'",
        ),
        (("--input", "numbers.jsonl"), 'numbers.jsonl:1: context is "3", not a text'),
        (("--input", "nowhere.csv"), "nowhere.csv"),
        (("--input", "rows.bin"), "files of this kind are not read"),
        (("--input", "rows.jsonl", "--text", "who?"), "in place of --text"),
        ((), "nothing to predict"),
    ):
        refused = call(*(str(tmp_path / one) if "." in one else one for one in arguments))
        assert isinstance(refused.exception, HarnessError) and message in str(refused.exception), refused.exception


def test_a_context_is_for_a_question_answerer(trained):
    with pytest.raises(HarnessError, match="--context goes with a question answerer"):
        predict(trained("bert").folder, ["it was superb"], contexts=["a"])


def test_a_damaged_folder_is_one_line(trained, compressed):
    folder, _ = compressed(trained("bert"), "int8-weight")
    (folder / "config.json").write_text("{")
    with pytest.raises(HarnessError, match="cannot load its configuration"):
        predict(folder, ["it was a superb film"])
