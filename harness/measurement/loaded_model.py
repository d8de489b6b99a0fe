"""A model that is timed: opened in its runtime, and what one call does. Lives in a worker process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.machine.waiting import Stopwatch
from harness.measurement.workloads import Absent, Work, Workload, random_work, task_work
from harness.modeling.inference.decoding_inputs import cache_name, places_of, start_of, takes
from harness.modeling.runtimes import RUNTIMES, RuntimeModel, open_model, torch_eager
from harness.modeling.runtimes.base import WRITING_HEADS
from harness.modeling.runtimes.torch_eager import TorchModel
from harness.modeling.weights.config_file import CONFIG
from harness.modeling.weights.loading import HERE, load_weights
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.pretrained import check_folder
from harness.modeling.weights.settings import (
    FILE,
    HEADS_BY_CLASS,
    ITEM_HEADS,
    LONGEST,
    Settings,
    item_head,
    model_config,
    read_settings,
)

if TYPE_CHECKING:
    import numpy as np

item_work = lazy("harness.measurement.item_work")


class LoadedModel:
    """An open model on a device, `cpu`, `cuda` or `auto`: a GPU where there is one and its runtime serves there.
    `writes`: it is timed as a generator, prefill and decoding apart.
    """

    def __init__(self, folder: Path, threads: int, device: str = "cpu") -> None:
        self.model = open_any(folder, threads)
        if device == "auto":
            self.model.to_usual_device()
        else:
            self.model.to(device)
        self.writes = self.model.settings.head in WRITING_HEADS and hasattr(self.model.module, "generate")
        self._room = _positions(self.model, self.writes)
        self._work: dict[str, Work] = {}

    def facts(self) -> dict[str, Any]:
        return {"runtime": self.model.name, "head": self.model.settings.head, "device": device_of(self.model)}

    def prepare(self, cell: Workload, seed: int) -> Work | Absent:
        """Make what the cell's calls are given; absent where this model cannot be given it."""
        if cell.items:
            work = item_work.item_work(cell, self.model, seed)
        elif self.model.settings.head in ITEM_HEADS:
            return Absent(f"{self.model.folder.name} reads no text")
        elif cell.task is not None:
            work = task_work(cell, self.model, self.writes, self._room, device_of(self.model).partition(":")[0])
        else:
            work = random_work(cell, self.model, self.writes, self._room, seed)
        if isinstance(work, Work):
            self._work[cell.name] = work
        return work

    def call(self, cell: str) -> dict[str, float]:
        """One call; its seconds by stage, as a `Stopwatch` tells them."""
        work = self._work[cell]
        if work.new_tokens:
            stages = [write(self.model.module, batch, work.new_tokens) for batch in work.batches]
            return {"prefill": sum(seconds[0] for seconds in stages), "decode": sum(seconds[1] for seconds in stages)}
        watch = Stopwatch()
        for batch in work.batches:
            self.model.forward(batch)
        return {"forward": watch.seconds()}


