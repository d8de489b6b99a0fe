"""What a model weighs: bytes on disk, after gzip, parameters, and those that are not zero."""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.modeling.runtimes import Settings, ct2_file
from harness.modeling.runtimes.torch_eager import SCALE
from harness.modeling.weights.adapter_files import base_folder

if TYPE_CHECKING:
    import numpy as np

CHUNK = 1 << 22
GZIP_LEVEL = 6

DTYPES = {
    "F64": ("<u8", 0x7FFFFFFFFFFFFFFF), "F32": ("<u4", 0x7FFFFFFF), "F16": ("<u2", 0x7FFF), "BF16": ("<u2", 0x7FFF),
    "F8_E4M3": ("u1", 0x7F), "F8_E5M2": ("u1", 0x7F), "I64": ("<u8", None), "I32": ("<u4", None),
    "I16": ("<u2", None), "I8": ("u1", None), "U64": ("<u8", None), "U32": ("<u4", None), "U16": ("<u2", None),
    "U8": ("u1", None), "BOOL": ("u1", None),
}  # fmt: skip
"""Of each type of safetensors: an unsigned one as wide, and the bits that are not its sign: -0.0 is zero."""

ONNX_DATA = (".onnx_data", ".onnx.data")
"""Endings of files in which a graph keeps its weights; they are read with the graph."""
ONNX_SCALES = ("_scale", "_zero_point")
"""How ONNX Runtime's quantizer calls what it adds to a weight."""
TORCHAO_SCALES = ("_weight_scale", "_weight_zero_point", "_weight_scale_and_zero")
"""How what torchao adds to a weight is called in a file."""
TORCHAO_WEIGHT = "_weight_qdata"
CT2 = "ctranslate2"
WEIGHTS = ("*.safetensors", "*.onnx", "*.onnx_data", "*.onnx.data", "*.bin", "*.pt2")


def size_of(folder: Path, settings: Settings | None = None) -> dict[str, Any]:
    """What `weights_of` says, with `gzip_bytes`. Raises HarnessError as that does."""
    weights = weights_of(folder, settings)
    return weights | {"gzip_bytes": sum(map(gzip_bytes, weight_files(folder, settings)))}


def weights_of(folder: Path, settings: Settings | None = None) -> dict[str, Any]:
    """`{"files", "bytes", "parameters", "nonzeros"}` of the weights a folder's runtime loads.

    Parameters are the elements of all tensors as they are stored, each shared one counted once. Scales and zero points
    of quantized ones are none. Files that hide theirs: both numbers are left out, and `absent` says so.

    Raises:
        HarnessError: no weights, or a damaged file.
    """
    files = weight_files(folder, settings)
    if not files:
        raise HarnessError(f"model {folder}: no weights in it ({', '.join(WEIGHTS)})")
    facts: dict[str, Any] = {
        "files": [file.name for file in files],
        "bytes": sum(file.stat().st_size for file in files),
    }
    counts: list[tuple[int, int]] = []
    stored: dict[tuple[str, ...], tuple[int, int]] = {}
    for file in files:
        if file.suffix == ".safetensors":
            scales = _scales(settings)
            if any(kind == "I32" and name.endswith(TORCHAO_WEIGHT) for name, kind, _ in tensors(file)):
                reason = "int4 weights lie packed as their kernel reads them, and are not counted"
                return facts | {"absent": {"parameters": reason, "nonzeros": reason}}
            counted = ((dtype, data) for name, dtype, data in tensors(file) if not name.endswith(scales))
            counts += [count_tensor(dtype, data) for dtype, data in counted]
        elif file.name == ct2_file.FILE and settings is not None and settings.runtime == CT2:
            counts += [count_tensor(dtype, data) for _, dtype, data in ct2_file.weights(file)]
        elif file.suffix == ".onnx" and find_spec("onnx"):
            stored |= onnx_counts(file)
        elif not (file.name.endswith(ONNX_DATA) and stored):
            reason = f"{file.name} is in no format that is read here"
            return facts | {"absent": {"parameters": reason, "nonzeros": reason}}
    counts += stored.values()
    return facts | {"parameters": sum(n for n, _ in counts), "nonzeros": sum(full for _, full in counts)}


def _scales(settings: Settings | None) -> tuple[str, ...]:
    """How the names end of what stands beside quantized weights in safetensors."""
    if settings is None or (settings.storage is None and "torchao" not in settings.runtimes):
        return ()
    return TORCHAO_SCALES if "torchao" in settings.runtimes else (SCALE,)


