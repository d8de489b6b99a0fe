"""Which part a process has in a training that several do together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Processes:
    """Which of how many processes that fit one model together this is, from 0; `sharded`: each keeps a part of it.
    `checkpoint_every`: steps between checkpoints to go on from; None: some minutes' worth.
    """

    number: int
    count: int
    sharded: bool = False
    checkpoint_every: int | None = None
