"""A checkpoint to predict with: what its head does, and its model in the runtime it is served by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.modeling.runtimes import open_model
from harness.modeling.size import weights_of
from harness.modeling.weights.loading import HERE, config_of, load_weights, partial_facts, partial_weights
from harness.modeling.weights.pretrained import check_folder, refuse_empty_tokenizer
from harness.modeling.weights.settings import Settings, compressed_settings

if TYPE_CHECKING:
    from torch import Tensor

FILL, CONTINUE, REWRITE, CLASSIFY = "fill-mask", "text-generation", "text2text-generation", "text-classification"
ANSWER, TAG = "question-answering", "token-classification"

HEADS = (
    (REWRITE, "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES", "AutoModelForSeq2SeqLM"),
    (FILL, "MODEL_FOR_MASKED_LM_MAPPING_NAMES", "AutoModelForMaskedLM"),
    (CONTINUE, "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES", "AutoModelForCausalLM"),
    (CLASSIFY, "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES", "AutoModelForSequenceClassification"),
    (ANSWER, "MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES", "AutoModelForQuestionAnswering"),
    (TAG, "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES", "AutoModelForTokenClassification"),
)
"""What is done with which architectures, and what loads them. The first that lists an architecture decides."""


@dataclass(frozen=True)
class Checkpoint:
    """A model ready to predict, its tokenizer, what is done with it (`kind`), and what is said `about` it."""

    name: str
    kind: str
    architecture: str
    model: Any
    tokenizer: Any
    about: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """A model of another runtime than torch, with what is asked of those of `transformers`. Raises HarnessError."""

    module: Any
    config: Any

    def __call__(self, **inputs: Tensor) -> Any:
        return self.module(**inputs)

    @property
    def device(self) -> Any:
        return self.module.device

    def named_modules(self) -> Sequence[tuple[str, Any]]:
        return ()

    def get_input_embeddings(self) -> None:
        return None


def load(folder: Path, allow_partial: bool = False) -> Checkpoint:
    """The model of a folder; a compressed one in its own runtime, of those outside torch only classifiers, taggers,
    question answerers and models that write. `allow_partial`: with random numbers for weights that do not fit.

    Raises:
        HarnessError: no model there, a damaged one, or one without a head to predict with.
    """
    settings = compressed_settings(folder)
    if settings is None:
        check_folder(folder, str(folder))

    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    config = _attempt(folder, "configuration", lambda: config_of(folder))
    kind, architecture, auto_class = _head(folder, config)
    if settings is not None:
        return _served(folder, settings, config, kind, architecture)
    tokenizer = _attempt(folder, "tokenizer", lambda: transformers.AutoTokenizer.from_pretrained(folder, **HERE))
    refuse_empty_tokenizer(folder, tokenizer)
    with partial_weights(allow_partial) as misfits:
        model = load_weights(auto_class, folder, config=config)
    about = {"parameters": sum(parameter.numel() for parameter in model.parameters()), **partial_facts(misfits)}
    return Checkpoint(str(folder), kind, architecture, model.eval(), tokenizer, about)


def _served(folder: Path, settings: Settings, config: Any, kind: str, architecture: str) -> Checkpoint:
    """A compressed model."""

    opened = open_model(folder)
    writes = kind in (CONTINUE, REWRITE) and hasattr(opened.module, "generate")
    if not (opened.in_torch or writes or kind in (CLASSIFY, ANSWER, TAG)):
        raise HarnessError(f"model {folder}: {architecture} does not predict in {settings.runtime}")
    model = opened.module if opened.in_torch or writes else Graph(opened.module, config)
    parameters = weights_of(folder, settings).get("parameters")
    if settings.adapter is not None:
        parameters = sum(parameter.numel() for parameter in opened.module.parameters())
    about = {"parameters": parameters, "runtime": settings.runtime}
    return Checkpoint(str(folder), kind, architecture, model, opened.tokenizer, about)


def _attempt(folder: Path, what: str, load: Callable[[], Any]) -> Any:
    """Whatever the libraries raise over a file they can't read, as one line."""
    try:
        return load()
    except Exception as error:
        raise HarnessError(f"model {folder}: cannot load its {what}: {' '.join(str(error).split())[:300]}") from None


def _head(folder: Path, config: Any) -> tuple[str, str, str]:
    """Kind, architecture and Auto class, from the lists of `transformers`."""
    from transformers.models.auto import modeling_auto

    if not config.architectures:
        raise HarnessError(f"model {folder}: its config.json names no architectures; save it with save_pretrained")
    architecture = config.architectures[0]
    for kind, names, auto_class in HEADS:
        if architecture in getattr(modeling_auto, names).values():
            return kind, architecture, auto_class
    pretrained = modeling_auto.MODEL_FOR_PRETRAINING_MAPPING_NAMES.get(config.model_type) == architecture
    if pretrained and config.model_type in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return FILL, architecture, "AutoModelForMaskedLM"
    raise HarnessError(f"model {folder}: its architecture, {architecture}, has no head to predict with")
