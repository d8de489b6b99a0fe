"""Adapters merged into the weights they belong to, for what reads weights alone: compression, pushing to the hub."""

from __future__ import annotations

from pathlib import Path

from harness.modeling.heads import HEADS
from harness.modeling.weights import adapters
from harness.modeling.weights.adapter_files import is_adapter
from harness.modeling.weights.loading import load_tokenizer
from harness.modeling.weights.settings import read_settings, write_settings


def write_merged(folder: Path, target: Path) -> None:
    """Write the model of an adapter's folder as one that needs neither the adapter nor peft. Raises HarnessError as
    `load_adapter` does.
    """
    settings = read_settings(folder)
    adapters.load_whole(HEADS.get(settings.head, str(folder)).auto_class, folder).save_pretrained(target)
    load_tokenizer(folder).save_pretrained(target)
    write_settings(target, settings.model_copy(update={"adapter": None}))


def merged(folder: Path, scratch: Path) -> Path:
    """A folder's model without an adapter: itself, or what `write_merged` writes into a new folder of `scratch`."""
    if not is_adapter(folder):
        return folder
    target = scratch / "merged"
    target.mkdir()
    write_merged(folder, target)
    return target
