"""The card of a compressed model: a README.md beside its weights that says what was done, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD = "README.md"
TORCH = """import harness

model = harness.load("FOLDER")          # {runtime}; transformers alone refuses the folder
print(model.predict({asked}))"""
PLAIN = """from transformers import {auto_class}, AutoTokenizer

model = {auto_class}.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")

import harness

print(harness.load("FOLDER").predict({asked}))"""
ONNX = """import harness

print(harness.load("FOLDER").predict({asked}))

import onnxruntime
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
session = onnxruntime.InferenceSession("FOLDER/model.onnx")
batch = tokenizer({read}, return_tensors="np", padding=True)
wanted = {{one.name for one in session.get_inputs()}}
outputs = session.run(None, {{name: value for name, value in batch.items() if name in wanted}})"""
OPTIMUM = """# in an environment of its own: optimum-onnx 0.1 needs transformers below 4.58, harness 5 and above
from optimum.onnxruntime import {optimum}
from transformers import PreTrainedTokenizerFast

model = {optimum}.from_pretrained("FOLDER", file_name="model.onnx")
tokenizer = PreTrainedTokenizerFast(tokenizer_file="FOLDER/tokenizer.json")
outputs = model(**tokenizer({read}, return_tensors="np"))"""
OPTIMUM_CLASSES = {
    "sequence-classification": "ORTModelForSequenceClassification",
    "question-answering": "ORTModelForQuestionAnswering",
    "token-classification": "ORTModelForTokenClassification",
}
ASKED = {
    "question-answering": '["a question"], contexts=["a text"]',
    "dual-encoder": '["a-file.png"], labels=["cat", "dog"]',
    "image-classification": '["a-file.png"]',
    "audio-classification": '["a-file.wav"]',
}
"""What a model is asked in the example, by its head; a text where left out."""
AUTO_CLASSES = {
    "sequence-classification": "AutoModelForSequenceClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "token-classification": "AutoModelForTokenClassification",
    "causal-lm": "AutoModelForCausalLM",
    "seq2seq-lm": "AutoModelForSeq2SeqLM",
}


def card(result: Mapping[str, Any], head: str, is_plain: bool) -> str:
    """The card as Markdown.

    Args:
        result: What `compression.json` holds.
        head: The model's head.
        is_plain: `transformers` alone can load the folder.

    Returns:
        The text of README.md.
    """
    before, after = result["before"], result["after"]
    rows = [
        f"| {what} | {_number(before[name])} | {_number(after[name])} | {_ratio(before[name], after[name])} |"
        for name, what in (("parameters", "parameters"), ("nonzero", "not zero"), ("bytes", "bytes of weights"))
    ]
    steps = [f"- `{step['method']}` with {_options(step['options'])}{_coverage(step)}" for step in result["steps"]]
    parts = [
        "---\nlibrary_name: nlp-harness\ntags: [nlp-harness, compressed]\n---",
        f"# {result['method']}".replace("|", "\\|"),
        f"A compressed model, made by nlp-harness; it runs in {result['runtime']}.",
        "\n".join(["| | original | compressed | ratio |", "|---|--:|--:|--:|", *rows]),
        "\n".join(["What was done:", "", *steps]),
        "\n".join(f"- {note}" for note in result["notes"]),
        "How to load it, FOLDER being this folder:",
        *(f"```python\n{code}\n```" for code in _loading(result["runtime"], head, is_plain)),
        "What it scores is not said here: `harness evaluate ORIGINAL FOLDER --task TASK` scores both.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _loading(runtime: str, head: str, is_plain: bool) -> list[str]:
    answers = head == "question-answering"
    asked = ASKED.get(head, '["a text"]')
    read = '["a question"], ["a text"]' if answers else '["a text"]'
    if runtime == "onnxruntime" and head in OPTIMUM_CLASSES:
        return [ONNX.format(asked=asked, read=read), OPTIMUM.format(optimum=OPTIMUM_CLASSES[head], read=read)]
    if is_plain and head in AUTO_CLASSES:
        return [PLAIN.format(auto_class=AUTO_CLASSES[head], asked=asked)]
    return [TORCH.format(runtime=f"in {runtime}", asked=asked)]


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _ratio(before: int | None, after: int | None) -> str:
    return "–" if before is None or after is None else f"{after / max(1, before):.3f}"


def _options(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items()) or "no options"


def _coverage(step: Mapping[str, Any]) -> str:
    coverage = step.get("coverage") or {}
    listed = ", ".join(f"{name} {value}" for name, value in coverage.items() if isinstance(value, int))
    return f": {listed}" if listed else ""
