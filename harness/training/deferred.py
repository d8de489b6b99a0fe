"""A model built without its weights in memory: each is made when it is asked for, with the numbers it would have had.

The constructor runs as ever, but for large tensors: these stand on torch's meta device, and what would have been done
to them is written down, with the state of the random numbers before each draw. So that every process of several can
build the model that one alone would have built, and holds no more of it at once than a layer. Of weights that lie in
files each process reads its rows alone. Imports torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_map

from harness.core.errors import HarnessError
from harness.modeling.weights.stored import StoredTensor

SMALLEST = 4096
"""Elements of a tensor that is worth deferring."""
TRUNCATED = "trunc_normal_"
DRAWS = {
    *(f"aten.{name}_" for name in ("uniform", "normal", "random", "bernoulli", "exponential", "log_normal")),
    TRUNCATED,
}
OVERWRITES = {"aten.fill_", "aten.zero_", "aten.copy_", *DRAWS}


@dataclass(frozen=True)
class _Operation:
    """What was done in place to a view of a tensor; `random` is the state of the random numbers before a draw."""

    function: Any
    view: tuple[tuple[int, ...], tuple[int, ...], int]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    random: torch.Tensor | None


@dataclass
class _Deferred:
    """A tensor that is not in memory; `storage` is kept so that its number is not given to another."""

    storage: Any
    elements: int
    operations: list[_Operation] = field(default_factory=list)
    stored: StoredTensor | None = None
    derived: _Derived | None = None


@dataclass(frozen=True)
class _Derived:
    """What a tensor is computed as from others that are not in memory; `number` of those that come out."""

    function: Any
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    number: int


@dataclass(frozen=True)
class _Unread:
    """What stands for a tensor of a file where `transformers` loads weights."""

    weights: DeferredWeights
    stored: StoredTensor

    def __getitem__(self, rows: Any) -> _Unread:
        return self

    def to(self, device: Any, dtype: torch.dtype) -> torch.Tensor:
        """It in this type, which is not read yet."""
        return self.weights.add_stored(self.stored, dtype)


class DeferredWeights(TorchDispatchMode):
    """Within it, modules are built as their constructors say, their large weights on the meta device."""

    def __init__(self) -> None:
        super().__init__()
        self._deferred: dict[int, _Deferred] = {}
        self._truncated_normal = torch.nn.init._no_grad_trunc_normal_

    def __enter__(self) -> DeferredWeights:
        torch.nn.init._no_grad_trunc_normal_ = self._draw_truncated  # it draws until all are within its bounds
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        torch.nn.init._no_grad_trunc_normal_ = self._truncated_normal
        super().__exit__(*error)

    def unread(self, stored: Mapping[str, StoredTensor]) -> dict[str, Any]:
        """What `from_pretrained` takes as the state dict, within this: the weights stay in their files, and what it
        makes of them is done when they are asked for.
        """
        return {name: _Unread(self, tensor) for name, tensor in stored.items()}

    def add_stored(self, stored: StoredTensor, dtype: torch.dtype) -> torch.Tensor:
        """A tensor on the meta device that stands for one in a file, in another type."""
        made = torch.empty(stored.shape, dtype=dtype, device="meta")
        self._deferred[_number(made)] = _Deferred(made.untyped_storage(), made.numel(), stored=stored)
        return made

    def _draw_truncated(self, tensor: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if not self._is_deferred(tensor):
            return self._truncated_normal(tensor, *args, **kwargs)
        with _disable_current_modes():
            self._note(self._truncated_normal, TRUNCATED, tensor, args, kwargs)
        return tensor

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = str(function).rpartition(".")[0]
        if name == "aten.empty" and math.prod(args[0]) >= SMALLEST and _on_cpu(kwargs):
            made = function(*args, **kwargs | {"device": torch.device("meta"), "pin_memory": None})
            self._deferred[_number(made)] = _Deferred(made.untyped_storage(), made.numel())
            return made
        first = args[0] if args else None
        if isinstance(first, torch.Tensor) and self._is_deferred(first) and name.endswith("_"):
            self._note(function, name, first, args[1:], kwargs)
            return first
        results = function(*args, **kwargs)
        if any(self._is_stored(value) for value in tree_flatten((args, kwargs))[0]):
            for number, result in enumerate(tree_flatten(results)[0]):
                if isinstance(result, torch.Tensor) and result.is_meta and not self._is_deferred(result):
                    derived = _Derived(function, tuple(args), kwargs, number)
                    self._deferred[_number(result)] = _Deferred(
                        result.untyped_storage(), result.untyped_storage().nbytes() // result.itemsize, derived=derived
                    )
        return results

    def _note(self, function: Any, name: str, tensor: torch.Tensor, args: Any, kwargs: dict[str, Any]) -> None:
        deferred, random = self._deferred[_number(tensor)], None
        if name in DRAWS:
            random = torch.get_rng_state()
            function(torch.empty(tensor.shape, dtype=tensor.dtype), *args, **kwargs)
        elif any(isinstance(value, torch.Tensor) and value.is_meta and not self._is_deferred(value) for value in args):
            raise HarnessError(f"a weight of {tuple(tensor.shape)} is set by {name}, which cannot be deferred")
        if name in OVERWRITES and tensor.numel() == deferred.elements:
            deferred.operations.clear()
        view = (tuple(tensor.shape), tuple(tensor.stride()), int(tensor.storage_offset()))
        deferred.operations.append(_Operation(function, view, tuple(args), kwargs, random))

    def _is_deferred(self, tensor: torch.Tensor) -> bool:
        return tensor.is_meta and _number(tensor) in self._deferred

    def _is_stored(self, value: Any) -> bool:
        """Whether it comes of a file."""
        if not isinstance(value, torch.Tensor) or not self._is_deferred(value):
            return False
        deferred = self._deferred[_number(value)]
        return deferred.stored is not None or deferred.derived is not None

    def in_files(self, module: torch.nn.Module) -> dict[str, torch.Tensor]:
        """The weights of a module that lie in files, by name, tied ones under each of theirs."""
        named = module.named_parameters(remove_duplicate=False)
        return {name: weight for name, weight in named if self._is_stored(weight)}

    def fill(self, module: torch.nn.Module, but_files: bool = False) -> None:
        """Make the weights of a module that are deferred, in place: what is tied stays so. Where `but_files`, those
        that lie in files are left.

        Raises:
            HarnessError: a weight that the constructor never set.
        """
        before = torch.get_rng_state()
        for owner in module.modules():
            for name, buffer in owner.named_buffers(recurse=False):
                if self._is_deferred(buffer):
                    setattr(owner, name, self.made(buffer))
        for name, weight in module.named_parameters():
            if weight.is_meta and not (but_files and self._is_stored(weight)):
                try:
                    made = self.made(weight)
                except KeyError:
                    raise HarnessError(f"{name} cannot be made apart from the rest of the model") from None
                torch.utils.swap_tensors(weight, torch.nn.Parameter(made, weight.requires_grad))
        torch.set_rng_state(before)

    def made(self, tensor: torch.Tensor) -> torch.Tensor:
        """A deferred tensor, in memory. Raises KeyError where it was never set."""
        deferred = self._deferred[_number(tensor)]
        if not (deferred.operations or deferred.stored or deferred.derived):
            raise KeyError("never set")
        storage = torch.empty(deferred.elements, dtype=tensor.dtype)
        if deferred.stored is not None:
            storage.view(deferred.stored.shape).copy_(deferred.stored.whole())
        elif deferred.derived is not None:
            derived = deferred.derived
            arguments, options = tree_map(self._in_memory, (derived.arguments, derived.options))
            result = tree_flatten(derived.function(*arguments, **options))[0][derived.number]
            storage.as_strided(result.shape, result.stride(), result.storage_offset()).copy_(result)
        for operation in deferred.operations:
            arguments = tree_map(self._in_memory, operation.arguments)
            if operation.random is not None:
                torch.set_rng_state(operation.random)
            operation.function(storage.as_strided(*operation.view), *arguments, **operation.options)
        return storage.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())

    def rows(self, tensor: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Those of a deferred tensor from `start` to before `stop`, in memory, and no others where they lie in a file
        as they are.
        """
        deferred = self._deferred[_number(tensor)]
        whole = tensor.is_contiguous() and tensor.numel() == deferred.elements
        if deferred.stored is None or deferred.operations or not whole or tensor.shape != deferred.stored.shape:
            return self.made(tensor)[start:stop].clone()
        return torch.empty((stop - start, *tensor.shape[1:]), dtype=tensor.dtype).copy_(
            deferred.stored.rows(start, stop)
        )

    def _in_memory(self, value: Any) -> Any:
        return self.made(value) if isinstance(value, torch.Tensor) and self._is_deferred(value) else value


def _number(tensor: torch.Tensor) -> int:
    number: int = tensor.untyped_storage()._cdata
    return number


def _on_cpu(options: dict[str, Any]) -> bool:
    return torch.device(options.get("device") or "cpu").type == "cpu"
