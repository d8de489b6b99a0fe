"""PyTorch, eager: the runtime models are trained in. Loads models with other shapes and stored weights as well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.heads import HEADS
from harness.modeling.runtimes.base import OUTPUTS, Runtime, RuntimeModel
from harness.modeling.weights import adapters
from harness.modeling.weights.loading import HERE, load_tokenizer, load_weights
from harness.modeling.weights.pretrained import check_folder
from harness.modeling.weights.settings import FILE, ITEM_HEADS, TOWERS, Settings, Shapes, Storage, read_settings

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

int8_linear = lazy("harness.modeling.runtimes.int8_linear")
layers = lazy("harness.modeling.weights.layers")
sentence_layers = lazy("harness.modeling.weights.sentence_layers")
towers = lazy("harness.modeling.inference.towers")
torchao_file = lazy("harness.modeling.runtimes.torchao_file")


class TorchModel(RuntimeModel):
    in_torch = True

    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        import inspect

        import torch

        if self.settings.head == TOWERS:
            return self._vectors(inputs)
        known = inspect.signature(unwrapped(self.module).forward).parameters
        tensors = {name: self._given(array) for name, array in inputs.items() if name in known}
        with torch.inference_mode():
            output = self.module(**tensors)
        return {name: output[name].float().cpu().numpy() for name in OUTPUTS.get(self.settings.head, ("logits",))}

    def _vectors(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Of one tower: of texts or of items, by whichever of them the inputs are."""
        import torch

        tensors = {name: self._given(array) for name, array in inputs.items()}
        with torch.inference_mode():
            if "input_ids" in tensors:
                vectors = towers.text_vectors(self.module, tensors["input_ids"], tensors.get("attention_mask"))
            else:
                vectors = towers.item_vectors(self.module, tensors)
        return {"vectors": vectors.cpu().numpy()}

    def _given(self, array: np.ndarray) -> torch.Tensor:
        """On the model's device, floats in its type."""
        import torch

        tensor = torch.from_numpy(array).to(self.module.device)
        return tensor.to(self.module.dtype) if tensor.is_floating_point() else tensor


def unwrapped(module: nn.Module) -> nn.Module:
    """The model inside what compiles or captures it."""
    while (inner := getattr(module, "_orig_mod", None)) is not None:
        module = inner
    return module


class TorchRuntime(Runtime):
    devices = ("cpu", "cuda")

    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        import torch

        torch.set_num_threads(threads)
        model, tokenizer = load(folder, settings)
        return TorchModel("torch", folder, settings, tokenizer, model)


