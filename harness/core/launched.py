"""What `torchrun` says of a process that it has started as one of several."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from harness.core.errors import HarnessError
from harness.core.text import shown

LAUNCHED = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
"""The environment variables by which `torchrun` tells its processes apart."""


@dataclass(frozen=True)
class Launched:
    """Which of how many processes this is, from 0."""

    number: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether this is the process of several that speaks and writes."""
        return self.number == 0


def launched(verb: str = "run") -> Launched:
    """Raises HarnessError where the environment says that this is one of several processes, and not which."""
    given = {name: os.environ[name] for name in LAUNCHED if os.environ.get(name)}
    hint = f"start several processes with `torchrun --nproc-per-node N -m harness {verb} …`, or unset it"
    for name, value in given.items():
        if not re.fullmatch(r"[0-9]{1,6}", value):
            raise HarnessError(f"the environment has {name}={shown(value)}, which is no number; {hint}")
    rank, size = int(given.get("RANK", "0")), int(given.get("WORLD_SIZE", "1"))
    if rank >= size:
        raise HarnessError(f"the environment has RANK={rank} and WORLD_SIZE={given.get('WORLD_SIZE', 'unset')}; {hint}")
    if size > 1 and not (os.environ.get("MASTER_ADDR") and os.environ.get("MASTER_PORT")):
        raise HarnessError(f"the environment has WORLD_SIZE={size} without MASTER_ADDR and MASTER_PORT; {hint}")
    return Launched(rank, max(1, size))
