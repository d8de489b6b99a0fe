"""Cells in the processes that `torchrun` has started: the first plans, writes and computes; fine-tunings it does with
all the others, which wait for them.
"""

from __future__ import annotations

import atexit
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError
from harness.core.launched import LAUNCHED, launched
from harness.core.machine.processes import in_this_process
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.pipeline.cells import Cell, Event, FinetuneJob
from harness.pipeline.executors.base import Resources
from harness.pipeline.executors.inline import InlineExecutor
from harness.pipeline.steps import finetune
from harness.training.learners import LEARNERS
from harness.training.processes import Processes, meet

MEETING = timedelta(minutes=10)
"""How long a process that is done with a cell waits for the others."""
PATIENCE = timedelta(days=7)
"""How long a process waits for another: the first scores and compresses alone."""

ONE_PROCESS = (
    "executor torchrun: there is one process; start several with `torchrun --nproc-per-node N -m harness run …`"
)

_CONTROL: list[Any] = []
"""The group of processes by which the first one tells the others what to do."""


class TorchrunExecutor(InlineExecutor):
    """As `inline`, but fine-tunings of learners that can are done by all processes together; with the setting `fsdp`
    each keeps a part of the weights, and with `checkpoint_every` a part of what is done is kept after so many steps.
    """

    takes = ("fsdp", "checkpoint_every")

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self._root = resources.root
        self._sharded = bool(resources.settings.get("fsdp"))
        self._every = resources.settings.get("checkpoint_every")
        if not _joined():
            raise HarnessError(ONE_PROCESS)

    def run(self, cells: Sequence[Cell], done: Set[str]) -> Iterator[Event]:
        """As `Executor.run`. Raises HarnessError where a model cannot be trained as it is asked for."""
        for cell in cells:
            if isinstance(cell.job, FinetuneJob) and cell.key not in done and self._sharded:
                _refuse_sharded(cell.job)
        yield from super().run(cells, done)

    def _computed(self, cell: Cell) -> Event:
        job = cell.job
        if not isinstance(job, FinetuneJob) or not LEARNERS.get(job.model_spec.learner).together:
            return super()._computed(cell)
        processes, summoned = Processes(0, _world().get_world_size(), self._sharded, self._every), []

        def summon() -> None:
            _from_first((cell, self._root, self._threads, processes))
            summoned.append(True)

        event = super()._computed(replace(cell, job=replace(job, processes=processes, summon=summon)))
        if summoned:
            _meet(event.cause)
        return event

    @staticmethod
    @contextmanager
    def leading() -> Iterator[None]:
        """Of the first process: the others wait for its cells until this ends."""
        _join()
        try:
            yield
        finally:
            _from_first(None)

    @staticmethod
    def assist(include: Sequence[str]) -> None:
        """Of every other process: fine-tune along with the first, and write nothing that is kept."""
        load_registry(include)
        _join()
        number = _world().get_rank()
        while (work := _from_first(None)) is not None:
            cell, root, threads, processes = work
            job = replace(cell.job, processes=replace(processes, number=number))
            try:
                with scratch_folder() as folder, in_this_process(threads):
                    finetune.run(replace(cell, job=job), Store(root), folder, _unheard)
            except HarnessError as error:
                _meet(str(error))
            except Exception:
                traceback.print_exc(file=sys.stderr)
                os._exit(1)  # torchrun ends the others, which wait for this one
            else:
                _meet("")

    @classmethod
    def together(cls, perform: Callable[[], str], include: Sequence[str]) -> str:
        """Of every process, in a program that `torchrun` has started: the first performs with the help of the others.

        Returns:
            What that gives, in all of them.

        Raises:
            HarnessError: there is one process; in all of them, as `perform` does.
        """
        if not _joined() and launched().count == 1:
            raise HarnessError(ONE_PROCESS)
        _join()
        result, error = "", ""
        if _world().get_rank() == 0:
            try:
                with cls.leading():
                    result = perform()
            except HarnessError as raised:
                error = str(raised)
        else:
            cls.assist(include)
        result, error = _from_first((result, error))
        if error:
            raise HarnessError(error)
        return result


def _refuse_sharded(job: FinetuneJob) -> None:
    """Raises HarnessError for what a model cannot do whose weights are shared out."""
    training = job.model_spec.training
    asked = {
        "select: best": training.select == "best",
        "average_last": training.average_last is not None,
        "peft": training.peft is not None,
        "optimizer: adafactor": training.optimizer == "adafactor",
    }
    for name in [name for name, is_asked in asked.items() if is_asked]:
        raise HarnessError(f"model spec {job.model_spec.name}: {name} does not go with --fsdp; leave one of them out")


def _unheard(fraction: float, detail: str = "") -> None:
    """The first process reports how far a cell is."""


def _world() -> Any:
    import torch

    return torch.distributed


def _joined() -> bool:
    return "torch" in sys.modules and _world().is_initialized()


def _join() -> None:
    """Meet the other processes. Afterwards nothing else of this process takes itself for one of several: each sees one
    GPU, and libraries that look for `torchrun` do not find it.
    """
    if _joined():
        return
    import torch

    local = int(os.environ.get("LOCAL_RANK") or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = [str(local)] if visible is None else visible.split(",")
    if visible != "":
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[local % len(devices)]
    meet(torch.cuda.is_available(), PATIENCE)
    _CONTROL.append(torch.distributed.new_group(backend="gloo", timeout=PATIENCE))
    atexit.register(_CONTROL.clear)  # before the groups are left, which only what nobody holds can be
    for name in LAUNCHED:
        os.environ.pop(name, None)


def _from_first(value: Any) -> Any:
    shared = [value]
    _world().broadcast_object_list(shared, src=0, group=_CONTROL[0])
    return shared[0]


def _meet(cause: str) -> None:
    """After a cell that all have computed. Raises HarnessError where one is not there: it has failed alone."""
    try:
        _world().monitored_barrier(_CONTROL[0], timeout=MEETING)
    except RuntimeError as error:
        why = cause or " ".join(str(error).split())
        raise HarnessError(
            f"the processes have lost each other: {why}; start them again, finished cells are kept"
        ) from None
