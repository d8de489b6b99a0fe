"""What the methods of torchao share: a model whose linear layers hold torchao's weights."""

from __future__ import annotations

from typing import Any, Literal

from harness.compress.base import Compressor, Request
from harness.errors import HarnessError
from harness.strict_spec import Strict


class ByTorchao(Compressor):
    """`activations`: `dynamic` multiplies in the type of the weights, `float` turns those back into floats first."""

    main = "activations"
    runtime = "torchao"

    class Options(Strict):
        activations: Literal["dynamic", "float"] = "dynamic"

    @property
    def dynamic(self) -> bool:
        return self.options.activations == "dynamic"


def quantize(request: Request, method: str, kind: str, config: Any) -> dict[str, Any]:
    """Write the model of `request` with every linear layer but the head's quantized as torchao's `config` says.

    Returns what a compressor says it did, with `kind` as the name of what the layers are now. Raises HarnessError where
    the model was changed already, or torchao left a layer as it was.
    """
    from transformers import TorchAoConfig

    from harness.compress.layers import head_names, linear_layers
    from harness.compress.saving import settled
    from harness.runtimes.settings import read_settings, write_settings
    from harness.runtimes.torch_eager import load

    if not read_settings(request.source).is_plain:
        raise HarnessError(f"model {request.source}: {method} reads models as they were fine-tuned only")
    model, tokenizer = load(request.source)
    layers, heads = linear_layers(model), head_names(model)
    quantized = type(model).from_pretrained(
        request.source, quantization_config=TorchAoConfig(config, modules_to_not_convert=heads),
        local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype="float32",
    )  # fmt: skip
    stayed = [name for name in layers if not _is_torchao(quantized.get_submodule(name).weight)]
    if stayed:
        raise HarnessError(
            f"model {request.source}: torchao left {len(stayed)} of its {len(layers)} linear layers float, "
            f"{stayed[0]} among them"
        )
    quantized.save_pretrained(request.target)
    tokenizer.save_pretrained(request.target)
    write_settings(request.target, settled(request.source, runtime="torchao"))
    return {"coverage": {"linear": len(layers), kind: len(layers), "head": heads}}


def _is_torchao(weight: Any) -> bool:
    return type(weight).__module__.startswith("torchao")
