"""What of a machine decides the last digits of a result: the order and the precision in which floats are added.

The same weights and texts give other bits with other vector instructions, another number of threads or another GPU. So
it is part of the key of every cell that computes with floats: a store that machines share holds a result for each.
"""

from __future__ import annotations

from typing import Any, Literal

from harness.core.machine.calibrate import calibration, cpu_bf16_pays, wide_enough
from harness.core.machine.environment import cpu, gpus

Precision = Literal["auto", "fp32", "bf16"]


def numerics(threads: int | None) -> dict[str, Any]:
    """The machine as far as results depend on it.

    Args:
        threads: Intra-op threads of a process; None for the calibrated number.

    Returns:
        `{"threads", "isa"}`, on a machine with GPUs `"gpus"` as well.
    """
    measured = calibration()
    devices = sorted({gpu["name"] for gpu in gpus()}) if measured["cuda_devices"] else []
    facts = {"threads": threads or int(measured["threads"]), "isa": list(cpu()["isa"])}
    return facts | ({"gpus": devices} if devices else {})


def resolved_precision(precision: Precision, width: int | None = None) -> Precision:
    """What `auto` is on this machine for a model of so many hidden units: on a CPU what the probe says, and fp32 for a
    narrow one, where the width is given. On a GPU it stays; the GPU, which `numerics` names, decides.
    """
    if precision != "auto" or calibration()["cuda_devices"]:
        return precision
    return "bf16" if wide_enough(width) and cpu_bf16_pays() else "fp32"
