"""What the methods of torchao share: linear layers whose weights are torchao's, all but the head's; the rest is
bfloat16.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal

from harness.compression.base import Compressor, Request
from harness.compression.saving import settled
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.strict_spec import Strict
from harness.modeling.runtimes import torchao as served
from harness.modeling.runtimes.torch_bf16 import DTYPE
from harness.modeling.runtimes.torch_eager import in_floats, load, shapes_of
from harness.modeling.weights.settings import Storage, write_settings

layers_module = lazy("harness.modeling.weights.layers")
torchao_file = lazy("harness.modeling.runtimes.torchao_file")


class ByTorchao(Compressor):
    """`kind` is the type of the weights."""

    runtime = "torchao"
    kind: ClassVar[str]

    @abstractmethod
    def config(self) -> Any:
        """How torchao is to quantize a layer. Raises HarnessError where this machine cannot serve what would come."""

    def compress(self, request: Request) -> dict[str, Any]:
        served.require()
        config = self.config()
        import torch
        from torchao.quantization import quantize_

        model, tokenizer = load(request.source)
        shapes = shapes_of(model)
        in_floats(model, DTYPE)
        converted = layers_module.as_linear(model)
        layers = layers_module.linear_layers(model)
        model.to(torch.device(served.DEVICE))  # type: ignore[arg-type]
        quantize_(model, config, filter_fn=lambda module, name: name in layers)
        stayed = [name for name in layers if not torchao_file.is_torchao(model.get_submodule(name).weight)]
        if stayed:
            raise HarnessError(
                f"model {request.source}: torchao left {len(stayed)} of its {len(layers)} linear layers float, "
                f"{stayed[0]} among them"
            )
        model.config.architectures = [type(model).__name__]
        model.config.save_pretrained(request.target)
        tokenizer.save_pretrained(request.target)
        torchao_file.write(model, request.target / torchao_file.FILE)
        storage = Storage(file=torchao_file.FILE, format="torchao")
        write_settings(request.target, settled(request.source, runtime=self.runtime, shapes=shapes, storage=storage))
        coverage = {"linear": len(layers), self.kind: len(layers), "head": layers_module.head_names(model)}
        return {"coverage": coverage, "conv1d_converted": converted}


class Products(ByTorchao):
    """`activations`: `dynamic` multiplies in the type of the weights, `float` turns those back into floats first."""

    main = "activations"

    class Options(Strict):
        activations: Literal["dynamic", "float"] = "dynamic"

    @property
    def dynamic(self) -> bool:
        return bool(self.options.activations == "dynamic")
