"""How long a text a model can read."""

from __future__ import annotations

from typing import Any


def positions_of(model: Any, stack: str) -> int | None:
    """How many tokens the `encoder` or `decoder` of a model has positions for; None where nothing limits them."""
    from torch import nn
    from transformers import PretrainedConfig

    config = getattr(model.config, stack, None)
    if not isinstance(config, PretrainedConfig):
        config = model.config.get_text_config()
    names = (f"max_{stack}_position_embeddings", "max_position_embeddings", "max_seq_len")
    named = (getattr(config, name, None) for name in names)
    limit = next((value for value in named if isinstance(value, int) and value > 0), None)
    for name, module in model.named_modules():
        learned = isinstance(module, nn.Embedding) and "position" in name.rpartition(".")[2]
        if learned and module.num_embeddings == limit and module.padding_idx is not None:
            return limit - module.padding_idx - 1  # positions start after the padding index
    return limit
