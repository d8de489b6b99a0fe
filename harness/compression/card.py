"""The card of a compressed model: a README.md beside its weights that says what was done, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CARD = "README.md"
TORCH = """import harness

model = harness.load("FOLDER")          # {runtime}; transformers alone refuses the folder
print(model.predict(["a text"]))"""
PLAIN = """from transformers import {auto_class}, AutoTokenizer

model = {auto_class}.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")

import harness

print(harness.load("FOLDER").predict(["a text"]))"""
ONNX = """import harness

print(harness.load("FOLDER").predict(["a text"]))

import onnxruntime
from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
session = onnxruntime.InferenceSession("FOLDER/model.onnx")
batch = tokenizer(["a text"], return_tensors="np", padding=True)
wanted = {{one.name for one in session.get_inputs()}}
outputs = session.run(None, {{name: value for name, value in batch.items() if name in wanted}})"""
OPTIMUM = """from optimum.onnxruntime import {optimum}

model = {optimum}.from_pretrained("FOLDER", file_name="model.onnx")"""
OPTIMUM_CLASSES = {
    "sequence-classification": "ORTModelForSequenceClassification",
    "question-answering": "ORTModelForQuestionAnswering",
}
AUTO_CLASSES = {
    "sequence-classification": "AutoModelForSequenceClassification",
    "question-answering": "AutoModelForQuestionAnswering",
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
        f"```python\n{_loading(result['runtime'], head, is_plain)}\n```",
        "What it scores is not said here: `harness evaluate ORIGINAL FOLDER --task TASK` scores both.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _loading(runtime: str, head: str, is_plain: bool) -> str:
    if runtime == "onnxruntime" and head in OPTIMUM_CLASSES:
        return "\n\n".join([ONNX.format(), OPTIMUM.format(optimum=OPTIMUM_CLASSES[head])])
    if is_plain and head in AUTO_CLASSES:
        return PLAIN.format(auto_class=AUTO_CLASSES[head])
    return TORCH.format(runtime=f"in {runtime}")


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
