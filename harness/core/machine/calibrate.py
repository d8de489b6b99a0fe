"""A short probe of this machine: intra-op threads a process should have, whether bf16 pays, and the GEMM rate.

More threads in one process are often slower than one, and many times slower where vCPUs are shared: OpenMP spins on a
thread whose CPU was taken away. So threads are given only where the probe shows that they pay, and the choice is kept
and recorded. It never depends on the number of workers, so that predictions do not either.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.core.checked import keep_checked, read_checked
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json, short
from harness.core.machine.environment import cache_folder, cores, cpu, thread_variables, versions
from harness.core.text import say

COUNTS, RATIOS = ("threads", "cores", "cuda_devices"), ("thread_efficiency", "cpu_bf16_speedup")
"""Numbers of a calibration, beside its tables."""
WORTHWHILE = 0.9
"""Fraction of perfect scaling n threads must reach to be preferred over n processes with one thread each."""
BF16_WORTHWHILE = 1.3
"""How many times faster a training step in bf16 must be for `precision: auto` to choose it on a CPU."""
BF16_WIDTH = 256
"""Of a narrower model a training in bf16 takes as long as in fp32, or longer, on a CPU: oneDNN makes a kernel for each
shape of a batch, and what is cast outweighs what is multiplied. The probe's layer has this width, and one shape."""


def calibration() -> dict[str, Any]:
    """The probe's result for this machine and torch version, measured once and then kept.

    `{"threads", "cores", "step_ms": {threads: ms}, "gemm_gflops": {threads: GFLOP/s}, "cuda_devices",
    "cpu_bf16_speedup", "cpu_gflops", "cpu_step_ms", "cached"}`. `cpu_gflops` and `cpu_step_ms` are of one thread's
    CPU time, by which costs are estimated; calibrations of older versions lack them.
    """
    path = _kept()
    try:
        known = read_checked(path)["calibration"]
        if _is_whole(known):
            return {**known, "cached": True}
        say(f"damaged: {path} is no calibration; it is measured again")
    except (HarnessError, KeyError) as error:
        if path.exists():
            say(f"damaged: {error}; it is measured again")
    measured = _measure_in_fresh_process()
    keep_checked(path, {"calibration": measured})
    return {**measured, "cached": False}


def is_calibrated() -> bool:
    """Whether a result is kept, so that `calibration` measures nothing."""
    return _kept().exists()


def _kept() -> Path:
    return cache_folder() / f"calibrated-{short(hash_json([cpu(), cores(), versions()['torch']]))}.json"


def _is_whole(known: Any) -> bool:
    if not isinstance(known, dict) or not all(type(known.get(name)) is int for name in COUNTS):
        return False
    tables: list[Any] = [known.get(name) for name in ("step_ms", "gemm_gflops")]
    if not all(isinstance(table, dict) for table in tables):
        return False
    numbers = [*(known.get(name) for name in RATIOS), *(value for table in tables for value in table.values())]
    return known["threads"] >= 1 and all(isinstance(value, int | float) and value >= 0 for value in numbers)


def _measure_in_fresh_process() -> dict[str, Any]:
    environment = {**os.environ, **thread_variables(cores())}
    command = [sys.executable, "-m", "harness.core.machine.calibrate"]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        raise HarnessError(
            f"the calibration probe failed: {detail[-1] if detail else error}; is torch installed?"
        ) from None


def measure() -> dict[str, Any]:
    """Time a small encoder's training step and a GEMM, with one thread and with all cores."""
    import torch

    counts = sorted({1, cores()})
    step_ms: dict[str, float] = {}
    gemm: dict[str, float] = {}
    for threads in counts:
        torch.set_num_threads(threads)
        step_ms[str(threads)] = 1000 * _seconds(_training_step())
        a, b = torch.randn(512, 512), torch.randn(512, 512)
        gemm[str(threads)] = 2 * 512**3 / _seconds(lambda a=a, b=b: a @ b) / 1e9
    torch.set_num_threads(1)
    a, b = torch.randn(512, 512), torch.randn(512, 512)
    cpu_gflops = 2 * 512**3 / _cpu_seconds(lambda: a @ b) / 1e9
    cpu_step_ms = 1000 * _cpu_seconds(_training_step())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        bf16 = cpu_step_ms / (1000 * _cpu_seconds(_training_step()))
    most = counts[-1]
    efficiency = step_ms["1"] / (most * step_ms[str(most)])
    return {
        "threads": most if most > 1 and efficiency >= WORTHWHILE else 1,
        "cores": most,
        "step_ms": {name: round(value, 3) for name, value in step_ms.items()},
        "gemm_gflops": {name: round(value, 2) for name, value in gemm.items()},
        "thread_efficiency": round(efficiency, 3),
        "cpu_bf16_speedup": round(bf16, 3),
        "cuda_devices": torch.cuda.device_count(),
        "cpu_gflops": round(cpu_gflops, 2),
        "cpu_step_ms": round(cpu_step_ms, 3),
    }


def cpu_bf16_pays() -> bool:
    """Whether training in bf16 is worth it on this CPU, by the probe: with the instructions it is, without them many
    times slower.
    """
    return float(calibration()["cpu_bf16_speedup"]) >= BF16_WORTHWHILE


def wide_enough(width: int | None) -> bool:
    """Whether bf16 can pay on a CPU for a model so wide; one whose width is unknown is taken for wide."""
    return width is None or width >= BF16_WIDTH


def _training_step() -> Any:
    import torch

    layer = torch.nn.TransformerEncoderLayer(BF16_WIDTH, 4, 4 * BF16_WIDTH, batch_first=True)
    batch = torch.randn(32, 16, BF16_WIDTH)

    def step() -> None:
        layer(batch).square().mean().backward()
        layer.zero_grad()

    return step


def _seconds(work: Any, at_most: float = 0.4) -> float:
    """The median time of a call after one untimed call, over at most `at_most` seconds or 30 calls."""
    work()
    times: list[float] = []
    deadline = time.perf_counter() + at_most
    while not times or (len(times) < 30 and time.perf_counter() < deadline):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def _cpu_seconds(work: Any, at_least: float = 0.3) -> float:
    """The CPU time of a call, whatever else the machine is at, after an untimed one: over `at_least` seconds of it."""
    work()
    calls, start = 0, time.process_time()
    while (used := time.process_time() - start) < at_least:
        work()
        calls += 1
    return used / calls


if __name__ == "__main__":
    print(json.dumps(measure()))