def load(
    folder: Path, settings: Settings | None = None, in_integers: bool = False, dtype: str = "float32"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a folder on the CPU in a `dtype` of floats, ready to predict, and its tokenizer. `in_integers`:
    linear layers that are stored as int8 multiply so.

    Raises:
        HarnessError: nothing to load there, or a model that torch does not run.
    """
    import transformers
    from safetensors import SafetensorError

    settings = settings or read_settings(folder)
    if settings.runtime != "torch":
        raise HarnessError(f"model {folder}: it runs in {settings.runtime}; torch cannot load it")
    check_folder(folder, str(folder))
    auto_class = HEADS.get(settings.head, str(folder)).auto_class
    tokenizer: Any = None if settings.head in ITEM_HEADS else load_tokenizer(folder)
    try:
        if settings.is_plain:
            model = load_weights(auto_class, folder, dtype=dtype)
        elif settings.adapter is not None:
            model = adapters.inside(adapters.load_adapter(auto_class, folder, on_kept_base=dtype == "float32"))
            in_floats(model, dtype)
        else:
            from accelerate import init_empty_weights

            config = transformers.AutoConfig.from_pretrained(folder, **HERE)
            with init_empty_weights(include_buffers=False):
                model = getattr(transformers, auto_class).from_config(config, dtype="float32")
            reshape(model, settings.shapes or Shapes())
            if settings.storage is not None and settings.storage.format == "torchao":
                layers.as_linear(model)
                _fill(model.requires_grad_(False), torchao_file.read(folder / settings.storage.file), folder)
                return model.eval(), tokenizer
            stored = stored_tensors(folder, settings.storage)
            axes = dict(settings.storage.axes) if settings.storage else {}
            if settings.storage is not None:  # a tensor that stays in the file keeps all of it in memory
                stored = {
                    name: tensor.clone() if tensor.is_floating_point() else tensor for name, tensor in stored.items()
                }
            if in_integers:
                put_integers(model, stored, axes)
            _fill(model, as_floats(stored, axes), folder)
            in_floats(model, dtype)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise HarnessError(f"cannot load the model in {folder}: {' '.join(str(error).split())}") from None
    if tokenizer is not None:
        _complete_padding(model, tokenizer)
    if settings.fitted.get("layers"):
        model.sentence_layers = sentence_layers.read_layers(folder, settings.fitted["layers"])
    return model.eval(), tokenizer


def _complete_padding(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> None:
    """A tokenizer without padding, as GPT-2's, fills with what its config names, else with the end of the text."""
    config = model.config.get_text_config()
    known = getattr(config, "pad_token_id", None)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(known) if isinstance(known, int) else tokenizer.eos_token
    if known is None and tokenizer.pad_token_id is not None:
        config.pad_token_id = tokenizer.pad_token_id


def shapes_of(model: PreTrainedModel) -> Shapes | None:
    """How the model differs from what its config builds; None where it does not."""
    import torch

    with torch.device("meta"):
        usual = type(model)(model.config)
    before = {name: tensor.shape for name, tensor in usual.state_dict().items()}
    parameters = {
        name: list(tensor.shape) for name, tensor in model.state_dict().items() if before.get(name) != tensor.shape
    }
    attributes: dict[str, dict[str, int]] = {}
    for name, module in model.named_modules():
        known = _numbers(usual.get_submodule(name))
        changed = {key: value for key, value in _numbers(module).items() if known.get(key, value) != value}
        if changed:
            attributes[name] = changed
    return Shapes(parameters=parameters, attributes=attributes) if parameters or attributes else None


def _numbers(module: nn.Module) -> dict[str, int]:
    return {key: value for key, value in vars(module).items() if type(value) is int and not key.startswith("_")}


def reshape(model: PreTrainedModel, shapes: Shapes) -> None:
    """Give a model built from its config the shapes it was saved with; what its parameters hold is lost."""
    import torch

    try:
        for name, shape in shapes.parameters.items():
            owner, _, leaf = name.rpartition(".")
            place = model.get_parameter(name).device
            setattr(model.get_submodule(owner), leaf, torch.nn.Parameter(torch.empty(shape, device=place)))
        for name, values in shapes.attributes.items():
            vars(model.get_submodule(name)).update(values)
    except (AttributeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise HarnessError(f"{FILE} of the model: shapes, {name}: they are not of this model: {reason}") from None


def in_floats(model: PreTrainedModel, dtype: str) -> None:
    """Turn a model's parameters into floats of this type. Buffers, such as rotary frequencies, stay as they are."""
    import torch

    kind = getattr(torch, dtype)
    for parameter in model.parameters():
        if parameter.is_floating_point() and parameter.dtype != kind:
            parameter.data = parameter.data.to(kind)
    model.config.dtype = kind


def stored_tensors(folder: Path, storage: Storage | None) -> dict[str, torch.Tensor]:
    """All tensors of a folder by name, as they are stored: int8 ones with their scales beside them."""
    from safetensors.torch import load_file

    files = [folder / storage.file] if storage else sorted(folder.glob("*.safetensors"))
    tensors: dict[str, torch.Tensor] = {}
    for file in files:
        tensors |= load_file(file)
    return tensors


def put_integers(model: PreTrainedModel, stored: dict[str, torch.Tensor], axes: dict[str, int]) -> None:
    """Put integer layers in the place of the model's linear ones that are stored as int8. What they hold is taken out
    of `stored` and `axes`.
    """

    for name in layers.linear_layers(model):
        weight = f"{name}.weight"
        if weight not in axes:
            continue
        values = stored.pop(weight)
        if axes.pop(weight) == 1:
            values = values.T
        owner, _, leaf = name.rpartition(".")
        layer = int8_linear.Int8Linear(values, stored.pop(f"{weight}{SCALE}"), stored.pop(f"{name}.bias", None))
        setattr(model.get_submodule(owner), leaf, layer)


def as_floats(stored: Mapping[str, torch.Tensor], axes: Mapping[str, int]) -> dict[str, torch.Tensor]:
    """`stored_tensors` in float32: int8 ones multiplied with their scales."""
    floats = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.items()}
    for name, axis in axes.items():
        scale = floats.pop(f"{name}{SCALE}")
        shape = [1] * floats[name].dim()
        shape[axis] = -1
        floats[name] = floats[name].float() * scale.view(shape)
    return floats


SCALE = "::scale"
"""What is appended to the name of an int8 tensor for that of its scales; no module's name has it."""


def _fill(model: PreTrainedModel, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Put tensors into an empty model, all of them; what is left over in the model shares its weights with another
    part.
    """
    missing, unexpected = model.load_state_dict(tensors, strict=False, assign=True)
    model.tie_weights()
    empty = [name for name, parameter in model.named_parameters() if parameter.is_meta]
    buffers = {name for name, _ in model.named_buffers()}
    unknown_names = [*empty, *(name for name in missing if name in buffers), *unexpected]
    if unknown_names:
        raise HarnessError(f"model {folder}: its weights are not those of its config: {unknown_names[0]}")


RUNTIME = TorchRuntime()
