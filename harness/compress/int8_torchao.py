"""int8 by torchao for GPUs: weights as int8 with a scale for each output channel; activations quantized as they come,
with a scale for each token, or left float.
"""

from __future__ import annotations

from typing import Any, Literal

from harness.compress.base import Compressor, Request
from harness.errors import HarnessError
from harness.runtimes.torchao import require
from harness.strict_spec import Strict


class Int8Torchao(Compressor):
    """`activations`: `dynamic` multiplies in integers, `float` turns the weights back into floats first."""

    main = "activations"
    runtime = "torchao"

    class Options(Strict):
        activations: Literal["dynamic", "float"] = "dynamic"

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        from torchao.quantization import Int8DynamicActivationInt8WeightConfig, Int8WeightOnlyConfig
        from transformers import TorchAoConfig

        from harness.compress.layers import head_names, linear_layers
        from harness.compress.saving import settled
        from harness.runtimes.settings import read_settings, write_settings
        from harness.runtimes.torch_eager import load

        if not read_settings(request.source).is_plain:
            raise HarnessError(f"model {request.source}: int8-torchao reads models as they were fine-tuned only")
        model, tokenizer = load(request.source)
        layers, heads = linear_layers(model), head_names(model)
        dynamic = self.options.activations == "dynamic"
        config = TorchAoConfig(
            Int8DynamicActivationInt8WeightConfig() if dynamic else Int8WeightOnlyConfig(), modules_to_not_convert=heads
        )
        quantized = type(model).from_pretrained(
            request.source, quantization_config=config, local_files_only=True, trust_remote_code=False,
            use_safetensors=True, dtype="float32",
        )  # fmt: skip
        stayed = [name for name in layers if not _is_int8(quantized.get_submodule(name).weight)]
        if stayed:
            raise HarnessError(
                f"model {request.source}: torchao left {len(stayed)} of its {len(layers)} linear layers float, "
                f"{stayed[0]} among them"
            )
        quantized.save_pretrained(request.target)
        tokenizer.save_pretrained(request.target)
        write_settings(request.target, settled(request.source, runtime=self.runtime))
        return {"coverage": {"linear": len(layers), "int8": len(layers), "head": heads}}


def _is_int8(weight: Any) -> bool:
    return type(weight).__module__.startswith("torchao")


COMPRESSOR = Int8Torchao
