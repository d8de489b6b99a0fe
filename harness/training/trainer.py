"""Fine-tuning of a `transformers` model, on the HF Trainer. Imports torch: import it inside functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, TrainerCallback, TrainingArguments, set_seed

from harness.core.errors import HarnessError
from harness.core.machine.calibrate import cpu_bf16_pays
from harness.core.specs import TrainingSpec
from harness.modeling.inference.batching import DataCollator, TokenBudgetBatchSampler, TokenizedDataset
from harness.training import optimizers
from harness.training.adversarial.adversary import Adversary
from harness.training.deferred import DeferredWeights
from harness.training.dropout import quick_dropout, seed_dropout
from harness.training.parallel import PartOfBatches, alone, joined, of_all
from harness.training.processes import Processes
from harness.training.recomputing import compiled, recompute_activations


class TokenBudgetTrainer(Trainer):
    """HF Trainer that draws `TokenBudgetBatchSampler` and weighs every target alike, whatever batch it is in.

    `loss` sums over the targets of a batch; the sum is divided by how many a step has on average, not by how many this
    one has: batches hold different numbers, and a mean would weigh a target by the company it keeps. An example has
    `targets` on average. `losses` are those of the steps so far, each divided by as many for each of its examples,
    `rates` the learning rates they were taken with.
    """

    loss_is_scaled_for_ga = False

    def __init__(
        self, *args: Any, loss: Callable[..., torch.Tensor], padding: DataCollator, batch_size: int, targets:
        float, processes: Processes | None = None, adversary: Adversary | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self._processes = processes
        self._adversary = adversary
        self._counts: list[float] = []
        self._parts: PartOfBatches | None = None
        self._loss = loss
        self._padding = padding
        self._batch_size = batch_size
        self._targets = targets
        self._losses: list[torch.Tensor] = []
        self.rates: list[float] = []

    def losses_of_all(self, mean: float) -> tuple[list[float], float]:
        """The loss of each step, and the mean that is trained on: this process's is `mean`."""
        if self._processes is None:
            return torch.stack(self._losses).tolist() if self._losses else [], mean
        totals, counts = of_all(self._losses, self._counts, self.args.device)
        losses = [total / (self._targets * count) for total, count in zip(totals, counts, strict=True)]
        return losses, sum(totals) / (self._targets * self._batch_size * max(1, len(totals)))

    def get_train_dataloader(self) -> DataLoader:
        dataset = self.train_dataset
        assert isinstance(dataset, TokenizedDataset)
        batches = TokenBudgetBatchSampler(
            dataset.lengths, self._batch_size, self.args.seed, self.accelerator.num_processes, dataset.epochs
        )
        if self._processes is not None:
            self._parts = PartOfBatches(batches, self._processes)
        loader: DataLoader = DataLoader(
            cast(Dataset, dataset),
            batch_sampler=self._parts or batches,
            collate_fn=self._padding,
            pin_memory=self.args.device.type == "cuda",
        )
        return self.accelerator.prepare(loader)

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        rows = len(inputs["input_ids"])
        weight, count = 1.0, 1
        if self._processes is not None and self._parts is not None:
            weight, count = self._parts.weights.pop(0), self._processes.count
            self._counts.append(rows * weight)

        def scaled(summed: torch.Tensor) -> torch.Tensor:
            return summed * (weight * count) / (self._targets * self._batch_size)

        if self._adversary is None:
            summed = self._loss(model, dict(inputs))
        else:
            summed = self._adversary.loss(
                lambda batch, term: self._loss(model, batch, term),
                lambda term: self.accelerator.backward(scaled(term)),
                model, inputs, len(self._losses),
                (0, 1) if self._processes is None else (self._processes.number, self._processes.count),
            )  # fmt: skip
        alone = self._processes is None
        self._losses.append(summed.detach().float() * weight / (self._targets * rows if alone else 1))
        if self.optimizer is not None:
            self.rates.append(float(self.optimizer.param_groups[0]["lr"]))
        loss = scaled(summed)
        return (loss, {}) if return_outputs else loss

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        return 0  # the Trainer's own count walks all parameters at every step


class ProgressCallback(TrainerCallback):
    """Tells the fraction done (0..1) after each step of the optimizer."""

    def __init__(self, report: Callable[[float], None]) -> None:
        self._report = report

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._report(state.global_step / max(1, state.max_steps))


@contextmanager
def without_autocast(model: Any) -> Iterator[None]:
    """The model computes in the precision of its weights: `accelerate` puts autocast around `forward` of the object."""
    wrapped = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


class BestEpochCallback(TrainerCallback):
    """Scores after each epoch, in the precision of the final predictions, and keeps the weights of the best, in
    memory.
    """

    def __init__(self, score: Callable[[Any], float]) -> None:
        self._score = score
        self.history: list[float] = []
        self.best_epoch = 0
        self._best_weights: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        with without_autocast(model):
            value = self._score(model)
        if not self.history or value > max(self.history):
            self.best_epoch = len(self.history) + 1
            self._best_weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        self.history.append(value)

    def restore(self, model: Any) -> None:
        model.load_state_dict(self._best_weights)


