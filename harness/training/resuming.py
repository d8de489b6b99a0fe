"""A fine-tuning of several processes that is cut off and goes on. Imports torch: import it inside functions."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import torch

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.text import say
from harness.training import state
from harness.training.processes import Processes
from harness.training.step_plan import Plan

SECONDS = 300.0
"""Between checkpoints, about, where nobody says how many steps."""
TIMED_STEPS = 10
"""After so many a step's seconds are known."""

Curves = Callable[[], tuple[list[float], list[float]]]
"""Of all steps so far, over all processes: the losses, and the numbers of examples."""


class Checkpoints:
    """The state of a fine-tuning in a folder, from which any number of processes goes on. All must call."""

    def __init__(
        self,
        folder: Path,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        steps: int,
        processes: Processes,
    ) -> None:
        self._folder, self._model, self._optimizer, self._processes = folder, model, optimizer, processes
        self._steps, self._every = steps, processes.checkpoint_every
        self._started = time.perf_counter()

    def latest(self) -> state.Progress:
        """Put the newest sound checkpoint back, and say how far it had come; without one nothing is done yet.

        Raises:
            HarnessError: it is not what was written.
        """

        def damaged(error: DamagedFileError) -> None:
            if self._processes.number == 0:
                say(f"damaged: {error}; this checkpoint is not used")

        place = state.latest(self._folder, damaged)
        if place is None:
            return state.Progress(Plan.of_steps(self._steps))
        try:
            return state.load(place, self._model, self._optimizer)
        except DamagedFileError as error:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise HarnessError(f"{error}; it is removed, the next run starts this fine-tuning over") from None

    def after(self, done: int, resumed: int, curves: Curves) -> None:
        """After a step, the `done`-th, of a fine-tuning that went on after `resumed`: write a checkpoint where one is
        due.
        """
        if self._every is None and done == resumed + TIMED_STEPS:
            per_step = (time.perf_counter() - self._started) / TIMED_STEPS
            every = [max(1, round(SECONDS / max(per_step, 1e-6)))]
            torch.distributed.broadcast_object_list(every, src=0)
            self._every = every[0]
        if self._every is None or done % self._every or done >= self._steps:
            return
        losses, counts = curves()
        progress = state.Progress(Plan.of_steps(self._steps), done, losses=losses, counts=counts)
        state.save(self._folder, self._model, self._optimizer, progress, self._processes.number == 0)
        torch.distributed.barrier()
