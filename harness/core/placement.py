"""Where cells are computed and with what: settings of executors, as a command line or a file gives them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import did_you_mean

UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?b)?", re.IGNORECASE)
ADDRESS = re.compile(r"auto|local|[A-Za-z0-9._-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5}")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.:/-]*")
LARGEST = {"cpu": 4096, "gpu": 64}


@dataclass(frozen=True)
class ResourceRequest:
    """What each worker gets; None where it is chosen.

    Attributes:
        cpu: CPUs.
        gpu: GPUs, or a fraction of one that workers share.
        memory: Bytes.
        custom: Resources of a cluster's own, by name.
    """

    cpu: int | None = None
    gpu: float | None = None
    memory: int | None = None
    custom: Mapping[str, float] = field(default_factory=dict)


def as_pairs(value: Any) -> Any:
    """A mapping, or a text `a=1,b=2`, as the list of its pairs."""
    if isinstance(value, Mapping):
        return [f"{name}={amount}" for name, amount in value.items()]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [part.strip() for item in value for part in item.split(",")]
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def split_pairs(pairs: Sequence[str]) -> dict[str, str]:
    """Pairs `name=value` by name. Raises ValueError for what is none, and for a name that is given twice."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value):
            raise ValueError(f"{pair!r} is no NAME=VALUE")
        if name in values:
            raise ValueError(f"{name} is given twice")
        values[name] = value
    return values


def resource_request(pairs: Sequence[str]) -> ResourceRequest:
    """`cpu=4`, `gpu=0.5`, `memory=8G`, and resources of a cluster's own. Raises ValueError."""
    values = split_pairs(pairs)
    cpu, gpu = (_number(name, values.pop(name)) if name in values else None for name in ("cpu", "gpu"))
    if cpu is not None and (cpu != int(cpu) or cpu < 1):
        raise ValueError(f"cpu={cpu:g}: a whole number of CPUs is expected")
    if gpu is not None and gpu > 1 and gpu != int(gpu):
        raise ValueError(f"gpu={gpu:g}: a whole number of GPUs, or a fraction of one, is expected")
    memory = size_in_bytes(values.pop("memory")) if "memory" in values else None
    for name in values:
        hint = did_you_mean(name.lower(), ["cpu", "gpu", "memory"])
        if not NAME.fullmatch(name) or "Did you mean" in hint:
            raise ValueError(f"unknown resource '{name}'.{hint}")
    custom = {name: _number(name, value) for name, value in values.items()}
    return ResourceRequest(None if cpu is None else int(cpu), gpu, memory, custom)


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= LARGEST.get(name, 1e6):
        raise ValueError(f"{name}={value}: a number from 0 to {LARGEST.get(name, 10**6)} is expected")
    return number


def size_in_bytes(text: str) -> int:
    """`512M`, `8G` or `8GiB` in bytes. Raises ValueError."""
    match = SIZE.fullmatch(text)
    if match is None or (size := int(float(match[1]) * UNITS[match[2].lower()])) < 2**20 or size > 2**50:
        raise ValueError(f"memory={text}: a size such as 512M or 8G is expected")
    return size


def check_address(address: str) -> str:
    """Raises ValueError where it is neither `auto` nor `local` nor HOST:PORT."""
    if not ADDRESS.fullmatch(address):
        hint = "; start the run on a node of the cluster, or by `ray job submit`" if address.startswith("ray:") else ""
        raise ValueError(f"auto, local or HOST:PORT is expected{hint}")
    return address
