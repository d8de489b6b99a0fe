"""Which kinds of models `transformers` has for what."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

LISTS = (
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
    "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES",
    "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES",
    "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES",
)


AUDIO_TOWERS = ("clap",)
DUAL = ("clap", "vision-text-dual-encoder")
"""Models with two towers that are in no list of those that classify images without training."""


def has_two_towers(model_type: str) -> bool:
    """Whether a model of that type has a tower of items and one of texts."""
    return model_type in DUAL or model_type in listed()["MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES"]


@cache
def listed() -> dict[str, frozenset[str]]:
    """The model types in the lists, read from their file: importing it brings torch, which takes seconds."""
    package = find_spec("transformers")
    assert package is not None and package.origin is not None
    tree = ast.parse((Path(package.origin).parent / "models" / "auto" / "modeling_auto.py").read_bytes())
    types: dict[str, frozenset[str]] = {}
    for node in tree.body:
        names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and set(names) & set(LISTS):
            types[names[0]] = frozenset(dict(ast.literal_eval(node.value.args[0])))
    assert set(types) == set(LISTS), "transformers keeps its lists of models elsewhere"
    return types


def hears(config: Mapping[str, Any]) -> bool:
    """Whether a model of two towers reads sounds, and no images."""
    return config.get("model_type") in AUDIO_TOWERS or "audio_config" in config
