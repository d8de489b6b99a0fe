"""A checkpoint that is pretrained further, whole or by an adapter. Imports torch: import it inside functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PretrainedConfig, PreTrainedModel

from harness.core.errors import HarnessError
from harness.core.peft_spec import PeftSpec
from harness.modeling.weights import adapters
from harness.modeling.weights.loading import load_tokenizer, load_weights, new_modules
from harness.modeling.weights.pretrained import refuse_empty_tokenizer
from harness.modeling.weights.stored import stored_in
from harness.training.deferred import DeferredWeights
from harness.training.objectives import Objective

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def tokenizer_in(folder: Path) -> PreTrainedTokenizerFast:
    """That of a checkpoint; one without a token to pad with gets the one that ends texts."""
    tokenizer: Any = load_tokenizer(folder)
    refuse_empty_tokenizer(folder, tokenizer)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def checkpoint(
    objective: Objective, folder: Path, config: PretrainedConfig, weights: DeferredWeights | None
) -> PreTrainedModel:
    """The model of a folder, with this config; its weights stay in their files where they are deferred. Its output
    layer over the vocabulary may be missing: sentence encoders are kept without, and it is learned here. Raises
    HarnessError for weights that do not fit.
    """
    assert objective.auto_class is not None
    unread = {} if weights is None else {"state_dict": weights.unread(stored_in(folder))}
    model = load_weights(objective.auto_class, folder, True, learns_head=True, config=config, **unread)
    text: Any = getattr(model, "text_model", model)  # of two towers that of texts
    vocabulary = len(text.get_input_embeddings().weight)
    if vocabulary < objective.tokens.size:
        raise HarnessError(
            f"model {folder}: its tokenizer has {objective.tokens.size} tokens, its embeddings are of {vocabulary}"
        )
    return model


def adapted(
    model: PreTrainedModel, spec: PeftSpec, objective: Objective, folder: Path, name: str, sharded: bool
) -> Any:
    """The model with an adapter in it, which alone is trained. Raises HarnessError where it cannot have one."""
    if sharded:
        raise HarnessError(f"model {name}: an adapter is not sharded over processes; leave out --fsdp")
    assert objective.auto_class is not None
    if lacking := new_modules(objective.auto_class, folder):
        raise HarnessError(
            f"model {name}: it has no weights for {lacking[0]}, which an adapter does not learn; leave peft out"
        )
    return adapters.attach(model, spec, objective.auto_class, folder, name)


def kept_adapter(adapted: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> int:
    """Write the adapter into a folder of its own; returns how many parameters were trained."""
    trained = sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)
    adapted.cpu()
    adapters.save(adapted, folder)
    tokenizer.save_pretrained(folder)
    return trained


def merged(adapted: Any) -> PreTrainedModel:
    """The checkpoint with what the adapter adds."""
    model: PreTrainedModel = adapted.merge_and_unload(safe_merge=True)
    return model
