"""Quantization-aware training (Jacob et al. 2018): the model is fine-tuned further while it rounds as dynamic int8
will, and then becomes `int8`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.compression.base import Compressor, Request, Target, no_graph
from harness.compression.fine_tuning import FineTuningOptions, fit_request
from harness.compression.int8 import Int8
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.runtimes.onnx_runtime import require
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.settings import read_settings
from harness.training.defaults import learning_rate_for
from harness.training.learners.base import FitRequest
from harness.training.learners.transformer import train_and_save

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

fake_quant = lazy("harness.compression.fake_quant")
groups = lazy("harness.compression.groups")


GENTLER = 0.1
"""The learning rate by default, as a fraction of that of the fine-tuning."""


class Int8Qat(Compressor):
    """`epochs` over the training split, with a tenth of the learning rate of the fine-tuning and all else as it was,
    where the options do not say otherwise. Those left are the options of `int8`.
    """

    main = "epochs"
    uses_data = True
    runtime = "onnxruntime"

    class Options(Int8.Options, FineTuningOptions):
        epochs: float = Field(default=1.0, gt=0, le=1000)

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("int8-qat", target, writes=True)

    def compress(self, request: Request) -> dict[str, Any]:
        require()

        head = HEADS.get(read_settings(request.source).head)
        reason = self.not_applicable(Target("", head.name))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        model, tokenizer = load(request.source)
        fit = self._fit_request(request, model)
        int8 = Int8(Int8.Options(**{name: getattr(self.options, name) for name in Int8.Options.model_fields}))

        def loss(model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
            del batch["example"]
            return head.loss(model, batch, reader)

        options = int8.options
        wanted = groups.chosen(model, options, options.embeddings)
        with fake_quant.fake_quantized(model, wanted, options.per_channel, options.reduce_range):
            fit_facts = train_and_save(fit, tokenizer, model, head, loss)
        return {**int8.compress(replace(request, source=fit.directory)), "fit": fit_facts}

    def _fit_request(self, request: Request, model: PreTrainedModel) -> FitRequest:
        """A fit of the model itself, whatever student the chain has, in folders of its own."""
        trained, scratch = request.scratch / "trained", request.scratch / "training"
        trained.mkdir()
        scratch.mkdir()
        parameters = sum(parameter.numel() for parameter in model.parameters())
        rate = learning_rate_for(request.training, parameters, model.config.is_encoder_decoder)
        gentle = request.training.model_copy(update={"learning_rate": GENTLER * rate})
        asked = replace(request, target=trained, scratch=scratch, student=None, training=gentle)
        return fit_request(asked, self.options)


COMPRESSOR = Int8Qat
