"""`harness.json`: what a model folder says of itself beside its `transformers` config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.reading import read_object
from harness.core.strict_spec import Strict, parse
from harness.modeling.weights.adapter_files import (
    AdapterBase,
    base_folder,
    derived_config,
    foreign_base,
    is_adapter,
)
from harness.modeling.weights.config_file import CONFIG, read_config
from harness.modeling.weights.model_lists import has_two_towers, hears
from harness.modeling.weights.optimum_files import GRAPH, OptimumFiles, optimum_files
from harness.modeling.weights.sentence_encoder import MODULES, pooling_of

FILE = "harness.json"
LONGEST = 512
"""Tokens read at once where a folder does not say."""
HEADS_BY_CLASS = {
    "ForSequenceClassification": "sequence-classification",
    "ForQuestionAnswering": "question-answering",
    "ForTokenClassification": "token-classification",
    "ForImageClassification": "image-classification",
    "ForAudioClassification": "audio-classification",
    "ForMaskedLM": "masked-lm",
    "ForCausalLM": "causal-lm",
    "LMHeadModel": "causal-lm",
    "ForConditionalGeneration": "seq2seq-lm",
    "MTModel": "seq2seq-lm",
}
"""The heads of folders that `transformers` alone has written, by the endings of their classes."""
WRITES = ("causal-lm", "seq2seq-lm")
"""The heads of models that generate."""
SENTENCES = "sentence-similarity"
"""The head of a model that gives vectors alone."""
TOWERS = "dual-encoder"
"""The head of a model that compares items with texts."""
ITEM_HEADS = ("image-classification", "audio-classification")
"""The heads of models that read no text."""
TAGS = "token-classification"
"""The head of a model that gives logits of each token."""
HEADS_BY_OUTPUT = {
    "logits": "sequence-classification",
    "start_logits": "question-answering",
    "sentence_embedding": SENTENCES,
    "token_embeddings": SENTENCES,
    "last_hidden_state": SENTENCES,
}
"""The heads of graphs that no config describes, by the names of their outputs."""


class Shapes(Strict):
    """How a model differs from what its config describes: shapes of parameters, and numbers its modules hold."""

    parameters: dict[str, list[Annotated[int, Field(ge=0, le=2**24)]]] = Field(default_factory=dict)
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
    `graphed` is the runtime that opens what `torch-cuda-graphs` captures. `adapter` names the weights that the folder's
    adapter belongs to.
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
    adapter: AdapterBase | None = None

    @property
    def runtimes(self) -> tuple[str, ...]:
        """The runtime, and those that open what it compiles or captures."""
        inner = (self.graphed, self.compiling.inner if self.compiling else None)
        return (self.runtime, *(name for name in inner if name is not None))

    @property
    def is_plain(self) -> bool:
        """`transformers` alone can load the folder."""
        return self.runtime == "torch" and self.shapes is None and self.storage is None and self.adapter is None


def read_settings(folder: Path) -> Settings:
    """The settings of a model folder, made up from its config where `transformers` alone has written it; or of a graph,
    a file that ends in `.onnx`, with its tokenizer beside it.

    Raises:
        HarnessError: no model folder, a damaged file, or a model without a head for a task.
    """
    file = folder / FILE
    if file.exists():
        return parse(Settings, read_object(file), str(file))
    values = model_config(folder)
    if folder.suffix == GRAPH and folder.is_file():
        return _graph_settings(folder, values)
    if not values:
        raise HarnessError(f"model {folder}: no {FILE} and no config.json in it; give the folder of a fine-tuned model")
    architecture = next(iter(values.get("architectures") or []), "")
    head = head_of_class(architecture)
    if head is not None and not (head == "seq2seq-lm" and (folder / MODULES).exists()):
        runtime = "torch" if foreign_writer(folder) is None else "onnxruntime"
        base = foreign_base(folder) if is_adapter(folder) else None
        return Settings(
            head=head, max_length=usual_length(values), fitted=source_facts(values), runtime=runtime, adapter=base
        )
    if architecture.endswith("Model") and has_two_towers(str(values.get("model_type"))):
        return Settings(head=TOWERS, max_length=usual_length(values.get("text_config") or {}))
    if (folder / MODULES).exists() or architecture.endswith("Model"):
        return _sentence_settings(folder, values)
    raise HarnessError(
        f"model {folder}: {architecture or 'its config'} has no head for a task; give the folder of a fine-tuned model"
    )


TEXT_TO_TEXT = ("t5", "mt5", "umt5", "longt5", "switch_transformers", "bert-generation", "flan-t5")
"""Kinds of encoder–decoders that are told in words what to do (Raffel et al. 2020)."""
PLAIN_SOURCE = "plain_source"


def item_head(folder: Path) -> str | None:
    """The head of a folder's model where it reads images or sounds; None of any other."""
    if (folder / FILE).exists():
        head: str | None = read_settings(folder).head
    else:
        values = model_config(folder)
        architecture = next(iter(values.get("architectures") or []), "")
        is_dual = architecture.endswith("Model") and has_two_towers(str(values.get("model_type")))
        head = TOWERS if is_dual else head_of_class(architecture)
    return head if head in (TOWERS, *ITEM_HEADS) else None


def modality_in(folder: Path) -> str:
    """What a model with an `item_head` reads: `image` or `audio`."""
    config = model_config(folder)
    architecture = next(iter(config.get("architectures") or []), "")
    return "audio" if hears(config) or architecture.endswith("ForAudioClassification") else "image"


