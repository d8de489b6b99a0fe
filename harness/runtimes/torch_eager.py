"""PyTorch, eager: the runtime models are trained in. Loads models with other shapes and stored weights as well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.pretrained import check_folder
from harness.runtimes.base import OUTPUTS, Runtime, RuntimeModel
from harness.runtimes.settings import Settings, Shapes, Storage, read_settings

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class TorchModel(RuntimeModel):
    in_torch = True

    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        import inspect

        import torch

        known = inspect.signature(getattr(self.module, "_orig_mod", self.module).forward).parameters
        tensors = {name: torch.from_numpy(array) for name, array in inputs.items() if name in known}
        with torch.inference_mode():
            output = self.module(**{name: tensor.to(self.module.device) for name, tensor in tensors.items()})
        return {name: output[name].float().cpu().numpy() for name in OUTPUTS.get(self.settings.head, ("logits",))}


class TorchRuntime(Runtime):
    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        import torch

        torch.set_num_threads(threads)
        model, tokenizer = load(folder, settings)
        return TorchModel("torch", folder, settings, tokenizer, model)


def load(folder: Path, settings: Settings | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a folder in float32 on the CPU, ready to predict, and its tokenizer.

    Raises:
        HarnessError: nothing to load there, or a model that torch does not run.
    """
    import transformers

    from harness.heads import HEADS

    settings = settings or read_settings(folder)
    if settings.runtime != "torch":
        raise HarnessError(f"model {folder}: it runs in {settings.runtime}; torch cannot load it")
    check_folder(folder, str(folder))
    auto_class = getattr(transformers, HEADS.get(settings.head, str(folder)).auto_class)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
    try:
        if settings.is_plain:
            model = auto_class.from_pretrained(folder, use_safetensors=True, dtype="float32", **options)
        else:
            config = transformers.AutoConfig.from_pretrained(folder, **options)
            model = auto_class.from_config(config, dtype="float32")
            reshape(model, settings.shapes or Shapes())
            _fill(model, stored_weights(folder, settings.storage), folder)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise HarnessError(f"cannot load the model in {folder}: {' '.join(str(error).split())}") from None
    return model.eval(), tokenizer


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

    for name, shape in shapes.parameters.items():
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, torch.nn.Parameter(torch.empty(shape)))
    for name, values in shapes.attributes.items():
        vars(model.get_submodule(name)).update(values)


def stored_weights(folder: Path, storage: Storage | None) -> dict[str, torch.Tensor]:
    """All tensors of a folder in float32, by name; int8 ones multiplied with their scales."""
    from safetensors.torch import load_file

    files = [folder / storage.file] if storage else sorted(folder.glob("*.safetensors"))
    found: dict[str, torch.Tensor] = {}
    for file in files:
        found |= load_file(file)
    for name, axis in (storage.axes if storage else {}).items():
        scale = found.pop(f"{name}{SCALE}")
        shape = [1] * found[name].dim()
        shape[axis] = -1
        found[name] = found[name].float() * scale.view(shape)
    return found


SCALE = "::scale"
"""What is appended to the name of an int8 tensor for that of its scales; no module's name has it."""


def _fill(model: PreTrainedModel, tensors: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Put tensors into a model, all of them; what is left over in the model shares its weights with another part."""
    missing, unexpected = model.load_state_dict(tensors, strict=False)
    places = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    filled = {places[name] for name in tensors if name in places}
    strangers = [*(name for name in missing if places[name] not in filled), *unexpected]
    if strangers:
        raise HarnessError(f"model {folder}: its weights are not those of its config: {strangers[0]}")


RUNTIME = TorchRuntime()
