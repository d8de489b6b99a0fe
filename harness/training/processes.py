"""Which part a process has in a training that several do together, and how they meet and leave."""

from __future__ import annotations

import atexit
import gc
import threading
from dataclasses import dataclass
from datetime import timedelta

LEAVING = 10
"""Seconds that a process which ends waits for exchanges that have not ended."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes that fit one model together this is, from 0; `sharded`: each keeps a part of it.
    `checkpoint_every`: steps between checkpoints to go on from; None: some minutes' worth.
    """

    number: int
    count: int
    sharded: bool = False
    checkpoint_every: int | None = None


def meet(on_gpu: bool, timeout: timedelta | None = None) -> None:
    """Join the processes that `torchrun` has started, until the interpreter ends.

    Args:
        on_gpu: Exchange what lies on GPUs by NCCL; all else goes by gloo.
        timeout: How long an exchange waits for the others; None: as long as torch's do.
    """
    import torch

    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=timeout)
    atexit.register(_leave)


def _leave() -> None:
    """End the threads of all groups: one that lets go of a tensor while the interpreter ends aborts the process.

    That of a group which waits for a process that is gone is left to itself after a while.
    """
    import torch

    def destroy() -> None:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
        gc.collect()

    leaving = threading.Thread(target=destroy, daemon=True)
    leaving.start()
    leaving.join(LEAVING)