class MeanWeightsCallback(TrainerCallback):
    """The mean of the weights that the last of so many epochs end with, in float32 whatever the model is in."""

    def __init__(self, last: int, epochs: int) -> None:
        self._before = epochs - last
        self._ends = 0
        self._sums: dict[str, torch.Tensor] = {}

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
        self._ends += 1
        if self._ends <= self._before:
            return
        for name, tensor in _weights(model):
            weights = tensor.detach().float().cpu()
            self._sums[name] = self._sums[name] + weights if name in self._sums else weights.clone()

    def restore(self, model: Any) -> int:
        """Put the mean into the model; returns of how many epochs it is."""
        count = self._ends - max(0, self._before)
        for name, tensor in _weights(model):
            tensor.copy_(self._sums[name] / count)
        return count


def _weights(model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    return ((name, tensor) for name, tensor in model.state_dict().items() if tensor.is_floating_point())


@dataclass(frozen=True)
class FitReport:
    """What fine-tuning did: optimizer steps, mean training loss, real (non-pad) tokens seen, precision, selection
    history, and the loss and the learning rate of each step.
    """

    steps: int
    loss: float
    tokens: int
    precision: str
    device: str
    selection: dict[str, Any]
    losses: list[float]
    rates: list[float]


DROPOUT_SEED = 4
SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
"""The Trainer's names; its `constant` knows no warm-up."""


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
    encoded: TokenizedDataset,
    loss: Callable[[Any, Any], torch.Tensor],
    targets: float,
    training: TrainingSpec,
    seed: int,
    scratch: Path,
    report: Callable[[float], None],
    select_by: Callable[[Any], float] | None = None,
    after_step: Callable[[float], None] | None = None,
    processes: Processes | None = None,
    deferred: DeferredWeights | None = None,
    adversary: Adversary | None = None,
) -> FitReport:
    """Fine-tune `model` in place.

    `loss` takes the model and a batch and sums over the batch's targets, of which an example has `targets` on average.
    `scratch` is a folder for the Trainer's own files; `report` gets the fraction done (0..1) after each step;
    `select_by` scores the model after each epoch (greater is better) and the best epoch's weights are kept.
    `after_step` may change the model after each step of the optimizer, and gets the fraction done as well. Of several
    `processes` all must call: each takes a part of every batch, and where they are `sharded` keeps a part of every
    weight, of which those that are `deferred` are made then. An `adversary` makes a step's loss of that.

    Raises:
        HarnessError: the loss became infinite or not a number.
    """
    assert training.epochs is not None and training.learning_rate is not None
    set_seed(seed)
    device = pick_device()
    precision = pick_precision(training.precision, device)
    kind, options = optimizers.choice(training.optimizer)
    arguments = TrainingArguments(
        output_dir=str(scratch),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup_steps=_warmup_steps(encoded.in_epoch, training),
        lr_scheduler_type=SCHEDULES[training.schedule],
        max_grad_norm=training.max_grad_norm,
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
    callbacks: list[TrainerCallback] = [
        ProgressCallback(listener) for listener in (after_step, report) if listener is not None
    ]
    best = BestEpochCallback(select_by) if select_by is not None else None
    if best is not None:
        callbacks.append(best)
    mean = None
    if training.average_last is not None:
        mean = MeanWeightsCallback(training.average_last, math.ceil(training.epochs))
        callbacks.append(mean)
    if training.gradient_checkpointing:
        recompute_activations(model)
    if training.compile and processes is not None:
        raise HarnessError("compile: several processes that fit one model do not compile it; leave it out")
    evaluate = alone(loss) if processes is None else joined(model, loss, processes, device, deferred)
    trainer = TokenBudgetTrainer(
        model=model,
        args=arguments,
        train_dataset=encoded,
        callbacks=callbacks,
        loss=evaluate,
        padding=DataCollator.of(tokenizer, device),
        batch_size=training.batch_size,
        targets=targets,
        processes=processes,
        adversary=adversary,
        optimizer_cls_and_kwargs=(kind, {"lr": training.learning_rate, **options}),
    )
    for callback in list(trainer.callback_handler.callbacks):
        if type(callback).__name__ == "PrinterCallback":
            trainer.remove_callback(callback)
    if processes is not None:
        seed_dropout(DROPOUT_SEED, seed, processes.number)
    with quick_dropout(model), compiled(model, training.compile):
        outcome = trainer.train()
    losses, mean_loss = trainer.losses_of_all(outcome.training_loss)
    if not math.isfinite(mean_loss):
        raise HarnessError(
            f"training diverged: the mean loss over {outcome.global_step} steps is {mean_loss}; "
            f"lower the learning rate (it is {training.learning_rate:g})"
        )
    selection: dict[str, Any] = {"mode": "last"}
    if best is not None:
        best.restore(model)
        selection = {"mode": "best", "epoch": best.best_epoch, "history": best.history}
    if mean is not None:
        selection = {"mode": "mean", "epochs": mean.restore(model)}
    tokens = round(sum(encoded.lengths) * training.epochs / max(1, len(encoded.epochs)))
    return FitReport(
        outcome.global_step, mean_loss, tokens, precision, device.type, selection, losses, trainer.rates,
    )  # fmt: skip


def _warmup_steps(examples: int, training: TrainingSpec) -> int:
    assert training.epochs is not None
    steps = math.ceil(training.epochs * max(1, math.ceil(examples / training.batch_size)))
    return math.ceil(steps * training.warmup_ratio)
