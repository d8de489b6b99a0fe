"""`harness.json`: what a model folder says of itself beside its `transformers` config."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.strict_spec import Strict, parse

FILE = "harness.json"
LONGEST = 512
"""Tokens read at once where a folder does not say."""
HEADS_BY_CLASS = {
    "ForSequenceClassification": "sequence-classification",
    "ForQuestionAnswering": "question-answering",
    "ForCausalLM": "causal-lm",
    "LMHeadModel": "causal-lm",
    "ForConditionalGeneration": "seq2seq-lm",
}
"""The heads of folders that `transformers` alone has written, by the endings of their classes."""


class Shapes(Strict):
    """How a model differs from what its config describes: shapes of parameters, and numbers its modules hold."""

    parameters: dict[str, list[int]] = Field(default_factory=dict)
    attributes: dict[str, dict[str, int]] = Field(default_factory=dict)


class Storage(Strict):
    """How weights lie in the file `file` where they are not plain tensors.

    `int8`: the tensors of `axes` as int8, with a scale for each index of the axis beside them. `torchao`: as torchao
    has them, Conv1D turned into Linear.
    """

    file: str
    format: Literal["int8", "torchao"]
    axes: dict[str, int] = Field(default_factory=dict)


class Compiling(Strict):
    """What `torch-compile` compiles: a model as the runtime `inner` opens it, in a mode of `torch.compile`, whole or,
    `regional`, block by block.
    """

    inner: str = "torch"
    mode: Literal["default", "reduce-overhead"] = "default"
    regional: bool = False


class Settings(Strict):
    """A model's head and what the head needs to know; its runtime; what compression left for whoever loads it.
    `graphed` is the runtime that opens what `torch-cuda-graphs` captures.
    """

    head: str
    max_length: int
    fitted: dict[str, Any] = Field(default_factory=dict)
    runtime: str = "torch"
    compiling: Compiling | None = None
    graphed: str | None = None
    shapes: Shapes | None = None
    storage: Storage | None = None
    compression: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtime, and those that open what it compiles or captures."""
        inner = (self.graphed, self.compiling.inner if self.compiling else None)
        return (self.runtime, *(name for name in inner if name is not None))

    @property
    def is_plain(self) -> bool:
        """`transformers` alone can load the folder."""
        return self.runtime == "torch" and self.shapes is None and self.storage is None


def read_settings(folder: Path) -> Settings:
    """The settings of a model folder, made up from its config where `transformers` alone has written it.

    Raises:
        HarnessError: no model folder, a damaged file, or a model without a head for a task.
    """
    file = folder / FILE
    if file.exists():
        return parse(Settings, _json(file), str(file))
    config = folder / "config.json"
    if not config.exists():
        raise HarnessError(f"model {folder}: no {FILE} and no config.json in it; give the folder of a fine-tuned model")
    values = _json(config)
    architecture = next(iter(values.get("architectures") or []), "")
    head = head_of_class(architecture)
    if head is not None:
        return Settings(head=head, max_length=usual_length(values.get("max_position_embeddings")))
    raise HarnessError(
        f"model {folder}: {architecture or 'its config'} has no head for a task; give the folder of a fine-tuned model"
    )


def usual_length(positions: int | None) -> int:
    """Tokens read at once by a model of so many positions that says nothing else."""
    return min(LONGEST, int(positions or LONGEST))


def head_of_class(name: str) -> str | None:
    """The head of a class of `transformers`, by its name; None where it has none for a task."""
    return next((head for ending, head in HEADS_BY_CLASS.items() if name.endswith(ending)), None)


def write_settings(folder: Path, settings: Settings) -> None:
    written = settings.model_dump(mode="json", exclude_defaults=True)
    (folder / FILE).write_text(json.dumps({"fitted": {}, **written}), encoding="utf-8")


def compressed_settings(folder: Path) -> Settings | None:
    """The settings of a folder that `transformers` alone would load wrongly, or not at all; None of any other."""
    settings = read_settings(folder) if (folder / FILE).exists() else None
    return settings if settings is not None and not settings.is_plain else None


def refuse_compressed(folder: Path) -> None:
    """Raises HarnessError for a folder that has `compressed_settings`."""
    if compressed_settings(folder) is not None:
        raise HarnessError(f"model {folder}: it is compressed, and can be served and scored only; give its original")


def _json(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise HarnessError(f"{file}: not JSON: {error}") from None
