"""A model spec's `transformers` config, for a tokenizer trained for it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError, unknown
from harness.core.specs import ModelSpec
from harness.modeling.weights.model_lists import has_two_towers, listed

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast


TEXT_TOWER = "text_config"
"""The part of a config that is that of the tower of texts."""
GENERAL = (
    "model_type", "bos_token_id", "eos_token_id", "pad_token_id", "cls_token_id", "sep_token_id", "mask_token_id",
    "unk_token_id", "decoder_start_token_id", "is_decoder", "is_encoder_decoder", "tie_word_embeddings", "use_cache",
    "attn_implementation", "torch_dtype", "dtype", "vocab_size",
)  # fmt: skip
"""Keys that models of every kind may have."""


def build_config(model_spec: ModelSpec, tokenizer: PreTrainedTokenizerFast | None, **extra: Any) -> PretrainedConfig:
    """The model spec's config with the tokenizer's size and special tokens, and with `extra` values. Of a model with
    several towers that of texts has them.

    Raises:
        HarnessError: `transformers` knows no such model_type, or refuses a value.
    """
    from transformers import CONFIG_MAPPING, AutoConfig

    assert model_spec.config is not None
    values = {key: value for key, value in model_spec.config.items() if key != "model_type"}
    kind = model_spec.config["model_type"]
    special = {} if tokenizer is None else _special(tokenizer)
    if kind not in CONFIG_MAPPING:
        raise unknown("model_type", str(kind), CONFIG_MAPPING, f"model spec {model_spec.name}")
    if TEXT_TOWER in getattr(CONFIG_MAPPING[kind], "sub_configs", {}):
        special.pop("decoder_start_token_id", None)
        values[TEXT_TOWER] = special | values.get(TEXT_TOWER, {})
        special = {}
    try:
        return AutoConfig.for_model(kind, **(special | values | extra))
    except Exception as error:  # each class of configs has errors of its own
        raise HarnessError(f"model spec {model_spec.name}: config: {' '.join(str(error).split())}") from None


def _special(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    """The size of a vocabulary, and the ids of its special tokens."""
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    special = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id}
    if start is not None:
        return special | {"bos_token_id": start, "eos_token_id": end, "cls_token_id": start, "sep_token_id": end}
    special |= {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return special | {"decoder_start_token_id": tokenizer.pad_token_id}


def config_problem(config: Mapping[str, Any], causal: bool) -> str | None:
    """What is wrong with a model spec's config; None where nothing is. Imports `transformers`, which takes seconds.

    Args:
        config: The section `config`.
        causal: Whether the model is trained to predict each token from those before it alone.
    """
    from transformers import CONFIG_MAPPING
    from transformers.utils import logging

    logging.set_verbosity_error()  # a tower of texts has no tokens yet
    kind = config["model_type"]
    if kind not in CONFIG_MAPPING:
        return str(unknown("model_type", str(kind), CONFIG_MAPPING))
    parts = {f"the config of {kind}": (CONFIG_MAPPING[kind], config)}
    for name, part in getattr(CONFIG_MAPPING[kind], "sub_configs", {}).items():
        values = config.get(name)
        if isinstance(values, Mapping):
            inner_kind = str(values.get("model_type"))
            part = CONFIG_MAPPING[inner_kind] if inner_kind in CONFIG_MAPPING else part  # noqa: SIM401 - its get is no get
        if isinstance(values, Mapping) and hasattr(part, "attribute_map"):
            parts[f"{name} of {kind}"] = (part, values)
    for where, (part, values) in parts.items():
        known = _known_keys(part)
        for key in values:
            if key not in known and not _is_read(part, str(key)):
                return str(unknown("key", str(key), known, where))
    try:
        CONFIG_MAPPING[kind](**{key: value for key, value in config.items() if key != "model_type"})
    except Exception as error:
        return " ".join(str(error).split())
    if causal and kind not in listed()["MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"]:
        return f"{kind} is no causal language model"
    two_ways = kind in listed()["MODEL_FOR_MASKED_LM_MAPPING_NAMES"] and not config.get("is_decoder")
    if causal and two_ways:
        return f"{kind} reads in both directions, and would see the tokens it is to predict; give is_decoder: true"
    return None


def architecture_problem(config: Mapping[str, Any], auto_class: str) -> str | None:
    """Why a checkpoint is no model of a class of `transformers`; None where it is one."""
    lists = {
        "AutoModelForMaskedLM": listed()["MODEL_FOR_MASKED_LM_MAPPING_NAMES"],
        "AutoModelForCausalLM": listed()["MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"],
        "AutoModelForSeq2SeqLM": listed()["MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"],
    }
    kind = str(config["model_type"])
    if auto_class == "AutoModel":
        return None if has_two_towers(kind) else f"a {kind} has no two towers"
    if kind not in lists[auto_class]:
        return f"a {kind} is no {auto_class.removeprefix('AutoModelFor')}"
    two_ways = kind in listed()["MODEL_FOR_MASKED_LM_MAPPING_NAMES"] and not config.get("is_decoder")
    if auto_class == "AutoModelForCausalLM" and two_ways:
        return f"a {kind} reads in both directions, and would see the tokens it is to predict"
    return None


def _known_keys(kind: type[PretrainedConfig]) -> set[str]:
    """What a class of configs takes: its own values, and those that its parents and all models have."""
    known = {*GENERAL, *kind.attribute_map, *inspect.signature(kind).parameters}
    for parent in kind.__mro__:
        known |= {*getattr(parent, "__annotations__", ())}
    return {name for name in known if not name.startswith("_")} - {"self", "args", "kwargs"}


def _is_read(kind: type[PretrainedConfig], key: str) -> bool:
    """Whether the code of a class of configs names a key that is none of its values: an old one, or one it derives
    others from.
    """
    source = inspect.getsource(inspect.getmodule(kind) or kind)
    return re.search(rf"\b{re.escape(key)}\b", source) is not None