def source_facts(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a head must know of how an encoder–decoder is asked to translate or to summarize: those that do one thing,
    such as Marian, mBART or Pegasus, read the text alone, where a T5 reads an instruction before it.
    """
    does_one_thing = config.get("is_encoder_decoder") and config.get("model_type") not in TEXT_TO_TEXT
    return {PLAIN_SOURCE: True} if does_one_thing else {}


def home_of(place: Path) -> Path:
    """The folder of a model: of a graph that is a file the one with its tokenizer, its own or the one above."""
    if not place.is_file():
        return place
    near = (place.parent, place.parent.parent)
    return next((folder for folder in near if any(folder.glob("tokenizer*")) or any(folder.glob("vocab*"))), near[0])


def model_config(place: Path) -> dict[str, Any]:
    """A model's `config.json`; empty where it has none. Raises HarnessError for a damaged one."""
    config = home_of(place) / CONFIG
    if not config.exists() and is_adapter(place):
        return derived_config(place, model_config(base_folder(place, foreign_base(place))))
    return read_config(config) if config.exists() else {}


def base_of(folder: Path) -> Path:
    """The folder of the weights that an adapter belongs to. Raises HarnessError where they are not there, or others."""
    base = read_settings(folder).adapter
    return base_folder(folder, base if base is not None else foreign_base(folder))


def class_names(place: Path) -> dict[str, str]:
    """A classifier's classes by the index of their output; where none is named, as `transformers` calls them."""
    config = model_config(place)
    names = config.get("id2label")
    if isinstance(names, dict) and names:
        return dict(names)
    from transformers import CONFIG_MAPPING, PretrainedConfig

    kind = CONFIG_MAPPING[config["model_type"]] if config.get("model_type") in CONFIG_MAPPING else PretrainedConfig
    return {str(index): name for index, name in (kind().id2label or {}).items()}


def usual_length(config: Mapping[str, Any], longest: int = LONGEST) -> int:
    """Tokens read at once by a model of this config that says nothing else, at most so many."""
    names = ("max_position_embeddings", "n_positions", "max_encoder_position_embeddings", "seq_length")
    positions = (config.get(name) for name in names)
    return min(longest, next((value for value in positions if isinstance(value, int) and value > 0), longest))


def _sentence_settings(place: Path, config: Mapping[str, Any]) -> Settings:
    fitted = pooling_of(home_of(place))
    positions = usual_length(config, longest=2**20)
    limit = min(positions, fitted.pop("max_length", LONGEST))
    return Settings(head=SENTENCES, max_length=limit, fitted=fitted)


def _graph_settings(file: Path, config: Mapping[str, Any]) -> Settings:
    """Of a graph; what it answers its config says, else the names of its outputs."""
    architecture = next(iter(config.get("architectures") or []), "")
    head = head_of_class(architecture) or _head_of_outputs(file)
    limit = usual_length(config)
    made = Settings(head=head, max_length=limit)
    if head in WRITES:
        foreign_writer(file)  # which refuses a part without the others
        made = made.model_copy(update={"fitted": source_facts(config)})
    made = _sentence_settings(file, config) if head == SENTENCES else made
    return made.model_copy(update={"runtime": "onnxruntime"})


def _head_of_outputs(file: Path) -> str:
    try:
        import onnx
    except ImportError:
        raise HarnessError("onnx is not installed; pip install 'nlp-harness[onnx]'") from None
    try:
        shapes = {
            output.name: len(output.type.tensor_type.shape.dim)
            for output in onnx.load(file, load_external_data=False).graph.output
        }
    except Exception as error:  # protobuf raises what it likes over a file that is no graph
        raise HarnessError(f"model {file}: no ONNX graph: {' '.join(str(error).split())[:200]}") from None
    head = next((head for name, head in HEADS_BY_OUTPUT.items() if name in shapes), None)
    if head is None:
        known = ", ".join(HEADS_BY_OUTPUT)
        raise HarnessError(f"model {file}: its outputs are {', '.join(shapes)}; it takes {known}")
    return TAGS if shapes.get("logits") == 3 else head


def head_of_class(name: str) -> str | None:
    """The head of a class of `transformers`, by its name; None where it has none for a task."""
    return next((head for ending, head in HEADS_BY_CLASS.items() if name.endswith(ending)), None)


def write_settings(folder: Path, settings: Settings) -> None:
    written = settings.model_dump(mode="json", exclude_defaults=True)
    (folder / FILE).write_text(json.dumps({"fitted": {}, **written}), encoding="utf-8")


def foreign_writer(place: Path) -> OptimumFiles | None:
    """The graphs of a generative model of anybody's, in a folder without weights for torch, or beside one of them; None
    of any other model. Raises HarnessError where one of them is missing.
    """
    if (place / FILE).exists() or (place.is_dir() and any(place.glob("*.safetensors"))):
        return None
    config = model_config(place)
    head = head_of_class(next(iter(config.get("architectures") or []), ""))
    return optimum_files(place, head == "seq2seq-lm") if head in WRITES else None


def compressed_settings(folder: Path) -> Settings | None:
    """The settings of a folder that `transformers` alone would load wrongly, or not at all; None of any other."""
    special = (folder / FILE).exists() or is_adapter(folder) or foreign_writer(folder) is not None
    settings = read_settings(folder) if special else None
    return settings if settings is not None and not settings.is_plain else None


def refuse_compressed(folder: Path) -> None:
    """Raises HarnessError for a folder that has `compressed_settings`."""
    settings = compressed_settings(folder)
    if settings is not None and settings.adapter is None:
        raise HarnessError(f"model {folder}: it is compressed, and can be served and scored only; give its original")
