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
LAYERS = {"Dense": "dense", "LayerNorm": "layer-norm", "Normalize": "normalize"}
"""Modules that change the vector of a text, and what they are called for short."""
KINDS = ("Transformer", "Pooling", *LAYERS, "Dropout")
WEIGHTS = "model.safetensors"
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid", "LeakyReLU", "ELU", "Mish", "Softplus")
"""Classes of `torch.nn` that a dense module may name."""
LIMIT = "max_length"


def pooling_of(folder: Path) -> dict[str, Any]:
    """What the head `sentence-similarity` must know of a folder: `pooling` (names of how tokens become one vector; the
    mean where no file says) and, where the folder says so, `layers` (what follows, `sentence_layers`), `prompt` (before
    each text), `prompts` (by the name of what a text is for), `lowercase`, `max_length`, `normalize` (vectors of length
    1, which a cosine does not see).

    Raises:
        HarnessError: a file is damaged, or a module changes the vectors in a way that is not read here.
    """
    settings: dict[str, Any] = {"pooling": ["mean"]}
    layers: list[dict[str, Any]] = []
    for module in _read(folder / MODULES, list) if (folder / MODULES).exists() else []:
        kind = str(module.get("type", "")).rpartition(".")[2]
        where = folder / str(module.get("path", ""))
        if kind not in KINDS or folder.resolve() not in (where.resolve(), *where.resolve().parents):
            raise HarnessError(
                f"model {folder}: {MODULES} has a {kind or 'module without type'}"
                f"{'' if kind in KINDS else ', which is not read; it takes ' + ', '.join(KINDS)}"
                f"{' outside the folder' if kind in KINDS else ''}"
            )
        if kind == "Pooling":
            settings["pooling"] = _pooling(where / "config.json")
        elif kind in LAYERS:
            layers.append({"kind": LAYERS[kind], **(_layer(folder, where, kind))})
    while layers and layers[-1]["kind"] == LAYERS["Normalize"]:  # which a cosine does not see
        layers.pop()
        settings["normalize"] = True
    if layers:
        settings["layers"] = layers
    _limit(folder, settings)
    limits = folder / "sentence_bert_config.json"
    if limits.exists():
        values = _read(limits, dict)
        if values.get("do_lower_case"):
            settings["lowercase"] = True
    prompts = folder / "config_sentence_transformers.json"
    if prompts.exists():
        values = _read(prompts, dict)
        named = values.get("prompts")
        texts = (
            {str(name): text for name, text in named.items() if isinstance(text, str)}
            if isinstance(named, dict)
            else {}
        )
        if prompt := texts.get(str(values.get("default_prompt_name"))):
            settings["prompt"] = prompt
        if any(texts.values()):
            settings["prompts"] = texts
    return settings


def _limit(folder: Path, settings: dict[str, Any]) -> None:
    """The tokens that are read: older folders say it of the encoder, newer ones of its tokenizer, or a number of 31
    digits for no limit.
    """
    for name, key in (("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")):
        value = _read(folder / name, dict, finite=False).get(key) if (folder / name).exists() else None
        if isinstance(value, int) and 1 < value < 2**20:
            settings[LIMIT] = value
            return


def _layer(folder: Path, where: Path, kind: str) -> dict[str, Any]:
    """How the layer of a module is computed, and where its weights lie."""
    if kind == "Normalize":
        return {}
    values = _read(where / "config.json", dict)
    if not (where / WEIGHTS).is_file():
        pickles = " a pickle, which can run code when loaded" if any(where.glob("*.bin")) else " no weights"
        raise HarnessError(f"model {folder}: {where.name} holds{pickles}; save it again with safetensors")
    layer: dict[str, Any] = {"path": where.relative_to(folder).as_posix()}
    if kind == "LayerNorm":
        return layer
    name = str(values.get("activation_function", "torch.nn.modules.activation.Tanh"))
    activation = name.rpartition(".")[2]
    if not name.startswith("torch.nn.") or activation not in ACTIVATIONS:
        raise HarnessError(f"{where / 'config.json'}: activation_function {name}; known: {', '.join(ACTIVATIONS)}")
    vector = "sentence_embedding"
    if any((values.get(key) or vector) != vector for key in ("module_input_name", "module_output_name")):
        raise HarnessError(f"{where / 'config.json'}: a layer that is not of the text's vector is not read")
    return layer | {"activation": activation, "residual": values.get("use_residual") is True}


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


def _read(file: Path, kind: type, finite: bool = True) -> Any:
    content = read_json(file, finite=finite)
    items = content if isinstance(content, list) else [content]
    if not isinstance(content, kind) or not all(isinstance(item, dict) for item in items):
        raise HarnessError(f"{file}: expected {'a list of objects' if kind is list else 'an object'}")
    return content
