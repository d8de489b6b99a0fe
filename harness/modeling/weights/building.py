"""A model spec's `transformers` config, for a tokenizer trained for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError, unknown
from harness.core.specs import ModelSpec

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast


def build_config(recipe: ModelSpec, tokenizer: PreTrainedTokenizerFast, **extra: Any) -> PretrainedConfig:
    """The model spec's config with the tokenizer's size and special tokens, and with `extra` values.

    Raises:
        HarnessError: `transformers` knows no such model_type, or refuses a value.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    assert recipe.config is not None
    values = {key: value for key, value in recipe.config.items() if key != "model_type"}
    kind = recipe.config["model_type"]
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    special = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if start is not None:
        special |= {"bos_token_id": start, "eos_token_id": end, "cls_token_id": start, "sep_token_id": end}
    else:
        special |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        special["decoder_start_token_id"] = tokenizer.pad_token_id
    try:
        return AutoConfig.for_model(kind, **(special | values | extra))
    except ValueError as error:
        if kind not in CONFIG_MAPPING:
            raise unknown("model_type", kind, CONFIG_MAPPING, f"recipe {recipe.name}") from None
        raise HarnessError(f"recipe {recipe.name}: config: {error}") from None
