"""`config.json`, as `transformers` writes it beside weights: of it, what is read before a model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from harness.core.errors import HarnessError
from harness.core.reading import read_object
from harness.core.strict_spec import parse

CONFIG = "config.json"
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
"""Where `transformers` keeps what makes images and sounds tensors."""
Layers = Annotated[int, Field(ge=0, le=10_000)]
Size = Annotated[int, Field(ge=1, le=2**24)]
LAYERS = (
    "num_hidden_layers", "num_layers", "n_layer", "n_layers", "num_decoder_layers", "encoder_layers", "decoder_layers",
)  # fmt: skip
WIDTHS = ("hidden_size", "d_model", "dim", "n_embd")
MOST_PARAMETERS = 2**40


class ConfigFile(BaseModel):
    """What is known of a model's config whatever its kind; all else in it belongs to `transformers`."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=(), strict=True)

    model_type: str | None = None
    architectures: list[str] | None = None
    id2label: dict[str, str] | None = None
    is_encoder_decoder: bool | None = None
    vocab_size: Size | None = None
    max_position_embeddings: Annotated[int, Field(ge=-1, le=2**24)] | None = None
    n_positions: Annotated[int, Field(ge=-1, le=2**24)] | None = None
    hidden_size: Size | None = None
    d_model: Size | None = None
    dim: Size | None = None
    n_embd: Size | None = None
    intermediate_size: Size | None = None
    num_hidden_layers: Layers | None = None
    num_layers: Layers | None = None
    n_layer: Layers | None = None
    n_layers: Layers | None = None
    num_decoder_layers: Layers | None = None
    encoder_layers: Layers | None = None
    decoder_layers: Layers | None = None
    num_attention_heads: Size | None = None
    n_head: Size | None = None
    n_heads: Size | None = None
    num_heads: Size | None = None


def read_config(file: Path) -> dict[str, Any]:
    """The content of a `config.json`. Raises HarnessError for a damaged one, or a value that no model can have."""
    content = read_object(file)
    check_config(content, str(file))
    return content


def check_config(content: Mapping[str, Any], where: str) -> None:
    """Raises HarnessError, which names the place and the key, for a config that no model can have."""
    parse(ConfigFile, dict(content), where)
    if (parameters := parameters_of(content)) > MOST_PARAMETERS:
        raise HarnessError(f"{where}: it describes a model of some {parameters:.0e} parameters; correct its sizes")


def parameters_of(content: Mapping[str, Any]) -> int:
    """About how many parameters a model of this config has; 0 where it does not say."""
    layers = sum(value for name in LAYERS if isinstance(value := content.get(name), int))
    width = max((value for name in WIDTHS if isinstance(value := content.get(name), int)), default=0)
    return int(12 * layers * width**2 + width * (content.get("vocab_size") or 0))
