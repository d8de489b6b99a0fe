"""The fine-tuning loop. Imports torch: import it inside functions.

A loop of its own and not the HF Trainer's: what that brings beyond one (checkpoints, trackers, several devices) is done
elsewhere here, and its imports and callbacks take longer than a small model's arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from harness.core.errors import HarnessError
from harness.core.specs import TrainingSpec
from harness.modeling.inference.batching import TokenBudgetBatchSampler, TokenizedDataset
from harness.training import optimizers
from harness.training.adversarial.adversary import Adversary
from harness.training.deferred import DeferredWeights
from harness.training.devices import autocast, pick_device, pick_precision, seed_all
from harness.training.dropout import quick_dropout, seed_dropout
from harness.training.encoder_layer import fused_layers
from harness.training.keeping import BestEpoch, MeanWeights
from harness.training.lazy_rows import LazyRows, lazy_table
from harness.training.parallel import PartOfBatches, alone, joined, of_all
from harness.training.processes import Processes
from harness.training.recomputing import compiled, recompute_activations
from harness.training.resuming import Checkpoints

DROPOUT_SEED = 4
IN_BLOCK = 1024
"""Losses of steps that are kept together."""


Collator = Callable[[Sequence[Mapping[str, Any]]], dict[str, torch.Tensor]]
"""From rows of a dataset to a batch of tensors."""


@dataclass(frozen=True)
class FitReport:
    """What fine-tuning did: optimizer steps, mean training loss, real (non-pad) tokens seen, precision, selection
    history, the loss and the learning rate of each step, and whether the rows of the embedding table were moved when
    they were read (`harness.training.lazy_rows`). `resumed_from` is the step after which it went on, and
    `compiled` says that the model was.
    """

    steps: int
    loss: float
    tokens: int
    precision: str
    device: str
    selection: dict[str, Any]
    losses: list[float]
    rates: list[float]
    lazy_rows: bool
    resumed_from: int = 0
    compiled: bool = False


class StepLosses:
    """The losses of steps on their device, a block of numbers at a time: a tensor each, between those of the batches,
    would leave the memory of these in pieces.
    """

    def __init__(self) -> None:
        self._blocks: list[torch.Tensor] = []
        self._count = 0

    def append(self, loss: torch.Tensor) -> None:
        place = self._count % IN_BLOCK
        if place == 0:
            self._blocks.append(torch.empty(IN_BLOCK, device=loss.device))
        self._blocks[-1][place] = loss
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def together(self) -> torch.Tensor:
        """All of them (steps,), float32."""
        return torch.cat(self._blocks)[: self._count] if self._blocks else torch.empty(0)


class TrainStep:
    """One optimizer step after the other, which weighs every target alike, whatever batch it is in.

    `loss` sums over the targets of a batch; the sum is divided by how many a step has on average, not by how many this
    one has: batches hold different numbers, and a mean would weigh a target by the company it keeps. `losses` are those
    of the steps so far, each divided by as many for each of its examples; of several processes, their sums.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        loss: Callable[..., torch.Tensor],
        optimizer: torch.optim.Optimizer | optimizers.ClippedAdamW,
        training: TrainingSpec,
        targets: float,
        processes: Processes | None,
        adversary: Adversary | None,
        rows: LazyRows | None = None,
    ) -> None:
        self._model, self._loss, self._optimizer = model, loss, optimizer
        self._max_grad_norm = training.max_grad_norm
        self._targets, self._size = targets, targets * training.batch_size
        self._processes, self._adversary, self._rows = processes, adversary, rows
        self._parameters = [weight for weight in model.parameters() if weight.requires_grad]
        self._total: torch.Tensor | float = 0.0
        self._counts: list[float] = []
        self._losses = StepLosses()
        self._before: tuple[list[float], list[float]] = [], []

    def go_on(self, losses: list[float], counts: list[float]) -> None:
        """After steps of which these are the losses, and the numbers of examples."""
        self._before = losses, counts

    def __call__(self, batch: dict[str, torch.Tensor], rate: float, weight: float) -> None:
        """Take a step at a learning rate; of several processes each with its part of the batch, which has a weight."""
        rows = len(next(iter(batch.values())))
        count = 1 if self._processes is None else self._processes.count

        def scaled(summed: torch.Tensor) -> torch.Tensor:
            return summed * (weight * count) / self._size

        if self._adversary is None:
            summed = self._loss(self._model, batch)
        else:
            summed = self._adversary.loss(
                lambda batch, term: self._loss(self._model, batch, term),
                lambda term: scaled(term).backward(),
                self._model, batch, len(self._before[0]) + len(self._losses),
                (0, 1) if self._processes is None else (self._processes.number, self._processes.count),
            )  # fmt: skip
        loss = scaled(summed)
        loss.backward()
        self._total = self._total + loss.detach()
        self._counts.append(rows * weight)
        self._losses.append(summed.detach().float() * weight / (self._targets * rows if self._processes is None else 1))
        self._move(self._optimizer, rate)

    def _move(self, optimizer: torch.optim.Optimizer | optimizers.ClippedAdamW, rate: float) -> None:
        """Clip the gradients, take the step of the optimizer and drop them."""
        if isinstance(optimizer, torch.optim.Optimizer):
            for group in optimizer.param_groups:
                group["lr"] = rate
            if self._max_grad_norm > 0:
                torch.nn.utils.clip_grad_norm_(self._parameters, self._max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        elif self._rows is None:
            optimizer.step(rate)
        else:
            rows, gradients = self._rows.gradient()
            scale = optimizer.step(rate, [gradients])
            self._rows.step(rows, gradients if scale is None else gradients.div_(scale))

    def losses(self, device: torch.device) -> tuple[list[float], float]:
        """The loss of each step, and the mean that was trained on."""
        if self._processes is not None:
            losses, counts = self.curves(device)
            totals = [loss * self._targets * count for loss, count in zip(losses, counts, strict=True)]
            return losses, sum(totals) / (self._size * max(1, len(totals)))
        if not self._losses:
            return [], 0.0
        return self._losses.together().tolist(), float(self._total) / len(self._losses)

    def curves(self, device: torch.device) -> tuple[list[float], list[float]]:
        """Of several processes, which all must call: the loss of each step, and its number of examples."""
        totals, counts = of_all(self._losses.together(), self._counts, device)
        losses = [total / (self._targets * count) for total, count in zip(totals, counts, strict=True)]
        return self._before[0] + losses, self._before[1] + counts


def fine_tune(
    model: PreTrainedModel,
    collating: Callable[[torch.device], Collator],
    encoded: TokenizedDataset,
    loss: Callable[[Any, Any], torch.Tensor],
    targets: float,
    training: TrainingSpec,
    seed: int,
    report: Callable[[float], None],
    select_by: Callable[[Any], float] | None = None,
    after_step: Callable[[float], None] | None = None,
    processes: Processes | None = None,
    deferred: DeferredWeights | None = None,
    adversary: Adversary | None = None,
    checkpoints: Path | None = None,
    logits_alone: bool = False,
) -> FitReport:
    """Fine-tune `model` in place.

    `collating` gives what makes batches of rows for a device. `loss` takes the model and a batch and sums over the
    batch's targets, of which an example has `targets` on average.
    `report` gets the fraction done (0..1) after each step; `select_by` scores the model after each epoch (greater is
    better) and the best epoch's weights are kept. `after_step` may change the model after each step of the optimizer,
    and gets the fraction done as well. Of several `processes` all must call: each takes a part of every batch, and
    where they are `sharded` keeps a part of every weight, of which those that are `deferred` are made then. An
    `adversary` makes a step's loss of that. Several processes keep what is done in the folder `checkpoints`, and go on
    from what is there. `logits_alone` says that the loss reads nothing else of the model, so that what does not reach
    them need not be computed.

    Raises:
        HarnessError: the loss became infinite or not a number.
    """
    assert training.epochs is not None and training.learning_rate is not None
    seed_all(seed)
    device = pick_device()
    precision = pick_precision(training.precision, device, getattr(model.config, "hidden_size", None))
    best = BestEpoch(select_by) if select_by is not None else None
    last = training.average_last
    mean = MeanWeights(last, math.ceil(training.epochs)) if last is not None else None
    if training.gradient_checkpointing:
        recompute_activations(model)
    compiles = training.compile is True  # `auto` is for a plan to decide
    if compiles and processes is not None:
        raise HarnessError("compile: several processes that fit one model do not compile it; leave it out")
    if processes is None:
        model.to(device)  # type: ignore[arg-type]  # transformers types what it wraps otherwise
    evaluate = alone(loss) if processes is None else joined(model, loss, processes, device, deferred)
    batches = TokenBudgetBatchSampler(encoded.lengths, training.batch_size, seed, epochs=encoded.epochs)
    parts = None if processes is None else PartOfBatches(batches, processes)
    steps = math.ceil(training.epochs * len(batches))
    rates = [
        training.learning_rate * optimizers.rate(training.schedule, step, steps, _warmup_steps(encoded, training))
        for step in range(steps)
    ]
    table = None
    plain = processes is None and not compiles
    if plain and adversary is None and after_step is None and training.optimizer == "adamw":
        tokens = sum(encoded.lengths) / max(1, len(encoded.epochs)) / len(batches)
        table = lazy_table(model, tokens, rates, training.weight_decay)
    collator = collating(device)
    model.train()
    resumed, kept = 0, None
    reading = nullcontext() if table is None else table.reading()
    with (
        nullcontext() if compiles else quick_dropout(model),  # compiled, torch's draws are part of one kernel
        compiled(model, compiles),
        autocast(model, device, precision),
        reading,
        fused_layers(model, logits_alone) if plain else nullcontext(),
    ):
        groups = optimizers.groups(model, training.weight_decay)
        optimizer: Any = (
            optimizers.ClippedAdamW(groups, training.max_grad_norm)
            if plain and device.type == "cpu" and training.optimizer == "adamw"
            else optimizers.optimizer(training.optimizer, groups, training.learning_rate)
        )
        take_step = TrainStep(model, evaluate, optimizer, training, targets, processes, adversary, table)
        if processes is not None and checkpoints is not None:
            kept = Checkpoints(checkpoints, model, optimizer, steps, processes)
            progress = kept.latest()
            resumed = progress.step
            take_step.go_on(progress.losses, progress.counts)
        for done, (ends_epoch, rows) in enumerate(_batches(parts or batches, steps)):
            weight = 1.0 if parts is None else parts.weights.pop(0)
            if done < resumed:
                continue
            if processes is not None:
                seed_dropout(DROPOUT_SEED, seed, done, processes.number)
            batch = {name: _moved(column, device) for name, column in collator(encoded.rows(rows)).items()}
            take_step(batch, rates[done], weight)
            if kept is not None:
                kept.after(done + 1, resumed, partial(take_step.curves, device))
            for listener in (after_step, report):
                if listener is not None:
                    listener((done + 1) / steps)
            if ends_epoch:
                if table is not None:
                    table.settle()
                for keeper in (best, mean):
                    if keeper is not None:
                        keeper.end_epoch(model)
                model.train()
    losses, mean_loss = take_step.losses(device)
    if not math.isfinite(mean_loss):
        raise HarnessError(
            f"training diverged: the mean loss over {steps} steps is {mean_loss}; "
            f"lower the learning rate (it is {training.learning_rate:g})"
        )
    selection: dict[str, Any] = {"mode": "last"}
    for keeper in (best, mean):
        if keeper is not None:
            selection = keeper.restore(model)
    tokens = round(sum(encoded.lengths) * training.epochs / max(1, len(encoded.epochs)))
    return FitReport(
        steps,
        mean_loss,
        tokens,
        precision,
        device.type,
        selection,
        losses,
        rates,
        table is not None,
        resumed,
        compiles,
    )


def _batches(batches: Any, steps: int) -> Iterator[tuple[bool, list[int]]]:
    """Rows of so many batches, and whether an epoch ends with each: the last one as well, where it is cut short."""
    done = 0
    while done < steps:
        torch.empty((), dtype=torch.int64).random_()  # torch's loader draws so: a seed keeps the scores it had with it
        in_epoch = min(len(batches), steps - done)
        for number, rows in enumerate(batches):
            if number == in_epoch:
                break
            yield number == in_epoch - 1, rows
        done += in_epoch


def _moved(column: torch.Tensor, device: torch.device) -> torch.Tensor:
    if device.type == "cpu":
        return column
    return column.pin_memory().to(device, non_blocking=True)


def _warmup_steps(encoded: TokenizedDataset, training: TrainingSpec) -> int:
    assert training.epochs is not None
    steps = math.ceil(training.epochs * max(1, math.ceil(encoded.in_epoch / training.batch_size)))
    return math.ceil(steps * training.warmup_ratio)
