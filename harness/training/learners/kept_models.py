"""Models that are loaded to predict, kept for the next call while their folder's files are the same: several splits are
scored with one model.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.hashing import hash_json, states_of
from harness.modeling.runtimes import RuntimeModel, open_model
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.loading import HERE, load_weights, partial_allowed
from harness.modeling.weights.settings import base_of, home_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def served(directory: Path) -> RuntimeModel:
    """The model of a folder in its runtime."""
    opened: RuntimeModel = _kept(_opened)(directory, _state(directory))
    return opened


def untrained(directory: Path, auto_class: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model of `transformers` that is not fine-tuned, and its tokenizer."""
    loaded: tuple[PreTrainedModel, PreTrainedTokenizerBase] = _kept(_loaded)(directory, auto_class, _state(directory))
    return loaded


def forget() -> None:
    """Let go of the models that are kept."""
    _opened.cache_clear()
    _loaded.cache_clear()


@lru_cache(maxsize=1)
def _opened(directory: Path, state: str) -> RuntimeModel:
    import torch

    return open_model(directory, torch.get_num_threads())


@lru_cache(maxsize=1)
def _loaded(directory: Path, auto_class: str, state: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoTokenizer

    return load_weights(auto_class, directory), AutoTokenizer.from_pretrained(directory, **HERE)


def _kept(load: Any) -> Any:
    """What loads a model and keeps it; without the keeping where weights may be partial, which is said of each."""
    return load.__wrapped__ if partial_allowed() else load


def _state(directory: Path) -> str:
    places = [directory, base_of(directory)] if is_adapter(directory) else [home_of(directory)]
    files = (sorted(path for path in place.rglob("*") if path.is_file()) for place in places)
    return hash_json([states_of(paths) for paths in files])
