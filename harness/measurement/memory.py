"""Peak memory of a model, from a process of its own for each model and cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.measurement.loaded_model import LoadedModel, import_for, start_cuda
from harness.measurement.procfs import reset_peak, resident
from harness.measurement.workloads import Absent, Workload

CALLS = 2


def watch(folder: Path, threads: int, cell: Mapping[str, Any], seed: int, device: str) -> dict[str, Any]:
    """Load and call a model in this process; bytes above what imports and the start of CUDA had taken.

    `loaded` is what stays after loading, `load_peak` the most while loading, `peak` the most while calling, of which
    the model is a part. `anonymous` and `file` tell memory of the process's own from mapped files. What cannot be
    known is left out, and `absent` says why. `device` holds the bytes that torch has taken of a GPU's memory: `loaded`
    after loading, `peak` the most in use while calling, `reserved` the most that it kept for itself.
    """

    import_for(folder)
    start_cuda(device)
    baseline = resident()
    reason = reset_peak()
    model = LoadedModel(folder, threads, device)
    loaded = resident()
    work = model.prepare(Workload(**cell), seed)
    if isinstance(work, Absent):
        return {"absent": {"peak": work.reason}}
    on_device = _Device()
    reset_peak()
    for _ in range(CALLS):
        model.call(cell["name"])
    after = resident()
    host: dict[str, Any] = {
        "baseline": asdict(baseline),
        "loaded": {
            "total": loaded.total - baseline.total,
            "anonymous": loaded.anonymous - baseline.anonymous,
            "file": loaded.file - baseline.file,
        },
        "after": {"anonymous": after.anonymous - baseline.anonymous, "file": after.file - baseline.file},
    }
    absent = {}
    if reason is None:
        host |= {"load_peak": loaded.peak - baseline.total, "peak": after.peak - baseline.total}
    else:
        absent = {"peak": reason, "load_peak": reason}
    read = on_device.read()
    if read is None:
        absent["device"] = "the model runs on the CPU"
    return {**host, **({"device": read} if read else {}), "absent": absent}


class _Device:
    """The peak of CUDA's allocator from now on, where the model is on a GPU."""

    def __init__(self) -> None:
        import torch

        self._cuda = torch.cuda if torch.cuda.is_available() and torch.cuda.memory_allocated() else None
        if self._cuda:
            self._cuda.synchronize()
            self._cuda.reset_peak_memory_stats()
            self._loaded = self._cuda.memory_allocated()

    def read(self) -> dict[str, int] | None:
        if self._cuda is None:
            return None
        self._cuda.synchronize()
        return {
            "loaded": self._loaded,
            "peak": self._cuda.max_memory_allocated(),
            "reserved": self._cuda.max_memory_reserved(),
        }