def write(model: Any, batch: dict[str, np.ndarray], new_tokens: int) -> tuple[float, float]:
    """Seconds until the first token of all rows is there, and seconds for the `new_tokens` - 1 after it.

    Greedy with a key–value cache, as `harness.modeling.inference.generate` does it, but no text ends.
    """
    import torch

    if hasattr(model, "timed"):  # of a runtime that decodes by itself
        seconds: tuple[float, float] = model.timed(batch["input_ids"], batch["attention_mask"], new_tokens)
        return seconds
    cache_of, cache, state = cache_name(model), None, {}
    last_only = {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
    wait = torch.cuda.synchronize if model.device.type == "cuda" else lambda: None
    ids, mask = (torch.from_numpy(batch[name]).to(model.device) for name in ("input_ids", "attention_mask"))
    with torch.inference_mode():
        wait()
        watch, first = Stopwatch(), 0.0
        if model.config.is_encoder_decoder:
            name, step = "decoder_input_ids", torch.full_like(ids[:, :1], start_of(model))
            state["encoder_outputs"] = model.get_encoder()(input_ids=ids, attention_mask=mask)
        else:
            name, step = "input_ids", ids
            if takes(model, "position_ids"):
                state["position_ids"] = places_of(mask)
        for number in range(new_tokens):
            output = model(**{name: step, cache_of: cache}, attention_mask=mask, **state, use_cache=True, **last_only)
            cache = output[cache_of]
            step = output.logits[:, -1:].argmax(-1)
            if number == 0:
                wait()
                first = watch.seconds()
            if name == "input_ids":
                mask = torch.nn.functional.pad(mask, (0, 1), value=1)
                if "position_ids" in state:
                    state["position_ids"] = state["position_ids"][:, -1:] + 1
        wait()
        return first, watch.seconds() - first


def open_any(folder: Path, threads: int) -> RuntimeModel:
    """The model in the runtime its folder names; a checkpoint without a head for tasks as its own class has it."""
    if not (folder / FILE).exists() and (folder / CONFIG).exists():
        check_folder(folder, str(folder))
        architecture = next(iter(model_config(folder).get("architectures") or []), "")
        known = any(architecture.endswith(ending) for ending in HEADS_BY_CLASS) or item_head(folder) is not None
        if not known:
            return _headless(folder, architecture or "AutoModel", threads)
    return open_model(folder, threads)


def _headless(folder: Path, architecture: str, threads: int) -> RuntimeModel:
    import torch
    import transformers

    torch.set_num_threads(threads)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **HERE)
        model = load_weights(architecture if hasattr(transformers, architecture) else "AutoModel", folder).eval()
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(f"cannot load the model in {folder}: {' '.join(str(error).split())}") from None

    class Headless(TorchModel):
        def forward(self, inputs: Any) -> dict[str, np.ndarray]:
            tensors = {name: torch.from_numpy(array) for name, array in inputs.items() if takes(self.module, name)}
            with torch.inference_mode():
                output = self.module(**{name: tensor.to(self.module.device) for name, tensor in tensors.items()})
            name = "logits" if "logits" in output else "last_hidden_state"
            return {name: output[name].float().cpu().numpy()}

    return Headless("torch", folder, Settings(head="none", max_length=LONGEST), tokenizer, model)


def device_of(model: RuntimeModel) -> str:
    return str(getattr(model.module, "device", "cpu"))


def _positions(model: RuntimeModel, writes: bool) -> int | None:
    """How many tokens may stand in a row: of a decoder the prompt and what it writes, else what is read."""

    if hasattr(model.module, "config"):
        apart = model.module.config.is_encoder_decoder
        return positions_of(model.module, "decoder" if writes and not apart else "encoder")
    from types import SimpleNamespace

    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(model.folder, local_files_only=True, trust_remote_code=False)
    return positions_of(SimpleNamespace(config=config, named_modules=lambda: ()), "encoder")


def import_for(folder: Path) -> None:
    """Import what loading the folder's model imports, so that its memory is not counted as the model's."""
    import importlib
    import json
    from contextlib import suppress

    import torch
    import transformers

    torch.empty(0)
    named: list[str] = []
    for file, key in (("config.json", "architectures"), ("tokenizer_config.json", "tokenizer_class")):
        with suppress(OSError, ValueError):
            value = json.loads((folder / file).read_text(encoding="utf-8")).get(key) or []
            named += [value] if isinstance(value, str) else value
    for name in named:
        with suppress(ImportError):
            getattr(transformers, name, None)
    assert torch_eager.RUNTIME
    if (folder / FILE).exists():
        with suppress(OSError, ImportError, HarnessError):
            for runtime in read_settings(folder).runtimes:
                for package in RUNTIMES.get(runtime).packages:
                    importlib.import_module(package)


def start_cuda(device: str) -> None:
    """Start CUDA where a model may be put on it, so that what that takes is not counted as the model's."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        torch.empty(1, device="cuda")
        torch.cuda.synchronize()
