"""What the machine does beside our work: steal time, throttling, load; and the energy it counts."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROC = Path("/proc")
SYS = Path("/sys")
TICKS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


@dataclass(frozen=True)
class Counters:
    """A reading: ticks of all CPUs by state, throttlings by where they are counted, and the load of the last minute.
    What the system does not tell is None or left out.
    """

    seconds: float
    ticks: Mapping[str, int] | None
    throttled: Mapping[str, int]
    load: float | None


def read_counters(proc: Path = PROC, sys: Path = SYS) -> Counters:
    ticks = None
    with suppress(OSError, ValueError, IndexError):
        ticks = cpu_ticks((proc / "stat").read_text())
    load = None
    with suppress(OSError):
        load = os.getloadavg()[0]
    return Counters(time.monotonic(), ticks, throttlings(sys), load)


def cpu_ticks(stat: str) -> dict[str, int]:
    """The first line of /proc/stat, by state (proc(5)). Guests' time is in user's already."""
    name, *numbers = stat.splitlines()[0].split()
    if name != "cpu":
        raise ValueError("not /proc/stat")
    return dict(zip(TICKS, map(int, numbers), strict=False))


def idle_cpus(count: int, seconds: float = 0.1) -> list[int] | None:
    """The `count` of the CPUs that this process may use which do least in the next so many seconds. None where it may
    not use more than so many, or where processes cannot be bound to CPUs.
    """
    if not hasattr(os, "sched_getaffinity") or len(allowed := os.sched_getaffinity(0)) <= count:
        return None
    try:
        before = busy_ticks((PROC / "stat").read_text())
        time.sleep(seconds)
        after = busy_ticks((PROC / "stat").read_text())
    except (OSError, ValueError, IndexError):
        return sorted(allowed)[:count]
    busy = {cpu: after.get(cpu, 0) - before.get(cpu, 0) for cpu in allowed}
    return sorted(sorted(allowed, key=lambda cpu: (busy[cpu], cpu))[:count])


def busy_ticks(stat: str) -> dict[int, int]:
    """By CPU, of /proc/stat: all ticks but those idle."""
    busy = {}
    for line in stat.splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name != "cpu":
            ticks = dict(zip(TICKS, map(int, numbers), strict=False))
            busy[int(name[3:])] = sum(ticks.values()) - ticks["idle"] - ticks.get("iowait", 0)
    return busy


def throttlings(sys: Path = SYS) -> dict[str, int]:
    """How often cores were too hot, and the control group over its quota. Empty where nothing counts it."""
    counts: dict[str, int] = {}
    hot = list((sys / "devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    if hot:
        counts["thermal"] = sum(_numbers(hot))
    with suppress(OSError, ValueError, KeyError):
        lines = (sys / "fs/cgroup/cpu.stat").read_text().splitlines()
        counted = dict(line.split() for line in lines)
        counts["quota"] = int(counted["nr_throttled"])
    return counts


def between(before: Counters, after: Counters) -> dict[str, Any]:
    """`{"seconds", "steal": fraction of CPU time or None, "throttled": {…}, "load": [before, after]}`"""
    steal = None
    if before.ticks and after.ticks:
        passed = {name: after.ticks[name] - before.ticks.get(name, 0) for name in after.ticks}
        if sum(passed.values()) > 0 and "steal" in passed:
            steal = round(passed["steal"] / sum(passed.values()), 4)
    throttled = {name: after.throttled[name] - before.throttled.get(name, 0) for name in after.throttled}
    return {
        "seconds": round(after.seconds - before.seconds, 1),
        "steal": steal,
        "throttled": throttled or None,
        "load": [before.load, after.load],
    }


class EnergyCounter:
    """RAPL's counters of CPU packages (Linux powercap), in joules since the counter was made."""

    def __init__(self, packages: list[Path]) -> None:
        self._packages = packages
        self._last = [_number(package / "energy_uj") for package in packages]
        self._range = [_number(package / "max_energy_range_uj") for package in packages]
        self._total = 0

    @classmethod
    def find(cls, sys: Path = SYS) -> EnergyCounter | None:
        """None where there is no counter that may be read."""
        packages = sorted((sys / "class/powercap").glob("intel-rapl:[0-9]*"))
        packages = [package for package in packages if package.name.count(":") == 1]
        try:
            return cls(packages) if packages else None
        except (OSError, ValueError):
            return None

    def joules(self) -> float:
        """A counter that is lower than before has gone round once."""
        for index, package in enumerate(self._packages):
            now = _number(package / "energy_uj")
            passed = now - self._last[index]
            self._total += passed if passed >= 0 else passed + self._range[index]
            self._last[index] = now
        return self._total / 1e6


class GpuEnergyCounter:
    """NVML's counter of the GPU that torch uses, in joules since its driver was loaded; it moves in steps."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    @classmethod
    def find(cls) -> GpuEnergyCounter | None:
        """None where the GPU has none (before Volta), or `nvidia-ml-py` is not installed."""
        import torch

        try:
            import pynvml
        except ImportError:
            return None
        if not torch.cuda.is_available():
            return None
        try:
            pynvml.nvmlInit()
            uuid = str(torch.cuda.get_device_properties(0).uuid)
            counter = cls(pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"))
            counter.joules()
            return counter
        except pynvml.NVMLError:
            return None

    def joules(self) -> float:
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle)) / 1e3


def _number(file: Path) -> int:
    return int(file.read_text())


def _numbers(files: Iterable[Path]) -> list[int]:
    numbers = []
    for file in files:
        with suppress(OSError, ValueError):
            numbers.append(_number(file))
    return numbers
