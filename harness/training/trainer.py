"""Fine-tuning and scoring of a `transformers` model, on the HF Trainer. Imports torch: import it inside functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments, set_seed

from harness.errors import HarnessError
from harness.families import Family
from harness.machine.calibrate import cpu_bf16_pays
from harness.specs import TrainingSpec
from harness.training.batching import TokenBudgetBatches, pad, scoring_batches

SCORING_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Padded tokens in a scoring batch. On a CPU core small batches keep activations in cache."""


class EncodedDataset(Dataset):
    """n unpadded examples: `columns` maps input names to n token rows; `targets` are class ids or floats."""

    def __init__(
        self, columns: Mapping[str, Sequence[Sequence[int]]], targets: Sequence[int] | Sequence[float]
    ) -> None:
        self.columns = columns
        self.targets = targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {name: rows[index] for name, rows in self.columns.items()} | {"labels": self.targets[index]}

    @property
    def lengths(self) -> list[int]:
        return [len(row) for row in self.columns["input_ids"]]


@dataclass(frozen=True)
class Padding:
    """Fill values of the model's inputs, and the multiple that padded lengths are rounded up to."""

    values: Mapping[str, int]
    multiple: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, device: torch.device) -> Padding:
        pad_id = tokenizer.pad_token_id
        assert isinstance(pad_id, int)
        fills = {"input_ids": pad_id, "attention_mask": 0, "token_type_ids": tokenizer.pad_token_type_id}
        names = [name for name in tokenizer.model_input_names if name in fills]
        return cls({name: fills[name] for name in names}, 8 if device.type == "cuda" else 1)

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        return pad(rows, self.values, self.multiple)


class TokenBudgetTrainer(Trainer):
    """HF Trainer that draws `TokenBudgetBatches` and weighs every example alike, whatever batch it is in.

    A batch's loss is the sum over its examples divided by `batch_size`, not by their number: batches hold different
    numbers of examples, and a mean would weigh an example by the company it keeps.
    """

    loss_is_scaled_for_ga = False

    def __init__(self, *args: Any, family: Family, padding: Padding, batch_size: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._family = family
        self._padding = padding
        self._examples_a_step = batch_size

    def get_train_dataloader(self) -> DataLoader:
        dataset = self.train_dataset
        assert isinstance(dataset, EncodedDataset)
        batches = TokenBudgetBatches(
            dataset.lengths, self._examples_a_step, seed=self.args.seed, multiple_of=self.accelerator.num_processes
        )
        loader: DataLoader = DataLoader(
            dataset, batch_sampler=batches, collate_fn=self._collate, pin_memory=self.args.device.type == "cuda"
        )
        return self.accelerator.prepare(loader)

    def _collate(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        kind = torch.long if self._family.predictions == "labels" else torch.float32
        return self._padding(rows) | {"labels": torch.tensor([row["labels"] for row in rows], dtype=kind)}

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = self._family.loss(outputs.logits, labels) / self._examples_a_step
        return (loss, outputs) if return_outputs else loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0  # the Trainer's own count walks all parameters at every step


class ProgressCallback(TrainerCallback):
    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._report(state.global_step / max(1, state.max_steps))


class BestEpochCallback(TrainerCallback):
    """Scores after each epoch and keeps the weights of the best, in memory."""

    def __init__(self, score: Callable[[Any], float]) -> None:
        self._score = score
        self.history: list[float] = []
        self.best_epoch = 0
        self._best_weights: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        value = self._score(model)
        if not self.history or value > max(self.history):
            self.best_epoch = len(self.history) + 1
            self._best_weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.history.append(value)

    def restore(self, model: Any) -> None:
        model.load_state_dict(self._best_weights)


@dataclass(frozen=True)
class FitReport:
    """What fine-tuning did: optimizer steps, mean training loss, real (non-pad) tokens seen, precision, selection
    history.
    """

    steps: int
    loss: float
    tokens: int
    precision: str
    device: str
    selection: dict[str, Any]


def pick_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_precision(wanted: str, device: torch.device) -> str:
    """`fp32` or `bf16` (autocast). `auto` is bf16 where the hardware has it, known of a GPU and probed of a CPU.

    Raises:
        HarnessError: bf16 is wanted on a CPU where it is slower than fp32.
    """
    has_bf16 = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_bf16_pays()
    if wanted == "bf16" and not has_bf16:
        raise HarnessError(f"precision bf16: this {device.type} has no fast bf16; use fp32 or auto")
    if wanted == "auto":
        return "bf16" if has_bf16 else "fp32"
    return wanted


def fine_tune(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    family: Family,
    dataset: EncodedDataset,
    training: TrainingSpec,
    seed: int,
    scratch: Path,
    report: Callable[[float], None],
    select_by: Callable[[Any], float] | None = None,
) -> FitReport:
    """Fine-tune `model` in place.

    `scratch` is a folder for the Trainer's own files; `report` gets the share done (0..1) after each step; `select_by`
    scores the model after each epoch (greater is better) and the best epoch's weights are kept.

    Raises:
        HarnessError: the loss became infinite or not a number.
    """
    set_seed(seed)
    device = pick_device()
    precision = pick_precision(training.precision, device)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup_steps=_warmup_steps(len(dataset), training),
        lr_scheduler_type=training.schedule,
        max_grad_norm=training.max_grad_norm,
        optim="adamw_torch_fused",
        bf16=precision == "bf16",
        seed=seed,
        use_cpu=device.type == "cpu",
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        accelerator_config={"even_batches": False},
    )
    callbacks: list[TrainerCallback] = [ProgressCallback(report)]
    best = BestEpochCallback(select_by) if select_by is not None else None
    if best is not None:
        callbacks.append(best)
    trainer = TokenBudgetTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        callbacks=callbacks,
        family=family,
        padding=Padding.of(tokenizer, device),
        batch_size=training.batch_size,
    )
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":
            trainer.remove_callback(callback)
    outcome = trainer.train()
    if not math.isfinite(outcome.training_loss):
        raise HarnessError(
            f"training diverged: the mean loss over {outcome.global_step} steps is {outcome.training_loss}; "
            f"lower the learning rate (it is {training.learning_rate:g})"
        )
    selection: dict[str, Any] = {"mode": "last"}
    if best is not None:
        best.restore(model)
        selection = {"mode": "best", "epoch": best.best_epoch, "history": best.history}
    tokens = round(sum(dataset.lengths) * training.epochs)
    return FitReport(outcome.global_step, outcome.training_loss, tokens, precision, device.type, selection)


def _warmup_steps(examples: int, training: TrainingSpec) -> int:
    steps = math.ceil(training.epochs * max(1, math.ceil(examples / training.batch_size)))
    return math.ceil(steps * training.warmup_ratio)


@torch.inference_mode()
def logits(
    model: PreTrainedModel, padding: Padding, columns: Mapping[str, Sequence[Sequence[int]]], precision: str = "fp32"
) -> np.ndarray:
    """Logits (n, outputs) float32 of n encoded examples, in their order; computed in length order, longest first."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    rows = columns["input_ids"]
    result: np.ndarray | None = None
    for indices in scoring_batches([len(row) for row in rows], SCORING_TOKENS[device.type]):
        batch = padding([{name: column[index] for name, column in columns.items()} for index in indices])
        output = model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
        values = output.float().cpu().numpy()
        if result is None:
            result = np.empty((len(rows), values.shape[1]), dtype=np.float32)
        result[indices] = values
    model.train(was_training)
    return result if result is not None else np.empty((0, 0), dtype=np.float32)
