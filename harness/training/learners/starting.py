"""The model that a fine-tuning starts from: built by a config, or loaded from a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.heads import Head
from harness.modeling.weights import adapters
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.building import build_config
from harness.modeling.weights.loading import HERE, tokenizer_folder
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.pretrained import refuse_empty_tokenizer
from harness.modeling.weights.settings import usual_length
from harness.modeling.weights.stored import stored_in
from harness.training.defaults import LENGTH_AT_MOST
from harness.training.learners.base import RANDOM_WEIGHTS, FitRequest
from harness.training.meta.episodes import GENERATOR_FILE
from harness.training.tokenizers import train

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from harness.training.deferred import DeferredWeights

generated = lazy("harness.training.meta.generated")
devices = lazy("harness.training.devices")


def built(request: FitRequest, head: Head) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """A tokenizer trained for the model spec, and its model with random weights."""
    import transformers

    model_spec = request.model_spec
    assert model_spec.config is not None and model_spec.tokenizer is not None
    if model_spec.tokenizer.corpus == "task":
        texts = head.words(request.task, request.labels, request.unaugmented or request.train)
    else:
        assert request.corpus is not None
        texts = request.corpus()
    tokenizer = train(model_spec.tokenizer, texts, model_spec.training.max_length or usual_length(model_spec.config))
    config = build_config(model_spec, tokenizer, **head.config(request.family, request.labels))
    devices.seed_all(request.seed)
    return tokenizer, getattr(transformers, head.auto_class).from_config(config)


def loaded(
    request: FitRequest, head: Head, weights: DeferredWeights | None
) -> tuple[PreTrainedTokenizerBase, PreTrainedModel]:
    """The tokenizer and the model of the checkpoint that is fine-tuned; its weights stay in their files where they
    are deferred. Raises HarnessError where they cannot be loaded.
    """
    import transformers
    from transformers import AutoTokenizer

    devices.seed_all(request.seed)
    where = request.pretrained
    assert where is not None
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder(where), **HERE)
        refuse_empty_tokenizer(tokenizer_folder(where), tokenizer)
        of_head = head.config(request.family, request.labels)
        if request.model_spec.options.get(RANDOM_WEIGHTS):
            config = transformers.AutoConfig.from_pretrained(where, **HERE, **of_head)
            model = getattr(transformers, head.auto_class).from_config(config)
        else:
            options = of_head | adapters.quantization(request.model_spec.training.peft, head.auto_class, where, of_head)
            if weights is not None:
                options = {
                    "config": transformers.AutoConfig.from_pretrained(where, **HERE, **of_head),
                    "state_dict": weights.unread(stored_in(where)),
                }
            model = adapters.load_whole(head.auto_class, where, new_head=True, **options)
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(
            f"cannot load a {request.family.name} model from {where}: {' '.join(str(error).split())}"
        ) from None
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if head.name == "sequence-classification" and (where / GENERATOR_FILE).is_file() and request.labels:
        limit = min(positions_of(model, "encoder") or LENGTH_AT_MOST, LENGTH_AT_MOST)
        generated.set_generated_head(where, model, tokenizer, request.family, request.train, limit)
    model.config.pad_token_id = tokenizer.pad_token_id
    return tokenizer, model


def is_built_apart(request: FitRequest) -> bool:
    """Whether no process has all weights of the model before they are shared out. Those of an adapter are merged in
    each, and a head that is generated takes the whole encoder.
    """
    if request.processes is None or not request.processes.sharded:
        return False
    start = request.pretrained
    return start is None or not (is_adapter(start) or (start / GENERATOR_FILE).is_file())