def weight_files(folder: Path, settings: Settings | None = None) -> list[Path]:
    """The weight files that are loaded: the one that holds stored weights, else those of the runtime's kind; of an
    adapter those of its base as well.
    """
    if settings is not None and settings.adapter is not None:
        places = (folder, base_folder(folder, settings.adapter))
        return [file for place in places for file in sorted(place.glob("*.safetensors"))]
    if settings is not None and settings.storage is not None:
        return [folder / settings.storage.file]
    if settings is not None and settings.runtime == CT2:
        return [file for file in (folder / ct2_file.FILE,) if file.is_file()]
    files = sorted({path for pattern in WEIGHTS for path in folder.glob(pattern)})
    tensors_alone = [path for path in files if path.suffix == ".safetensors"]
    others = [path for path in files if path.suffix not in (".safetensors", ".bin")]
    in_torch = settings is None or settings.runtime == "torch" or not others
    return tensors_alone if in_torch else others


def onnx_counts(file: Path) -> dict[tuple[str, ...], tuple[int, int]]:
    """Elements, and those that are not zero, of the initializers of a graph that are weights: floats, integers of eight
    bits, and biases of thirty-two. Shapes and indices have sixty-four. By the place where each is stored, which several
    graphs can name.

    Raises:
        HarnessError: a damaged file.
    """
    import numpy as np
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import numpy_helper

    sizes: dict[tuple[str, ...], tuple[int, int]] = {}
    try:
        for tensor in onnx.load(file, load_external_data=False).graph.initializer:
            if tensor.name.endswith(ONNX_SCALES):
                continue
            outside = {entry.key: entry.value for entry in tensor.external_data}
            place = (file.name, tensor.name)
            if outside:
                place = (outside["location"], outside.get("offset", "0"))
            values = numpy_helper.to_array(tensor, str(file.parent))
            quantized = values.dtype in (np.int8, np.uint8, np.int32)
            if values.ndim and (values.dtype.kind == "f" or quantized):
                sizes[place] = (values.size, int(np.count_nonzero(values)))
    except (DecodeError, OSError, KeyError, ValueError, onnx.checker.ValidationError) as error:
        raise HarnessError(f"{file} is damaged: {' '.join(str(error).split()) or 'no ONNX graph'}") from None
    return sizes


def gzip_bytes(file: Path) -> int:
    """Bytes of a file after deflate at gzip's usual level; gzip's header of some 20 bytes is not counted."""
    packer = zlib.compressobj(GZIP_LEVEL)
    total = 0
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            total += len(packer.compress(chunk))
    return total + len(packer.flush())


def tensors(file: Path) -> Iterator[tuple[str, str, np.ndarray]]:
    """The name, the type and the bytes (n,) of each tensor of a safetensors file, mapped and not loaded.

    Format: 8 bytes with the header's length, a JSON header, the data (github.com/huggingface/safetensors).
    """
    import numpy as np

    try:
        with file.open("rb") as source:
            length = int.from_bytes(source.read(8), "little")
            written = source.read(min(length, file.stat().st_size))
            if len(written) < length:
                raise ValueError("the header is cut")
            header = json.loads(written)
        data = np.memmap(file, mode="r", offset=8 + length) if file.stat().st_size > 8 + length else np.empty(0, "u1")
        for name, facts in header.items():
            if name != "__metadata__":
                start, end = facts["data_offsets"]
                if facts["dtype"] not in DTYPES:
                    raise HarnessError(f"{file}: tensor {name} has the type {facts['dtype']}, which cannot be counted")
                wide = np.dtype(DTYPES[facts["dtype"]][0]).itemsize
                if end > len(data) or end - start != wide * math.prod(facts["shape"]):
                    raise ValueError(name)
                yield name, facts["dtype"], data[start:end]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise HarnessError(f"{file} is damaged: not a whole safetensors file") from None


def count_tensor(dtype: str, data: np.ndarray) -> tuple[int, int]:
    """Elements of a tensor, and those that are not zero."""
    import numpy as np

    unsigned, mask = DTYPES[dtype]
    wide = np.dtype(unsigned).itemsize
    full = 0
    for start in range(0, len(data), CHUNK):
        bits = np.frombuffer(data[start : start + CHUNK].tobytes(), dtype=unsigned)
        full += int(np.count_nonzero(bits if mask is None else bits & np.asarray(mask, dtype=unsigned)))
    return len(data) // wide, full
