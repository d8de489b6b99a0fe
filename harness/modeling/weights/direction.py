"""In which direction a language model reads."""

from __future__ import annotations

from typing import Any


def reads_ahead(model: Any) -> bool:
    """Whether what a causal language model says of a token depends on tokens after it, tried out on four of them.
    Random numbers and the model's mode stay as they were.
    """
    import torch

    was_training = model.training
    model.eval()
    before = torch.arange(4).unsqueeze(0).to(model.device)
    after = before.clone()
    after[0, 2:] = 0
    with torch.no_grad():
        first, second = (model(input_ids=tokens, use_cache=False).logits[0, :2] for tokens in (before, after))
    model.train(was_training)
    return not torch.allclose(first, second, rtol=1e-3, atol=1e-5)
