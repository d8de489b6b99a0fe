"""What this machine offers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness import data
from harness.core.machine.calibrate import calibration, cpu_bf16_pays
from harness.core.machine.environment import cores, cpu, versions
from harness.core.store import Store


def doctor(out: Path, as_json: bool) -> str:
    """The machine, the software, the hub and the results folder."""
    import psutil

    measured = calibration()
    unreachable = data.hub_reachable()
    memory = psutil.virtual_memory()
    store = Store(out)
    facts: dict[str, Any] = {
        "cpu": cpu(),
        "cores": cores(),
        "memory_gib": {"total": round(memory.total / 2**30, 1), "available": round(memory.available / 2**30, 1)},
        "calibration": measured,
        "versions": versions(),
        "hub": unreachable or "reachable",
        "results": {"folder": str(out), "runs": len(store.run_names()) if (out / "runs").is_dir() else 0},
    }
    if as_json:
        return json.dumps(facts, indent=1)
    gemm = ", ".join(f"{rate} GFLOP/s with {count} thread(s)" for count, rate in measured["gemm_gflops"].items())
    steps = ", ".join(f"{value} ms with {count}" for count, value in measured["step_ms"].items())
    bf16 = measured["cpu_bf16_speedup"]
    lines = [
        ("cpu", f"{facts['cpu']['model']}; {', '.join(facts['cpu']['isa']) or 'no vector extensions known'}"),
        ("cores", f"{facts['cores']} usable"),
        ("memory", f"{facts['memory_gib']['available']} GiB available of {facts['memory_gib']['total']}"),
        ("cuda", f"{measured['cuda_devices']} device(s)" if measured["cuda_devices"] else "no device"),
        ("threads", f"{measured['threads']} intra-op a process, {max(1, cores() // measured['threads'])} worker(s) "
                    f"(calibration{', cached' if measured['cached'] else ', just measured'})"),
        ("gemm", gemm),
        ("step", f"{steps} (small encoder, training)"),
        ("bf16", f"{bf16}× the speed of fp32 in training on this CPU; auto is {'bf16' if cpu_bf16_pays() else 'fp32'}"),
        ("hub", f"not reachable ({unreachable}); local data works without" if unreachable else "reachable"),
        ("results", f"{facts['results']['folder']}: {facts['results']['runs']} run(s)"),
        ("versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
    ]  # fmt: skip
    return "\n".join(f"{name:<9} {value}" for name, value in lines)
