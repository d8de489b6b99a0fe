"""How a sentence encoder makes one vector of a text: `modules.json` and what it names, as sentence-transformers writes
them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import read_json

MODULES = "modules.json"
POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""The switches of a pooling's `config.json`, and what they are called for short."""
WITHOUT_EFFECT = ("Transformer", "Pooling", "Normalize")
"""Modules that are read, or that a cosine does not see."""


def pooling_of(folder: Path) -> dict[str, Any]:
    """What the head `sentence-similarity` must know of a folder: `pooling` (names of how tokens become one vector; the
    mean where no file says) and, where the folder says so, `prompt` (before each text), `lowercase`, `max_length`.

    Raises:
        HarnessError: a file is damaged, or a module changes the vectors in a way that is not read here.
    """
    settings: dict[str, Any] = {"pooling": ["mean"]}
    if (folder / MODULES).exists():
        for module in _read(folder / MODULES, list):
            kind = str(module.get("type", "")).rpartition(".")[2]
            if kind not in WITHOUT_EFFECT:
                raise HarnessError(
                    f"model {folder}: {MODULES} has a {kind or 'module without type'}, which is not read; it takes "
                    f"{', '.join(WITHOUT_EFFECT)}"
                )
            if kind == "Pooling":
                settings["pooling"] = _pooling(folder / str(module.get("path", "")) / "config.json")
    limits = folder / "sentence_bert_config.json"
    if limits.exists():
        values = _read(limits, dict)
        if isinstance(values.get("max_seq_length"), int):
            settings["max_length"] = values["max_seq_length"]
        if values.get("do_lower_case"):
            settings["lowercase"] = True
    prompts = folder / "config_sentence_transformers.json"
    if prompts.exists():
        values = _read(prompts, dict)
        named = values.get("prompts")
        prompt = named.get(str(values.get("default_prompt_name"))) if isinstance(named, dict) else None
        if prompt:
            settings["prompt"] = str(prompt)
    return settings


def _pooling(file: Path) -> list[str]:
    values = _read(file, dict)
    mode = values.get("pooling_mode")
    modes = [mode] if isinstance(mode, str) else list(mode or [])
    modes += [name for switch, name in POOLINGS.items() if values.get(switch) is True]
    unknown_modes = [mode for mode in modes if mode not in POOLINGS.values()]
    if unknown_modes or not modes:
        known = ", ".join(POOLINGS.values())
        raise HarnessError(f"{file}: pooling {', '.join(map(str, unknown_modes)) or 'nothing'}; known: {known}")
    if values.get("include_prompt") is False:
        raise HarnessError(f"{file}: include_prompt: false is not read")
    return modes


def _read(file: Path, kind: type) -> Any:
    content = read_json(file)
    items = content if isinstance(content, list) else [content]
    if not isinstance(content, kind) or not all(isinstance(item, dict) for item in items):
        raise HarnessError(f"{file}: expected {'a list of objects' if kind is list else 'an object'}")
    return content
