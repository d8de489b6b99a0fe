"""Pretraining that goes on from a checkpoint: what it starts from, and whether it can."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.core.cached_facts import KnownProblem
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.pretraining_specs import GOING_ON_RATE, PretrainingSpec
from harness.core.reading import read_object
from harness.core.specs import ModelSpec
from harness.core.store import Store
from harness.modeling.heads import architecture_of
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.building import architecture_problem
from harness.modeling.weights.pretrained import Weights, find, folder_of
from harness.modeling.weights.settings import model_config, refuse_compressed
from harness.training.objectives import OBJECTIVES, check_objective

TOKENIZERS = {"WordPiece": "wordpiece", "BPE": "bytebpe", "Unigram": "unigram"}
"""What the file of a tokenizer calls the kinds of `TokenizerSpec`."""
USUAL = {
    "encoder": "mlm", "decoder": "clm", "encoder-decoder": "span-corruption", "dual-encoder": "image-text",
    "image-encoder": "masked-patches", "audio-encoder": "masked-spectrogram",
}  # fmt: skip
"""The objective of each architecture, where nothing else is said."""
VOCABULARY = 2**28
"""Bytes of a tokenizer's file."""
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len")


def start_of(model_spec: ModelSpec, store: Store, partial: bool = False) -> Weights | None:
    """The weights that a model spec starts from, as `find` has them, and whether its pretraining can go on from them.

    Raises:
        HarnessError: no such checkpoint, or one that its objective cannot train.
    """
    weights = find(model_spec, store, partial)
    if weights is not None and model_spec.pretraining is not None:
        _check(model_spec, weights, store)
    return weights


def usual_settings(model_spec: ModelSpec) -> dict[str, Any]:
    """The section `pretraining` of a checkpoint that has none. Raises HarnessError where there is no checkpoint."""
    assert model_spec.pretrained is not None
    config = model_config(folder_of(model_spec.pretrained, model_spec.revision))
    length = min(PretrainingSpec.model_fields["block_size"].default, _positions(config) or math.inf)
    usual = "audio-text" if config["model_type"] == "clap" else USUAL[architecture_of(config)]
    return {"objective": usual, "learning_rate": GOING_ON_RATE, "block_size": length}


def _check(model_spec: ModelSpec, weights: Weights, store: Store) -> None:
    settings, folder = model_spec.pretraining, weights.folder
    assert settings is not None
    where = f"model {model_spec.name}: pretraining"
    kind, _ = check_objective(model_spec)
    if kind.auto_class is None or not kind.from_checkpoint:
        able = [name for name in OBJECTIVES.names() if OBJECTIVES.get(name).from_checkpoint]
        raise HarnessError(
            f"{where}: objective {settings.objective} builds a model of its own; a checkpoint is trained further by "
            f"{' or '.join(able)}"
        )
    if is_adapter(folder):
        raise HarnessError(f"{where}: {folder.name} is an adapter; merge it first: `harness compress --method merge`")
    refuse_compressed(folder)
    config = model_config(folder)
    positions = _positions(config)
    if positions is not None and positions < settings.block_size:
        raise HarnessError(
            f"{where}: block_size: the checkpoint reads {positions} tokens, not {settings.block_size}; take at most "
            "as many"
        )
    tokenizer = _tokenizer_kind(folder)
    if tokenizer is not None and tokenizer not in kind.tokenizers:
        raise HarnessError(
            f"{where}: objective {settings.objective} needs a tokenizer of kind {' or '.join(kind.tokenizers)}, and "
            f"the checkpoint's is {tokenizer}"
        )
    auto_class, known = kind.auto_class, {name: config.get(name) for name in ("model_type", "is_decoder")}
    key = hash_json(["going on", known, auto_class, version("transformers")])

    def problem() -> dict[str, str | None]:
        return {"problem": architecture_problem(known, auto_class)}

    if (reason := store.get_or_compute(key, problem, KnownProblem)["problem"]) is not None:
        raise HarnessError(f"{where}: objective {settings.objective}: {reason}")


def _positions(config: Mapping[str, Any]) -> int | None:
    """How many tokens a checkpoint can read, its tower of texts where it has two; None where nothing limits them."""
    config = config.get("text_config") or config
    return next((config[name] for name in POSITIONS if isinstance(config.get(name), int) and config[name] > 0), None)


def _tokenizer_kind(folder: Path) -> str | None:
    """The kind of a checkpoint's tokenizer; None where its files do not say."""
    file = folder / "tokenizer.json"
    if not file.is_file():
        return "wordpiece" if (folder / "vocab.txt").is_file() else None
    model = read_object(file, VOCABULARY).get("model")
    return TOKENIZERS.get(str(model.get("type"))) if isinstance(model, dict) else None
