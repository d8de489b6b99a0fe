"""Model folders of compressed models: written with what loading them takes, and measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.modeling.runtimes.torch_eager import shapes_of
from harness.modeling.size import weights_of
from harness.modeling.weights.config_file import PROCESSOR_FILES
from harness.modeling.weights.settings import Settings, read_settings, write_settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def save(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: Path, target: Path, **changes: Any
) -> None:
    """Write a model made from that of `source`, with the shapes its config does not tell and changes of settings."""

    model.save_pretrained(target)
    save_readers(source, target, tokenizer)
    write_settings(target, settled(source, shapes=shapes_of(model), **changes))


def save_readers(source: Path, target: Path, tokenizer: PreTrainedTokenizerBase | None) -> None:
    """Put what reads a model's texts and items beside it."""
    if tokenizer is not None:
        tokenizer.save_pretrained(target)
    for name in PROCESSOR_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def moved(source: Path, target: Path, runtime: str, **changes: Any) -> None:
    """Copy a model folder for another runtime, its weights as they are."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    write_settings(target, read_settings(source).model_copy(update={"runtime": runtime, **changes}))


def settled(source: Path, **changes: Any) -> Settings:
    """The settings of a folder's model, with changes; in plain storage where none is given."""
    return read_settings(source).model_copy(update={"shapes": None, "storage": None, **changes})


def facts(folder: Path) -> dict[str, Any]:
    """`{"runtime", "parameters", "nonzero", "bytes"}` of a model folder, as `harness.modeling.size` counts them:
    weights as they are stored, each once, and the bytes of their files. None where a file's format is not read here.
    """
    settings = read_settings(folder)
    weights = weights_of(folder, settings)
    return {
        "runtime": settings.runtime,
        "parameters": weights.get("parameters"),
        "nonzero": weights.get("nonzeros"),
        "bytes": weights["bytes"],
    }
