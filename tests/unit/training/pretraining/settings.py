"""Tiny models of each objective, and a way to train one that may be killed on its way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness.core.pretraining_specs import PretrainingSpec, TokenizerSpec
from harness.training import tokenizers
from harness.training.objectives import OBJECTIVES
from harness.training.pretraining.blocks import cut

TEXTS = [
    f"the {a} {b} the {c}"
    for a in ("old", "young", "tall")
    for b in ("saw", "heard", "met")
    for c in ("dog", "cat", "bird")
]
KINDS = {
    "clm": "bytebpe",
    "mlm": "wordpiece",
    "rtd": "wordpiece",
    "span-corruption": "unigram",
    "token-order": "wordpiece",
}


PERTURBED = ("fgm", "freelb", "smart", "vat")
"""Methods of adversarial training that several processes are tried with."""


def setting_of(name: str, dropout: bool = True):
    """An objective, its blocks, and a way to build its model, with `dropout` as its config has it or without any."""
    import torch
    from transformers import BertConfig, GPT2Config, T5Config

    from harness.training.objectives.vocabulary import tokens_of

    torch.set_num_threads(1)
    kind = OBJECTIVES.get(name)
    tokenizer = tokenizers.train(TokenizerSpec(kind=KINDS[name], vocab_size=120), TEXTS, 32)
    tokens = tokens_of(tokenizer)
    objective = kind(kind.Options(), tokens, 24)
    stream = np.concatenate(
        [[*tokenizer(text, add_special_tokens=False)["input_ids"], tokens.end] for text in TEXTS * 4]
    )
    size = tokens.size
    config = {
        "clm": GPT2Config(vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=32),
        "span-corruption": T5Config(vocab_size=size, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
                                    pad_token_id=tokens.pad, decoder_start_token_id=tokens.pad),
    }.get(name) or BertConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                       intermediate_size=32, max_position_embeddings=32)  # fmt: skip

    def build():
        torch.manual_seed(3)
        model = objective.build(config)
        for module in model.modules() if not dropout else ():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if isinstance(getattr(module, "dropout", None), float):
                module.dropout = 0.0
        return model

    return objective, cut(stream, objective.raw_size, "here"), build


def setting_of_items(name: str):
    """The same of an objective on items: 24 images (or videos of two frames) of noise with two captions each, augmented
    as they are drawn.
    """
    import torch
    from transformers import CLIPConfig, ViTConfig

    from harness.modeling.processors.images import ImageProcessor
    from harness.training.objectives.items import NO_TOKENS, KeptItems

    random = np.random.default_rng(0)
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    seen = small | {"image_size": 16, "patch_size": 8}
    kind = OBJECTIVES.get(name)
    options = {"augment": True} | ({"width": 16, "layers": 1} if name == "masked-patches" else {})
    objective = kind(kind.Options(**options), NO_TOKENS, 6)
    shape = (24, 2, 3, 16, 16) if name == "video-text" else (24, 3, 16, 16)
    items, ids = random.integers(0, 256, shape, dtype=np.uint8), random.integers(4, 50, (48, 6))
    objective.kept = KeptItems(items, ids, np.ones_like(ids), np.arange(25) * 2)
    objective.processor = ImageProcessor.of_size(16)

    def build():
        torch.manual_seed(3)
        if name == "masked-patches":
            return objective.build(ViTConfig(**seen))
        return objective.build(CLIPConfig(text_config=small | {"vocab_size": 50}, vision_config=seen, projection_dim=8))

    return objective, np.arange(24)[:, None], build


def spec(**changes) -> PretrainingSpec:
    return PretrainingSpec(
        objective="x", **({"steps": 10, "batch_size": 4, "block_size": 24, "checkpoint_every": 4} | changes)
    )


def trained(setting, folder: Path, settings: PretrainingSpec, stop_after: int | None = None, **options: Any):
    """What `loop.train` makes of it, and the weights; with `stop_after`, as if the process were killed at that step."""
    from harness.training.pretraining import loop
    from harness.training.sharding import tensors_of, whole

    objective, blocks, build = setting
    if options.get("deferred"):
        with options["deferred"]:
            model = build()
    else:
        model = build()

    class Killed(Exception):
        pass

    def corrupt(rows, random, original=objective.corrupt):
        if steps[0] == stop_after:
            raise Killed
        steps[0] += 1
        if tick := getattr(options.get("clock"), "tick", None):
            tick()
        return original(rows, random)

    steps = [0]
    objective.corrupt = corrupt
    try:
        outcome = loop.train(model, objective, blocks, settings, "fp32", folder, lambda throughput: None, **options)
    except Killed:
        return None
    finally:
        del objective.corrupt
    weights = tensors_of(outcome.trained.model) if outcome.trained is not None else {}
    return outcome, {name: whole(tensor).clone() for name, tensor in weights.items()}
