"""Static int8 by ONNX Runtime: weights as int8 with a scale for each output channel, activations as uint8 with one
scale for the input of each layer, set beforehand on training examples (Jacob et al. 2018). The head stays float.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import Field

from harness.compression.base import Compressor, Request, Target, no_graph
from harness.compression.int8 import Int8
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.graph_file import FILE
from harness.modeling.runtimes.onnx_runtime import require

calibrating = lazy("harness.compression.calibrating")
export = lazy("harness.compression.export")
graphs = lazy("harness.compression.graphs")


INTEGER_PRODUCTS = ("MatMulIntegerToFloat", "QLinearMatMul", "QGemm", "MatMulInteger", "DynamicQuantizeMatMul")
"""What ONNX Runtime makes of a product between quantized tensors, where it does compute in integers."""
ENTROPY_BINS = 2048
"""Of the histogram of an activation, of which 128 levels are made."""


class Int8Static(Compressor):
    """`examples` of the training split, drawn by the seed, set the ranges of activations: `calibration` takes their
    extremes (minmax), the range that loses least information of their distribution (entropy), or leaves the outermost
    0.001 % out (percentile). A layer that reads one token of a text, as BERT's pooler does, stays dynamic: its product
    is a Gemm, which ONNX Runtime does not always fuse. The other options are those of `int8`.
    """

    main = "examples"
    uses_data = True
    runtime = "onnxruntime"

    class Options(Int8.Options):
        examples: int = Field(default=128, ge=1)
        calibration: Literal["minmax", "entropy", "percentile"] = "minmax"

    def not_applicable(self, target: Target) -> str | None:
        return no_graph("int8-static", target)

    def compress(self, request: Request) -> dict[str, Any]:
        require()
        import onnx
        from onnxruntime.quantization import (
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_dynamic,
            quantize_static,
        )

        model = graphs.exported(request, "int8-static", self.runtime, request.scratch)
        wanted = model.chosen(self.options, self.options.embeddings)
        batches = calibrating.Batches(model, request, self.options.examples)
        methods = {
            "minmax": CalibrationMethod.MinMax,
            "entropy": CalibrationMethod.Entropy,
            "percentile": CalibrationMethod.Percentile,
        }
        calibrated = request.scratch / "calibrated.onnx"
        excluded = graphs.products_of(model.file, [*model.heads, *model.skipped(wanted)])
        options = {
            "per_channel": self.options.per_channel,
            "reduce_range": self.options.reduce_range,
            "weight_type": QuantType.QInt8,
        }
        with export.quietly(), _enough_bins():
            quantize_static(
                model.file,
                calibrated,
                batches,
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["MatMul"],
                nodes_to_quantize=graphs.products_of(model.file, list(wanted.linear)),
                activation_type=QuantType.QUInt8,
                calibrate_method=methods[self.options.calibration],
                extra_options={
                    "OpTypesToExcludeOutputQuantization": ["MatMul"],
                    "CalibTensorRangeSymmetric": False,
                    "CalibStridedMinMax": 1,  # a batch at a time, with every method: all at once take gigabytes
                },
                **options,
            )
            quantize_dynamic(  # what is left: each Gemm, and the embeddings
                calibrated,
                request.target / FILE,
                op_types_to_quantize=["MatMul", *(["Gather"] if wanted.embeddings else [])],
                nodes_to_exclude=[*excluded, *(f"{name}_MatMul" for name in excluded)],
                extra_options={"MatMulConstBOnly": True},
                **options,
            )
        graph = onnx.load(request.target / FILE).graph
        integer = _integer_products(request, list(wanted.linear))
        return {
            "coverage": {
                "linear": len(model.layers),
                "int8": integer,
                "float": len(graphs.float_products(graph)),
                "head": model.heads,
            },
            "dynamic": sum(node.op_type == "MatMulInteger" for node in graph.node),
            "conv1d_converted": model.conv1d_converted,
            "examples": batches.examples,
        }


@contextmanager
def _enough_bins() -> Iterator[None]:
    """Within it the range that loses least information is looked for among `ENTROPY_BINS` bins. `quantize_static`
    passes no number on, and with its 128 bins for as many levels the whole range is the only candidate.
    """
    quantize: Any = importlib.import_module("onnxruntime.quantization.quantize")
    made = quantize.create_calibrator

    def create(*given: Any, **named: Any) -> Any:
        entropy = named.get("calibrate_method") == quantize.CalibrationMethod.Entropy
        bins = {"num_bins": ENTROPY_BINS} if entropy else {}
        return made(*given, **{**named, "extra_options": {**(named.get("extra_options") or {}), **bins}})

    quantize.create_calibrator = create
    try:
        yield
    finally:
        quantize.create_calibrator = made


def _integer_products(request: Request, layers: list[str]) -> int:
    """How many linear layers ONNX Runtime computes in integers on this machine, in the graph it makes of the target's.

    Raises:
        HarnessError: not all of `layers`.
    """
    import onnx
    import onnxruntime

    optimized = request.scratch / "optimized.onnx"
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    with export.quietly():
        onnxruntime.InferenceSession(request.target / FILE, options, providers=["CPUExecutionProvider"])
    integer = sum(node.op_type in INTEGER_PRODUCTS for node in onnx.load(optimized).graph.node)
    if integer < len(layers):
        raise HarnessError(f"model {request.source}: only {integer} of its {len(layers)} linear layers became int8")
    return integer


COMPRESSOR = Int8Static
