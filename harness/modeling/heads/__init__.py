"""Heads: how a transformer does a task. One module each, named after the `transformers` classes they load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from harness.core import plugins
from harness.core.families import FAMILIES
from harness.core.plugins import Plugins
from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec
from harness.data.modalities import MODALITIES
from harness.modeling.heads.base import EncodingContext, Head
from harness.modeling.weights.model_lists import has_two_towers, listed

HEADS: Plugins[Head] = plugins.table("head")

Architecture = Literal["encoder", "decoder", "encoder-decoder", "dual-encoder", "image-encoder", "audio-encoder"]
TEXT = ("encoder", "decoder", "encoder-decoder")


def architecture_of(config: Mapping[str, Any]) -> Architecture:
    """What a model reads and writes, by its config, from the lists of `transformers`."""
    kind, lists = config["model_type"], listed()
    if has_two_towers(kind):
        return "dual-encoder"
    if config.get("is_encoder_decoder") or kind in lists["MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"]:
        return "encoder-decoder"
    if kind in lists["MODEL_FOR_MASKED_LM_MAPPING_NAMES"]:  # BERT and its kin are in the other list as well
        return "encoder"
    if kind in lists["MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"]:
        return "decoder"
    if kind in lists["MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES"]:
        return "image-encoder"
    return "audio-encoder" if kind in lists["MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES"] else "encoder"


def head_for(task: TaskSpec, architecture: Architecture) -> str | None:
    """The head with which a model of this architecture does the task; None where it has none."""
    family = FAMILIES.get(task.family)
    if family.modalities or architecture not in TEXT:
        return _item_head(task, architecture)
    if family.predictions == "tags":
        return "token-classification" if architecture != "encoder-decoder" and task.shots is None else None
    if family.choices is not None and task.shots is None:
        return "multiple-choice" if architecture != "encoder-decoder" else None
    if family.choices is not None:
        return "causal-lm" if architecture == "decoder" else None
    if family.predictions == "last-words":
        return "causal-lm" if architecture == "decoder" else None
    if family.predictions == "log-odds":
        return {"decoder": "causal-lm", "encoder": "masked-lm"}.get(architecture)
    if architecture == "encoder-decoder":
        return None if family.predictions == "likelihoods" else "seq2seq-lm"
    if task.shots is not None:
        return "causal-lm" if architecture == "decoder" else None
    if family.predictions in ("labels", "values"):
        return "sequence-classification"
    if architecture == "decoder":
        return "causal-lm"
    return "question-answering" if family.extractive else None


def _item_head(task: TaskSpec, architecture: Architecture) -> str | None:
    """Of a task on items, or of a model that reads them."""
    family = FAMILIES.get(task.family)
    if not family.modalities:
        return None
    modality = MODALITIES.get(family.modality)
    if architecture == "dual-encoder" and (not family.trained or task.shots == 0):
        return "dual-encoder"
    if task.shots is not None or modality.in_frames:
        return None
    read_by = modality.model_modality
    if architecture == f"{read_by}-encoder" or (architecture == "dual-encoder" and read_by == "image"):
        return f"{read_by}-classification"
    return None


def heads_of(task: TaskSpec, architecture: Architecture) -> list[str]:
    """The heads with which a finished model may do the task: what it was trained with nobody chose here."""
    family = FAMILIES.get(task.family)
    usual = head_for(task, architecture)
    heads = [] if usual is None else [usual]
    if family.modalities or architecture not in TEXT:
        return heads
    if task.shots is None and family.predictions in ("labels", "values") and family.choices is None:
        heads.append("sequence-classification")
    if task.shots is None and family.predictions in ("values", "outcomes"):
        heads.append("sentence-similarity")
    if task.shots is None and family.extractive:
        heads.append("question-answering")
    return list(dict.fromkeys(heads))


__all__ = ["HEADS", "Architecture", "EncodingContext", "Head", "Predictions", "architecture_of", "head_for", "heads_of"]
