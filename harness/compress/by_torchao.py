"""What the methods of torchao share: linear layers whose weights are torchao's, all but the head's; the rest is
bfloat16.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from harness.compress.base import Compressor, Request
from harness.errors import HarnessError
from harness.runtimes.torchao import require
from harness.strict_spec import Strict


class ByTorchao(Compressor):
    """`kind` is the type of the weights."""

    runtime = "torchao"
    kind: ClassVar[str]

    @abstractmethod
    def config(self) -> Any:
        """How torchao is to quantize a layer. Raises HarnessError where this machine cannot serve what would come."""

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        config = self.config()
        from transformers import TorchAoConfig

        import harness.runtimes.torchao as served
        from harness.compress.layers import head_names, linear_layers
        from harness.compress.saving import settled
        from harness.runtimes.settings import read_settings, write_settings
        from harness.runtimes.torch_bf16 import DTYPE
        from harness.runtimes.torch_eager import load

        if not read_settings(request.source).is_plain:
            raise HarnessError(f"model {request.source}: {self.kind}-torchao reads models as they were fine-tuned only")
        model, tokenizer = load(request.source)
        layers, heads = linear_layers(model), head_names(model)
        quantized = type(model).from_pretrained(
            request.source, quantization_config=TorchAoConfig(config, modules_to_not_convert=heads),
            local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=DTYPE,
            device_map={"": served.DEVICE},
        )  # fmt: skip
        stayed = [name for name in layers if not _is_torchao(quantized.get_submodule(name).weight)]
        if stayed:
            raise HarnessError(
                f"model {request.source}: torchao left {len(stayed)} of its {len(layers)} linear layers float, "
                f"{stayed[0]} among them"
            )
        quantized.save_pretrained(request.target)
        tokenizer.save_pretrained(request.target)
        write_settings(request.target, settled(request.source, runtime=self.runtime))
        return {"coverage": {"linear": len(layers), self.kind: len(layers), "head": heads}}


class Products(ByTorchao):
    """`activations`: `dynamic` multiplies in the type of the weights, `float` turns those back into floats first."""

    main = "activations"

    class Options(Strict):
        activations: Literal["dynamic", "float"] = "dynamic"

    @property
    def dynamic(self) -> bool:
        return bool(self.options.activations == "dynamic")


def _is_torchao(weight: Any) -> bool:
    return type(weight).__module__.startswith("torchao")
