"""Small tasks, tokenizers and models to try heads on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from harness.core.pretraining_specs import TokenizerSpec
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.modeling.heads import EncodingContext
from harness.training import tokenizers

WORDS = "red green blue stone river bird house tree old small walks sings over under near the a is of negative positive"
TEXTS = [
    "the old stone house is near the river.",
    "a small bird sings under the green tree!",
    "question: who walks over the blue river? context: the old bird walks.",
    "Is the sentiment of this sentence negative or positive?\nSentence: a red tree\nAnswer: positive\n\n",
    "我喜欢红色的石头房子。河边有一棵树。",
    "similarity 0.0 1.2 2.4 3.6 4.8 5.0 unanswerable",
    WORDS,
]
TARGETS = {
    "classification": "label", "nli": "label", "similarity": "label", "question-answering": "answers",
    "summarization": "summary", "translation": "target", "language-modeling": None, "text-generation": None,
}  # fmt: skip
FIELDS = {
    "classification": ("text",), "nli": ("premise", "hypothesis"), "similarity": ("text", "text_pair"),
    "question-answering": ("question", "context"), "translation": ("source",),
}  # fmt: skip


def task(family: str, **settings: Any) -> TaskSpec:
    target = TARGETS[family]
    fields = [*FIELDS.get(family, ("text",)), *([target] if target else [])]
    values = {"name": "made-up", "family": family, "fields": {name: name for name in fields}, "metrics": ["accuracy"]}
    shots = settings.pop("shots", None)
    return TaskSpec.model_validate(values | settings).model_copy(update={"shots": shots})


def split(fields: dict[str, Sequence[str]], labels: Sequence[Any] | None = None, **more: Any) -> Split:
    count = len(next(iter(fields.values())))
    columns = {name: tuple(texts) for name, texts in fields.items()}
    return Split(tuple(map(str, range(count))), columns, None if labels is None else tuple(labels), **more)


@cache
def tokenizer(kind: str, vocab_size: int = 400) -> Any:
    spec = TokenizerSpec.model_validate({"kind": kind, "vocab_size": vocab_size, "lowercase": False})
    return tokenizers.train(spec, TEXTS, 512)


def reader(of: TaskSpec, kind: str, max_length: int = 64, labels: Sequence[str] = (), **more: Any) -> EncodingContext:
    return EncodingContext(of, tuple(labels), tokenizer(kind), max_length, **more)


def model(auto_class: str, model_type: str, kind: str, **settings: Any) -> Any:
    """A random model whose outputs differ widely from input to input."""
    import torch
    import transformers

    tokens = tokenizer(kind)
    sizes: dict[str, dict[str, Any]] = {
        "bert": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
                 "max_position_embeddings": 512, "initializer_range": 0.5},
        "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 256, "initializer_range": 0.5,
                 "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0},
        "llama": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
                  "max_position_embeddings": 256, "initializer_range": 0.5},
        "t5": {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "initializer_factor": 3.0,
               "dropout_rate": 0.0},
        "bart": {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
                 "decoder_attention_heads": 2, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64,
                 "max_position_embeddings": 256, "init_std": 0.5, "dropout": 0.0, "forced_eos_token_id": None},
    }  # fmt: skip
    special = {"pad_token_id": tokens.pad_token_id, "vocab_size": len(tokens)}
    special |= {"bos_token_id": tokens.bos_token_id, "eos_token_id": tokens.eos_token_id}
    if model_type in ("t5", "bart"):
        special["decoder_start_token_id"] = tokens.pad_token_id
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(model_type, **(special | sizes[model_type] | settings))
    return getattr(transformers, auto_class).from_config(config).eval()


def batch_of(encoded: Any, tokens: Any, indices: Sequence[int] | None = None) -> dict[str, Any]:
    """A padded batch of encoded examples, all of them where no indices are given."""
    import torch

    from harness.modeling.inference.batching import DataCollator

    chosen = range(len(encoded)) if indices is None else indices
    return DataCollator.of(tokens, torch.device("cpu"))(encoded.rows(chosen))
