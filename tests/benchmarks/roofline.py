"""The machine's roofline: the rate of one matrix product on one thread, in the precisions that the CPU has units for.

python -m tests.benchmarks.roofline
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

UNITS = {"fp32": (), "bf16": ("avx512_bf16", "amx_bf16", "bf16")}
"""Flags of CPUs, of which one says that there are units for a precision."""
PROBE = """
import json, sys, time, torch
torch.set_num_threads(1)
def seconds(kind, size=1024):
    a, b = torch.randn(size, size).to(kind), torch.randn(size, size).to(kind)
    def once():
        start = time.process_time()
        a @ b
        return time.process_time() - start
    once()
    return min(once() for _ in range(9))
kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
print(json.dumps({name: 2 * 1024**3 / seconds(kinds[name]) / 1e9 for name in sys.argv[1:]}))
"""


@cache
def gemm_gflops() -> dict[str, float]:
    """GFLOP/s of processor time by precision, measured in a process of its own; what the CPU has no units for lacks."""
    names = [name for name, flags in UNITS.items() if not flags or _flags().intersection(flags)]
    done = subprocess.run([sys.executable, "-c", PROBE, *names], capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in json.loads(done.stdout).items()}


def shares(flops: float, seconds: float, precision: str) -> dict[str, float]:
    """What a benchmark notes: the rate in its precision and in fp32, and the share of each that work of so many FLOPs in
    so many seconds of one processor has.
    """
    rates = gemm_gflops()
    return {
        f"{what}_{name}": value
        for name in dict.fromkeys((precision, "fp32"))
        if name in rates
        for what, value in (("gemm_gflops", rates[name]), ("share_of_gemm_rate", flops / seconds / rates[name] / 1e9))
    }


def _flags() -> set[str]:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    said = [line.partition(":")[2].split() for line in lines if line.startswith(("flags", "Features"))]
    return set(said[0]) if said else set()


if __name__ == "__main__":
    for name, rate in gemm_gflops().items():
        print(f"{name}: {rate:.0f} GFLOP/s")
