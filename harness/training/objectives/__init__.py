"""Objectives: what a model learns from text without labels. One module each."""

from __future__ import annotations

from typing import Any

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.plugins import Plugins
from harness.core.specs import ModelSpec
from harness.core.strict_spec import parse
from harness.training.objectives.base import Objective, Tokens

OBJECTIVES: Plugins[type[Objective]] = plugins.table("objective")
OF_TEXT = ("augment", "compile", "peft")
"""Settings of a pretraining that objectives on items do without; captions are text and can be augmented."""


def check_objective(model_spec: ModelSpec) -> tuple[type[Objective], Any]:
    """The objective's class and its options; what can be checked without a tokenizer. Raises HarnessError."""
    settings = model_spec.pretraining
    assert settings is not None
    where = f"model spec {model_spec.name}"
    kind = OBJECTIVES.get(settings.objective, where)
    if model_spec.tokenizer is not None and model_spec.tokenizer.kind not in kind.tokenizers:
        raise HarnessError(
            f"{where}: objective {settings.objective} needs a tokenizer of kind {' or '.join(kind.tokenizers)}, "
            f"not {model_spec.tokenizer.kind}"
        )
    if settings.adversarial is not None and not kind.can_be_perturbed():
        raise HarnessError(
            f"{where}: adversarial: objective {settings.objective} is not trained on perturbed embeddings; leave it out"
        )
    if kind.modality != "text":
        reads_captions = kind.has_captions  # type: ignore[attr-defined]
        for name in OF_TEXT:
            if getattr(settings, name) and not (name == "augment" and reads_captions):
                raise HarnessError(
                    f"{where}: pretraining.{name}: objective {settings.objective} learns from {kind.unit}, and {name} "
                    "is for text alone; leave it out"
                )
    return kind, parse(kind.Options, settings.options, f"{where}: pretraining.options")


__all__ = ["OBJECTIVES", "Objective", "Tokens", "check_objective"]
